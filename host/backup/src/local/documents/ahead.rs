//! A large file that is copied before any of it goes into the archive: what breaks off then does so in time.
//!
//! Invariant: a copy is there only while its file is read.
//! Invariant: none is begun that has no room, as far as that can be known before: the disk is that of the host's state too.

use crate::{
    local::{
        error::unavailable,
        files::{Layout, create_private, remove_file},
        room::free,
    },
    port::{BackupStoreError, TakeBackup},
};
use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

/// So many files may break off in the middle, each of which has the backup begin anew. After the first none goes into the archive
/// that was not read to its end before, and after so many none that was not copied.
pub(super) const MOST_ANEW: usize = 8;

/// What was read of a file.
pub(super) struct Copied {
    file: File,
    path: PathBuf,
}

impl Copied {
    /// Of nothing yet, of a file that is expected to have so many bytes.
    pub(super) fn begin(
        layout: &Layout,
        request: &TakeBackup,
        expected: u64,
    ) -> Result<Self, BackupStoreError> {
        let path = layout.partial(&request.job, &request.id, "copy");
        check_room(&layout.job(&request.job), expected)?;
        let file = create_private(&path)?;
        Ok(Self { file, path })
    }

    /// The next bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), BackupStoreError> {
        let written = self.file.write_all(bytes);
        written.map_err(unavailable("cannot write", &self.path))
    }

    /// Back to the beginning, to be read.
    pub(super) fn rewind(&mut self) -> Result<(), BackupStoreError> {
        let rewound = self.file.rewind();
        rewound.map_err(|error| self.unreadable(error))
    }

    /// Why the copy itself cannot be read.
    pub(super) fn unreadable(&self, error: io::Error) -> BackupStoreError {
        unavailable("cannot read", &self.path)(error)
    }
}

fn check_room(directory: &Path, wanted: u64) -> Result<(), BackupStoreError> {
    match free(directory) {
        Some(free) if free < wanted => Err(BackupStoreError::NoRoom(format!(
            "its copy would have {wanted} bytes in {}, and {free} are free; make room",
            directory.display()
        ))),
        _ => Ok(()),
    }
}

impl Read for Copied {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if let Err(error) = remove_file(&self.path) {
            tracing::warn!(%error, "the copy of a file that was read for a backup stays until the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_not_begun_to_be_copied() {
        let directory = tempfile::tempdir().unwrap();
        let check = |wanted| check_room(directory.path(), wanted);
        assert_eq!(check(0), Ok(()));
        let refused = check(u64::MAX);
        assert!(
            matches!(refused, Err(BackupStoreError::NoRoom(_))),
            "{refused:?}"
        );
    }
}
