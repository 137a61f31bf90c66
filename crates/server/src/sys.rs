//! What operating systems do differently: where a user's files are, who may read them, and which processes
//! run.
//!
//! **Invariant:** the same names in each file, and nothing outside this module asks on which system it runs.

use std::fs::{File, Metadata};
use std::io;

mod canonical;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

#[cfg(not(target_os = "linux"))]
pub(crate) use canonical::open_below;
/// Opens what lies below a folder, whatever links say: one that leads out of the folder is an error.
#[cfg(target_os = "linux")]
pub(crate) use linux::open_below;
pub(crate) use system::{
    LocalListener, LocalStream, configuration_folder, create_private_file, create_private_folder,
    fingerprint, is_alive, is_loop_of_links,
};

/// What lies below a folder.
pub(crate) enum Below {
    File(File, Metadata),
    Folder,
}

/// What has been opened, if it is one of the two.
fn looked_at(file: File) -> io::Result<Below> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Ok(Below::Folder);
    }
    if metadata.is_file() {
        return Ok(Below::File(file, metadata));
    }
    Err(io::ErrorKind::PermissionDenied.into())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Both ways of opening have to agree.
    fn opens(folder: &std::path::Path, path: &str) -> &'static str {
        let named = |below: io::Result<Below>| match below {
            Ok(Below::File(..)) => "file",
            Ok(Below::Folder) => "folder",
            Err(_) => "nothing",
        };
        let opened = named(open_below(folder, path));
        assert_eq!(named(canonical::open_below(folder, path)), opened, "{path}");
        opened
    }

    #[test]
    fn what_lies_below_is_opened_and_what_a_link_leads_out_to_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "").unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("deep")).unwrap();
        fs::write(root.join("deep/file"), "").unwrap();
        symlink("deep/file", root.join("inside")).unwrap();
        symlink(outside.path(), root.join("out")).unwrap();
        symlink("../../secret", root.join("deep/up")).unwrap();
        symlink(root.join("deep/file"), root.join("absolute")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        assert_eq!(opens(&root, ""), "folder");
        assert_eq!(opens(&root, "deep"), "folder");
        assert_eq!(opens(&root, "deep/file"), "file");
        assert_eq!(opens(&root, "inside"), "file");
        for path in ["out", "out/secret", "deep/up", "loop", "absent", "deep/file/x"] {
            assert_eq!(opens(&root, path), "nothing", "{path}");
        }
        // The folder itself may be reached by a link.
        symlink(&root, folder.path().join("link")).unwrap();
        assert_eq!(opens(&folder.path().join("link"), "deep/file"), "file");
    }

    #[test]
    fn a_pipe_that_nobody_writes_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        assert_eq!(opens(folder.path(), "pipe"), "nothing");
    }
}
