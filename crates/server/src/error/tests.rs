use std::path::Path;

use super::problem::shown;
use super::*;

#[test]
fn a_problem_with_a_status_that_is_no_error_becomes_a_500() {
    for status in [0, 200, 302, 999, 65535] {
        let problem = Problem::new(status, "odd", "Odd", "odd");
        assert_eq!(Failure::from(problem).into_response().status(), 500, "{status}");
    }
}

#[test]
fn what_a_client_has_sent_comes_back_quoted_and_short() {
    assert_eq!(shown("a\r\nb"), "`a\\r\\nb`");
    assert_eq!(shown(&"x".repeat(1000)).chars().count(), 203);
}

#[test]
fn every_problem_says_what_was_wrong_with_what_and_what_to_do_next() {
    let id: JobId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    let failures = [
        Failure::NoHost,
        Failure::SeveralHosts,
        Failure::ForeignHost { host: "evil.com".into(), ours: "http://127.0.0.1:4321".into() },
        Failure::ForeignOrigin { origin: "null".into() },
        Failure::CrossSite,
        Failure::NoToken,
        Failure::WrongToken,
        Failure::TooManyWrong { wait: Duration::from_millis(1500) },
        Failure::EndedSession,
        Failure::FormWithCookie,
        Failure::ExecIsOff,
        Failure::NotAllowed { needed: Scope::Files, given: Scope::Read },
        Failure::UnknownDevice { id: "7".into() },
        Failure::TooManyDevices { most: 64 },
        Failure::WrongLink,
        Failure::LinkExpired,
        Failure::WrongCode,
        Failure::CodeExpired,
        Failure::PairingRefused,
        Failure::PairingUnanswered { limit: Duration::from_mins(2) },
        Failure::TooManyConnections,
        Failure::UnknownRoute { path: "/x".into() },
        Failure::WrongMethod { method: Method::PUT, path: "/healthz".into(), allowed: None },
        Failure::BadPath { detail: "Invalid UTF-8".into() },
        Failure::BadQuery { detail: "unknown field `x`".into() },
        Failure::BadEventId { given: "x".into() },
        Failure::WrongContentType { given: Some("text/plain".into()) },
        Failure::WrongContentType { given: None },
        Failure::TooLarge { limit: 1024 },
        Failure::BodyTooSlow { limit: Duration::from_secs(15) },
        Failure::BodyCutShort { detail: "the body ended before its time".into() },
        Failure::NotJson { detail: "expected value at line 1 column 1".into() },
        Failure::WrongShape { pointer: "/output/width".into(), detail: "a number".into() },
        Failure::InvalidRequest { detail: "the member `method` is missing".into() },
        Failure::NoMainThread,
        Failure::UnknownMethod { method: "tools/call".into() },
        Failure::UnknownOperation { id: "7".into() },
        Failure::UnknownConversation { id: "7".into() },
        Failure::BadIdempotencyKey { longest: 255 },
        Failure::ReusedIdempotencyKey,
        Failure::IdempotencyKeyInUse,
        Failure::UnknownSession,
        Failure::TooManyOperations { most: 64 },
        Failure::TooManyCalls,
        Failure::Closing,
        Failure::CallTooSlow { method: "x".into(), limit: Duration::from_secs(30) },
        Failure::UnknownJob { id: "7".into() },
        Failure::NoResultYet { id, state: JobState::Running },
        Failure::WrongParts { detail: "it has 0 parts `request`, and not one".into() },
        Failure::NoPreviewYet { id, state: JobState::Running },
        Failure::Cancelled { id },
        Failure::LostResult { id, detail: "No such file or directory".into() },
        Failure::RangeOutside { bytes: 10 },
        Failure::PreconditionFailed,
        Failure::NotHttp,
        Failure::HeadTooLarge { limit: 32 << 10 },
        Failure::NotTls,
        Failure::UnreadableFile { path: "/a/x".into(), detail: "it is gone".into() },
    ];
    let problems: Vec<String> = failures.iter().map(|failure| told(&failure.problem())).collect();
    insta::assert_snapshot!(problems.join("\n\n"), @"
    400 missing-host
    No Host header: the request does not say which host it is for
    hint: send a Host header, as HTTP/1.1 requires

    400 ambiguous-host
    More than one Host header: the request names its host more than once
    hint: send one Host header

    421 foreign-host
    Not this host: the request is for `evil.com`, and this server is http://127.0.0.1:4321
    hint: address the server as http://127.0.0.1:4321

    403 foreign-origin
    Not from this origin: a page of the origin `null` may not talk to this server
    hint: send requests from a program rather than from a web page

    403 foreign-site
    Not from this site: the browser says that another site sent the request
    hint: send requests from a program rather than from a web page

    401 missing-token
    No token: the request carries no token
    hint: send the header `Authorization: Bearer <token>`; the token is in the server's discovery file

    401 wrong-token
    Wrong token: the token is not that of this server
    hint: read the token again from the server's discovery file: it changes when the server starts, unless AIOBPY_TOKEN sets it

    429 too-many-wrong-tokens
    Too many wrong tokens: too many wrong tokens or codes came from your address; nothing more is looked at for 2 s
    hint: wait, then send the right one: each wrong one makes the wait longer

    401 ended-session
    The session has ended: the cookie is of no session and of no device that is let in
    hint: log in again: POST /login with a token, or pair the device anew

    403 form-with-cookie
    A page's form could have sent this: the request says who it is by a cookie, and is of a kind that any page could have had the browser send
    hint: send JSON with the header `Content-Type: application/json`, or add the header `X-Aiobpy: 1`

    403 exec-is-off
    Python is not run from outside: this needs the scope exec, and nobody has allowed Python to be run
    hint: tick Run Python in aiobpy's panel, or call `aiobpy.server.allow_exec()`

    403 not-allowed
    Not allowed: this needs the scope files, and you have read
    hint: ask whoever runs this Blender to allow more, in aiobpy's panel

    404 unknown-device
    No such device: there is no device `7`
    hint: GET /api/v1/devices lists the devices

    409 too-many-devices
    Too many devices: 64 devices are paired, and no more are taken
    hint: revoke those that are no longer used, in aiobpy's panel

    403 wrong-link
    Wrong link: the link is not one that this server has made
    hint: `aiobpy dashboard` makes one

    410 link-expired
    The link has expired: a link signs in once, and not for long
    hint: `aiobpy dashboard` makes another

    403 wrong-code
    Wrong code: the code is not the one that Blender shows
    hint: let Blender show a code, and scan that

    410 code-expired
    The code has expired: the code is good once, and not for long
    hint: let Blender show another one

    403 pairing-refused
    The device was refused: nobody at Blender has allowed the device
    hint: pair where somebody can allow it: in a Blender with windows, or with `aiobpy.server.on_pairing`

    504 pairing-unanswered
    Nobody has answered: nobody at Blender said yes or no within 120 s
    hint: let Blender show another code, and answer there

    503 too-many-connections
    Too many connections: as many connections are open as the server allows
    hint: close connections that you no longer need, or try again later

    404 unknown-address
    No such address: nothing is served at `/x`
    hint: the API begins at /api/v1/status

    405 method-not-allowed
    Not that method: `/healthz` does not answer PUT
    hint: use one of the methods that the Allow header lists

    400 malformed-path
    The path cannot be read: Invalid UTF-8
    hint: percent-encode what is not plain ASCII, as UTF-8

    400 malformed-query
    The query cannot be read: unknown field `x`

    400 malformed-event-id
    Not an event's id: Last-Event-ID is `x`, which is no number
    hint: send the `id` of the last event that you have seen, or leave it out

    415 unsupported-content-type
    Not JSON: the body is declared to be `text/plain`
    hint: send JSON, with the header `Content-Type: application/json`

    415 unsupported-content-type
    Not JSON: the body is not declared to be anything
    hint: send JSON, with the header `Content-Type: application/json`

    413 body-too-large
    The body is too large: a body may have 1024 bytes

    408 body-too-slow
    The body did not arrive: the body did not arrive within 15 s

    400 body-cut-short
    The body cannot be read: the body ended before its time

    400 malformed-json
    Not JSON: the body is not JSON: expected value at line 1 column 1

    422 invalid-body
    Not what is expected here: the body is JSON, but not of the shape that is expected here
      /output/width: a number
    hint: mend what `errors` points at, and send it again

    400 invalid-request
    Not a request of JSON-RPC 2.0: the member `method` is missing
    hint: send an object with `jsonrpc`, `method`, `params` and `id`, or an array of such

    404 no-main-thread
    No methods here: there is no Python main thread behind this server, so it has no methods to call
    hint: call methods of a Blender that runs the server itself

    404 unknown-method
    No such method: there is no method `tools/call`
    hint: GET /openapi.json lists the methods

    404 unknown-operation
    No such operation: there is no operation `7`, or not any more
    hint: GET /api/v1/operations lists the operations

    404 unknown-conversation
    No such conversation: there is no conversation `7`, or its events are not taken any more
    hint: GET /ws with `Accept: text/event-stream` opens one

    400 malformed-idempotency-key
    The Idempotency-Key cannot be used: Idempotency-Key is not 1 to 255 characters of plain ASCII
    hint: send one that no other request has, such as a UUID, or leave it out

    422 idempotency-key-reused
    Another request had that Idempotency-Key: the Idempotency-Key is that of a request which asked for something else
    hint: send each request with a key of its own

    409 idempotency-key-in-use
    The request is under way: the request of that Idempotency-Key has not been answered yet
    hint: send it again later: the answer will be the same

    404 unknown-session
    No such session: there is no session of that Mcp-Session-Id, or not any more
    hint: begin a new one with `initialize`

    503 too-many-operations
    Too many operations: 64 operations run already
    hint: wait for one to end, or cancel one; GET /api/v1/operations lists them

    503 too-many-calls
    Too many calls: as many calls wait for the main thread as the server allows
    hint: Blender may be busy; try again later

    503 closing
    The server is closing: the server stopped before the call was answered
    hint: try again when it has started again

    504 call-too-slow
    The main thread did not answer: the method `x` was not answered within 30 s
    hint: Blender may be blocked, as by a render; /api/v1/status says for how long

    404 unknown-job
    No such job: there is no job `7`
    hint: GET /api/v1/jobs lists the jobs

    409 no-result-yet
    No result yet: the job 01890a5d-ac96-774b-bcce-b302099a8057 is running
    hint: follow GET /api/v1/jobs/01890a5d-ac96-774b-bcce-b302099a8057/events until it has finished

    422 invalid-form
    Not the parts that are expected here: it has 0 parts `request`, and not one
    hint: send the job as JSON in the part `request`, and each file in a part that has the name of its parameter

    404 no-preview-yet
    No picture yet: the job 01890a5d-ac96-774b-bcce-b302099a8057 is running, and has made no picture yet
    hint: GET /api/v1/jobs/01890a5d-ac96-774b-bcce-b302099a8057/events tells of each by `job.preview`; one picture alone may have none before it has finished

    410 cancelled-job
    The job was cancelled: the job 01890a5d-ac96-774b-bcce-b302099a8057 was cancelled, so it has no result
    hint: submit it again if you need the result after all

    500 lost-result
    The result cannot be read: the result of the job 01890a5d-ac96-774b-bcce-b302099a8057 cannot be read: No such file or directory
    hint: submit the job again

    416 range-outside
    No such bytes: the file has 10 bytes, and the range asks for none of them

    412 precondition-failed
    Not in that state: what is there now is not what If-Match or If-Unmodified-Since names
    hint: get it anew, and send what its ETag is now

    400 malformed-request
    No request of HTTP: what came cannot be read as the head of a request (RFC 9112)
    hint: send a request line and headers, one length of the body, and no odd bytes

    431 headers-too-large
    Too many headers: the headers of a request may have 32 KiB, and be 100
    hint: send less in cookies and headers

    400 tls-expected
    TLS is spoken here: the request came unencrypted to a port that takes TLS alone
    hint: begin the address with https://

    500 unreadable-file
    The file cannot be read: what is to be sent is a file that cannot be read
    hint: the add-on's author has to look where the file is
    ");
}

#[test]
fn a_server_that_cannot_start_says_why_and_what_to_do_next() {
    let address = "127.0.0.1:80".parse().unwrap();
    let in_use = std::io::Error::from(std::io::ErrorKind::AddrInUse);
    let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let problems = [
        Failure::no_randomness(&"it is too early"),
        Failure::unusable_token(16),
        Failure::not_loopback("192.168.1.2".parse().unwrap()),
        Failure::cannot_listen(address, &in_use),
        Failure::cannot_listen(address, &denied),
        Failure::cannot_listen_at(Path::new("/run/x.sock"), &in_use),
        Failure::cannot_listen_at(Path::new("/run/x.sock"), &denied),
        Failure::unusable_certificate(Path::new("/x.pem"), &"no items found"),
        Failure::unusable_identity(&"keys do not match"),
        Failure::cannot_sign(&"the key is of another kind"),
        Failure::cannot_write(Path::new("/root/x.json"), &denied),
    ];
    let problems: Vec<String> = problems.iter().map(told).collect();
    insta::assert_snapshot!(problems.join("\n\n"), @"
    500 no-randomness
    No token can be made: the operating system gives no random numbers: it is too early
    hint: set AIOBPY_TOKEN to a secret of your own

    400 unusable-token
    The token cannot be used: a token needs 16 characters or more, of letters, digits and - . _ ~ + / =
    hint: leave it out to get a random one

    400 not-loopback
    Not a loopback address: the server listens on this computer alone, and 192.168.1.2 is seen by others
    hint: listen on 127.0.0.1

    409 port-in-use
    The port is in use: another program listens on port 80 of 127.0.0.1
    hint: choose another port, or leave the port out to get a free one

    500 cannot-listen
    The server cannot listen: cannot listen on 127.0.0.1:80: permission denied
    hint: choose a port from 1024 on, or leave the port out to get a free one

    409 cannot-listen
    The server cannot listen: cannot listen at /run/x.sock: address in use
    hint: another program listens there: choose another path

    500 cannot-listen
    The server cannot listen: cannot listen at /run/x.sock: permission denied
    hint: choose a short path in a folder that you may write to

    400 unusable-certificate
    The certificate cannot be used: /x.pem cannot be read: no items found
    hint: name PEM files: one with the certificates, and one with the key, unencrypted

    400 unusable-certificate
    The certificate cannot be used: the certificate and its key cannot be used: keys do not match
    hint: the key has to be that of the first certificate

    500 cannot-sign
    No certificate can be made: a certificate for this network cannot be signed: the key is of another kind
    hint: give a certificate of your own: `aiobpy.server.share(tls=(…))`

    500 unwritable-file
    A file cannot be written: cannot write /root/x.json: permission denied
    hint: make its folder writable, or set XDG_CONFIG_HOME to a folder that is
    ");
}

fn told(problem: &Problem) -> String {
    format!("{} {}\n{problem}", problem.status, problem.kind)
}
