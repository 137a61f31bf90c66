//! `aiobpy dashboard`: a link that signs a browser in to a running server.

use bytes::Bytes;
use clap::Args;
use http::Method;
use serde::Deserialize;

use crate::client::read;
use crate::failure::Failure;
use crate::target::Target;
use crate::terminal::Terminal;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
}

#[derive(Deserialize)]
struct Link {
    address: String,
    expires_in: u64,
}

pub(crate) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    let link = runtime.block_on(ask(arguments))?;
    terminal.say(&link.address);
    let minutes = link.expires_in / 60;
    terminal.say(&format!("open it in a browser: it signs in once, within {minutes} minutes"));
    Ok(())
}

async fn ask(arguments: &Arguments) -> Result<Link, Failure> {
    let mut client = arguments.target.client()?;
    let answer = client.send(Method::POST, "/api/v1/sign-in-links", Bytes::new()).await?;
    serde_json::from_slice(&read(answer).await?).map_err(Failure::new)
}
