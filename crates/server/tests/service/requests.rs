//! The service by itself: requests and answers, without a socket.

use std::time::Duration;

use crate::common::{Answered, HOST, StandIn, TOKEN, echoing, get, post, send, shared};
use aiobpy_server::{Front, Limits, Refused, Shared};
use aiobpy_wire::Problem;
use axum::body::Body;
use futures_util::StreamExt;
use http::{Method, Request};
use serde_json::json;

fn echo() -> Shared {
    shared(Some(echoing()), Limits::default())
}

async fn get_as(headers: &[(&str, &str)], path: &str) -> Answered {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(&echo(), request.body(Body::empty()).unwrap()).await
}

mod gate {
    use super::*;

    const AUTHORISED: (&str, &str) = ("authorization", "Bearer 0123456789abcdef0123456789abcdef");
    const OURS: (&str, &str) = ("host", HOST);

    #[tokio::test]
    async fn a_foreign_host_is_refused_before_the_token_is_looked_at() {
        for host in ["evil.com", "localhost.evil.com:4321", "127.0.0.1:1", "localhost.:4321"] {
            let answer = get_as(&[("host", host)], "/api/v1/status").await;
            assert_eq!(
                (answer.status.as_u16(), &*answer.problem()),
                (421, "foreign-host"),
                "{host}"
            );
        }
    }

    #[tokio::test]
    async fn health_is_behind_the_gate_too() {
        assert_eq!(get_as(&[("host", "evil.com")], "/healthz").await.status, 421);
        assert_eq!(get_as(&[OURS], "/healthz").await.json(), json!({"ok": true}));
    }

    #[tokio::test]
    async fn one_host_is_needed() {
        assert_eq!(get_as(&[AUTHORISED], "/api/v1/status").await.problem(), "missing-host");
        let answer = get_as(&[OURS, OURS, AUTHORISED], "/api/v1/status").await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (400, "ambiguous-host"));
    }

    #[tokio::test]
    async fn an_absolute_target_must_be_ours() {
        let foreign = get_as(&[OURS, AUTHORISED], "http://evil.com/api/v1/status").await;
        assert_eq!(foreign.problem(), "foreign-host");
        let ours = get_as(&[OURS, AUTHORISED], "http://127.0.0.1:4321/api/v1/status").await;
        assert_eq!(ours.status, 200);
    }

    #[tokio::test]
    async fn a_page_of_another_origin_is_refused_even_with_the_token() {
        for origin in ["null", "http://evil.com", "http://127.0.0.1:4321.evil.com", ""] {
            let answer = get_as(&[OURS, AUTHORISED, ("origin", origin)], "/api/v1/events").await;
            assert_eq!((answer.status.as_u16(), &*answer.problem()), (403, "foreign-origin"));
        }
        let ours = [OURS, AUTHORISED, ("origin", "http://127.0.0.1:4321")];
        assert_eq!(get_as(&ours, "/api/v1/status").await.status, 200);
    }

    #[tokio::test]
    async fn a_request_that_the_browser_calls_foreign_is_refused() {
        for site in ["cross-site", "same-site", "odd"] {
            let answer =
                get_as(&[OURS, AUTHORISED, ("sec-fetch-site", site)], "/api/v1/status").await;
            assert_eq!((answer.status.as_u16(), &*answer.problem()), (403, "foreign-site"));
        }
        for site in ["same-origin", "none"] {
            let ours = [OURS, AUTHORISED, ("sec-fetch-site", site)];
            assert_eq!(get_as(&ours, "/api/v1/status").await.status, 200);
        }
    }

    #[tokio::test]
    async fn a_form_post_from_a_page_reaches_nothing() {
        for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
            let request = Request::post("/api/v1/rpc/echo")
                .header("host", HOST)
                .header("content-type", content_type)
                .body(Body::from("{}"))
                .unwrap();
            assert_eq!(send(&echo(), request).await.problem(), "missing-token");
        }
    }
}

mod token {
    use super::*;

    #[tokio::test]
    async fn without_a_token_nothing_is_told_but_how_to_send_one() {
        for path in ["/api/v1/status", "/api/v1/events", "/api/v1/rpc/echo", "/nowhere", "/"] {
            let answer = get_as(&[("host", HOST)], path).await;
            assert_eq!(
                (answer.status.as_u16(), &*answer.problem()),
                (401, "missing-token"),
                "{path}"
            );
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"aiobpy\"");
        }
    }

    #[tokio::test]
    async fn a_wrong_token_is_called_wrong() {
        let wrong = [("host", HOST), ("authorization", "Bearer 0123456789abcdef0123456789abcdeF")];
        let answer = get_as(&wrong, "/api/v1/status").await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (401, "wrong-token"));
        assert!(answer.header("www-authenticate").contains("invalid_token"));
        assert!(!String::from_utf8(answer.body).unwrap().contains(TOKEN));
    }

    #[tokio::test]
    async fn a_token_in_the_query_does_not_count() {
        let answer = get_as(&[("host", HOST)], &format!("/api/v1/status?token={TOKEN}")).await;
        assert_eq!(answer.status, 401);
    }
}

mod routing {
    use super::*;

    #[tokio::test]
    async fn an_unknown_address_is_a_problem() {
        let answer = send(&echo(), get("/api/v1/nothing").body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (404, "unknown-address"));
    }

    #[tokio::test]
    async fn a_wrong_method_is_told_the_right_ones() {
        for (method, path, allowed) in [
            (Method::POST, "/api/v1/status", "GET,HEAD"),
            (Method::GET, "/api/v1/rpc/echo", "POST"),
            (Method::OPTIONS, "/api/v1/status", "GET,HEAD"),
            (Method::TRACE, "/healthz", "GET,HEAD"),
        ] {
            let request = get(path).method(method).body(Body::empty()).unwrap();
            let answer = send(&echo(), request).await;
            assert_eq!((answer.status.as_u16(), &*answer.problem()), (405, "method-not-allowed"));
            assert_eq!(answer.header("allow"), allowed);
        }
    }

    #[tokio::test]
    async fn head_is_answered_like_get() {
        let request = get("/api/v1/status").method(Method::HEAD).body(Body::empty()).unwrap();
        let answer = send(&echo(), request).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.is_empty());
    }

    #[tokio::test]
    async fn every_answer_tells_browsers_to_make_nothing_of_it() {
        for path in ["/healthz", "/api/v1/status", "/nowhere"] {
            let answer = send(&echo(), get(path).body(Body::empty()).unwrap()).await;
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("referrer-policy"), "no-referrer");
            assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert!(answer.headers.get("access-control-allow-origin").is_none());
        }
    }

    #[tokio::test]
    async fn a_path_that_is_no_text_is_a_problem() {
        let answer = send(&echo(), post("/api/v1/rpc/%ff").body(Body::from("{}")).unwrap()).await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (400, "malformed-path"));
    }
}

mod status {
    use super::*;

    #[tokio::test]
    async fn status_says_what_is_known_without_asking_python() {
        let (main_thread, _calls) = StandIn::new();
        let shared = shared(Some(main_thread), Limits::default());
        let answer = send(&shared, get("/api/v1/status").body(Body::empty()).unwrap()).await;
        let status = answer.json();
        assert_eq!(status["address"], "http://127.0.0.1:4321");
        assert_eq!(status["pid"], std::process::id());
        assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(status["main_thread"]["blender_version"], "5.2.3");
        assert_eq!(status["main_thread"]["seconds_since_tick"], 1.5);
        assert!(status.get("workers").is_none());
    }
}

mod calls {
    use super::*;

    async fn call(shared: &Shared, method: &str, body: &str) -> Answered {
        let request = post(&format!("/api/v1/rpc/{method}")).body(Body::from(body.to_owned()));
        send(shared, request.unwrap()).await
    }

    #[tokio::test]
    async fn a_call_reaches_the_main_thread_and_its_answer_the_client() {
        let (main_thread, mut calls) = StandIn::new();
        let shared = shared(Some(main_thread), Limits::default());
        let client = call(&shared, "my_addon.add", r#"{"one": 1}"#);
        let main_thread = async {
            let call = calls.recv().await.unwrap();
            assert_eq!((&*call.method, &*call.params), ("my_addon.add", r#"{"one": 1}"#));
            call.answer.send(Ok("[42]".to_owned()));
        };
        let (answer, ()) = tokio::join!(client, main_thread);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.json(), json!([42]));
    }

    #[tokio::test]
    async fn a_call_without_a_body_has_no_parameters() {
        let request = get("/api/v1/rpc/echo").method(Method::POST).body(Body::empty()).unwrap();
        assert_eq!(send(&echo(), request).await.json(), json!({}));
        assert_eq!(call(&echo(), "echo", "").await.json(), json!({}));
    }

    #[tokio::test]
    async fn a_problem_of_the_method_keeps_its_status() {
        let answer = call(&echo(), "fail", "{}").await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (422, "params-invalid"));
    }

    #[tokio::test]
    async fn only_a_json_object_is_let_through() {
        for (body, status, problem) in [
            ("{", 400, "malformed-json"),
            ("nothing", 400, "malformed-json"),
            ("{} {}", 400, "malformed-json"),
            ("{\"x\": NaN}", 400, "malformed-json"),
            ("\u{feff}{}", 400, "malformed-json"),
            ("[1]", 422, "invalid-body"),
            ("null", 422, "invalid-body"),
        ] {
            let answer = call(&echo(), "echo", body).await;
            assert_eq!((answer.status.as_u16(), &*answer.problem()), (status, problem), "{body}");
        }
    }

    #[tokio::test]
    async fn nesting_that_would_exhaust_python_s_stack_is_refused() {
        let deep = format!("{{\"x\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(call(&echo(), "echo", &deep).await.problem(), "malformed-json");
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_are_refused() {
        let request = post("/api/v1/rpc/echo").body(Body::from(&b"{\"x\": \"\xff\"}"[..])).unwrap();
        assert_eq!(send(&echo(), request).await.problem(), "malformed-json");
    }

    #[tokio::test]
    async fn another_content_type_is_refused() {
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
        {
            let request = get("/api/v1/rpc/echo")
                .method(Method::POST)
                .header("content-type", content_type)
                .body(Body::from("{}"));
            let answer = send(&echo(), request.unwrap()).await;
            assert_eq!(
                (answer.status.as_u16(), &*answer.problem()),
                (415, "unsupported-content-type")
            );
        }
        let request = get("/api/v1/rpc/echo")
            .method(Method::POST)
            .header("content-type", "Application/JSON; charset=utf-8")
            .body(Body::from("{}"));
        assert_eq!(send(&echo(), request.unwrap()).await.status, 200);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let limits = Limits { body_bytes: 100, ..Limits::default() };
        let shared = shared(Some(echoing()), limits);
        let body = format!("{{\"x\": \"{}\"}}", "y".repeat(200));
        let answer = call(&shared, "echo", &body).await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (413, "body-too-large"));
        let pieces =
            body.into_bytes().chunks(10).map(|piece| Ok(piece.to_vec())).collect::<Vec<_>>();
        let stream = futures_util::stream::iter(pieces as Vec<Result<_, std::io::Error>>);
        let request = post("/api/v1/rpc/echo").body(Body::from_stream(stream)).unwrap();
        assert_eq!(send(&shared, request).await.status, 413, "its length was not declared");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_is_given_up() {
        let stream = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = post("/api/v1/rpc/echo").body(Body::from_stream(stream)).unwrap();
        let answer = send(&echo(), request).await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (408, "body-too-slow"));
    }

    #[tokio::test]
    async fn without_a_main_thread_there_are_no_methods() {
        let answer = call(&shared(None, Limits::default()), "echo", "{}").await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (404, "no-main-thread"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_main_thread_that_does_not_answer_is_a_504() {
        let (main_thread, mut calls) = StandIn::new();
        let shared = shared(Some(main_thread), Limits::default());
        let answer = call(&shared, "slow", "{}").await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (504, "call-too-slow"));
        assert!(calls.recv().await.unwrap().answer.is_abandoned(), "it need not begin any more");
    }

    #[tokio::test]
    async fn what_the_main_thread_refuses_is_a_503_with_retry_after() {
        for (refused, problem) in
            [(Refused::QueueFull, "too-many-calls"), (Refused::Closed, "closing")]
        {
            let (main_thread, _calls) = StandIn::new();
            main_thread.refuse(refused);
            let answer = call(&shared(Some(main_thread), Limits::default()), "x", "{}").await;
            assert_eq!((answer.status.as_u16(), &*answer.problem()), (503, problem));
            assert_eq!(answer.header("retry-after"), "1");
        }
    }

    #[tokio::test]
    async fn a_call_that_is_dropped_unanswered_tells_of_the_closing() {
        let (main_thread, mut calls) = StandIn::new();
        let shared = shared(Some(main_thread), Limits::default());
        let drop_it = async { drop(calls.recv().await) };
        let (answer, ()) = tokio::join!(call(&shared, "x", "{}"), drop_it);
        assert_eq!(answer.problem(), "closing");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_count_until_the_main_thread_is_done_with_them() {
        let (main_thread, mut calls) = StandIn::new();
        let shared = shared(Some(main_thread), Limits { calls: 1, ..Limits::default() });
        assert_eq!(call(&shared, "slow", "{}").await.problem(), "call-too-slow");
        // Its client has gone, but it still waits in the main thread's queue.
        assert_eq!(call(&shared, "next", "{}").await.problem(), "too-many-calls");
        drop(calls.recv().await);
        assert_eq!(call(&shared, "next", "{}").await.problem(), "call-too-slow");
    }

    #[tokio::test]
    async fn a_method_s_problem_reads_as_it_was_written() {
        let (main_thread, mut calls) = StandIn::new();
        let shared = shared(Some(main_thread), Limits::default());
        let problem = Problem::new(422, "params-invalid", "Wrong parameters", "two are wrong")
            .with_error("/one", "must be a number")
            .with_hint("read the documentation");
        let sent = problem.clone();
        let fail = async { calls.recv().await.unwrap().answer.send(Err(sent)) };
        let (answer, ()) = tokio::join!(call(&shared, "x", "{}"), fail);
        assert_eq!(serde_json::from_value::<Problem>(answer.json()).unwrap(), problem);
    }
}

mod events {
    use super::*;

    #[tokio::test]
    async fn a_last_event_id_that_is_no_number_is_a_problem() {
        let request = get("/api/v1/events").header("last-event-id", "x").body(Body::empty());
        let answer = send(&echo(), request.unwrap()).await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (400, "malformed-event-id"));
    }

    #[tokio::test]
    async fn an_unknown_query_is_a_problem() {
        let answer =
            send(&echo(), get("/api/v1/events?topic=x").body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (400, "malformed-query"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_has_a_heartbeat() {
        let request = get("/api/v1/events").body(Body::empty()).unwrap();
        let response = Front::new(echo()).answer(request).await.map(Body::new);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut body = response.into_body().into_data_stream();
        let opening = body.next().await.unwrap().unwrap();
        assert_eq!(&opening[..], b"retry: 1000\n: aiobpy\n\n");
        let before = tokio::time::Instant::now();
        assert_eq!(&body.next().await.unwrap().unwrap()[..], b":\n\n");
        assert_eq!(before.elapsed().as_secs(), Duration::from_secs(15).as_secs());
    }

    #[tokio::test]
    async fn head_of_a_stream_ends() {
        let request = get("/api/v1/events").method(Method::HEAD).body(Body::empty()).unwrap();
        let answer = send(&echo(), request).await;
        assert_eq!(answer.status, 200);
    }
}
