//! A component's bytes, read from whatever lies at a path.
//!
//! Invariant: only a regular file is read, and never more of it than a plugin may have. Nothing waits: what lies there
//! may be a FIFO without a writer, a device without an end, or a file that grows.

use crate::{error::LoadError, lack};
use std::{
    fs::{self, FileType, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The largest file that is taken for a plugin: a Python guest has 18 MB.
pub(crate) const MAX_PLUGIN_BYTES: u64 = 128 << 20;

/// Reads a component, on a thread for blocking work.
pub(crate) async fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let path: PathBuf = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || read_now(&path, MAX_PLUGIN_BYTES));
    reading
        .await
        .map_err(|error| LoadError::Host(format!("reading was interrupted: {error}")))?
}

/// Whether a component may have so many bytes.
pub(crate) fn check_size(found: u64, allowed: u64) -> Result<(), LoadError> {
    match found > allowed {
        true => Err(LoadError::TooLarge { found, allowed }),
        false => Ok(()),
    }
}

fn read_now(path: &Path, allowed: u64) -> Result<Vec<u8>, LoadError> {
    let unreadable = |error: io::Error| unreadable(path, &error);
    let regular = |kind: FileType| match what_is(kind) {
        None => Ok(()),
        Some(found) => Err(LoadError::NoFile {
            path: path.display().to_string(),
            found,
        }),
    };
    // Before it is opened, for to open a device may act on it; and after that, for another may have come in between.
    let found = fs::metadata(path).map_err(unreadable)?;
    regular(found.file_type())?;
    check_size(found.len(), allowed)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(unreadable)?;
    regular(file.metadata().map_err(unreadable)?.file_type())?;
    let mut bytes = Vec::new();
    file.take(allowed + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    check_size(bytes.len() as u64, allowed)?;
    Ok(bytes)
}

/// What the host lacks itself is no fault of the file.
fn unreadable(path: &Path, error: &io::Error) -> LoadError {
    let path = path.display().to_string();
    match lack::is_own(error) {
        true => LoadError::Lacking {
            what: path,
            why: error.to_string(),
        },
        false => LoadError::Unreadable {
            path,
            reason: error.to_string(),
        },
    }
}

/// What is there, where it is no regular file.
fn what_is(kind: FileType) -> Option<&'static str> {
    match kind {
        _ if kind.is_file() => None,
        _ if kind.is_dir() => Some("a directory"),
        _ if kind.is_fifo() => Some("a FIFO"),
        _ if kind.is_socket() => Some("a socket"),
        _ if kind.is_char_device() || kind.is_block_device() => Some("a device"),
        _ => Some("no regular file"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{ffi::CString, os::unix::net::UnixListener, time::Duration};

    #[allow(unsafe_code, reason = "the standard library makes no FIFO")]
    fn make_fifo(path: &Path) {
        let path = CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
        // SAFETY: the path is a string that ends with a zero, and lives until the call returns.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    }

    #[tokio::test]
    async fn what_is_no_regular_file_is_refused_at_once_with_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        make_fifo(&at("fifo"));
        let _listening = UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink("fifo", at("link")).unwrap();
        for (path, found) in [
            (at("fifo"), "a FIFO"),
            (at("link"), "a FIFO"),
            (at("socket"), "a socket"),
            (at("."), "a directory"),
            ("/dev/zero".into(), "a device"),
        ] {
            let reading = tokio::time::timeout(Duration::from_secs(20), read(&path));
            let error = reading.await.unwrap().unwrap_err().to_string();
            assert!(error.contains(found), "{error}");
        }
        let missing = read(&at("missing")).await.unwrap_err();
        assert!(matches!(missing, LoadError::Unreadable { .. }), "{missing}");
    }

    #[test]
    fn a_host_without_descriptors_says_nothing_of_a_file() {
        for (code, is_lack) in [
            (libc::EMFILE, true),
            (libc::ENFILE, true),
            (libc::ENOMEM, true),
            (libc::EACCES, false),
            (libc::EIO, false),
        ] {
            let error = unreadable(Path::new("hook.wasm"), &io::Error::from_raw_os_error(code));
            let found = matches!(error, LoadError::Lacking { .. });
            assert_eq!(found, is_lack, "{error}");
            assert!(error.may_pass(), "{error}");
        }
        assert!(lack::now().is_none());
    }

    #[test]
    fn no_more_is_read_than_a_plugin_may_have() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for (size, fits) in [(8, true), (9, false)] {
            fs::write(&path, vec![0; size]).unwrap();
            assert_eq!(read_now(&path, 8).is_ok(), fits, "{size}");
        }
        // Its size is said to be zero, and it has more.
        let endless = read_now(Path::new("/proc/self/status"), 8).unwrap_err();
        assert!(
            matches!(
                endless,
                LoadError::TooLarge {
                    found: 9,
                    allowed: 8
                }
            ),
            "{endless}"
        );
    }
}
