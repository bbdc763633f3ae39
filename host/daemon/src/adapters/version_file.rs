//! Which version of the program runs in a state directory, and since when, in a small file of it.
//!
//! Invariant: the file is one that was written whole: it is made under another name, synced and renamed. It is its
//! owner's alone.
//! Invariant: the first version that is known to have run is no upgrade.

use mainstay_domain::time::Timestamp;
use mainstay_runtime::regular_file;
use serde::{Deserialize, Serialize};
use std::{io, path::Path};

/// The file's name in the state directory.
const FILE_NAME: &str = "program-version.json";
/// Longer than any that was written.
const MAX_BYTES: u64 = 1 << 16;

/// What is in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Runs {
    /// The version that ran last.
    version: String,
    /// Since when, where another one ran before.
    upgraded_at: Option<Timestamp>,
}

/// Says that this version runs now, and since when it does where another one ran before; `now` is the time that is believed. What
/// cannot be read or written is told, and is no upgrade.
pub fn upgraded_at(state_dir: &Path, version: &str, now: Timestamp) -> Option<Timestamp> {
    let path = state_dir.join(FILE_NAME);
    let before = read(&path).unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "which version of the program ran last is not known");
        None
    });
    let upgraded_at = match before {
        Some(before) if before.version == version => return before.upgraded_at,
        Some(before) => {
            tracing::info!(before = before.version, version, "the program was upgraded");
            Some(now)
        }
        None => None,
    };
    let runs = Runs {
        version: version.to_owned(),
        upgraded_at,
    };
    if let Err(error) = write(&path, &runs) {
        tracing::warn!(path = %path.display(), %error, "which version of the program runs is not on record");
    }
    upgraded_at
}

fn read(path: &Path) -> io::Result<Option<Runs>> {
    match regular_file::read_whole(path, MAX_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
    }
}

fn write(path: &Path, runs: &Runs) -> io::Result<()> {
    mainstay_store::replace_private(path, &serde_json::to_vec(runs)?).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    const FIRST: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const LATER: Timestamp = Timestamp::from_millis(1_700_000_060_000);
    const LATEST: Timestamp = Timestamp::from_millis(1_700_000_120_000);

    #[test]
    fn another_version_is_an_upgrade_since_its_first_start_and_the_first_one_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let starts = |version, now| upgraded_at(directory.path(), version, now);
        assert_eq!(starts("0.1.0", FIRST), None);
        assert_eq!(starts("0.1.0", LATER), None);
        assert_eq!(starts("0.2.0", LATER), Some(LATER));
        assert_eq!(starts("0.2.0", LATEST), Some(LATER), "over restarts");
        assert_eq!(starts("0.1.0", LATEST), Some(LATEST), "and back");
        let path = directory.path().join(FILE_NAME);
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_was_damaged_is_no_upgrade_and_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        for content in ["", "{", "[]", "{}"] {
            fs::write(directory.path().join(FILE_NAME), content).unwrap();
            assert_eq!(upgraded_at(directory.path(), "0.2.0", LATER), None);
            let after = upgraded_at(directory.path(), "0.3.0", LATEST);
            assert_eq!(after, Some(LATEST), "{content}");
        }
    }
}
