//! Tells webhooks what becomes of jobs: requests signed as <https://www.standardwebhooks.com> has it,
//! sent again until they arrive, and to no address that their sender should not reach.
//!
//! Reading order: `guard.rs` (whom we talk to), `secret.rs` (how it is signed), `sending.rs` (one request).
//! What is to be told, and is not forgotten by a crash, is `fleet`'s outbox.

mod guard;
mod secret;
mod sending;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aiobpy_fleet::{Delivery, Fleet, Outbox};
use aiobpy_wire::Problem;
use ipnet::IpNet;
use tokio::sync::Semaphore;

pub(crate) use guard::Guard;
pub(crate) use secret::Secret;
use sending::{Outcome, Sender};

use crate::error::Failure;
use crate::shared::Shared;

/// Deliveries that are under way at once.
const AT_ONCE: usize = 16;
/// Between two looks, if nothing happens.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// After these the next attempt follows: a day and a half in all.
const DELAYS: [u64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// How webhooks are told.
#[derive(Clone)]
pub struct WebhookConfig {
    pub outbox: Outbox,
    /// Holds the secret that requests are signed with; made if it is not there.
    pub secret_file: PathBuf,
    /// Networks of yours that webhooks may be in; else only addresses that all the world may reach.
    pub allowed: Vec<IpNet>,
    /// After each of these an attempt that came to nothing is followed by another.
    pub delays: Vec<Duration>,
}

impl WebhookConfig {
    /// The usual ten attempts, within four days, to addresses of the internet alone.
    pub fn new(outbox: Outbox, secret_file: PathBuf) -> Self {
        let delays = DELAYS.map(Duration::from_secs).to_vec();
        Self { outbox, secret_file, allowed: Vec::new(), delays }
    }
}

/// Whom to tell, and how it is signed.
#[derive(Clone)]
pub struct Webhooks(Arc<Inner>);

struct Inner {
    outbox: Outbox,
    sender: Sender,
    delays: Vec<Duration>,
}

impl Webhooks {
    /// # Errors
    /// The secret cannot be read or written.
    pub fn new(config: WebhookConfig) -> Result<Self, Problem> {
        let secret = Secret::of_file(&config.secret_file)?;
        let sender = Sender::new(Guard::new(config.allowed), secret);
        Ok(Self(Arc::new(Inner { outbox: config.outbox, sender, delays: config.delays })))
    }

    /// Whether an address may be told at all, as far as that is known without asking for it.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn check(&self, url: &str, pointer: &str) -> Result<(), Failure> {
        let checked = self.0.sender.guard.target(url);
        checked.map(drop).map_err(|refusal| refused(&refusal.to_string(), pointer))
    }

    /// What a receiver checks signatures with, as `whsec_…`; each tenant's is another.
    pub(crate) fn secret_of(&self, tenant: Option<&str>) -> String {
        self.0.sender.secret.of(tenant).shown()
    }

    /// Fills the outbox and empties it, until the server stops.
    pub(crate) fn run(&self, fleet: Fleet, shared: &Shared) {
        let (outbox, stopping) = (self.0.outbox.clone(), shared.stopping.clone());
        shared.tasks.spawn(async move {
            if let Err(error) = outbox.fill(&fleet, stopping).await {
                tracing::error!(%error, "webhooks are told nothing more");
            }
        });
        let (webhooks, told) = (self.clone(), shared.clone());
        shared.tasks.spawn(async move { webhooks.empty(&told).await });
    }

    async fn empty(&self, shared: &Shared) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        while !shared.stopping.is_cancelled() {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (due, next) = match self.0.outbox.take_due(1).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(%error, "webhooks cannot be told");
                    (Vec::new(), None)
                }
            };
            let Some(delivery) = due.into_iter().next() else {
                drop(place);
                let pause = next.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
                tokio::select! {
                    () = shared.stopping.cancelled() => {}
                    () = self.0.outbox.filled() => {}
                    () = tokio::time::sleep(pause) => {}
                }
                continue;
            };
            let (webhooks, shared) = (self.clone(), shared.clone());
            shared.clone().tasks.spawn(async move {
                webhooks.deliver(delivery, &shared).await;
                drop(place);
            });
        }
    }

    async fn deliver(&self, delivery: Delivery, shared: &Shared) {
        let outcome = tokio::select! {
            // Unanswered, it is sent again by the next server.
            () = shared.stopping.cancelled() => return,
            outcome = self.0.sender.send(&delivery) => outcome,
        };
        shared.metrics.webhook(outcome.name());
        let Delivery { id, attempts, .. } = delivery;
        let noted = match outcome {
            Outcome::Arrived => self.0.outbox.forget(id).await,
            Outcome::Refused(why) => {
                tracing::warn!(id, %why, "a webhook is given up");
                self.0.outbox.forget(id).await
            }
            Outcome::Failed { why, after } => {
                if let Some(delay) = self.0.delays.get(attempts as usize) {
                    tracing::info!(id, why, ?delay, "a webhook was told in vain");
                    let delay = with_jitter((*delay).max(after.unwrap_or_default()));
                    self.0.outbox.again(id, delay).await
                } else {
                    tracing::warn!(id, why, "a webhook is given up after its last attempt");
                    self.0.outbox.forget(id).await
                }
            }
        };
        if let Err(error) = noted {
            // It is sent once more, which receivers have to bear.
            tracing::error!(%error, "could not note what became of a webhook");
        }
    }
}

/// Up to a tenth later, so that those that failed together do not come together.
fn with_jitter(delay: Duration) -> Duration {
    let luck = getrandom::u32().map_or(0.0, |number| f64::from(number) / f64::from(u32::MAX));
    delay.mul_f64(1.0 + luck / 10.0)
}

fn refused(why: &str, pointer: &str) -> Failure {
    Problem::new(422, "webhook-refused", "The webhook may not be told", why)
        .with_error(pointer, why)
        .with_hint(
            "name an https:// address that all the world may reach, or have the server allow your \
             network: `aiobpy serve --webhook-allow 10.0.0.0/8`",
        )
        .into()
}
