//! How the journal does, for those who count.

use super::SqliteJournal;
use crate::port::JournalNumbers;
use std::{ffi::OsString, path::Path};

impl SqliteJournal {
    /// How it does now. Looks at the sizes of two files.
    pub fn numbers(&self) -> JournalNumbers {
        let mut log = OsString::from(&self.path);
        log.push("-wal");
        JournalNumbers {
            size_bytes: size(&self.path).saturating_add(size(Path::new(&log))),
            writes: self.transactions(),
            waiting: self.queue.changes() as u64,
        }
    }
}

/// The size of a file; of one that is not there, zero.
fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}
