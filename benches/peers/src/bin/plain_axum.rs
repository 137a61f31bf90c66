//! The rival of our routes that need no Python: axum as its documentation has it, with nothing
//! before or behind it. Prints its port.

use axum::Router;
use axum::routing::get;
use http::header;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> std::io::Result<()> {
    let hello = || async { ([(header::CONTENT_TYPE, "application/json")], r#"{"ok":true}"#) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    #[expect(clippy::print_stdout, reason = "whoever started it waits for the port")]
    {
        println!("{}", listener.local_addr()?.port());
    }
    axum::serve(listener, Router::new().route("/", get(hello))).await
}
