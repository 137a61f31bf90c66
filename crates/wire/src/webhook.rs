//! Whom to tell what becomes of a job, as <https://www.standardwebhooks.com> has it.

use serde::{Deserialize, Serialize};

/// An address that is sent a request when something happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// With `http` or `https`. What it resolves to has to be an address that all the world may reach,
    /// unless the server allows others.
    pub url: String,
    /// What is told; how it ends, if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<WebhookEvent>,
}

/// What a webhook may be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WebhookEvent {
    #[serde(rename = "job.queued")]
    JobQueued,
    #[serde(rename = "job.started")]
    JobStarted,
    #[serde(rename = "job.finished")]
    JobFinished,
    #[serde(rename = "job.failed")]
    JobFailed,
    #[serde(rename = "job.cancelled")]
    JobCancelled,
    /// No job of the batch waits or runs any more.
    #[serde(rename = "batch.ended")]
    BatchEnded,
}

impl WebhookEvent {
    /// As it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::JobQueued => "job.queued",
            Self::JobStarted => "job.started",
            Self::JobFinished => "job.finished",
            Self::JobFailed => "job.failed",
            Self::JobCancelled => "job.cancelled",
            Self::BatchEnded => "batch.ended",
        }
    }

    /// The event of a name, if a webhook may be told of it.
    pub fn of_name(name: &str) -> Option<Self> {
        const ALL: [WebhookEvent; 6] = [
            WebhookEvent::JobQueued,
            WebhookEvent::JobStarted,
            WebhookEvent::JobFinished,
            WebhookEvent::JobFailed,
            WebhookEvent::JobCancelled,
            WebhookEvent::BatchEnded,
        ];
        ALL.into_iter().find(|event| event.name() == name)
    }
}

impl Webhook {
    /// Whether it is to be told of an event.
    pub fn wants(&self, event: WebhookEvent) -> bool {
        const USUAL: [WebhookEvent; 4] = [
            WebhookEvent::JobFinished,
            WebhookEvent::JobFailed,
            WebhookEvent::JobCancelled,
            WebhookEvent::BatchEnded,
        ];
        let wanted = if self.events.is_empty() { &USUAL[..] } else { &self.events };
        wanted.contains(&event)
    }
}
