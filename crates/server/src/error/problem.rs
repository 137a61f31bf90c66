//! What a client reads when something is wrong: what, with what, and what to do next.

use aiobpy_wire::{JobState, Problem, Scope};

use crate::error::{Failure, seconds_up};

impl Failure {
    /// The problem that a client reads.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::NoHost => Problem::new(
                400,
                "missing-host",
                "No Host header",
                "the request does not say which host it is for",
            )
            .with_hint("send a Host header, as HTTP/1.1 requires"),
            Self::SeveralHosts => Problem::new(
                400,
                "ambiguous-host",
                "More than one Host header",
                "the request names its host more than once",
            )
            .with_hint("send one Host header"),
            Self::ForeignHost { host, ours } => Problem::new(
                421,
                "foreign-host",
                "Not this host",
                format!("the request is for {}, and this server is {ours}", shown(host)),
            )
            .with_hint(format!("address the server as {ours}")),
            Self::ForeignOrigin { origin } => Problem::new(
                403,
                "foreign-origin",
                "Not from this origin",
                format!("a page of the origin {} may not talk to this server", shown(origin)),
            )
            .with_hint("send requests from a program rather than from a web page"),
            Self::CrossSite => Problem::new(
                403,
                "foreign-site",
                "Not from this site",
                "the browser says that another site sent the request",
            )
            .with_hint("send requests from a program rather than from a web page"),
            Self::NoToken => Problem::new(
                401,
                "missing-token",
                "No token",
                "the request carries no token",
            )
            .with_hint(
                "send the header `Authorization: Bearer <token>`; the token is in the server's \
                 discovery file",
            ),
            Self::WrongToken => Problem::new(
                401,
                "wrong-token",
                "Wrong token",
                "the token is not that of this server",
            )
            .with_hint(
                "read the token again from the server's discovery file: it changes when the \
                 server starts, unless AIOBPY_TOKEN sets it",
            ),
            Self::TooManyWrong { wait } => Problem::new(
                429,
                "too-many-wrong-tokens",
                "Too many wrong tokens",
                format!(
                    "too many wrong tokens or codes came from your address; nothing more is looked \
                     at for {} s",
                    seconds_up(*wait)
                ),
            )
            .with_hint("wait, then send the right one: each wrong one makes the wait longer"),
            Self::EndedSession => Problem::new(
                401,
                "ended-session",
                "The session has ended",
                "the cookie is of no session and of no device that is let in",
            )
            .with_hint("log in again: POST /login with a token, or pair the device anew"),
            Self::NotForTenants => Problem::new(
                403,
                "not-for-tenants",
                "Not for tenants",
                "this tells of more than what is yours",
            )
            .with_hint("jobs, batches, templates, inputs and events are for you"),
            Self::FormWithCookie => Problem::new(
                403,
                "form-with-cookie",
                "A page's form could have sent this",
                "the request says who it is by a cookie, and is of a kind that any page could \
                 have had the browser send",
            )
            .with_hint(
                "send JSON with the header `Content-Type: application/json`, or add the header \
                 `X-Aiobpy: 1`",
            ),
            Self::ExecIsOff => Problem::new(
                403,
                "exec-is-off",
                "Python is not run from outside",
                "this needs the scope exec, and nobody has allowed Python to be run",
            )
            .with_hint("tick Run Python in aiobpy's panel, or call `aiobpy.server.allow_exec()`"),
            Self::UnknownDevice { id } => Problem::new(
                404,
                "unknown-device",
                "No such device",
                format!("there is no device {}", shown(id)),
            )
            .with_hint("GET /api/v1/devices lists the devices"),
            Self::TooManyDevices { most } => Problem::new(
                409,
                "too-many-devices",
                "Too many devices",
                format!("{most} devices are paired, and no more are taken"),
            )
            .with_hint("revoke those that are no longer used, in aiobpy's panel"),
            Self::NoAuthority => Problem::new(
                404,
                "no-authority",
                "There is nothing to trust here",
                "the server is not shared on the network with a certificate of its own",
            )
            .with_hint("share it first, in aiobpy's panel"),
            Self::WrongLink => Problem::new(
                403,
                "wrong-link",
                "Wrong link",
                "the link is not one that this server has made",
            )
            .with_hint("`aiobpy dashboard` makes one"),
            Self::LinkExpired => Problem::new(
                410,
                "link-expired",
                "The link has expired",
                "a link signs in once, and not for long",
            )
            .with_hint("`aiobpy dashboard` makes another"),
            Self::WrongCode => Problem::new(
                403,
                "wrong-code",
                "Wrong code",
                "the code is not the one that Blender shows",
            )
            .with_hint("let Blender show a code, and scan that"),
            Self::CodeExpired => Problem::new(
                410,
                "code-expired",
                "The code has expired",
                "the code is good once, and not for long",
            )
            .with_hint("let Blender show another one"),
            Self::PairingRefused => Problem::new(
                403,
                "pairing-refused",
                "The device was refused",
                "nobody at Blender has allowed the device",
            )
            .with_hint(
                "pair where somebody can allow it: in a Blender with windows, or with \
                 `aiobpy.server.on_pairing`",
            ),
            Self::PairingUnanswered { limit } => Problem::new(
                504,
                "pairing-unanswered",
                "Nobody has answered",
                format!("nobody at Blender said yes or no within {} s", limit.as_secs()),
            )
            .with_hint("let Blender show another code, and answer there"),
            Self::TooManyConnections => Problem::new(
                503,
                "too-many-connections",
                "Too many connections",
                "as many connections are open as the server allows",
            )
            .with_hint("close connections that you no longer need, or try again later"),
            Self::UnknownRoute { path } => Problem::new(
                404,
                "unknown-address",
                "No such address",
                format!("nothing is served at {}", shown(path)),
            )
            .with_hint("the API begins at /api/v1/status"),
            Self::WrongMethod { method, path, .. } => Problem::new(
                405,
                "method-not-allowed",
                "Not that method",
                format!("{} does not answer {method}", shown(path)),
            )
            .with_hint("use one of the methods that the Allow header lists"),
            Self::NotWebSocket { detail } => {
                Problem::new(426, "websocket-expected", "Not a WebSocket", detail)
                    .with_hint("open a WebSocket there, of version 13")
            }
            Self::NotAllowed { needed, given } => Problem::new(
                403,
                "not-allowed",
                "Not allowed",
                format!(
                    "this needs the scope {}, and you have {}",
                    named_scope(*needed),
                    named_scope(*given)
                ),
            )
            .with_hint("ask whoever runs this Blender to allow more, in aiobpy's panel"),
            Self::BadPath { detail } => {
                Problem::new(400, "malformed-path", "The path cannot be read", detail)
                    .with_hint("percent-encode what is not plain ASCII, as UTF-8")
            }
            Self::BadQuery { detail } => {
                Problem::new(400, "malformed-query", "The query cannot be read", detail)
            }
            Self::BadEventId { given } => Problem::new(
                400,
                "malformed-event-id",
                "Not an event's id",
                format!("Last-Event-ID is {}, which is no number", shown(given)),
            )
            .with_hint("send the `id` of the last event that you have seen, or leave it out"),
            Self::WrongContentType { given } => Problem::new(
                415,
                "unsupported-content-type",
                "Not JSON",
                match given {
                    Some(given) => format!("the body is declared to be {}", shown(given)),
                    None => "the body is not declared to be anything".to_owned(),
                },
            )
            .with_hint("send JSON, with the header `Content-Type: application/json`"),
            Self::TooLarge { limit } => Problem::new(
                413,
                "body-too-large",
                "The body is too large",
                format!("a body may have {limit} bytes"),
            ),
            Self::BodyTooSlow { limit } => Problem::new(
                408,
                "body-too-slow",
                "The body did not arrive",
                format!("the body did not arrive within {} s", limit.as_secs()),
            ),
            Self::BodyCutShort { detail } => {
                Problem::new(400, "body-cut-short", "The body cannot be read", detail)
            }
            Self::NotJson { detail } => Problem::new(
                400,
                "malformed-json",
                "Not JSON",
                format!("the body is not JSON: {detail}"),
            ),
            Self::WrongShape { pointer, detail } => Problem::new(
                422,
                "invalid-body",
                "Not what is expected here",
                "the body is JSON, but not of the shape that is expected here",
            )
            .with_error(pointer, detail)
            .with_hint("mend what `errors` points at, and send it again"),
            Self::InvalidRequest { detail } => Problem::new(
                400,
                "invalid-request",
                "Not a request of JSON-RPC 2.0",
                detail,
            )
            .with_hint(
                "send an object with `jsonrpc`, `method`, `params` and `id`, or an array of such",
            ),
            Self::NoMainThread => Problem::new(
                404,
                "no-main-thread",
                "No methods here",
                "there is no Python main thread behind this server, so it has no methods to call",
            )
            .with_hint("call methods of a Blender that runs the server itself"),
            Self::UnknownMethod { method } => Problem::new(
                404,
                "unknown-method",
                "No such method",
                format!("there is no method {}", shown(method)),
            )
            .with_hint("GET /openapi.json lists the methods"),
            Self::UnknownOperation { id } => Problem::new(
                404,
                "unknown-operation",
                "No such operation",
                format!("there is no operation {}, or not any more", shown(id)),
            )
            .with_hint("GET /api/v1/operations lists the operations"),
            Self::UnknownConversation { id } => Problem::new(
                404,
                "unknown-conversation",
                "No such conversation",
                format!(
                    "there is no conversation {}, or its events are not taken any more",
                    shown(id)
                ),
            )
            .with_hint("GET /ws with `Accept: text/event-stream` opens one"),
            Self::BadIdempotencyKey { longest } => Problem::new(
                400,
                "malformed-idempotency-key",
                "The Idempotency-Key cannot be used",
                format!("Idempotency-Key is not 1 to {longest} characters of plain ASCII"),
            )
            .with_hint("send one that no other request has, such as a UUID, or leave it out"),
            Self::ReusedIdempotencyKey => Problem::new(
                422,
                "idempotency-key-reused",
                "Another request had that Idempotency-Key",
                "the Idempotency-Key is that of a request which asked for something else",
            )
            .with_hint("send each request with a key of its own"),
            Self::IdempotencyKeyInUse => Problem::new(
                409,
                "idempotency-key-in-use",
                "The request is under way",
                "the request of that Idempotency-Key has not been answered yet",
            )
            .with_hint("send it again later: the answer will be the same"),
            Self::UnknownSession => Problem::new(
                404,
                "unknown-session",
                "No such session",
                "there is no session of that Mcp-Session-Id, or not any more",
            )
            .with_hint("begin a new one with `initialize`"),
            Self::TooManyOperations { most } => Problem::new(
                503,
                "too-many-operations",
                "Too many operations",
                format!("{most} operations run already"),
            )
            .with_hint("wait for one to end, or cancel one; GET /api/v1/operations lists them"),
            Self::TooManyCalls => Problem::new(
                503,
                "too-many-calls",
                "Too many calls",
                "as many calls wait for the main thread as the server allows",
            )
            .with_hint("Blender may be busy; try again later"),
            Self::Closing => Problem::new(
                503,
                "closing",
                "The server is closing",
                "the server stopped before the call was answered",
            )
            .with_hint("try again when it has started again"),
            Self::CallTooSlow { method, limit } => Problem::new(
                504,
                "call-too-slow",
                "The main thread did not answer",
                format!(
                    "the method {} was not answered within {} s",
                    shown(method),
                    limit.as_secs()
                ),
            )
            .with_hint("Blender may be blocked, as by a render; /api/v1/status says for how long"),
            Self::Problem(problem) => (**problem).clone(),
            Self::UnknownJob { id } => Problem::new(
                404,
                "unknown-job",
                "No such job",
                format!("there is no job {}", shown(id)),
            )
            .with_hint("GET /api/v1/jobs lists the jobs"),
            Self::NoResultYet { id, state } => Problem::new(
                409,
                "no-result-yet",
                "No result yet",
                format!("the job {id} is {}", named(*state)),
            )
            .with_hint(format!("follow GET /api/v1/jobs/{id}/events until it has finished")),
            Self::NoPreviewYet { id, state } => Problem::new(
                404,
                "no-preview-yet",
                "No picture yet",
                format!("the job {id} is {}, and has made no picture yet", named(*state)),
            )
            .with_hint(format!(
                "GET /api/v1/jobs/{id}/events tells of each by `job.preview`; one picture alone may have none before it has finished"
            )),
            Self::Cancelled { id } => Problem::new(
                410,
                "cancelled-job",
                "The job was cancelled",
                format!("the job {id} was cancelled, so it has no result"),
            )
            .with_hint("submit it again if you need the result after all"),
            Self::LostResult { id, detail } => Problem::new(
                500,
                "lost-result",
                "The result cannot be read",
                format!("the result of the job {id} cannot be read: {detail}"),
            )
            .with_hint("submit the job again"),
            Self::UnknownBatch { id } => Problem::new(
                404,
                "unknown-batch",
                "No such batch",
                format!("there is no batch {}", shown(id)),
            )
            .with_hint("GET /api/v1/batches lists the batches"),
            Self::NoWebhooks => Problem::new(
                404,
                "no-webhooks",
                "There are no webhooks here",
                "this server tells no webhooks",
            )
            .with_hint("follow the job's events instead"),
            Self::NothingFinishedYet { id } => Problem::new(
                409,
                "no-result-yet",
                "No result yet",
                format!("no job of the batch {id} has finished"),
            )
            .with_hint(format!("follow GET /api/v1/batches/{id}/events until one has")),
            Self::NotForm { given } => Problem::new(
                415,
                "unsupported-content-type",
                "Not a form",
                match given {
                    Some(given) => format!("the body is declared to be {}", shown(given)),
                    None => "the body is not declared to be anything".to_owned(),
                },
            )
            .with_hint(
                "send a form, as multipart/form-data or as application/x-www-form-urlencoded",
            ),
            Self::WrongParts { detail } => Problem::new(
                422,
                "invalid-form",
                "Not the parts that are expected here",
                detail,
            )
            .with_hint(
                "send the job as JSON in the part `request`, and each file in a part that has the name of its parameter",
            ),
            Self::MalformedForm { detail } => Problem::new(
                400,
                "malformed-form",
                "The form cannot be read",
                format!("the body is no form: {detail}"),
            ),
            Self::CannotKeep { detail } => Problem::new(
                507,
                "cannot-keep",
                "The files cannot be kept",
                format!("the files of the request cannot be written: {detail}"),
            )
            .with_hint("the disk may be full"),
            Self::UnreadableFile { path, detail } => {
                tracing::warn!(path = %path.display(), detail, "a file cannot be read");
                Problem::new(
                    500,
                    "unreadable-file",
                    "The file cannot be read",
                    "what is to be sent is a file that cannot be read",
                )
                .with_hint("the add-on's author has to look where the file is")
            }
            Self::RangeOutside { bytes } => Problem::new(
                416,
                "range-outside",
                "No such bytes",
                format!("the file has {bytes} bytes, and the range asks for none of them"),
            ),
            Self::PreconditionFailed => Problem::new(
                412,
                "precondition-failed",
                "Not in that state",
                "what is there now is not what If-Match or If-Unmodified-Since names",
            )
            .with_hint("get it anew, and send what its ETag is now"),
            Self::NotHttp => Problem::new(
                400,
                "malformed-request",
                "No request of HTTP",
                "what came cannot be read as the head of a request (RFC 9112)",
            )
            .with_hint("send a request line and headers, one length of the body, and no odd bytes"),
            Self::HeadTooLarge { limit } => Problem::new(
                431,
                "headers-too-large",
                "Too many headers",
                format!("the headers of a request may have {} KiB, and be 100", limit >> 10),
            )
            .with_hint("send less in cookies and headers"),
            Self::NotTls => Problem::new(
                400,
                "tls-expected",
                "TLS is spoken here",
                "the request came unencrypted to a port that takes TLS alone",
            )
            .with_hint("begin the address with https://"),
        }
    }
}

pub(super) fn named_scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read",
        Scope::Control => "control",
        Scope::Files => "files",
        Scope::Exec => "exec",
        Scope::Admin => "admin",
    }
}

fn named(state: JobState) -> &'static str {
    match state {
        JobState::Queued => "queued",
        JobState::Running => "running",
        JobState::Finished => "finished",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
    }
}

/// What a client has sent, fit to be sent back: quoted, without control characters, not too long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
