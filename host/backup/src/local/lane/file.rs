//! A file in a tier that may not answer.

use super::{Lane, said, spawn};
use std::{
    fs::File,
    io::{self, Read, Write},
    mem,
};

/// So much is read at once.
const PIECE: usize = 1 << 18;

/// A file that is open; none once something that was asked of it was given up.
pub(in crate::local) struct LaneFile {
    lane: Lane,
    file: Option<File>,
    piece: Vec<u8>,
    /// So much of the piece was handed on.
    at: usize,
}

impl LaneFile {
    /// Of one that was opened in this lane.
    pub(in crate::local) fn new(lane: Lane, file: File) -> Self {
        Self {
            lane,
            file: Some(file),
            piece: Vec::new(),
            at: 0,
        }
    }

    /// Appends.
    pub(in crate::local) fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        let mut file = self.hand_over()?;
        let (file, written) = self.lane.change(move || {
            let written = file.write_all(&bytes);
            (file, written)
        })?;
        self.file = Some(file);
        written
    }

    /// Makes durable what was written, so that not all of it is to be at the end.
    pub(in crate::local) fn settle(&mut self) -> io::Result<()> {
        let file = self.hand_over()?;
        let (file, settled) = self.lane.change(move || {
            let settled = file.sync_data();
            (file, settled)
        })?;
        self.file = Some(file);
        settled
    }

    /// The file, for one who asks in the same lane.
    pub(in crate::local) fn hand_over(&mut self) -> io::Result<File> {
        let file = self.file.take();
        file.ok_or_else(|| said("what was asked of it before was given up".to_owned()))
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut file = self.hand_over()?;
        let mut piece = mem::take(&mut self.piece);
        self.at = 0;
        let (file, piece, read) = self.lane.read(move || {
            piece.resize(PIECE, 0);
            let read = file.read(&mut piece);
            piece.truncate(*read.as_ref().unwrap_or(&0));
            (file, piece, read)
        })?;
        self.file = Some(file);
        self.piece = piece;
        read.map(|_| ())
    }
}

impl Read for LaneFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.piece.len() {
            self.fill()?;
        }
        let mut rest = self.piece.get(self.at..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

impl Drop for LaneFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            close(file);
        }
    }
}

/// Closes a file, which may take as long as anything; nobody waits for it.
fn close(file: File) {
    // Where there is no thread for it, it is closed here.
    let _ = spawn(move || drop(file));
}
