//! The command `aiobpy`, standing alone.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(aiobpy_cli::run(std::env::args_os(), aiobpy_cli::Surroundings::default()))
}
