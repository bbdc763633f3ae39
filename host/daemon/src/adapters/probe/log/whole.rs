//! A log, and what was rotated of it, as one text.

use crate::adapters::{probe::links, process::rotated_of};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

/// So many rotated files are opened.
const MOST_ROTATED: u32 = 64;
/// So often they are opened anew where something was rotated meanwhile.
const LOOKS: usize = 3;

/// The oldest is the first, the log itself the last.
pub(super) struct Whole {
    pieces: Vec<Piece>,
}

struct Piece {
    file: File,
    inode: u64,
    /// Where it begins in the whole.
    begin: u64,
    length: u64,
}

impl Whole {
    /// The log alone.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let pieces = vec![Piece::open(path)?];
        Ok(Self { pieces })
    }

    /// The log with what was rotated, as far as that can be read.
    pub(super) fn with_rotated(path: &Path) -> io::Result<Self> {
        let mut looks = 0;
        loop {
            let newest = newest_of(path);
            let log = Piece::open(path)?;
            let (inode, length) = (log.inode, log.length);
            let rotated = (1..=MOST_ROTATED).map(|number| Piece::open(&rotated_of(path, number)));
            let rotated = rotated.map_while(Result::ok);
            let mut pieces: Vec<Piece> = std::iter::once(log).chain(rotated).collect();
            looks += 1;
            let now = fs::metadata(path);
            let is_same = now.is_ok_and(|now| now.ino() == inode && now.len() >= length);
            if looks < LOOKS && !(is_same && newest_of(path) == newest) {
                continue;
            }
            pieces.reverse();
            let mut begin = 0;
            for piece in &mut pieces {
                piece.begin = begin;
                begin = piece.end();
            }
            return Ok(Self { pieces });
        }
    }

    /// How long it is.
    pub(super) fn length(&self) -> u64 {
        self.pieces.last().map_or(0, Piece::end)
    }

    /// Where the log itself begins.
    pub(super) fn begin(&self) -> u64 {
        self.pieces.last().map_or(0, |log| log.begin)
    }

    /// Which file the log is.
    pub(super) fn inode(&self) -> u64 {
        self.pieces.last().map_or(0, |log| log.inode)
    }

    /// How many rotated ones there are.
    pub(super) fn rotated(&self) -> usize {
        self.pieces.len().saturating_sub(1)
    }

    /// Where a rotated one begins, 1 being the newest, and 0 the log.
    pub(super) fn begin_of(&self, number: usize) -> Option<u64> {
        let piece = self.pieces.iter().rev().nth(number);
        piece.map(|piece| piece.begin)
    }

    /// Which file the newest rotated one is.
    pub(super) fn newest(&self) -> Option<u64> {
        let newest = self.pieces.iter().rev().nth(1);
        newest.map(|newest| newest.inode)
    }

    /// The number of the rotated one that is this file.
    pub(super) fn number_of(&self, inode: u64) -> Option<usize> {
        let mut rotated = self.pieces.iter().rev().skip(1);
        let place = rotated.position(|piece| piece.inode == inode);
        place.map(|place| place + 1)
    }

    /// The bytes of a range, or as many as are there.
    pub(super) fn read(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            let (first, last) = (from.max(piece.begin), to.min(piece.end()));
            if first >= last {
                continue;
            }
            let read = read(&piece.file, first - piece.begin, last - piece.begin)?;
            let is_cut = (read.len() as u64) < last - first;
            bytes.extend(read);
            if is_cut {
                break;
            }
        }
        Ok(bytes)
    }

    /// Whether these bytes stand before this place.
    pub(super) fn has_before(&self, at: u64, bytes: &[u8]) -> io::Result<bool> {
        match at.checked_sub(bytes.len() as u64) {
            Some(start) if at <= self.length() => Ok(self.read(start, at)? == bytes),
            _ => Ok(false),
        }
    }
}

impl Piece {
    fn open(path: &Path) -> io::Result<Self> {
        let (file, metadata) = links::open(path)?;
        Ok(Self {
            file,
            inode: metadata.ino(),
            begin: 0,
            length: metadata.len(),
        })
    }

    fn end(&self) -> u64 {
        self.begin.saturating_add(self.length)
    }
}

/// Which file lies where the newest rotated one does, if any.
pub(super) fn newest_of(path: &Path) -> Option<u64> {
    let newest = fs::symlink_metadata(rotated_of(path, 1));
    newest.ok().map(|newest| newest.ino())
}

fn read(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
