//! Which process each pid file named when it was first seen to name one that runs.
//!
//! Invariant: where a file is as it was, and another process has the number in it, the one that was meant has ended. No clock
//! is asked for that, for files are dated by one that is set at times.

use parking_lot::{Mutex, const_mutex};
use std::{
    collections::BTreeMap,
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// So many files are known: more than a config names, so that those of configs of before are let go of at some time.
const MOST: usize = 100_000;

static NAMED: Mutex<BTreeMap<PathBuf, Named>> = const_mutex(BTreeMap::new());

/// What a file named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Named {
    /// Its device, its inode, and when it was written.
    file: (u64, u64, i64, i64),
    pid: u32,
    start_ticks: u64,
}

/// Whether the process that runs with the number of this file is the one that the file means, as far as was seen.
pub(super) fn is_meant(path: &Path, file: &Metadata, pid: u32, start_ticks: u64) -> bool {
    let now = Named {
        file: (file.dev(), file.ino(), file.mtime(), file.mtime_nsec()),
        pid,
        start_ticks,
    };
    let mut named = NAMED.lock();
    match named.get(path) {
        Some(before) if (before.file, before.pid) == (now.file, now.pid) => *before == now,
        _ => {
            if named.len() >= MOST {
                named.clear();
            }
            named.insert(path.to_owned(), now);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::File,
        time::{Duration, SystemTime},
    };

    #[test]
    fn a_number_that_was_given_away_again_is_not_meant_before_the_file_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        let file = File::create(&path).unwrap();
        let begin = SystemTime::now();
        for (written, pid, start_ticks, expected) in [
            (0, 7, 100, true),
            (0, 7, 100, true),
            (0, 7, 250, false),
            (0, 7, 250, false),
            (1, 7, 250, true),
            (1, 8, 300, true),
            (1, 8, 301, false),
            (2, 8, 301, true),
        ] {
            file.set_modified(begin + Duration::from_secs(written))
                .unwrap();
            let found = is_meant(&path, &file.metadata().unwrap(), pid, start_ticks);
            assert_eq!(found, expected, "{written} {pid} {start_ticks}");
        }
        // Another file of the same name is one of its own.
        std::fs::remove_file(&path).unwrap();
        let other = File::create(&path).unwrap();
        assert!(is_meant(&path, &other.metadata().unwrap(), 8, 900));
    }
}
