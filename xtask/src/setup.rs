//! All that a chore needs on a bare machine.

use std::path::PathBuf;

use crate::failure::{Failure, Outcome};
use crate::run::{Run, find_on_path};
use crate::stamp::{Inputs, Stamp};
use crate::step::{already_done, step};
use crate::{
    blender_modules, blender_tree, cache, extension, judge, python, system, wheel, workspace,
};

pub(crate) struct Options {
    /// Build in place without optimisation.
    debug: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Outcome<Self> {
        match arguments {
            [] => Ok(Self { debug: false }),
            [flag] if flag == "--debug" => Ok(Self { debug: true }),
            _ => Err(Failure::new(format!("`setup` does not understand {arguments:?}"))
                .hint("cargo xtask setup [--debug]")),
        }
    }
}

pub(crate) fn run(options: &Options) -> Outcome {
    if options.debug {
        system::install("Blender", system::BLENDER_LIBRARIES)?;
        python::prepare(python::TO_TEST)?;
        return wheel::develop();
    }
    prepare_to_test().map(|_| ())
}

/// What the demo, the benchmarks and the extension need.
pub(crate) fn prepare_to_run() -> Outcome {
    system::install("Blender", system::BLENDER_LIBRARIES)?;
    python::prepare(python::TO_RUN)
}

/// What the tests need besides.
pub(crate) struct TestBed {
    pub(crate) blender_trees: Vec<PathBuf>,
    pub(crate) extension: PathBuf,
}

pub(crate) fn prepare_to_test() -> Outcome<TestBed> {
    println!("cache: {}", cache::folder().display());
    system::install("Blender", system::BLENDER_LIBRARIES)?;
    system::install("the tests with windows", system::DISPLAY_TOOLS)?;
    system::install("the tests of libraries", system::SERVERS)?;
    system::install("the tests of transfers", system::TRANSFER_PEERS)?;
    system::install("the tests of pages", system::BROWSER)?;
    nextest()?;
    python::prepare(python::TO_TEST)?;
    judge::prepare_quick_ones()?;
    blender_modules::prepare()?;
    let blender_trees = blender_tree::prepare()?;
    python::prepare_blender_packages(&blender_trees)?;
    wheel::install()?;
    product()?;
    let extension = extension::build()?;
    Ok(TestBed { blender_trees, extension })
}

/// The product's scene, built by its script.
pub(crate) fn product() -> Outcome {
    let name = "product scene";
    let folder = workspace::root().join("examples/product_configurator");
    let scene = folder.join("product.blend");
    let script = folder.join("build_scene.py");
    let stamp = Stamp::at(workspace::venv().join("built-product-scene"));
    let inputs = Inputs::of_paths(&folder, &["build_scene.py"])?;
    if stamp.matches(&inputs) && scene.is_file() {
        already_done(name);
        return Ok(());
    }
    step(name, || {
        Run::new(workspace::venv_program("python"))
            // It works from Blender 4.2 on, and that is what the warnings are about.
            .args(["-W", "ignore::DeprecationWarning"])
            .arg(script)
            .arg(scene)
            .check()?;
        stamp.set(&inputs)
    })
}

/// The test runner, installed into the cache when the machine has none.
pub(crate) fn nextest() -> Outcome<PathBuf> {
    let name = "cargo-nextest";
    let ours = cache::folder().join("tools/bin").join(name);
    let found = find_on_path(name).or_else(|| ours.is_file().then(|| ours.clone()));
    if let Some(program) = found {
        already_done(name);
        return Ok(program);
    }
    let _lock = cache::lock("tools")?;
    step(name, || {
        Run::new("cargo")
            .args(["install", "--locked", name, "--root"])
            .arg(cache::folder().join("tools"))
            .check()
            .map_err(|failure| {
                failure.hint(format!("install it by hand: `cargo install --locked {name}`"))
            })
    })?;
    Ok(ours)
}
