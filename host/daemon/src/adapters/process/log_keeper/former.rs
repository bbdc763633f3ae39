//! A file that has not the name of its log any more, and is still written to: what is written to it goes on into one that
//! has.
//!
//! Invariant: what was written before it was moved stays in it; what is written later is in the new file, and in the one that
//! was moved only until that is above the size of a log. It is cut that seldom because what is written between the last
//! look and the cut is lost.
//! Invariant: what a file that was deleted holds no longer takes no room on the disk, and the next daemon sees by that where
//! to go on.

use super::Bound;
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, MetadataExt},
    },
    path::PathBuf,
};

/// How often what is written meanwhile is gone after.
const ROUNDS: usize = 4;
/// A piece that is read.
const PIECE: usize = 64 << 10;
/// So many sizes of a log it may have before it is cut under a writer that is never caught up with.
const SIZES: u64 = 4;

pub(super) struct Former {
    file: File,
    /// What was written before it was moved.
    before: u64,
    /// Up to here the new file has it.
    copied: u64,
}

impl Former {
    /// `seen` is how much was written while it had its name, where that is known. What an earlier daemon has left in one
    /// that was moved stays there; in one that was deleted is what nobody has yet.
    pub(super) fn new(file: File, seen: Option<u64>) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let copied = match seen {
            Some(seen) => seen.min(metadata.len()),
            None if metadata.nlink() > 0 => metadata.len(),
            None => first_data(&file, metadata.len()),
        };
        Ok(Self {
            file,
            before: copied,
            copied,
        })
    }

    /// Where the file is.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// Writes on in the new file what was written to this one.
    pub(super) fn relay(&mut self, new: &mut File, bound: Bound) -> io::Result<()> {
        let metadata = self.file.metadata()?;
        let (length, is_deleted) = (metadata.len(), metadata.nlink() == 0);
        if is_deleted {
            // Nobody else sees it any more.
            self.before = 0;
        }
        if length < self.copied {
            // Somebody has emptied it.
            (self.before, self.copied) = (0, 0);
        }
        if length == self.copied {
            return Ok(());
        }
        // More than is kept of a log would only be thrown away again.
        let sizes = u64::from(bound.keep).saturating_add(1);
        let most = bound.max_bytes.saturating_mul(sizes);
        self.copied = self.copied.max(length.saturating_sub(most));
        let done = self.copy(new);
        let left = self.file.metadata()?.len().saturating_sub(self.copied);
        let twice = self.copied.saturating_sub(self.before);
        let is_to_be_cut = match &done {
            Ok(()) if left == 0 => twice > bound.max_bytes,
            Ok(()) => twice > bound.max_bytes.saturating_mul(SIZES),
            // Better lines that are lost than a file that nobody sees and that grows without end.
            Err(_) => left > bound.max_bytes,
        };
        if is_to_be_cut {
            self.file.set_len(self.before)?;
            self.copied = self.before;
        } else if is_deleted && self.copied > 0 {
            // Not every file system can.
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let _ = fallocate(&self.file, hole, 0, self.copied);
        }
        done
    }

    fn copy(&mut self, new: &mut File) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        for _ in 0..ROUNDS {
            let end = self.file.metadata()?.len();
            if self.copied >= end {
                break;
            }
            while self.copied < end {
                let count = self.file.read_at(&mut piece, self.copied)?;
                let mut rest = piece.get(..count).unwrap_or_default();
                if rest.is_empty() {
                    return Ok(());
                }
                // By hand, so that it is known how much was written where the disk is full.
                while !rest.is_empty() {
                    let written = new.write(rest)?;
                    if written == 0 {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                    let more = u64::try_from(written).unwrap_or(u64::MAX);
                    self.copied = self.copied.saturating_add(more);
                    rest = rest.get(written..).unwrap_or_default();
                }
            }
        }
        Ok(())
    }
}

/// Where what was not given up begins.
fn first_data(file: &File, length: u64) -> u64 {
    let start = match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(0)) {
        Ok(start) => start,
        // There is none.
        Err(Errno::NXIO) => return length,
        // Not every file system tells.
        Err(_) => 0,
    };
    // What was given up of a block is zero.
    let (mut at, mut piece) = (start, vec![0; PIECE]);
    for _ in 0..ROUNDS {
        let count = file.read_at(&mut piece, at).unwrap_or(0);
        let read = piece.get(..count).unwrap_or_default();
        let zeros = read.iter().take_while(|byte| **byte == 0).count();
        at = at.saturating_add(u64::try_from(zeros).unwrap_or(u64::MAX));
        if zeros < count || count == 0 {
            return at;
        }
    }
    start
}

#[cfg(test)]
mod tests {
    use super::{super::super::log, *};
    use std::{fs::OpenOptions, path::Path};

    const BOUND: Bound = Bound {
        max_bytes: 1 << 20,
        keep: 2,
    };

    fn content(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    /// The directory, the file that was moved, with its writer, and the new one.
    struct Moved {
        _dir: tempfile::TempDir,
        old: PathBuf,
        writer: File,
        path: PathBuf,
        new: File,
    }

    fn moved(text: &str) -> Moved {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("web.log"), dir.path().join("web.log.old"));
        let (mut writer, _) = log::open(&path).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        std::fs::rename(&path, &old).unwrap();
        let (new, _) = log::open(&path).unwrap();
        Moved {
            _dir: dir,
            old,
            writer,
            path,
            new,
        }
    }

    fn open(path: &Path) -> File {
        let mut options = OpenOptions::new();
        options.read(true).write(true).open(path).unwrap()
    }

    #[test]
    fn what_was_moved_is_cut_only_above_its_size_so_nothing_is_lost_between_look_and_cut() {
        let mut moved = moved("before\n");
        let mut former = Former::new(open(&moved.old), Some(7)).unwrap();
        for line in ["one\n", "two\n"] {
            moved.writer.write_all(line.as_bytes()).unwrap();
            former.relay(&mut moved.new, BOUND).unwrap();
        }
        assert_eq!(content(&moved.path), "one\ntwo\n");
        assert_eq!(content(&moved.old), "before\none\ntwo\n");
        moved.writer.write_all(&vec![b'y'; 1 << 20]).unwrap();
        former.relay(&mut moved.new, BOUND).unwrap();
        assert_eq!(content(&moved.old), "before\n");
        moved.writer.write_all(b"three\n").unwrap();
        former.relay(&mut moved.new, BOUND).unwrap();
        assert!(content(&moved.path).ends_with("ythree\n"));
        assert_eq!(content(&moved.path).len(), 8 + (1 << 20) + 6);
    }

    #[test]
    fn of_a_file_that_grew_far_above_its_size_only_the_newest_part_is_copied() {
        let mut moved = moved("");
        let file = open(&moved.old);
        std::fs::remove_file(&moved.old).unwrap();
        file.set_len(50 << 30).unwrap();
        moved.writer.write_all(b"the end\n").unwrap();
        let mut former = Former::new(file, Some(0)).unwrap();
        former.relay(&mut moved.new, BOUND).unwrap();
        let copied = content(&moved.path);
        assert!(copied.ends_with("\0the end\n"));
        assert_eq!(copied.len(), 3 << 20);
    }

    #[test]
    fn on_a_full_disk_nothing_is_cut_until_more_than_its_size_waits() {
        let mut moved = moved("before\n");
        let mut former = Former::new(open(&moved.old), Some(7)).unwrap();
        let mut full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        moved.writer.write_all(b"one\n").unwrap();
        let error = former.relay(&mut full, BOUND).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(content(&moved.old), "before\none\n");
        // There is room again.
        former.relay(&mut moved.new, BOUND).unwrap();
        assert_eq!(content(&moved.path), "one\n");
        moved.writer.write_all(&vec![b'y'; (1 << 20) + 1]).unwrap();
        former.relay(&mut full, BOUND).unwrap_err();
        assert_eq!(content(&moved.old), "before\n");
    }

    #[test]
    fn the_next_daemon_goes_on_with_a_deleted_file_where_the_one_before_has_stopped() {
        let mut moved = moved("");
        let (file, again) = (open(&moved.old), open(&moved.old));
        std::fs::remove_file(&moved.old).unwrap();
        let mut former = Former::new(file, Some(0)).unwrap();
        for line in ["one\n", "two\n"] {
            moved.writer.write_all(line.as_bytes()).unwrap();
            former.relay(&mut moved.new, BOUND).unwrap();
        }
        drop(former);
        moved.writer.write_all(b"three\n").unwrap();
        let mut next = Former::new(again, None).unwrap();
        next.relay(&mut moved.new, BOUND).unwrap();
        assert_eq!(content(&moved.path), "one\ntwo\nthree\n");
    }
}
