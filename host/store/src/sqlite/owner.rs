//! Whose the files of a journal are, so that root can make new ones for the daemon's user.

use super::{files::beside, mark};
use std::{
    io,
    os::unix::fs::{MetadataExt, chown},
    path::Path,
};

/// A user and a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// The owner of the journal at this path: of its file, else of its log, its mark or its directory.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let (log, mark) = (beside(path, "-wal"), mark::path(path));
        let directory = path.parent().unwrap_or(path);
        let files = [path, &log, &mark];
        let found = files.iter().find_map(|file| file.metadata().ok());
        let found = match found {
            Some(found) => found,
            None => directory.metadata()?,
        };
        Ok(Self {
            uid: found.uid(),
            gid: found.gid(),
        })
    }

    /// Gives them a file that this process has made. Who is not root keeps its own, which then are the same.
    pub(super) fn give(self, file: &Path) -> io::Result<()> {
        let found = file.metadata()?;
        if (found.uid(), found.gid()) == (self.uid, self.gid) {
            return Ok(());
        }
        match chown(file, Some(self.uid), Some(self.gid)) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            given => given,
        }
    }
}
