//! The files of a journal, before anything opens them.
//!
//! Invariant: what is no regular file is refused by its name. A FIFO would hold up who opens it for ever, and a device
//! is nobody's journal.

use super::{error::sentence, mark};
use crate::port::{StoreError, StoreErrorKind as Kind};
use std::{
    ffi::OsString,
    fs::{File, FileType},
    io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

/// A file that belongs to the database at this path.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Its bytes; 0 where it is not there.
pub(super) fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

/// Has what is in a file survive a loss of power, and gives it; where it is not there, nothing is to be done.
pub(super) fn sync(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => file.sync_all().map(|()| Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Has the names in a directory survive a loss of power.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The files of the journal at this path; some may not be there.
pub(super) fn family(path: &Path) -> [PathBuf; 5] {
    [
        path.to_owned(),
        beside(path, "-wal"),
        beside(path, "-shm"),
        beside(path, "-journal"),
        mark::path(path),
    ]
}

/// Refuses files of the journal that are no files.
pub(super) fn refuse_odd(path: &Path) -> Result<(), StoreError> {
    for file in family(path) {
        let Ok(found) = file.metadata() else {
            // Not there, or whoever opens it says why it cannot be.
            continue;
        };
        if !found.is_file() {
            let what = format!(
                "is not opened: {} is {} and not a regular file; nothing was changed: move it away",
                file.display(),
                named(found.file_type())
            );
            return Err(sentence(path, Kind::Unreadable, what));
        }
    }
    Ok(())
}

fn named(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

/// Nobody has written a journal there.
pub(super) fn none_there(path: &Path) -> StoreError {
    let directory = path.parent().unwrap_or(path);
    let what = format!(
        "is not there: {} holds no journal; name the directory of one with --state-dir, or a config",
        directory.display()
    );
    sentence(path, Kind::Unavailable, what)
}
