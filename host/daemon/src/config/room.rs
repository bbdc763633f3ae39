//! How much a config may hold, in all its files: what is longer is refused before it is parsed.
//!
//! Invariant: reading a config takes some hundred megabytes of memory at most, whatever lies in its files. A hundred
//! thousand targets fit.

use mainstay_runtime::regular_file;
use std::{io, path::Path};

/// The bytes of all files.
const MAX_BYTES: u64 = 16 << 20;

/// What the parser keeps of all files, in units of some forty bytes of memory: one line may cost as much as a word of it.
const MAX_COST: u64 = 12_000_000;

/// What is left of that.
pub(super) struct Room {
    bytes: u64,
    cost: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bytes: MAX_BYTES,
            cost: MAX_COST,
        }
    }
}

impl Room {
    /// Reads a file of the config. What is no regular file, and what there is no room for, is refused.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = regular_file::read_start(path, self.bytes.saturating_add(1))?;
        let refused =
            |what: String| io::Error::other(format!("{what} in all the files of the config"));
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bytes = self
            .bytes
            .checked_sub(length)
            .ok_or_else(|| refused(format!("there are more than {} MiB", MAX_BYTES >> 20)))?;
        self.cost = self.cost.checked_sub(cost(&bytes)).ok_or_else(|| {
            refused("there are more lines, keys and values than are read".to_owned())
        })?;
        Ok(bytes)
    }
}

/// By what stands between lines, keys and values, and by what is an error in most places: the parser keeps each of those too,
/// and takes longer for it.
fn cost(text: &[u8]) -> u64 {
    let mut cost = 0;
    let mut before = b'\n';
    for (place, byte) in text.iter().copied().enumerate() {
        let is_behind_name = before.is_ascii_alphanumeric() || b"_-".contains(&before);
        cost += match byte {
            b'.' if is_behind_name => 1,
            b'.' => 24,
            b'\\' => 18,
            b'\r' if text.get(place + 1) != Some(&b'\n') => 18,
            b'\n' => 4,
            b'=' => 6,
            b',' | b'[' | b'{' => 8,
            _ => 0,
        };
        before = byte;
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_take_gigabytes_is_refused_and_a_hundred_thousand_targets_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mainstay.toml");
        let target = "\n[[target]]\nname = \"target-99999\"\ndepends_on = [\"target-99998\"]\n\n[[target.check]]\n\
                      kind = \"tcp\"\naddress = \"127.0.0.1:9\"\nevery = \"60s\"\nfailure = \"service-down\"\n";
        for (text, says) in [
            (target.repeat(100_000), ""),
            ("a = 1\r\n".repeat(500_000), ""),
            ("\r".repeat(1 << 20), "more lines, keys and values"),
            ("#\r".repeat(1 << 20), "more lines, keys and values"),
            (".".repeat(1 << 20), "more lines, keys and values"),
            ("\"\".\"".repeat(1 << 20), "more lines, keys and values"),
            (
                format!("a = \"{}\"", "\\q".repeat(1 << 20)),
                "more lines, keys and values",
            ),
            ("\n".repeat(95_000_000), "more than 16 MiB"),
            ("\n".repeat(16 << 20), "more lines, keys and values"),
            ("x\n".repeat(8 << 20), "more lines, keys and values"),
            (
                format!("x = [{}]", "1,".repeat(2 << 20)),
                "more lines, keys and values",
            ),
            (
                format!("x = [{}]", "[],".repeat(1 << 20)),
                "more lines, keys and values",
            ),
        ] {
            std::fs::write(&path, &text).unwrap();
            match Room::default().read(&path) {
                Ok(read) => assert!(says.is_empty() && read.len() == text.len(), "{says}"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(!says.is_empty() && error.contains(says), "{says}: {error}");
                }
            }
        }
    }

    #[test]
    fn the_files_of_a_config_share_their_room() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.toml");
        std::fs::write(&path, "#".repeat(9 << 20)).unwrap();
        let mut room = Room::default();
        room.read(&path).unwrap();
        let error = room.read(&path).unwrap_err().to_string();
        assert_eq!(
            error,
            "there are more than 16 MiB in all the files of the config"
        );
    }
}
