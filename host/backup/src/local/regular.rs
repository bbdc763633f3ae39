//! Files of the store, opened to be read: what lies there may be anything, and is not waited for.

use rustix::fs::{Mode, OFlags};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// The longest manifest that is read; one names its sources and nothing that it holds.
pub(super) const MAX_MANIFEST: u64 = 16 << 20;

/// Opens a file of the store to be read. What is no regular file is refused, and neither waited for nor read without end.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}

/// All of a manifest.
pub(super) fn read_manifest(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?
        .take(MAX_MANIFEST + 1)
        .read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_MANIFEST {
        true => Err(io::Error::other("it is too long for a manifest")),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_begins_or_never_ends_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
        for path in [fifo.as_path(), Path::new("/dev/zero"), directory.path()] {
            let error = read_manifest(path).unwrap_err().to_string();
            assert_eq!(error, "it is no regular file", "{}", path.display());
        }
        let missing = open_regular(&directory.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
