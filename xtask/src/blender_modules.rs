//! Other Blenders as a Python module than that of `.venv`: `.venv-4.2`, `.venv-4.5`, `.venv-5.2`.

use std::fs;

use crate::failure::{Doing, Outcome};
use crate::python::{download_wheels, install_into, target_of};
use crate::run::Run;
use crate::stamp::{Inputs, Stamp};
use crate::step::{already_done, step};
use crate::{interpreter, wheel, workspace};

/// Their versions, which the folders are named after, and the Python that each has.
const OTHERS: &[(&str, &str)] = &[("4.2", "3.11"), ("4.5", "3.11"), ("5.2", "3.13")];

/// Make environments that see the packages of `.venv`, but for Blender, which is another there.
pub(crate) fn prepare() -> Outcome {
    OTHERS.iter().try_for_each(|(blender, python)| prepare_one(blender, python))
}

fn prepare_one(blender: &str, python: &str) -> Outcome {
    let name = format!("virtual environment with Blender {blender}");
    let requirements = format!("requirements/blender-{blender}.txt");
    let requirements = &[requirements.as_str()][..];
    let venv = workspace::blender_module_venv(blender);
    let site_packages = wheel::site_packages()?;
    let inputs = Inputs::of_paths(&workspace::root(), requirements)?
        .and(&workspace::venv().to_string_lossy());
    let stamp = Stamp::at(venv.join("installed"));
    if stamp.matches(&inputs) {
        already_done(&name);
        return Ok(());
    }
    let Some(interpreter) = interpreter::find(python) else {
        println!(
            "\n- {name}: left out, for no Python {python} was found (`pyenv install {python}`)"
        );
        return Ok(());
    };
    step(&name, || {
        // As for Debian's Blenders with that Python; `wheels` are those of `.venv`'s own.
        let folder = format!("wheels-{python}").replace("wheels-3.11", "wheels");
        let wheels = download_wheels(&folder, requirements, &target_of(python))?;
        Run::new(interpreter)
            .args(["-m", "venv", "--clear", "--without-pip"])
            .arg(&venv)
            .check()?;
        install_into(&venv, requirements[0], &wheels)?;
        let own = venv.join(format!("lib/python{python}/site-packages"));
        let line = format!("import site; site.addsitedir({:?})\n", site_packages.to_string_lossy());
        let file = own.join("packages-of-venv.pth");
        fs::write(&file, line).doing(|| format!("could not write `{}`", file.display()))?;
        stamp.set(&inputs)
    })
}
