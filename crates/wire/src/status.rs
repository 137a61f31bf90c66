//! What `GET /api/v1/status` says. Every field is known without asking Python.

use serde::{Deserialize, Serialize};

use crate::WorkerDescription;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Of aiobpy, as in `0.1.0`.
    pub version: String,
    pub pid: u32,
    /// Where the server listens, as in `http://127.0.0.1:43210`.
    pub address: String,
    pub uptime_seconds: f64,
    pub connections: u64,
    /// `None` where there is no Python main thread behind the server, as in `aiobpy serve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main_thread: Option<MainThreadStatus>,
    /// `None` where there is no fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<Vec<WorkerDescription>>,
}

/// The Blender behind the server, and whether its main thread answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MainThreadStatus {
    /// As in `5.2.3`; `None` in plain Python.
    pub blender_version: Option<String>,
    /// Seconds since Python callbacks last ran: grows while Blender is blocked.
    pub seconds_since_tick: f64,
    #[serde(rename = "loop")]
    pub event_loop: LoopStatus,
}

/// What the loop has counted since it was made. Times are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoopStatus {
    pub ticks: u64,
    pub callbacks: u64,
    pub seconds_in_callbacks: f64,
    /// Ticks that took longer than their budget.
    pub overruns: u64,
    pub slowest: Vec<SlowCallback>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlowCallback {
    pub name: String,
    pub seconds: f64,
}
