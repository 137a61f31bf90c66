//! A C compiler for each target: ziglang's, which brings every system's headers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Failure, Outcome};
use crate::{files, workspace};

/// The programs that build scripts call for a target.
pub(crate) struct Tools {
    pub(crate) compiler: PathBuf,
    pub(crate) archiver: PathBuf,
}

/// Write the scripts that call zig for a target.
pub(crate) fn write(target: &str) -> Outcome<Tools> {
    let name = name_for_zig(target)?;
    let folder = super::folder().join("zig").join(target);
    files::create_folder(&folder)?;
    let python = workspace::venv_program("python").display().to_string();
    // The crate `cc` names the target as Apple and Microsoft do, which zig does not understand.
    let compiler = format!(
        "for argument do\n  shift\n  case $argument in --target=*) ;; *) set -- \"$@\" \
         \"$argument\" ;; esac\ndone\nexec '{python}' -m ziglang cc -target {name} \"$@\""
    );
    let archiver = format!("exec '{python}' -m ziglang ar \"$@\"");
    Ok(Tools {
        compiler: write_script(&folder.join("zig-cc"), &compiler)?,
        archiver: write_script(&folder.join("zig-ar"), &archiver)?,
    })
}

/// As in `aarch64-macos` for `aarch64-apple-darwin`.
pub(crate) fn name_for_zig(target: &str) -> Outcome<String> {
    let parts: Vec<&str> = target.split('-').collect();
    let system = match parts[1..] {
        ["apple", "darwin"] => "macos",
        // What is compiled with Microsoft's names is never linked here: GNU's headers will do.
        ["pc", "windows", "gnu" | "msvc"] => "windows-gnu",
        ["unknown", "linux", "gnu"] => "linux-gnu",
        _ => {
            return Err(Failure::new(format!("`{target}` is no target that can be checked"))
                .hint("name one for Windows, macOS or Linux, as in `x86_64-pc-windows-msvc`"));
        }
    };
    Ok(format!("{}-{system}", parts[0]))
}

fn write_script(path: &Path, body: &str) -> Outcome<PathBuf> {
    fs::write(path, format!("#!/bin/sh\n{body}\n"))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .doing(|| format!("could not write `{}`", path.display()))?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zig_knows_the_targets_by_other_names() {
        let name = |target| name_for_zig(target).unwrap();
        assert_eq!(name("aarch64-apple-darwin"), "aarch64-macos");
        assert_eq!(name("x86_64-pc-windows-msvc"), "x86_64-windows-gnu");
        assert_eq!(name("aarch64-unknown-linux-gnu"), "aarch64-linux-gnu");
    }
}
