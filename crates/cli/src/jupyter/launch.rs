//! How a kernel is started.

use std::env;
use std::path::{Path, PathBuf, absolute};

use crate::failure::Failure;

/// What Jupyter puts the path of the file in place of, in which it says how to connect.
const CONNECTION_FILE: &str = "{connection_file}";
/// What it is told instead, to say whether it could.
const CHECK: &str = "--check";

/// A program and its first arguments, all as text: a kernelspec is JSON.
#[derive(Debug)]
pub(crate) struct Launch {
    /// Before what decides about the window.
    program: Vec<String>,
    /// What opens no window.
    background: &'static [&'static str],
    gui: bool,
    script: Vec<String>,
    packages: Vec<String>,
}

impl Launch {
    /// The `bpy` module in `python`.
    pub(crate) fn bpy_module(python: PathBuf, packages: Option<PathBuf>) -> Result<Self, Failure> {
        Ok(Self {
            program: vec![text(&find_program(&python.to_string_lossy()).unwrap_or(python))?],
            background: &[],
            gui: false,
            // As IPython's own kernel has it: the debugger sees all modules.
            script: ["-Xfrozen_modules=off", "-m", "aiobpy.jupyter"].map(str::to_owned).to_vec(),
            packages: packages_option(packages)?,
        })
    }

    /// A Blender, by its path or by a command with arguments. `package_dir` holds the folder
    /// `aiobpy`.
    pub(crate) fn blender(
        command: &str,
        package_dir: &Path,
        packages: Option<PathBuf>,
        gui: bool,
    ) -> Result<Self, Failure> {
        let mut program = match find_program(command) {
            Some(path) => vec![text(&path)?],
            None => command.split_whitespace().map(str::to_owned).collect(),
        };
        let first = program.first().and_then(|word| find_program(word)).ok_or_else(|| {
            Failure::new(format!("there is no Blender `{command}`"))
                .with_hint("give `--blender` the path of the program, or a command that starts it")
        })?;
        program[0] = text(&first)?;
        let script = package_dir.join("aiobpy").join("jupyter").join("__main__.py");
        Ok(Self {
            program,
            background: &["--background"],
            gui,
            script: vec![
                "--python-exit-code".to_owned(),
                "1".to_owned(),
                "--python".to_owned(),
                text(&script)?,
                "--".to_owned(),
            ],
            packages: packages_option(packages)?,
        })
    }

    /// The command that is the kernel.
    pub(crate) fn kernel(&self) -> Vec<String> {
        self.command(self.gui, CONNECTION_FILE)
    }

    /// The command that says whether this could be a kernel. It never opens a window.
    pub(crate) fn check(&self) -> Vec<String> {
        self.command(false, CHECK)
    }

    fn command(&self, gui: bool, last: &str) -> Vec<String> {
        let background = if gui { &[] } else { self.background };
        let mut command = self.program.clone();
        command.extend(background.iter().map(|&word| word.to_owned()));
        command.extend(self.script.iter().chain(&self.packages).cloned());
        command.push(last.to_owned());
        command
    }
}

fn packages_option(packages: Option<PathBuf>) -> Result<Vec<String>, Failure> {
    let Some(packages) = packages else { return Ok(Vec::new()) };
    if !packages.is_dir() {
        return Err(Failure::new(format!("there is no folder `{}`", packages.display()))
            .with_hint("give `--packages` the folder that `pip install --target` has filled"));
    }
    Ok(vec!["--packages".to_owned(), text(&packages)?])
}

/// The absolute path of a program, which is found as a shell finds it.
fn find_program(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.components().count() > 1 {
        return path.is_file().then(|| absolute(path).ok()).flatten();
    }
    let folders = env::var_os("PATH")?;
    let mut candidates = env::split_paths(&folders).map(|folder| folder.join(path));
    candidates.find(|candidate| candidate.is_file()).and_then(|found| absolute(found).ok())
}

fn text(path: &Path) -> Result<String, Failure> {
    let path = absolute(path).map_err(|error| {
        Failure::new(format!("could not make `{}` absolute: {error}", path.display()))
    })?;
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::new(format!("the path `{}` is not UTF-8, as Jupyter's files are", path.display()))
            .with_hint("give it a name that is, or a link with such a name")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blender(gui: bool) -> Launch {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("my blender");
        std::fs::write(&program, "").unwrap();
        let packages = Some(folder.path().to_owned());
        let launch =
            Launch::blender(program.to_str().unwrap(), Path::new("/aiobpy"), packages, gui);
        launch.unwrap()
    }

    #[test]
    fn a_blender_is_told_behind_two_dashes() {
        let kernel = blender(false).kernel();
        assert!(kernel[0].ends_with("/my blender"));
        assert_eq!(
            kernel[1..7],
            [
                "--background",
                "--python-exit-code",
                "1",
                "--python",
                "/aiobpy/aiobpy/jupyter/__main__.py",
                "--"
            ]
        );
        assert_eq!(kernel[7], "--packages");
        assert_eq!(kernel[9..], ["{connection_file}"]);
    }

    #[test]
    fn a_window_is_opened_for_the_kernel_and_not_for_the_check() {
        assert!(!blender(true).kernel().contains(&"--background".to_owned()));
        assert!(blender(true).check().contains(&"--background".to_owned()));
        assert_eq!(blender(true).check().last().unwrap(), "--check");
    }

    #[test]
    fn a_command_may_have_arguments() {
        let launch = Launch::blender("sh -c blender", Path::new("/aiobpy"), None, false).unwrap();
        let kernel = launch.kernel();
        assert!(kernel[0].ends_with("/sh") && kernel[0].starts_with('/'));
        assert_eq!(kernel[1..4], ["-c", "blender", "--background"]);
    }

    #[test]
    fn a_blender_that_is_not_there_is_named() {
        let failure = Launch::blender("/nowhere/blender", Path::new("/"), None, false).unwrap_err();
        assert!(failure.to_string().contains("there is no Blender `/nowhere/blender`"));
    }
}
