//! Who is let in, as what, and what is told of it: through the whole service, without a socket.

use std::sync::Arc;

use aiobpy_wire::{
    HandlerAnswer, LoopStatus, MainThreadStatus, RouteAnswer, RouteDescription, Scope,
    SiteDescription, TakenBody, Takes,
};
use axum::body::{Body, to_bytes};
use axum::response::Response;
use futures_util::StreamExt;
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::exchange::{Exchange, Start};
use crate::limits::Limits;
use crate::main_thread::{MainThread, Refused, Work};
use crate::router::Front;
use crate::routes::scopes::{OPEN, OURS};
use crate::shared::{Parts, Shared};
use crate::token::Token;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const HOST: &str = "127.0.0.1:4321";
const COOKIE: &str = "aiobpy-4321";

/// Answers calls with their parameters, requests with nothing, and claims with `Read`.
struct Stand;

impl MainThread for Stand {
    fn post(&self, work: Work) -> Result<(), Refused> {
        match work {
            Work::Call(call) => call.answer.send(Ok(call.params)),
            Work::Exchange(exchange) => answer_empty(&exchange),
            Work::Pairing(claim) => {
                let scope = (claim.name != "stranger").then_some(Scope::Read);
                claim.answer(scope);
            }
            Work::News(_) | Work::Cancel(_) | Work::Reply { .. } => {}
        }
        Ok(())
    }

    fn status(&self) -> MainThreadStatus {
        let event_loop = LoopStatus { ticks: 7, ..LoopStatus::default() };
        MainThreadStatus { blender_version: None, seconds_since_tick: 0.5, event_loop }
    }
}

fn answer_empty(exchange: &Exchange) {
    let start = Start { status: StatusCode::OK, headers: HeaderMap::new() };
    exchange.answer(start, bytes::Bytes::new());
}

fn shared() -> Shared {
    let main_thread: Arc<dyn MainThread> = Arc::new(Stand);
    let parts = Parts { main_thread: Some(main_thread), ..Parts::default() };
    Shared::new(HOST.parse().unwrap(), Token::new(TOKEN).unwrap(), Limits::default(), parts)
}

/// A request, and how it is answered.
struct Asking<'shared> {
    shared: &'shared Shared,
    request: http::request::Builder,
}

impl Shared {
    fn ask(&self, method: &str, path: &str) -> Asking<'_> {
        let request = Request::builder().method(method).uri(path).header("host", HOST);
        Asking { shared: self, request }
    }
}

impl Asking<'_> {
    fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    async fn json(self, body: &Value) -> Response {
        let request = self.request.header("content-type", "application/json");
        let body = Body::from(body.to_string());
        answer(self.shared, request.body(body).unwrap()).await
    }

    async fn empty(self) -> Response {
        let request = self.request.body(Body::empty()).unwrap();
        answer(self.shared, request).await
    }
}

async fn answer(shared: &Shared, request: Request<Body>) -> Response {
    Front::new(shared.clone()).answer(request).await.map(Body::new)
}

async fn json_of(response: Response) -> Value {
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice(&bytes).unwrap_or_else(|_| json!({ "type": "none" }))
}

async fn problem_of(response: Response) -> String {
    // An answer that is no problem may have no end, as events do.
    if response.status().is_success() {
        return String::new();
    }
    json_of(response).await["type"].as_str().unwrap_or_default().to_owned()
}

/// The `name=value` of the cookie that an answer sets.
fn cookie_of(response: &Response) -> String {
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

mod scopes {
    use super::*;

    #[tokio::test]
    async fn every_route_of_ours_needs_a_token_and_then_its_scope() {
        let shared = shared();
        for (pattern, method, needed) in OURS {
            let path = pattern.replace("{method}", "echo").replace("{id}", "7");
            let answer = shared.ask(method, &path).empty().await;
            assert_eq!(answer.status(), 401, "{method} {path}");
            // One that nobody has described, as here, needs what most do.
            let needed = if pattern.contains("{method}") { &Scope::Control } else { needed };
            for scope in [Scope::Read, Scope::Control, Scope::Files, Scope::Exec, Scope::Admin] {
                let (_, token) = shared.keys.devices.add("x", scope).unwrap();
                let answer = shared.ask(method, &path).token(token.as_str()).empty().await;
                let is_refused = problem_of(answer).await == "not-allowed";
                assert_eq!(is_refused, scope < *needed, "{method} {path} {scope:?}");
                for device in shared.keys.devices.list() {
                    shared.keys.devices.revoke(&device.id).unwrap();
                }
            }
        }
    }

    #[tokio::test]
    async fn what_needs_no_token_gives_nothing_away() {
        let shared = shared();
        for path in OPEN {
            let answer = shared.ask("GET", path).empty().await;
            let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains(TOKEN), "{path}");
        }
    }

    #[tokio::test]
    async fn a_refusal_names_the_scope_that_is_needed() {
        let shared = shared();
        let (_, token) = shared.keys.devices.add("iPad", Scope::Read).unwrap();
        let answer =
            shared.ask("POST", "/api/v1/rpc/echo").token(token.as_str()).json(&json!({})).await;
        assert_eq!(answer.status(), 403);
        let wanted = "Bearer realm=\"aiobpy\", error=\"insufficient_scope\", scope=\"control\"";
        assert_eq!(answer.headers()["www-authenticate"], wanted);
    }

    #[tokio::test]
    async fn a_site_that_runs_python_needs_the_users_tick_even_with_our_token() {
        let shared = shared();
        let answer = RouteAnswer::Handler(HandlerAnswer {
            handler: 1,
            takes: Takes::Requests,
            body: TakenBody::default(),
            cache_seconds: None,
        });
        let route = RouteDescription {
            pattern: "/run".to_owned(),
            methods: vec!["POST".to_owned()],
            scope: Scope::Exec,
            operation: None,
            answer,
        };
        shared.sites.put(SiteDescription::new("/a/console", vec![route])).unwrap();
        let run = || shared.ask("POST", "/a/console/run").token(TOKEN).empty();
        assert_eq!(problem_of(run().await).await, "exec-is-off");
        shared.keys.exec.set(true);
        assert_eq!(run().await.status(), 200);
    }
}

mod links {
    use super::*;

    async fn open(shared: &Shared, code: &str) -> Response {
        shared.ask("POST", "/login").json(&json!({ "code": code })).await
    }

    #[tokio::test]
    async fn a_link_signs_in_once_as_whoever_has_the_token() {
        let shared = shared();
        let code = shared.keys.open_link(shared.running.elapsed()).unwrap();
        let answer = open(&shared, &code).await;
        assert_eq!(answer.status(), 200);
        let me = shared.ask("GET", "/api/v1/me").header("cookie", &cookie_of(&answer));
        assert_eq!(json_of(me.empty().await).await["scope"], "admin");
        assert_eq!(problem_of(open(&shared, &code).await).await, "link-expired");
    }

    #[tokio::test]
    async fn wrong_codes_of_links_count_as_wrong_tokens_do() {
        let shared = shared();
        let mut problems = Vec::new();
        for guess in 0..20 {
            problems.push(problem_of(open(&shared, &guess.to_string()).await).await);
        }
        assert_eq!(problems[0], "wrong-link");
        assert_eq!(problems[19], "too-many-wrong-tokens");
    }

    #[tokio::test]
    async fn a_new_token_makes_the_link_good_no_more() {
        let shared = shared();
        let code = shared.keys.open_link(shared.running.elapsed()).unwrap();
        shared.keys.change_token(Token::new(TOKEN).unwrap());
        assert_eq!(problem_of(open(&shared, &code).await).await, "link-expired");
    }
}

mod sessions {
    use super::*;

    async fn log_in(shared: &Shared) -> String {
        let answer = shared.ask("POST", "/login").json(&json!({ "token": TOKEN })).await;
        assert_eq!(answer.status(), 200);
        cookie_of(&answer)
    }

    #[tokio::test]
    async fn a_cookie_is_as_good_as_the_token_that_it_was_given_for() {
        let shared = shared();
        let answer = shared.ask("POST", "/login").json(&json!({ "token": TOKEN })).await;
        let set = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
        assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{set}");
        assert!(!set.contains(TOKEN));
        let cookie = cookie_of(&answer);
        assert!(cookie.starts_with(COOKIE));
        let me = shared.ask("GET", "/api/v1/me").header("cookie", &cookie).empty().await;
        let wanted = json!({ "name": "token", "scope": "admin", "may_run_python": false });
        assert_eq!(json_of(me).await, wanted);
    }

    #[tokio::test]
    async fn what_a_form_can_send_changes_nothing_by_a_cookie() {
        let shared = shared();
        let cookie = log_in(&shared).await;
        let post = || shared.ask("POST", "/api/v1/rpc/echo").header("cookie", &cookie);
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
            let answer = post().header("content-type", kind).empty().await;
            assert_eq!(problem_of(answer).await, "form-with-cookie");
        }
        assert_eq!(post().json(&json!({})).await.status(), 200);
    }

    #[tokio::test]
    async fn a_logout_ends_the_session_and_what_it_has_open() {
        let shared = shared();
        let (cookie, other) = (log_in(&shared).await, log_in(&shared).await);
        let events = shared.ask("GET", "/api/v1/events").header("cookie", &cookie).empty().await;
        let mut events = events.into_body().into_data_stream();
        assert!(events.next().await.unwrap().is_ok());
        let out = shared.ask("POST", "/logout").header("cookie", &cookie).json(&json!({})).await;
        assert_eq!(out.status(), 204);
        assert!(out.headers()[header::SET_COOKIE].to_str().unwrap().ends_with("Max-Age=0"));
        assert!(events.next().await.unwrap().is_err(), "the events are cut");
        let status = |cookie| shared.ask("GET", "/api/v1/status").header("cookie", cookie).empty();
        assert_eq!(problem_of(status(&cookie).await).await, "ended-session");
        assert_eq!(status(&other).await.status(), 200);
    }

    #[tokio::test]
    async fn another_token_ends_all_sessions_of_the_one_before() {
        let shared = shared();
        let cookie = log_in(&shared).await;
        shared.keys.change_token(Token::new("another-token-of-ours").unwrap());
        let by_cookie = shared.ask("GET", "/api/v1/status").header("cookie", &cookie).empty().await;
        assert_eq!(by_cookie.status(), 401);
        let by_token = shared.ask("GET", "/api/v1/status").token(TOKEN).empty().await;
        assert_eq!(problem_of(by_token).await, "wrong-token");
    }

    #[tokio::test]
    async fn another_site_cannot_log_a_browser_in() {
        let shared = shared();
        let login = || shared.ask("POST", "/login");
        let body = json!({ "token": TOKEN });
        let foreign = login().header("origin", "http://evil.com").json(&body).await;
        assert_eq!(problem_of(foreign).await, "foreign-origin");
        let form = login().header("content-type", "text/plain").empty().await;
        assert_eq!(form.status(), 415);
    }
}

mod wrong_tokens {
    use super::*;

    #[tokio::test]
    async fn who_guesses_is_told_to_wait_and_says_so_in_the_answer() {
        let shared = shared();
        for number in 0..8 {
            let token = format!("wrong-token-number-{number}");
            let answer = shared.ask("GET", "/api/v1/status").token(&token).empty().await;
            assert_eq!(answer.status(), 401);
        }
        let answer = shared.ask("GET", "/api/v1/status").token("and-one-more-guess").empty().await;
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()["retry-after"], "1");
        let right = shared.ask("GET", "/api/v1/status").token(TOKEN).empty().await;
        assert_eq!(problem_of(right).await, "too-many-wrong-tokens");
    }

    #[tokio::test]
    async fn a_cookie_of_yesterday_is_no_guess() {
        let shared = shared();
        for _ in 0..50 {
            let cookie = format!("{COOKIE}=old");
            let answer =
                shared.ask("GET", "/api/v1/status").header("cookie", &cookie).empty().await;
            assert_eq!(answer.status(), 401);
        }
        assert_eq!(shared.ask("GET", "/api/v1/status").token(TOKEN).empty().await.status(), 200);
    }
}

mod pairing {
    use super::*;

    fn open(shared: &Shared) -> String {
        shared.pairing.open(shared.running.elapsed()).unwrap()
    }

    async fn claim(shared: &Shared, code: &str, name: &str) -> Response {
        shared.ask("POST", "/pair/claim").json(&json!({ "code": code, "name": name })).await
    }

    #[tokio::test]
    async fn a_device_that_is_allowed_gets_a_token_and_a_cookie() {
        let shared = shared();
        let answer = claim(&shared, &open(&shared), "iPad").await;
        assert_eq!(answer.status(), 201);
        let cookie = cookie_of(&answer);
        let device = json_of(answer).await;
        assert_eq!((&device["name"], &device["scope"]), (&json!("iPad"), &json!("read")));
        let token = device["token"].as_str().unwrap();
        let me = shared.ask("GET", "/api/v1/me").token(token).empty().await;
        assert_eq!(json_of(me).await["name"], "iPad");
        let me = shared.ask("GET", "/api/v1/me").header("cookie", &cookie).empty().await;
        assert_eq!(me.status(), 200);
    }

    #[tokio::test]
    async fn a_code_is_good_once_and_a_wrong_one_never() {
        let shared = shared();
        let code = open(&shared);
        assert_eq!(problem_of(claim(&shared, "guess", "x").await).await, "wrong-code");
        assert_eq!(claim(&shared, &code, "iPad").await.status(), 201);
        let again = claim(&shared, &code, "iPad").await;
        assert_eq!((again.status().as_u16(), &*problem_of(again).await), (410, "code-expired"));
    }

    #[tokio::test]
    async fn a_device_that_is_refused_gets_nothing() {
        let shared = shared();
        let answer = claim(&shared, &open(&shared), "stranger").await;
        assert!(answer.headers().get(header::SET_COOKIE).is_none());
        assert_eq!(problem_of(answer).await, "pairing-refused");
        assert!(shared.keys.devices.list().is_empty());
    }

    #[tokio::test]
    async fn a_revoked_device_is_out_at_once_with_what_it_has_open() {
        let shared = shared();
        let (device, token) = shared.keys.devices.add("iPad", Scope::Read).unwrap();
        let events = shared.ask("GET", "/api/v1/events").token(token.as_str()).empty().await;
        let mut events = events.into_body().into_data_stream();
        assert!(events.next().await.unwrap().is_ok());
        let path = format!("/api/v1/devices/{}", device.id);
        assert_eq!(shared.ask("DELETE", &path).token(TOKEN).empty().await.status(), 204);
        assert!(events.next().await.unwrap().is_err());
        let status = shared.ask("GET", "/api/v1/status").token(token.as_str()).empty().await;
        assert_eq!(status.status(), 401);
        let again = shared.ask("DELETE", &path).token(TOKEN).empty().await;
        assert_eq!(problem_of(again).await, "unknown-device");
    }

    #[tokio::test]
    async fn the_page_loads_nothing_from_elsewhere_and_stands_in_no_frame() {
        let shared = shared();
        for path in ["/pair", "/pair.js", "/pair.css"] {
            let answer = shared.ask("GET", path).empty().await;
            assert_eq!(answer.status(), 200);
            let policy = answer.headers()["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("-inline") && !policy.contains("-eval"), "{policy}");
            let text = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            let text = String::from_utf8(text.into()).unwrap();
            assert!(!text.contains("://") && !text.contains("<script>"), "{path}");
        }
    }
}

mod observing {
    use super::*;

    #[tokio::test]
    async fn every_answer_has_its_requests_id_and_problems_tell_it() {
        let shared = shared();
        let answer = shared.ask("GET", "/healthz").header("x-request-id", "mine-7").empty().await;
        assert_eq!(answer.headers()["x-request-id"], "mine-7");
        let answer = shared.ask("GET", "/nowhere").token(TOKEN).empty().await;
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let problem = json_of(answer).await;
        assert_eq!(problem["request_id"], id.as_str());
        assert_eq!(problem["instance"], "/nowhere");
    }

    #[tokio::test]
    async fn requests_are_told_to_who_may_see_them_without_queries_or_secrets() {
        let shared = shared();
        drop(shared.ask("GET", "/api/v1/status?token=secret").token(TOKEN).empty().await);
        drop(shared.ask("POST", "/api/v1/rpc/echo").token("a-wrong-token").empty().await);
        drop(shared.ask("POST", "/login").json(&json!({ "token": TOKEN })).await);
        let requests = shared.ask("GET", "/api/v1/requests").token(TOKEN).empty().await;
        let requests = json_of(requests).await;
        let asked: Vec<_> = requests["requests"].as_array().unwrap().iter().collect();
        let told = |asked: &Value| (asked["path"].clone(), asked["principal"].clone());
        assert_eq!(told(asked[0]), (json!("/login"), json!("token")));
        assert_eq!(told(asked[1]), (json!("/api/v1/rpc/echo"), json!(null)));
        assert_eq!(told(asked[2]), (json!("/api/v1/status"), json!("token")));
        let text = requests.to_string();
        assert!(!text.contains("secret") && !text.contains(TOKEN), "{text}");
        let audit = shared.ask("GET", "/api/v1/audit?limit=10").token(TOKEN).empty().await;
        let audit = json_of(audit).await;
        let paths: Vec<_> =
            audit["requests"].as_array().unwrap().iter().map(|it| &it["path"]).collect();
        assert_eq!(paths, ["/login", "/api/v1/rpc/echo"]);
        assert_eq!(audit["requests"][1]["status"], 401);
    }

    #[tokio::test]
    async fn metrics_tell_requests_by_route_and_what_the_loop_has_done() {
        let shared = shared();
        drop(shared.ask("GET", "/api/v1/status").token(TOKEN).empty().await);
        drop(shared.ask("POST", "/api/v1/rpc/one").token(TOKEN).json(&json!({})).await);
        drop(shared.ask("POST", "/api/v1/rpc/two").token(TOKEN).json(&json!({})).await);
        drop(shared.ask("ODD", "/made/up").token(TOKEN).empty().await);
        let answer = shared.ask("GET", "/metrics").token(TOKEN).empty().await;
        let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"));
        let text = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(text.into()).unwrap();
        for line in [
            "aiobpy_http_requests_total{route=\"/api/v1/rpc/{method}\",method=\"POST\",status=\"200\"} 2",
            "aiobpy_http_requests_total{route=\"none\",method=\"other\",status=\"404\"} 1",
            "aiobpy_http_request_seconds_count{route=\"/api/v1/status\"} 1",
            "aiobpy_main_thread_answer_seconds_count 2",
            "aiobpy_main_thread_waiting 0",
            "aiobpy_websockets 0",
            "aiobpy_loop_ticks_total 7",
            "# EOF",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }

    #[tokio::test]
    async fn a_request_goes_on_in_its_trace() {
        let method = Method::GET;
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let request = Request::builder().method(method).header("traceparent", parent);
        let request = request.body(()).unwrap();
        let trace = crate::trace::Trace::of(request.headers());
        assert!(trace.parent().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    }
}
