//! `--pool name=gpu,workers=2,device=cuda:0`: what a pool's text says.

use std::path::PathBuf;

use aiobpy_fleet::{Device, Pool, WorkerLaunch};

use crate::failure::Failure;
use crate::serve::unknown_package;

const EXAMPLE: &str =
    "write it as in `--pool name=gpu,workers=2,device=cuda:0+cuda:1,blender=PATH`";

/// What a worker is started with, where its pool does not say.
pub(crate) struct Launches {
    pub(crate) python: Option<PathBuf>,
    pub(crate) package_dir: Option<PathBuf>,
}

impl Launches {
    pub(crate) fn of_blender(&self, path: PathBuf) -> Result<WorkerLaunch, Failure> {
        let package_dir = self.package_dir.clone().ok_or_else(unknown_package)?;
        Ok(WorkerLaunch::Blender { path, package_dir })
    }

    pub(crate) fn of_module(&self, python: Option<PathBuf>) -> WorkerLaunch {
        let python = python.or_else(|| self.python.clone());
        WorkerLaunch::BpyModule { python: python.unwrap_or_else(|| PathBuf::from("python3")) }
    }
}

/// Reads what one `--pool` says.
pub(crate) fn pool(text: &str, launches: &Launches) -> Result<Pool, Failure> {
    let wrong = |what: String| Failure::new(what).with_hint(EXAMPLE);
    let mut pool = Pool {
        name: String::new(),
        launch: launches.of_module(None),
        workers: 1,
        devices: Vec::new(),
    };
    for part in text.split(',') {
        let Some((key, value)) = part.split_once('=') else {
            return Err(wrong(format!("`{part}` of the pool `{text}` is no KEY=VALUE")));
        };
        match key {
            "name" => value.clone_into(&mut pool.name),
            "blender" => pool.launch = launches.of_blender(value.into())?,
            "python" => pool.launch = launches.of_module(Some(value.into())),
            "workers" => {
                pool.workers = value
                    .parse()
                    .map_err(|_| wrong(format!("`{value}` is no number of workers")))?;
            }
            "device" => {
                let devices: Result<Vec<Device>, _> = value.split('+').map(str::parse).collect();
                pool.devices = devices.map_err(|error| wrong(error.to_string()))?;
            }
            _ => return Err(wrong(format!("a pool has no `{key}`"))),
        }
    }
    if pool.name.is_empty() {
        return Err(wrong(format!("the pool `{text}` has no name")));
    }
    Ok(pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Pool, String> {
        let launches = Launches { python: None, package_dir: Some("/site-packages".into()) };
        pool(text, &launches).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_pool_is_read_as_it_is_written() {
        let pool = read("name=gpu,workers=2,device=cuda:0+cuda:1,blender=/opt/b/blender").unwrap();
        let devices: Vec<String> = pool.devices.iter().map(ToString::to_string).collect();
        assert_eq!((pool.name.as_str(), pool.workers), ("gpu", 2));
        assert_eq!(devices, ["cuda:0", "cuda:1"]);
        let blender = WorkerLaunch::Blender {
            path: "/opt/b/blender".into(),
            package_dir: "/site-packages".into(),
        };
        assert_eq!(pool.launch, blender);
    }

    #[test]
    fn what_is_wrong_with_a_pool_is_named() {
        for (text, why) in [
            ("workers=2", "the pool `workers=2` has no name"),
            ("gpu", "`gpu` of the pool `gpu` is no KEY=VALUE"),
            ("name=a,worker=2", "a pool has no `worker`"),
            ("name=a,workers=two", "`two` is no number of workers"),
            ("name=a,device=gpu", "`gpu` is no device"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
