//! The server as its clients meet it: by requests alone (`requests`, `jobs`) and on real
//! sockets (`sockets`).

mod common;
mod conversations;
mod files;
mod jobs;
mod requests;
mod sockets;
mod transports;
mod websockets;
