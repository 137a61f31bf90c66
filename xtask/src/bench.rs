//! The benchmarks: their tables and their JSON.

use crate::failure::Outcome;
use crate::run::Run;
use crate::step::step;
use crate::{python, setup, system, wheel, workspace};

pub(crate) fn run(arguments: &[String]) -> Outcome {
    system::install("Blender", system::BLENDER_LIBRARIES)?;
    python::prepare(python::TO_TEST)?;
    wheel::install()?;
    setup::product()?;
    step("benchmarks", || {
        Run::new(workspace::venv_program("python")).args(["-m", "benches"]).args(arguments).check()
    })
}
