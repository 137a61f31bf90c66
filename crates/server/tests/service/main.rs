//! The server as its clients meet it: by requests alone (`requests`) and on real sockets (`sockets`).

mod common;
mod requests;
mod sockets;
