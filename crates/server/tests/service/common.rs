//! What the tests of this crate share: a stand-in for the Python main thread, and a client.

use std::sync::{Arc, Mutex};

use aiobpy_server::{Call, Limits, MainThread, Parts, Refused, Shared, Token, Work};
use aiobpy_wire::{LoopStatus, MainThreadStatus, Problem};
use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const HOST: &str = "127.0.0.1:4321";

pub(crate) fn token() -> Token {
    Token::new(TOKEN).unwrap()
}

/// A main thread that answers nothing by itself: the test takes the calls and answers them.
pub(crate) struct StandIn {
    calls: mpsc::UnboundedSender<Call>,
    refusal: Mutex<Option<Refused>>,
}

impl StandIn {
    pub(crate) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Call>) {
        let (calls, received) = mpsc::unbounded_channel();
        (Arc::new(Self { calls, refusal: Mutex::new(None) }), received)
    }

    pub(crate) fn refuse(&self, refused: Refused) {
        *self.refusal.lock().unwrap() = Some(refused);
    }
}

impl MainThread for StandIn {
    fn post(&self, work: Work) -> Result<(), Refused> {
        let Work::Call(call) = work else { return Err(Refused::Closed) };
        match *self.refusal.lock().unwrap() {
            Some(refused) => Err(refused),
            None => self.calls.send(call).map_err(|_gone| Refused::Closed),
        }
    }

    fn status(&self) -> MainThreadStatus {
        MainThreadStatus {
            blender_version: Some("5.2.3".to_owned()),
            seconds_since_tick: 1.5,
            event_loop: LoopStatus::default(),
        }
    }
}

/// A main thread that answers every call with its parameters, or fails methods called `fail`.
pub(crate) fn echoing() -> Arc<dyn MainThread> {
    struct Echo;
    impl MainThread for Echo {
        fn post(&self, work: Work) -> Result<(), Refused> {
            let Work::Call(call) = work else { return Err(Refused::Closed) };
            let answer = match call.method.as_str() {
                "fail" => Err(Problem::new(422, "params-invalid", "Wrong", "wrong")),
                _ => Ok(call.params),
            };
            call.answer.send(answer);
            Ok(())
        }

        fn status(&self) -> MainThreadStatus {
            MainThreadStatus {
                blender_version: None,
                seconds_since_tick: 0.0,
                event_loop: LoopStatus::default(),
            }
        }
    }
    Arc::new(Echo)
}

pub(crate) fn shared(main_thread: Option<Arc<dyn MainThread>>, limits: Limits) -> Shared {
    let parts = Parts { main_thread, ..Parts::default() };
    Shared::new(HOST.parse().unwrap(), token(), limits, parts)
}

pub(crate) fn get(path: &str) -> http::request::Builder {
    Request::get(path).header("host", HOST).header("authorization", format!("Bearer {TOKEN}"))
}

pub(crate) fn post(path: &str) -> http::request::Builder {
    Request::post(path)
        .header("host", HOST)
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json")
}

/// An answer that has been read to its end.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The `type` of the problem that it is.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        problem["type"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        match self.headers.get(name) {
            Some(value) => value.to_str().unwrap(),
            None => panic!("the answer has no header `{name}`: {:?}", self.headers),
        }
    }
}

pub(crate) async fn send(shared: &Shared, request: Request<Body>) -> Answered {
    let front = aiobpy_server::Front::new(shared.clone());
    read(front.answer(request).await.map(Body::new)).await
}

pub(crate) async fn read(response: Response) -> Answered {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().into();
    Answered { status: parts.status, headers: parts.headers, body }
}
