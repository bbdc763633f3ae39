//! The digest of the charter's file, read anew where the file is another one or was changed.

use mainstay_domain::policy::sha256_hex;
use mainstay_runtime::regular_file;
use parking_lot::Mutex;
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A charter says little.
const MAX_BYTES: u64 = 64 << 10;

/// What tells the file from another one, and from itself before a change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    file: PathBuf,
    inode: (u64, u64),
    changed: (i64, i64),
    length: u64,
}

/// Reads the file of the charter.
#[derive(Debug, Default)]
pub struct CharterFile {
    last: Mutex<Option<(Stamp, String)>>,
}

impl CharterFile {
    /// Its SHA-256, hexadecimal; why it cannot be read, for people.
    ///
    /// # Errors
    /// It is not there, is no regular file, or is too long.
    pub fn sha256(&self, file: &Path) -> Result<String, String> {
        let read = || -> io::Result<String> {
            let stamp = stamp(file)?;
            let mut last = self.last.lock();
            if let Some((of, digest)) = &*last
                && *of == stamp
            {
                return Ok(digest.clone());
            }
            let digest = sha256_hex(&regular_file::read_whole(file, MAX_BYTES)?);
            *last = Some((stamp, digest.clone()));
            Ok(digest)
        };
        read().map_err(|error| format!("{}: {error}", file.display()))
    }
}

fn stamp(file: &Path) -> io::Result<Stamp> {
    let found = fs::metadata(file)?;
    Ok(Stamp {
        file: file.to_owned(),
        inode: (found.dev(), found.ino()),
        // No program can set this one.
        changed: (found.ctime(), found.ctime_nsec()),
        length: found.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_changed_or_replaced_is_read_anew_and_one_that_is_gone_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("charter.toml");
        let file = CharterFile::default();
        assert!(file.sha256(&path).unwrap_err().contains("charter.toml"));
        for text in ["one", "three", "two"] {
            let next = directory.path().join("next");
            fs::write(&next, text).unwrap();
            fs::rename(&next, &path).unwrap();
            for _ in 0..2 {
                assert_eq!(file.sha256(&path), Ok(sha256_hex(text.as_bytes())));
            }
        }
        fs::remove_file(&path).unwrap();
        assert!(file.sha256(&path).is_err());
    }
}
