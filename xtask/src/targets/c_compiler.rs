//! A C compiler for each target: ziglang's, which brings every system's headers.

use std::path::PathBuf;

use crate::failure::{Failure, Outcome};
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
        "#!/bin/sh\nfor argument do\n  shift\n  case $argument in --target=*) ;; \
         *) set -- \"$@\" \"$argument\" ;; esac\ndone\n\
         exec '{python}' -m ziglang cc -target {name} \"$@\"\n"
    );
    let archiver = format!("#!/bin/sh\nexec '{python}' -m ziglang ar \"$@\"\n");
    let tools = Tools { compiler: folder.join("zig-cc"), archiver: folder.join("zig-ar") };
    files::write_program(&tools.compiler, &compiler)?;
    files::write_program(&tools.archiver, &archiver)?;
    Ok(tools)
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
