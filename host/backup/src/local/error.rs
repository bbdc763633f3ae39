//! Errors of files as sentences, with what to do.

use crate::{bucket::Trouble, port::BackupStoreError};
use std::{
    io::{self, ErrorKind},
    path::Path,
};

/// Makes an error into a sentence.
pub(super) fn unavailable(what: &str, path: &Path) -> impl Fn(io::Error) -> BackupStoreError {
    let text = format!("{what} {}", path.display());
    move |error| {
        match Trouble::of(&error) {
            Some(Trouble::Interrupted) => return BackupStoreError::Interrupted,
            Some(Trouble::Full(why)) => {
                return BackupStoreError::NoRoom(format!(
                    "{text}: {why}; make room, or let retention expire more"
                ));
            }
            Some(Trouble::Said(_)) | None => {}
        }
        let help = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                return BackupStoreError::NoRoom(format!(
                    "{text}: {error}; make room, or let retention expire more"
                ));
            }
            ErrorKind::FileTooLarge => "; raise the limit for file sizes of the daemon",
            ErrorKind::PermissionDenied => "; give the daemon's user access to it",
            ErrorKind::ReadOnlyFilesystem => "; mount it writable",
            _ => "",
        };
        BackupStoreError::Unavailable(format!("{text}: {error}{help}"))
    }
}

/// The same of a directory that a restore needs, and could have elsewhere.
pub(super) fn cannot_begin(what: &str, path: &Path) -> impl Fn(io::Error) -> BackupStoreError {
    let plain = unavailable(what, path);
    move |error| match plain(error) {
        BackupStoreError::Unavailable(why) => BackupStoreError::Unavailable(format!(
            "{why}; where none can be made, restore into another directory"
        )),
        other => other,
    }
}
