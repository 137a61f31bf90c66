//! Which server a command talks to.

use aiobpy_server::discovery::{self, Discovery};
use clap::Args;

use crate::client::Client;
use crate::failure::Failure;

#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// The server; the one that this user started last if left out.
    #[arg(long, value_name = "ADDRESS", requires = "token")]
    url: Option<String>,
    /// What the server at `--url` wants to see.
    #[arg(long, env = "AIOBPY_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl Target {
    /// Looks for it anew each time: a server that was started again has another address.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        if let (Some(url), Some(token)) = (&self.url, &self.token) {
            return Client::new(url, token.clone());
        }
        let newest = running().into_iter().find(|server| server.takes_jobs).ok_or_else(|| {
            Failure::new("no server of this user that takes jobs is running").with_hint(
                "start one with `aiobpy serve --templates PATH`, or name one with `--url`",
            )
        })?;
        Client::new(&newest.address, newest.token)
    }
}

/// The servers of this user, the one that started last first.
pub(crate) fn running() -> Vec<Discovery> {
    discovery::user_folder().map(|folder| Discovery::read_all(&folder)).unwrap_or_default()
}
