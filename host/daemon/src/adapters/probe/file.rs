//! Whether a file is there, how old and how large it is, and what it holds.
//!
//! What the kernel has in memory of a file on a disk of this machine is taken from there at once: a thread for the look
//! costs many times what the look does.
//!
//! Invariant: what is told at once is what a thread would see. That a path leads nowhere, or cannot be followed, a thread
//! says.

use super::{Seen, length};
use mainstay_domain::{
    measure::size,
    spec::CheckKind,
    time::{Timestamp, millis},
};
use mainstay_runtime::regular_file::read_start;
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags, openat2, statx,
};
use std::{
    io,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

/// So much of a file is looked through.
const MAX_READ: u64 = 1 << 20;

/// What is known of a file without reading it.
struct Known {
    /// Since 1970.
    modified: Duration,
    bytes: u64,
}

/// Blocks.
pub(super) fn look(
    path: &Path,
    max_age: Option<Duration>,
    min_bytes: Option<u64>,
    contains: Option<&str>,
    now: Timestamp,
) -> io::Result<Seen> {
    let metadata = std::fs::metadata(path)?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH);
    let known = Known {
        modified: modified.unwrap_or_default(),
        bytes: metadata.len(),
    };
    if let Some(amiss) = known.amiss(path, max_age, min_bytes, now) {
        return Ok(amiss);
    }
    if let Some(wanted) = contains {
        let content = read_start(path, MAX_READ)?;
        if !String::from_utf8_lossy(&content).contains(wanted) {
            let shown = path.display();
            return Ok(Seen::failed(format!("{shown} does not hold `{wanted}`")));
        }
    }
    Ok(known.well(path))
}

/// As [`look`] by what the kernel has in memory: nothing is waited for. None where [`look`] has to look, also where it is no
/// file that is looked at.
pub(super) fn look_at_once(kind: &CheckKind, now: Timestamp) -> Option<Seen> {
    let CheckKind::File {
        path,
        max_age,
        min_bytes,
        contains: None,
    } = kind
    else {
        return None;
    };
    let known = Known::at_once(path)?;
    let amiss = known.amiss(path, *max_age, *min_bytes, now);
    Some(amiss.unwrap_or_else(|| known.well(path)))
}

impl Known {
    fn at_once(path: &Path) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let file = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED).ok()?;
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        // What is asked for nothing waits for nobody.
        let nature = statx(&file, "", flags, StatxFlags::empty()).ok()?;
        // Without a device it is another machine, or a program, that knows what the file is now. A program may have a device
        // too (`fuseblk`), but does not say whether a file can be changed.
        let said = nature.stx_attributes_mask;
        if nature.stx_dev_major == 0 || !said.contains(StatxAttributes::IMMUTABLE) {
            return None;
        }
        let stat = statx(&file, "", flags, StatxFlags::MTIME | StatxFlags::SIZE).ok()?;
        let modified = stat.stx_mtime;
        let seconds = u64::try_from(modified.tv_sec).unwrap_or_default();
        Some(Self {
            modified: Duration::new(seconds, modified.tv_nsec),
            bytes: stat.stx_size,
        })
    }

    /// That it is too old, or too small.
    fn amiss(
        &self,
        path: &Path,
        max_age: Option<Duration>,
        min_bytes: Option<u64>,
        now: Timestamp,
    ) -> Option<Seen> {
        let shown = path.display();
        let age = now.since(Timestamp::from_millis(millis(self.modified)));
        if let Some(max_age) = max_age.filter(|&max_age| age > max_age) {
            let message = format!(
                "{shown} is {} old, at most {} is allowed",
                length(age),
                length(max_age)
            );
            let seen = Seen::failed(message).by_wall_clock();
            return Some(seen.with_value(age.as_secs_f64()));
        }
        let min_bytes = min_bytes.filter(|&min_bytes| self.bytes < min_bytes)?;
        let message = format!(
            "{shown} has {}, at least {} are needed",
            size(self.bytes),
            size(min_bytes)
        );
        Some(Seen::failed(message).with_count(self.bytes))
    }

    fn well(&self, path: &Path) -> Seen {
        let (shown, size) = (path.display(), size(self.bytes));
        Seen::healthy(format!("{shown} is there, {size}")).with_count(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

    const NOW: Timestamp = Timestamp::from_millis(4_000_000_000_000);

    fn at_once(
        path: &Path,
        max_age: Option<Duration>,
        min_bytes: Option<u64>,
        contains: Option<&str>,
    ) -> Option<Seen> {
        let kind = CheckKind::File {
            path: path.to_owned(),
            max_age,
            min_bytes,
            contains: contains.map(str::to_owned),
        };
        // A mount that comes or goes anywhere on this machine keeps the kernel from telling it at once, and so does a link
        // that was not followed since it was made.
        (0..100).find_map(|_| {
            let _ = fs::metadata(path);
            look_at_once(&kind, NOW)
        })
    }

    #[test]
    fn what_the_kernel_has_in_memory_of_a_file_is_told_at_once_and_is_what_a_thread_sees() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("report"), dir.path().join("link"));
        assert_eq!(at_once(&path, None, None, None), None, "it is not there");
        fs::write(&path, "all good").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        // A file system without a device is asked on a thread.
        let is_on_disk = rustix::fs::major(fs::metadata(&path).unwrap().dev()) != 0;
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(1 << 40));
        for (max_age, min_bytes, words) in [
            (None, None, "is there, 8 bytes"),
            (Some(long), Some(8), "is there, 8 bytes"),
            (Some(short), None, "old, at most 1000 ms is allowed"),
            (None, Some(9), "at least 9 bytes are needed"),
        ] {
            for path in [&path, &link, &dir.path().to_owned()] {
                let seen = look(path, max_age, min_bytes, None, NOW).unwrap();
                let is_file = path != dir.path();
                assert!(!is_file || seen.message.contains(words), "{seen:?}");
                let expected = is_on_disk.then_some(seen);
                assert_eq!(at_once(path, max_age, min_bytes, None), expected);
            }
        }
    }

    #[test]
    fn what_has_to_be_read_or_lies_on_no_disk_is_looked_at_on_a_thread() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report");
        fs::write(&path, "all good").unwrap();
        assert_eq!(at_once(&path, None, None, Some("good")), None);
        let of_the_kernel = PathBuf::from("/proc/self/stat");
        assert_eq!(at_once(&of_the_kernel, None, None, None), None);
        assert_eq!(look_at_once(&CheckKind::Heartbeat, NOW), None);
    }
}
