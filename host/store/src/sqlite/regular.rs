//! Files of the daemon's that may be anything by the time they are opened.
//!
//! Invariant: nothing that is opened here is waited for, and nothing but a regular file is read or written: who opens a
//! FIFO may wait for ever, and a device may never end.

use rustix::fs::OFlags;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// What else is opened with, so that the open does not wait.
pub(super) const AT_ONCE: i32 = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits().cast_signed();

pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    of(options.read(true).custom_flags(AT_ONCE).open(path)?)
}

pub(super) fn open_to_write(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    of(options.write(true).custom_flags(AT_ONCE).open(path)?)
}

/// All that is in it.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The file, where it is one.
pub(super) fn of(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file; move it away")),
    }
}
