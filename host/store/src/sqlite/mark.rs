//! What was acknowledged, beside the database: the number of the last commit that was answered as durable.
//!
//! SQLite takes a write-ahead log whose header or frames are damaged for one that ends there, and goes on without a
//! word. The mark is how the next daemon knows that there was more.
//!
//! Invariant: it is written after the fsync of the commit that it names and before anybody is answered, so it never
//! names more than is on the disk. It is not synced itself: with the power it may fall behind, which is allowed.
//! Invariant: the file is made whole and synced under another name, and then only overwritten in place with as many
//! bytes. So one that cannot be read was damaged, and is evidence that there was a journal.

use super::{private, regular};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// The file's name in the state directory.
pub(super) const FILE_NAME: &str = "journal.mark";

const MAGIC: &[u8; 8] = b"MNSTMARK";
const ID: usize = 32;
const SUM: usize = 16;
const SIZE: usize = MAGIC.len() + ID + 8 + SUM;

/// How far a database is: which one it is, and how many commits it has taken since it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// Made with the database, and never changed: 32 letters.
    pub(super) id: String,
    /// Of its last commit.
    pub(super) number: u64,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Marked {
    /// There is none, as in a new directory and in one of a version before.
    Nothing,
    /// It is damaged or empty, and says nothing.
    Damaged,
    /// So much was acknowledged.
    Upto(Head),
}

/// The mark of the database at `journal`.
pub(super) fn path(journal: &Path) -> PathBuf {
    journal.with_file_name(FILE_NAME)
}

/// Reads the mark in this file.
pub(super) fn read(path: &Path) -> io::Result<Marked> {
    match regular::read(path) {
        Ok(bytes) => Ok(parse(&bytes).map_or(Marked::Damaged, Marked::Upto)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Marked::Nothing),
        Err(error) => Err(error),
    }
}

fn parse(bytes: &[u8]) -> Option<Head> {
    let (content, sum) = bytes.split_at_checked(SIZE - SUM)?;
    if sum != sum_of(content) {
        return None;
    }
    let (id, number) = content.strip_prefix(MAGIC)?.split_at_checked(ID)?;
    Some(Head {
        id: String::from_utf8(id.to_vec()).ok()?,
        number: u64::from_le_bytes(number.try_into().ok()?),
    })
}

fn format(head: &Head) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SIZE);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(head.id.as_bytes());
    bytes.resize(MAGIC.len() + ID, 0);
    bytes.extend_from_slice(&head.number.to_le_bytes());
    let sum = sum_of(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

fn sum_of(content: &[u8]) -> [u8; SUM] {
    let mut sum = [0; SUM];
    blake3::Hasher::new()
        .update(content)
        .finalize_xof()
        .fill(&mut sum);
    sum
}

/// The file, open to be written.
#[derive(Debug)]
pub(super) struct Mark {
    path: PathBuf,
    file: Option<File>,
    is_failing: bool,
}

impl Mark {
    /// The file is made with the first mark.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            is_failing: false,
        }
    }

    /// Names this commit as acknowledged. Where that cannot be written the journal goes on: the mark falls behind.
    pub(super) fn set(&mut self, head: &Head) {
        match self.write(&format(head)) {
            Ok(()) => self.is_failing = false,
            Err(error) => {
                self.file = None;
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::warn!(path = %self.path.display(), %error, "what is acknowledged cannot be marked for now");
                }
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(file) = &self.file {
            return file.write_all_at(bytes, 0);
        }
        let file = match regular::open_to_write(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.file = Some(private::replace(&self.path, bytes)?);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        file.write_all_at(bytes, 0)?;
        self.file = Some(file);
        Ok(())
    }
}

/// Makes the file anew with this mark in it; it is on the disk afterwards.
pub(super) fn make(path: &Path, head: &Head) -> io::Result<()> {
    private::replace(path, &format(head)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_mark_is_made_under_another_name_and_a_later_one_written_in_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        let head = |number| Head {
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            number,
        };
        // What a loss of power left of the first try is in nobody's way.
        fs::write(directory.path().join("journal.mark.new"), b"MNST").unwrap();
        Mark::new(path.clone()).set(&head(1));
        let first = fs::File::open(&path).unwrap();
        Mark::new(path.clone()).set(&head(2));
        let mut seen = [0; SIZE];
        first.read_exact_at(&mut seen, 0).unwrap();
        assert_eq!(parse(&seen), Some(head(2)), "it is the same file");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_mark_reads_back_and_a_flipped_bit_or_a_cut_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        assert_eq!(read(&path).unwrap(), Marked::Nothing);
        let mut mark = Mark::new(path.clone());
        for number in [1, 2, u64::MAX] {
            let head = Head {
                id: "0123456789abcdef0123456789abcdef".to_owned(),
                number,
            };
            mark.set(&head);
            assert_eq!(read(&path).unwrap(), Marked::Upto(head));
        }
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&path).unwrap(), Marked::Damaged, "bit {bit}");
        }
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(read(&path).unwrap(), Marked::Damaged, "{length} bytes");
        }
    }
}
