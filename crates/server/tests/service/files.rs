//! Folders that sites serve, without a socket.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::common::{Answered, get, send, token};
use aiobpy_server::{Limits, Parts, Shared, Sites};
use aiobpy_wire::{RouteAnswer, RouteDescription, Scope, SiteDescription};
use axum::body::Body;
use http::Method;
use std::sync::Arc;
use tempfile::TempDir;

/// A site `/a/cup` with a folder at `/static`.
struct Site {
    shared: Shared,
    folder: TempDir,
}

impl Site {
    fn new(is_single_page: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        let sites = Arc::new(Sites::default());
        let route = |pattern: &str| RouteDescription {
            pattern: pattern.to_owned(),
            methods: Vec::new(),
            scope: Scope::Read,
            operation: None,
            answer: RouteAnswer::Folder { folder: root.clone(), is_single_page },
        };
        let routes = vec![route("/static"), route("/static/"), route("/static/{*rest}")];
        sites.put(SiteDescription::new("/a/cup", routes)).unwrap();
        let parts = Parts { sites, ..Parts::default() };
        let address = crate::common::HOST.parse().unwrap();
        Self { shared: Shared::new(address, token(), Limits::default(), parts), folder }
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let site = Self::new(false);
        for (name, text) in files {
            site.write(name, text);
        }
        site
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("root")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        set_time(&path, SystemTime::now() - Duration::from_hours(1));
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answered {
        self.ask(&Method::GET, path, headers).await
    }

    async fn ask(&self, method: &Method, path: &str, headers: &[(&str, &str)]) -> Answered {
        let mut request = get(&format!("/a/cup/static{path}")).method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&self.shared, request.body(Body::empty()).unwrap()).await
    }

    async fn status(&self, path: &str) -> u16 {
        self.get(path, &[]).await.status.as_u16()
    }
}

fn set_time(path: &Path, time: SystemTime) {
    fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

#[tokio::test]
async fn a_file_comes_with_its_type_and_its_state() {
    let files = [("a.txt", "hello"), ("b.svg", "<svg/>"), ("c", "?"), ("d.html", "<p>page")];
    let site = Site::with(&files);
    let answer = site.get("/a.txt", &[]).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"hello"[..]));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("content-length"), "5");
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(answer.header("vary"), "accept-encoding");
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.header("etag").starts_with('"'));
    assert_eq!(site.get("/b.svg", &[]).await.header("content-type"), "image/svg+xml");
    let policy = async |path| {
        let answer = site.get(path, &[]).await;
        assert_eq!(answer.headers.get_all("content-security-policy").iter().count(), 1);
        answer.header("content-security-policy").to_owned()
    };
    assert!(policy("/d.html").await.starts_with("default-src 'self'"));
    assert!(policy("/b.svg").await.starts_with("default-src 'none'"));
    let unknown = site.get("/c", &[]).await;
    assert_eq!(unknown.header("content-type"), "application/octet-stream");
}

#[tokio::test]
async fn head_is_answered_as_get_without_the_bytes() {
    let site = Site::with(&[("a.txt", "hello")]);
    let answer = site.ask(&Method::HEAD, "/a.txt", &[("range", "bytes=0-1")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-length")), (200, "5"));
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let site = Site::with(&[("a.txt", "hello")]);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = site.ask(&method, "/a.txt", &[]).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "GET, HEAD"));
    }
}

#[tokio::test]
async fn a_client_that_has_the_file_is_told_so() {
    let site = Site::with(&[("a.txt", "hello")]);
    let first = site.get("/a.txt", &[]).await;
    let (tag, modified) = (first.header("etag"), first.header("last-modified"));
    for condition in [("if-none-match", tag), ("if-modified-since", modified)] {
        let answer = site.get("/a.txt", &[condition]).await;
        assert_eq!(answer.status, 304, "{condition:?}");
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("etag"), tag);
        assert_eq!(answer.header("vary"), "accept-encoding");
    }
    let failed = site.get("/a.txt", &[("if-match", "\"other\"")]).await;
    assert_eq!((failed.status.as_u16(), &*failed.problem()), (412, "precondition-failed"));
    site.write("a.txt", "other");
    assert_eq!(site.get("/a.txt", &[("if-none-match", tag)]).await.body, b"other");
}

#[tokio::test]
async fn what_is_kept_in_memory_is_what_is_on_the_disk() {
    let site = Site::with(&[("a.txt", "first")]);
    for text in ["first", "other", "third"] {
        site.write("a.txt", text);
        for _ in 0..3 {
            assert_eq!(site.get("/a.txt", &[]).await.body, text.as_bytes());
        }
    }
    fs::remove_file(site.root().join("a.txt")).unwrap();
    assert_eq!(site.status("/a.txt").await, 404);
}

#[tokio::test]
async fn parts_come_alone_or_together() {
    let text: String = ('a'..='z').cycle().take(3000).collect();
    let site = Site::with(&[("a.txt", &text)]);
    let one = site.get("/a.txt", &[("range", "bytes=10-19")]).await;
    assert_eq!((one.status.as_u16(), &*one.body), (206, &text.as_bytes()[10..20]));
    assert_eq!(one.header("content-range"), "bytes 10-19/3000");
    let two = site.get("/a.txt", &[("range", "bytes=0-1, 2000-2001")]).await;
    let boundary = two.header("content-type").strip_prefix("multipart/byteranges; boundary=");
    let part = |range: &str, text: &str| {
        format!(
            "\r\n--{}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes \
             {range}/3000\r\n\r\n{text}",
            boundary.unwrap()
        )
    };
    let expected = [
        part("0-1", &text[..2]),
        part("2000-2001", &text[2000..2002]),
        format!("\r\n--{}--\r\n", boundary.unwrap()),
    ];
    assert_eq!(String::from_utf8_lossy(&two.body), expected.concat());
    assert_eq!(two.header("content-length"), two.body.len().to_string());
    let outside = site.get("/a.txt", &[("range", "bytes=3000-")]).await;
    assert_eq!((outside.status.as_u16(), &*outside.problem()), (416, "range-outside"));
    assert_eq!(outside.header("content-range"), "bytes */3000");
    let stale = [("range", "bytes=0-1"), ("if-range", "\"other\"")];
    assert_eq!(site.get("/a.txt", &stale).await.status, 200);
}

#[tokio::test]
async fn a_large_file_comes_from_the_disk_in_pieces() {
    let site = Site::new(false);
    let bytes: Vec<u8> = (0..251).cycle().take(3 << 20).collect();
    fs::write(site.root().join("large.bin"), &bytes).unwrap();
    assert!(site.get("/large.bin", &[]).await.body == bytes);
    let part = site.get("/large.bin", &[("range", "bytes=1000000-2999999")]).await;
    assert!(part.body == bytes[1_000_000..3_000_000]);
    let parts = site.get("/large.bin", &[("range", "bytes=0-299999,1000000-1000009")]).await;
    assert_eq!(parts.header("content-length"), parts.body.len().to_string());
}

#[tokio::test]
async fn a_compressed_neighbour_is_sent_to_who_takes_it() {
    let site = Site::with(&[("a.js", "whole"), ("a.js.gz", "gzip"), ("a.js.br", "brotli")]);
    let get = async |accepted| site.get("/a.js", &[("accept-encoding", accepted)]).await;
    let plain = get("identity").await;
    assert_eq!(plain.body, b"whole");
    let brotli = get("gzip, br").await;
    assert_eq!((&*brotli.body, brotli.header("content-encoding")), (&b"brotli"[..], "br"));
    assert_eq!(brotli.header("content-type"), plain.header("content-type"));
    assert_ne!(brotli.header("etag"), plain.header("etag"));
    assert_eq!(get("gzip").await.body, b"gzip");
    // Written after its neighbours.
    fs::write(site.root().join("a.js"), "newer").unwrap();
    assert_eq!(get("gzip, br").await.body, b"newer");
}

#[tokio::test]
async fn a_folder_has_its_index_at_the_address_with_a_slash() {
    let site = Site::with(&[("index.html", "top"), ("deep/index.html", "deep"), ("bare/x", "")]);
    assert_eq!(site.get("/", &[]).await.body, b"top");
    assert_eq!(site.get("/deep/", &[]).await.body, b"deep");
    let without = site.get("/deep?a=b", &[]).await;
    assert_eq!(
        (without.status.as_u16(), without.header("location")),
        (308, "/a/cup/static/deep/?a=b")
    );
    assert_eq!(site.get("", &[]).await.header("location"), "/a/cup/static/");
    assert_eq!(site.status("/bare/").await, 404);
    assert_eq!(site.status("/index.html/").await, 404);
}

#[tokio::test]
async fn a_single_page_answers_for_addresses_that_are_its_own() {
    let site = Site::new(true);
    site.write("index.html", "page");
    site.write("app.js", "app");
    for path in ["/", "/objects/cup", "/objects/"] {
        assert_eq!(site.get(path, &[]).await.body, b"page", "{path}");
    }
    assert_eq!(site.get("/app.js", &[]).await.body, b"app");
    assert_eq!(site.status("/absent.js").await, 404);
    let page = site.get("/users/john.doe", &[("accept", "text/html,*/*;q=0.8")]).await;
    assert_eq!(page.body, b"page");
    assert_eq!(site.status("/../secret").await, 404);
}

#[cfg(unix)]
#[tokio::test]
async fn no_path_and_no_link_leads_out_of_the_folder() {
    let site = Site::with(&[("a.txt", "hello"), ("sub/b.txt", "b"), (".env", "secret")]);
    fs::write(site.folder.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", site.root().join("link")).unwrap();
    std::os::unix::fs::symlink("..", site.root().join("up")).unwrap();
    std::os::unix::fs::symlink("sub/b.txt", site.root().join("inside")).unwrap();
    assert_eq!(site.status("/inside").await, 200);
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/%2e%2e%2fsecret",
        "/..%5csecret",
        "/%252e%252e%252fsecret",
        "/sub/../../secret",
        "/sub%2fb.txt",
        "//a.txt",
        "//etc/passwd",
        "/link",
        "/up/secret",
        "/.env",
        "/a.txt%00",
        "/a.txt::$DATA",
        "/C:/Windows/win.ini",
        "/nul",
        "/a.txt.",
        "/a.txt%20",
    ] {
        let answer = site.get(path, &[]).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.problem()),
            (404, "unknown-address"),
            "{path}"
        );
    }
    assert_eq!(site.get("/%ff", &[]).await.status, 400);
}
