//! Pools: workers of one kind, by the Blender that they are and the device that they render on.
//!
//! **Invariant:** values only; who starts processes is `worker_process`.

use std::fmt;
use std::str::FromStr;

use crate::config::{FleetConfig, WorkerLaunch};

/// Workers of one kind, for jobs and templates that name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    pub name: String,
    pub launch: WorkerLaunch,
    /// How many to keep warm.
    pub workers: usize,
    /// What they render on: each worker has one of them to itself, in turn; the processor if there are none.
    pub devices: Vec<Device>,
}

/// What a worker renders on, as in `cuda:0`, `optix:1`, `hip:0`, `oneapi:0`, `metal` or `cpu`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    kind: &'static str,
    index: Option<u32>,
}

/// A text that names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no device; name one as in `cuda:0`, `optix:1`, `hip:0`, `oneapi:0`, `metal` or `cpu`"
)]
pub struct NoDevice(String);

impl Device {
    const KINDS: [&'static str; 6] = ["cpu", "cuda", "optix", "hip", "oneapi", "metal"];

    /// As Cycles names it.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// What a process has to be started with to see this device and no other of its kind.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let Some(index) = self.index else { return Vec::new() };
        match self.kind {
            "cuda" | "optix" => vec![
                // The order that the system's tools show, and not that of speed.
                ("CUDA_DEVICE_ORDER", "PCI_BUS_ID".to_owned()),
                ("CUDA_VISIBLE_DEVICES", index.to_string()),
            ],
            "hip" => vec![("HIP_VISIBLE_DEVICES", index.to_string())],
            "oneapi" => vec![("ONEAPI_DEVICE_SELECTOR", format!("level_zero:{index}"))],
            _ => Vec::new(),
        }
    }
}

impl FromStr for Device {
    type Err = NoDevice;

    fn from_str(text: &str) -> Result<Self, NoDevice> {
        let (name, index) = match text.split_once(':') {
            None => (text, None),
            Some((name, index)) => {
                (name, Some(index.parse().map_err(|_| NoDevice(text.to_owned()))?))
            }
        };
        let kind = Self::KINDS.into_iter().find(|kind| *kind == name);
        let takes_index = !matches!(name, "cpu" | "metal");
        match kind {
            Some(kind) if takes_index || index.is_none() => Ok(Self { kind, index }),
            _ => Err(NoDevice(text.to_owned())),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(formatter, "{}:{index}", self.kind),
            None => formatter.write_str(self.kind),
        }
    }
}

/// What the worker of a slot is: the same each time that one is started there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Berth {
    /// `None`: the usual workers.
    pub(crate) pool: Option<String>,
    pub(crate) launch: WorkerLaunch,
    pub(crate) device: Option<Device>,
}

/// One for each worker that is to be kept warm.
pub(crate) fn berths(config: &FleetConfig) -> Vec<Berth> {
    let usual = Berth { pool: None, launch: config.launch.clone(), device: None };
    let mut berths = vec![usual; config.workers];
    for pool in &config.pools {
        berths.extend((0..pool.workers).map(|number| Berth {
            pool: Some(pool.name.clone()),
            launch: pool.launch.clone(),
            device: pool.devices.get(number % pool.devices.len().max(1)).cloned(),
        }));
    }
    berths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(text: &str) -> Device {
        text.parse().unwrap()
    }

    #[test]
    fn a_process_sees_its_own_card_only() {
        let cuda =
            [("CUDA_DEVICE_ORDER", "PCI_BUS_ID".into()), ("CUDA_VISIBLE_DEVICES", "1".into())];
        assert_eq!(device("cuda:1").environment(), cuda);
        assert_eq!(device("hip:0").environment(), [("HIP_VISIBLE_DEVICES", "0".into())]);
        let oneapi = [("ONEAPI_DEVICE_SELECTOR", "level_zero:2".into())];
        assert_eq!(device("oneapi:2").environment(), oneapi);
        assert_eq!(device("cpu").environment(), []);
        assert_eq!(
            (device("optix").environment(), device("optix:3").to_string()),
            (vec![], "optix:3".into())
        );
    }

    #[test]
    fn what_is_no_device_is_refused() {
        for text in ["", "gpu", "cuda:first", "metal:0", "cpu:1", "cuda:"] {
            let error = text.parse::<Device>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no device")), "{error}");
        }
    }

    #[test]
    fn the_workers_of_a_pool_share_its_devices_out() {
        let launch = WorkerLaunch::BpyModule { python: "python3".into() };
        let mut config = FleetConfig::new("data".into(), Vec::new(), launch.clone());
        let devices = vec![device("cuda:0"), device("cuda:1")];
        config.pools.push(Pool { name: "gpu".into(), launch, workers: 3, devices });
        let berths = berths(&config);
        let devices: Vec<_> =
            berths.iter().map(|berth| berth.device.as_ref().map(ToString::to_string)).collect();
        let named = |text: &str| Some(text.to_owned());
        assert_eq!(devices, [None, named("cuda:0"), named("cuda:1"), named("cuda:0")]);
        assert_eq!(berths.iter().filter(|berth| berth.pool.is_some()).count(), 3);
    }
}
