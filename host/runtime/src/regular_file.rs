//! Files that others lay down, read without a wait for whoever laid down something else.
//!
//! Invariant: only a regular file is read, and never more of it than the caller says: a FIFO and a device may never begin,
//! or never end. A file system that does not answer still holds up who asks: on a thread that may wait.

use rustix::fs::{Mode, OFlags};
use std::{
    fs::{File, Metadata},
    io::{self, Read},
    path::Path,
};

/// A regular file, and what is known of it; of the opened one, so that it cannot be swapped in between.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok((file, metadata)),
        false => Err(io::Error::other("it is no regular file")),
    }
}

/// The first bytes of a regular file.
pub fn read_start(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, _) = open(path)?;
    let mut content = Vec::new();
    file.take(most).read_to_end(&mut content)?;
    Ok(content)
}

/// All of a regular file. One that is longer is refused.
pub fn read_whole(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let content = read_start(path, most.saturating_add(1))?;
    match content.len() as u64 > most {
        true => {
            let why = format!("it is longer than {} KiB", most >> 10);
            Err(io::Error::other(why))
        }
        false => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_begins_or_never_ends_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).unwrap();
        for path in [fifo.as_path(), Path::new("/dev/zero"), directory.path()] {
            for read in [read_start, read_whole] {
                let error = read(path, 8).unwrap_err().to_string();
                assert_eq!(error, "it is no regular file", "{}", path.display());
            }
        }
        let missing = read_whole(&directory.path().join("none"), 8).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn no_more_is_read_than_was_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for (length, start, is_whole) in [(0, 0, true), (1024, 1024, true), (1025, 1024, false)] {
            std::fs::write(&path, vec![b'x'; length]).unwrap();
            assert_eq!(read_start(&path, 1024).unwrap().len(), start);
            let whole = read_whole(&path, 1024);
            assert_eq!(whole.is_ok(), is_whole, "{length}: {whole:?}");
        }
        let error = read_whole(&path, 1024).unwrap_err().to_string();
        assert_eq!(error, "it is longer than 1 KiB");
    }
}
