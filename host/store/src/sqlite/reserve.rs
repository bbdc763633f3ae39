//! A file that only takes room, so that there is some to give back when the disk is full.
//!
//! Invariant: it is a copy of nothing, and losing it loses nothing.
//! Invariant: what is left of it says how it stands, also to the next daemon: [`LAST`] bytes or fewer are those of a
//! reserve that was let go of and is not whole again.

use super::{private, regular};
use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::Errno,
};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The file's name in the state directory.
const FILE_NAME: &str = "reserve";
/// Room for hours of changes, and for a write-ahead log that cannot be emptied meanwhile.
const SIZE: u64 = 16 << 20;
/// The part that is let go of last: what a daemon needs to open the journal while the disk is full.
pub(super) const LAST: u64 = 256 << 10;

/// The reserve of a state directory.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    directory: PathBuf,
    is_whole: bool,
}

impl Reserve {
    /// As it stands. Nothing is made yet.
    pub(super) fn of(state_dir: &Path) -> Self {
        let mut reserve = Self {
            path: state_dir.join(FILE_NAME),
            directory: state_dir.to_owned(),
            is_whole: false,
        };
        let wanted = reserve.wanted();
        reserve.is_whole = reserve.present() >= wanted;
        reserve
    }

    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether it was let go of, perhaps by a daemon before.
    pub(super) fn was_released(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|found| found.len() <= LAST)
    }

    /// Bytes that it has on the disk.
    fn present(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |found| found.len().min(found.blocks() * 512))
    }

    /// A quarter of a small disk is enough.
    fn wanted(&self) -> u64 {
        (self.disk() / 4).clamp(2 * LAST, SIZE)
    }

    /// Bytes of the whole disk; more than any where the file system does not say.
    pub(super) fn disk(&self) -> u64 {
        statvfs(self.directory.as_path()).map_or(u64::MAX, |found| {
            found.f_blocks.saturating_mul(found.f_frsize)
        })
    }

    /// Bytes that the daemon may still write, where the file system says so.
    pub(super) fn free(&self) -> Option<u64> {
        let found = statvfs(self.directory.as_path()).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// Whether the directory has no room for anything more.
    pub(super) fn is_out_of_room(&self) -> bool {
        self.refusal().is_some_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            )
        })
    }

    /// Why the directory takes nothing more; none where it does. It is tried, for a quota, and how it is mounted, show in no
    /// number.
    pub(super) fn refusal(&self) -> Option<io::Error> {
        let probe = self.directory.join("reserve.probe");
        let tried = private::files()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&probe)
            .and_then(|mut file| write_noise(&mut file, LAST));
        let _ = fs::remove_file(&probe);
        tried.err()
    }

    /// Gives the room back: all but the last part, or that where it is all that is left. False where there was none.
    pub(super) fn release(&mut self) -> bool {
        self.is_whole = false;
        let keep = match fs::metadata(&self.path).map(|found| found.len()) {
            Ok(found) if found > LAST => LAST,
            Ok(1..) => 0,
            Ok(0) | Err(_) => return false,
        };
        let cut = regular::open_to_write(&self.path).and_then(|file| file.set_len(keep));
        if let Err(error) = &cut {
            tracing::error!(path = %self.path.display(), %error, "the reserve cannot be let go of");
        }
        cut.is_ok()
    }

    /// Makes it whole where there is room for it and a quarter more; whether it is.
    pub(super) fn refill(&mut self) -> bool {
        let wanted = self.wanted();
        if !self.is_whole && has_room(wanted, self.present(), self.free()) {
            let before = fs::metadata(&self.path).map(|found| found.len());
            match self.fill(wanted) {
                Ok(()) => self.is_whole = true,
                Err(error) => {
                    tracing::debug!(path = %self.path.display(), %error, "there is no reserve for now");
                    // A part of one would only take the room from others.
                    let _ = match before {
                        Ok(before) => regular::open_to_write(&self.path)
                            .and_then(|file| file.set_len(before.min(LAST))),
                        Err(_) => fs::remove_file(&self.path),
                    };
                }
            }
        }
        self.is_whole
    }

    fn fill(&self, wanted: u64) -> io::Result<()> {
        let file = private::files()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)?;
        let mut file = regular::of(file)?;
        match fallocate(&file, FallocateFlags::empty(), 0, wanted) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => write_noise(&mut file, wanted),
            allocated => allocated.map_err(io::Error::from),
        }
    }
}

/// Whether a reserve can be made whole and leave a quarter of it free; one that could not be let go of needs nothing more.
fn has_room(wanted: u64, present: u64, free: Option<u64>) -> bool {
    present >= wanted || free.is_none_or(|free| free >= wanted + wanted / 4)
}

/// For file systems that cannot allocate without writing. They may compress, so it is nothing that can be.
fn write_noise(file: &mut File, length: u64) -> io::Result<()> {
    let mut noise = blake3::Hasher::new().finalize_xof();
    let mut block = [0; 64 << 10];
    let mut left = usize::try_from(length).unwrap_or(usize::MAX);
    while left > 0 {
        noise.fill(&mut block);
        let now = left.min(block.len());
        file.write_all(block.get(..now).unwrap_or(&block))?;
        left -= now;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_that_could_not_be_let_go_of_needs_no_room() {
        for (present, free, expected) in [
            (0, Some(125), true),
            (0, Some(124), false),
            (99, Some(124), false),
            (100, Some(0), true),
            (0, None, true),
        ] {
            assert_eq!(has_room(100, present, free), expected, "{present} {free:?}");
        }
    }

    #[test]
    fn why_the_directory_takes_nothing_is_what_the_system_says() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = Reserve::of(directory.path());
        assert!(reserve.refusal().is_none());
        assert!(!directory.path().join("reserve.probe").exists());
        fs::create_dir(directory.path().join("reserve.probe")).unwrap();
        let said = reserve.refusal().unwrap();
        assert_eq!(said.kind(), io::ErrorKind::IsADirectory);
        assert!(!reserve.is_out_of_room());
    }
}
