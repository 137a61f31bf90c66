//! Tests for Windows, built with MinGW and run under wine.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Outcome};
use crate::run::Run;
use crate::{files, system};

const TARGET: &str = "x86_64-pc-windows-gnu";
const PACKAGES: &[&str] = &["gcc-mingw-w64-x86-64", "lld", "wine", "wine64"];
/// The crates whose own tests run there. Their tests in `tests/` start shell scripts.
const CRATES: &[&str] = &["aiobpy-cli", "aiobpy-fleet", "aiobpy-server", "aiobpy-wire"];
/// Whose tests in `tests/` run there too.
const CRATES_WHOLE: &[&str] = &["aiobpy-reactor"];

/// What Rust's standard library takes random bytes from, for a wine that is too old to have it.
const BCRYPTPRIMITIVES: &str = "\
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL ProcessPrng(PBYTE bytes, SIZE_T length) {
    return SystemFunction036(bytes, length);
}
";

pub(crate) fn install() -> Outcome {
    system::install("Windows under wine", PACKAGES)
}

/// Build the tests for Windows and run them.
pub(crate) fn test() -> Outcome {
    prepare_prefix()?;
    let linker = super::folder().join("mingw-lld");
    // MinGW's own linker takes minutes for a program of this size, lld a second.
    files::write_program(&linker, "#!/bin/sh\nexec x86_64-w64-mingw32-gcc -fuse-ld=lld \"$@\"\n")?;
    cargo_test(&linker, CRATES)?.arg("--lib").check()?;
    cargo_test(&linker, CRATES_WHOLE)?.check()
}

fn cargo_test(linker: &Path, crates: &[&str]) -> Outcome<Run> {
    Ok(super::cargo("test", TARGET)?
        .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER", linker)
        // The program itself: Debian's `wine` script complains about 32-bit Windows first.
        .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", "/usr/lib/wine/wine64")
        .env("WINEPREFIX", prefix())
        .env("WINEDEBUG", "-all")
        .args(crates.iter().flat_map(|name| ["-p", name]))
        .arg("--no-fail-fast"))
}

/// Where wine keeps what it takes for drive C.
fn prefix() -> PathBuf {
    super::folder().join("wine")
}

fn prepare_prefix() -> Outcome {
    let system32 = prefix().join("drive_c/windows/system32");
    if !system32.is_dir() {
        files::create_folder(&prefix())?;
        Run::new("/usr/lib/wine/wine64")
            .args(["wineboot", "--init"])
            .env("WINEPREFIX", prefix())
            .env("WINEDEBUG", "-all")
            // It would offer to download Mono and Gecko.
            .env("WINEDLLOVERRIDES", "mscoree,mshtml=")
            .check()?;
    }
    let library = system32.join("bcryptprimitives.dll");
    if library.is_file() {
        return Ok(());
    }
    let source = prefix().join("bcryptprimitives.c");
    fs::write(&source, BCRYPTPRIMITIVES)
        .doing(|| format!("could not write `{}`", source.display()))?;
    Run::new("x86_64-w64-mingw32-gcc")
        .args(["-shared", "-O2", "-o"])
        .args([&library, &source])
        .arg("-ladvapi32")
        .check()
}
