//! Lists the files of the dashboard, so that they become part of the binary. `cargo xtask web` makes
//! them; without them the list is empty, and the server shows a page that says so.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const FOLDER: &str = "assets/dashboard";
/// Lie beside a file, and are sent in its place.
const COMPRESSED: [&str; 2] = ["br", "gz"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(FOLDER);
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("dashboard.rs");
    let mut files = Vec::new();
    collect(&folder, &mut files)?;
    files.sort();
    let is_built = files.iter().any(|file| file.ends_with("index.html"));
    let mut list = String::from("&[\n");
    for file in files.iter().filter(|_| is_built) {
        list.push_str(&described(&folder, file));
    }
    list.push_str("]\n");
    fs::write(out, list)
}

/// The files that are sent by a name of their own.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if !is_hidden(&path) && !COMPRESSED.iter().any(|suffix| has_suffix(&path, suffix)) {
            files.push(path);
        }
    }
    Ok(())
}

/// One `Embedded`, as Rust.
fn described(folder: &Path, file: &Path) -> String {
    let name = file.strip_prefix(folder).unwrap_or(file).to_string_lossy().replace('\\', "/");
    let mut text = format!("Embedded {{ name: {name:?}, bytes: include_bytes!({})", literal(file));
    for (member, suffix) in ["brotli", "gzip"].into_iter().zip(COMPRESSED) {
        let neighbour = PathBuf::from(format!("{}.{suffix}", file.display()));
        let value = if neighbour.is_file() {
            format!("Some(include_bytes!({}))", literal(&neighbour))
        } else {
            "None".to_owned()
        };
        // Writing to a text does not fail.
        let _ = write!(text, ", {member}: {value}");
    }
    text + " },\n"
}

/// As Rust has texts.
fn literal(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn has_suffix(path: &Path, suffix: &str) -> bool {
    path.extension().is_some_and(|extension| extension == suffix)
}
