//! How a WebSocket ends, and what either side is told of it (RFC 6455, 7).

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::limits::Limits;
use crate::websocket::{Sink, Stream};

/// The code for an end without a closing frame; it is never sent (7.4.1).
const ABNORMAL: u16 = 1006;
/// The code for a closing frame without a code.
const NO_STATUS: u16 = 1005;
/// A closing frame's reason has so many bytes at most.
const LONGEST_REASON: usize = 123;
/// How long a client has to take its leave.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a WebSocket ends.
#[derive(Debug)]
pub(super) enum End {
    ClosedByClient(Option<CloseFrame>),
    /// The closing frame is written, though not flushed.
    ClosedByHandler,
    /// Nobody is there any more.
    Gone,
    /// We have to end it, and say why.
    Ended {
        code: CloseCode,
        reason: &'static str,
    },
}

impl End {
    pub(super) fn going_away() -> Self {
        Self::Ended { code: CloseCode::Away, reason: "the server is closing" }
    }

    /// Whom the client was let in as is let in no more.
    pub(super) fn revoked() -> Self {
        Self::Ended { code: CloseCode::Policy, reason: "you are let in no more" }
    }

    /// The handler ended without a closing frame.
    pub(super) fn failed_handler() -> Self {
        Self::Ended { code: CloseCode::Error, reason: "the handler has ended" }
    }

    pub(super) fn of_error(error: &Error) -> Self {
        let (code, reason) = match error {
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return Self::Gone,
            Error::Protocol(_) => (CloseCode::Protocol, "that is not the WebSocket protocol"),
            Error::Utf8(_) => (CloseCode::Invalid, "a text is not UTF-8"),
            Error::Capacity(_) => (CloseCode::Size, "the message is too large"),
            _ => return Self::Gone,
        };
        Self::Ended { code, reason }
    }

    pub(super) fn told_to_the_handler(&self) -> (u16, &str) {
        match self {
            Self::ClosedByClient(Some(frame)) => (frame.code.into(), frame.reason.as_str()),
            Self::ClosedByClient(None) | Self::ClosedByHandler => (NO_STATUS, ""),
            Self::Gone => (ABNORMAL, ""),
            Self::Ended { code, reason } => ((*code).into(), reason),
        }
    }

    /// Tells the client, and hears it out for a moment.
    pub(super) async fn finish(self, mut sink: Sink, mut stream: Stream, limits: &Limits) {
        let is_going_away = matches!(self, Self::Ended { code: CloseCode::Away, .. });
        let patience = if is_going_away { FAREWELL.min(limits.farewell) } else { FAREWELL };
        let farewell = async {
            match self {
                Self::Gone => {}
                // Its answer is waiting in the library.
                Self::ClosedByClient(_) => {
                    let _gone = sink.close().await;
                }
                Self::ClosedByHandler => {
                    let _gone = sink.flush().await;
                    // The client's closing frame ends it.
                    while let Some(Ok(_)) = stream.next().await {}
                }
                Self::Ended { code, reason } => {
                    let frame = closing_frame(code.into(), reason);
                    let _gone = sink.send(Message::Close(Some(frame))).await;
                    hang_up(sink, stream).await;
                }
            }
        };
        let _stalled = timeout(patience, farewell).await;
    }
}

/// Sends no more, and takes what is under way: closing a socket that still has bytes to read would
/// reset it, and the closing frame could be lost.
async fn hang_up(sink: Sink, stream: Stream) {
    let Ok(mut socket) = sink.reunite(stream) else { return };
    let stream = socket.get_mut();
    let _gone = stream.shutdown().await;
    let _reset = tokio::io::copy(stream, &mut tokio::io::sink()).await;
}

/// A code that may not be sent (7.4.2) becomes 1000, and a reason that is too long is cut.
pub(super) fn closing_frame(code: u16, reason: &str) -> CloseFrame {
    let code = CloseCode::from(code);
    let code = if code.is_allowed() { code } else { CloseCode::Normal };
    let reason = Utf8Bytes::from(&reason[..reason.floor_char_boundary(LONGEST_REASON)]);
    CloseFrame { code, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closing_frame_is_one_that_may_be_sent() {
        let frame = closing_frame(4000, "enough");
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4000, "enough"));
        for code in [0, 999, 1004, 1005, 1006, 1015, 2000] {
            assert_eq!(u16::from(closing_frame(code, "").code), 1000, "{code}");
        }
        let long = closing_frame(1000, &"ü".repeat(100));
        assert_eq!(long.reason.as_str(), "ü".repeat(61));
    }

    #[test]
    fn each_error_has_a_code_of_its_own() {
        let code = |error: &Error| End::of_error(error).told_to_the_handler().0;
        assert_eq!(code(&Error::Protocol(ProtocolError::NonZeroReservedBits)), 1002);
        assert_eq!(code(&Error::Utf8(String::new())), 1007);
        assert_eq!(code(&Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)), 1006);
        assert_eq!(code(&Error::Io(std::io::ErrorKind::ConnectionReset.into())), 1006);
    }
}
