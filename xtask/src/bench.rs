//! The benchmarks, with their tables and their JSON, the soak, and the chaos.

use crate::failure::Outcome;
use crate::run::Run;
use crate::step::step;
use crate::{blender_modules, blender_tree, python, setup, system, wheel, workspace};

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if arguments.first().is_some_and(|name| name == "loop") {
        system::install("the comparison of event loops", system::LOOP_BENCH_TOOLS)?;
        python::prepare(python::TO_BENCH)?;
        wheel::install()?;
    } else if arguments.first().is_some_and(|name| name == "web") {
        system::install("Blender", system::BLENDER_LIBRARIES)?;
        system::install("Blenders with windows", system::DISPLAY_TOOLS)?;
        system::install("the comparison of web servers", system::WEB_BENCH_TOOLS)?;
        python::prepare(python::TO_BENCH)?;
        python::prepare_blender_packages(&blender_tree::prepare()?)?;
        wheel::install()?;
        build_peers()?;
    } else if arguments.first().is_some_and(|name| name == "gui") {
        system::install("Blender", system::BLENDER_LIBRARIES)?;
        system::install("Blenders with windows", system::DISPLAY_TOOLS)?;
        python::prepare(python::TO_TEST)?;
        python::prepare_blender_packages(&blender_tree::prepare()?)?;
        wheel::install()?;
    } else {
        system::install("Blender", system::BLENDER_LIBRARIES)?;
        system::install("nodes with networks of their own", system::NETWORKS)?;
        python::prepare(python::TO_TEST)?;
        blender_modules::prepare()?;
        wheel::install()?;
        setup::product()?;
    }
    step("benchmarks", || {
        Run::new(workspace::venv_program("python")).args(["-m", "benches"]).args(arguments).check()
    })
}

/// What loads the web server, and its rival in Rust.
fn build_peers() -> Outcome {
    step("peers of the web server", || {
        let cargo = Run::new("cargo").args(["build", "--release", "--locked", "--quiet"]);
        cargo.args(["--package", "aiobpy-bench-peers"]).check()
    })
}

/// The event loop under thousands of connections that misbehave.
pub(crate) fn soak(arguments: &[String]) -> Outcome {
    python::prepare(python::TO_TEST)?;
    wheel::install()?;
    step("soak", || {
        let python = Run::new(workspace::venv_program("python"));
        python.args(["-m", "tests.soak"]).args(arguments).check()
    })
}

/// A fleet whose parts are killed, frozen and starved while jobs flow through it.
pub(crate) fn chaos(arguments: &[String]) -> Outcome {
    system::install("Blender", system::BLENDER_LIBRARIES)?;
    system::install("chaos", system::CHAOS_TOOLS)?;
    system::install("networks that can be cut", system::NETWORKS)?;
    python::prepare(python::TO_TEST)?;
    wheel::install()?;
    step("chaos", || {
        let python = Run::new(workspace::venv_program("python"));
        python.args(["-m", "tests.chaos"]).args(arguments).check()
    })
}
