//! Where Jupyter looks for kernels.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::Surroundings;
use crate::failure::Failure;

/// Which of Jupyter's folders; the user's own if none is named.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Place {
    /// For this user: Jupyter's data folder.
    #[arg(long)]
    user: bool,
    /// For a Python environment at PATH, or for everybody at `/usr/local`.
    #[arg(long, value_name = "PATH")]
    prefix: Option<PathBuf>,
    /// For the Python environment that runs this command.
    #[arg(long)]
    sys_prefix: bool,
}

impl Place {
    /// The folder of the kernels.
    pub(crate) fn kernels(&self, surroundings: &Surroundings) -> Result<PathBuf, Failure> {
        if let Some(prefix) = &self.prefix {
            return Ok(kernels_of(prefix));
        }
        if self.sys_prefix {
            return surroundings.prefix.as_deref().map(kernels_of).ok_or_else(|| {
                Failure::new("no Python runs this command")
                    .with_hint("name the environment: `--prefix PATH`")
            });
        }
        users_kernels(&|name| std::env::var_os(name)).ok_or_else(|| {
            Failure::new("there is no home folder with Jupyter's data")
                .with_hint("name a Python environment: `--prefix PATH`")
        })
    }

    /// The one that is named, else all that can be.
    pub(crate) fn all_kernels(&self, surroundings: &Surroundings) -> Result<Vec<PathBuf>, Failure> {
        let users = self.kernels(surroundings)?;
        if self.user || self.sys_prefix || self.prefix.is_some() {
            return Ok(vec![users]);
        }
        Ok([users].into_iter().chain(surroundings.prefix.as_deref().map(kernels_of)).collect())
    }
}

fn kernels_of(prefix: &Path) -> PathBuf {
    prefix.join("share").join("jupyter").join("kernels")
}

/// As `jupyter_core.paths.jupyter_data_dir` has it.
fn users_kernels(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = if let Some(named) = path("JUPYTER_DATA_DIR") {
        named
    } else if cfg!(windows) {
        path("APPDATA")?.join("jupyter")
    } else if cfg!(target_os = "macos") {
        path("HOME")?.join("Library").join("Jupyter")
    } else {
        let data = path("XDG_DATA_HOME").or_else(|| Some(path("HOME")?.join(".local/share")));
        data?.join("jupyter")
    };
    Some(data.join("kernels"))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Option<String> {
        let kernels = users_kernels(&|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        });
        kernels.map(|path| path.display().to_string())
    }

    #[test]
    fn the_users_folder_is_where_jupyter_looks() {
        let home = ("HOME", "/home/ada");
        assert_eq!(with(&[home]).unwrap(), "/home/ada/.local/share/jupyter/kernels");
        assert_eq!(with(&[home, ("XDG_DATA_HOME", "/data")]).unwrap(), "/data/jupyter/kernels");
        assert_eq!(with(&[home, ("JUPYTER_DATA_DIR", "/here")]).unwrap(), "/here/kernels");
        assert_eq!(
            with(&[home, ("JUPYTER_DATA_DIR", "")]).unwrap(),
            "/home/ada/.local/share/jupyter/kernels"
        );
        assert_eq!(with(&[]), None);
    }
}
