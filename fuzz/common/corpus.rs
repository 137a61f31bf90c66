//! Calls what a fuzz target calls, once with each file of its corpus: an ordinary test, in a moment.

use std::fs;
use std::path::Path;

#[expect(clippy::print_stdout, reason = "the last one that is named is the one that fails")]
pub(super) fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "`{}` is empty", corpus.display());
    for file in files {
        println!("{}", file.display());
        check(&fs::read(file).unwrap());
    }
}
