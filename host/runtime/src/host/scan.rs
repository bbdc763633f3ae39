//! When a file of the plugin directory is worth reading, and when what was read counts.
//!
//! Invariant: a half-written file is never loaded and never refused for being half-written: what cannot be loaded
//! counts as refused only once the file has not changed for the settling time.
//! Invariant: pure; the caller gives what the directory shows and the time.

use mainstay_domain::time::Monotonic;
use std::{
    ffi::OsStr,
    fs::Metadata,
    os::unix::fs::MetadataExt,
    time::{Duration, SystemTime},
};

/// What tells one content of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// How long a file has lain there unchanged, as its times say; zero where they lie in the future.
pub(crate) fn age(metadata: &Metadata, now: SystemTime) -> Duration {
    let modified = metadata.modified().unwrap_or(now);
    now.duration_since(modified).unwrap_or_default()
}

/// What was seen of one file over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watched {
    stamp: Stamp,
    /// Since when this stamp is known.
    since: Monotonic,
    /// How old the content was then.
    age: Duration,
    /// Its writer closed it, or it was renamed into place.
    closed: bool,
    /// What was read under this stamp counts: it was accepted, or refused when it had settled.
    judged: bool,
    /// What was read failed for a reason that may pass by itself: not to be read again before this.
    put_off: Option<Monotonic>,
}

/// What to do about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing: what it holds is known.
    Rest,
    /// It may still be written to; look again after this.
    Wait(Duration),
    /// Read it. Where it cannot be loaded, that counts only if it is `settled`.
    Read {
        /// It has not changed for the settling time.
        settled: bool,
    },
}

impl Watched {
    /// A file that is seen for the first time, and is this old already.
    pub(crate) fn new(stamp: Stamp, age: Duration, now: Monotonic) -> Self {
        Self {
            stamp,
            since: now,
            age,
            closed: false,
            judged: false,
            put_off: None,
        }
    }

    /// It is seen again. `closed`: its writer closed it, or it was renamed into place, since the last time. Gives
    /// whether it is another than before.
    pub(crate) fn seen(&mut self, stamp: Stamp, closed: bool, now: Monotonic) -> bool {
        let has_changed = self.stamp != stamp;
        if has_changed {
            *self = Self::new(stamp, Duration::ZERO, now);
        }
        self.closed |= closed;
        has_changed
    }

    pub(crate) fn next(&self, settling: Duration, now: Monotonic) -> Step {
        let quiet = now.since(self.since).saturating_add(self.age);
        let settled = quiet >= settling;
        let ahead = self.put_off.map(|until| until.since(now));
        match ahead.filter(|ahead| !ahead.is_zero()) {
            _ if self.judged => Step::Rest,
            Some(ahead) => Step::Wait(ahead),
            None if settled || self.closed => Step::Read { settled },
            None => Step::Wait(settling.saturating_sub(quiet)),
        }
    }

    /// What was read counts.
    pub(crate) fn judge(&mut self) {
        self.judged = true;
    }

    /// What was read does not count yet: wait until it has settled.
    pub(crate) fn doubt(&mut self) {
        self.closed = false;
    }

    /// What was read does not count, for the reason was not in it: read it again, but not before `until`.
    pub(crate) fn put_off(&mut self, until: Monotonic) {
        self.put_off = Some(until);
    }

    /// What it holds is to be judged again, under other settings or beside other files.
    pub(crate) fn reconsider(&mut self) {
        self.judged = false;
        self.put_off = None;
    }
}

/// Whether a file of this name can be a plugin: any name counts but hidden files, what programs write while they
/// copy, and signatures.
pub(crate) fn is_candidate(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let unfinished = [".tmp", ".part", ".partial", ".swp", ".crdownload", "~"];
    !name.starts_with('.')
        && !name.ends_with(".minisig")
        && !unfinished.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLING: Duration = Duration::from_millis(200);

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(millis))
    }

    fn stamp(len: u64) -> Stamp {
        Stamp {
            inode: 1,
            len,
            modified: (0, 0),
            changed: (0, 0),
        }
    }

    #[test]
    fn a_file_that_nobody_closed_is_read_when_it_has_settled() {
        let mut file = Watched::new(stamp(1), Duration::ZERO, at(1_000));
        assert_eq!(
            file.next(SETTLING, at(1_050)),
            Step::Wait(Duration::from_millis(150))
        );
        file.seen(stamp(2), false, at(1_100));
        assert_eq!(
            file.next(SETTLING, at(1_250)),
            Step::Wait(Duration::from_millis(50))
        );
        assert_eq!(file.next(SETTLING, at(1_300)), Step::Read { settled: true });
        file.judge();
        assert_eq!(file.next(SETTLING, at(1_300)), Step::Rest);
        file.seen(stamp(2), true, at(9_000));
        assert_eq!(
            file.next(SETTLING, at(9_000)),
            Step::Rest,
            "closed again with nothing written"
        );
    }

    #[test]
    fn a_closed_file_is_read_at_once_but_refused_only_when_it_has_settled() {
        let mut file = Watched::new(stamp(1), Duration::ZERO, at(0));
        file.seen(stamp(1), true, at(10));
        assert_eq!(file.next(SETTLING, at(10)), Step::Read { settled: false });
        file.doubt();
        assert_eq!(
            file.next(SETTLING, at(20)),
            Step::Wait(Duration::from_millis(180))
        );
        assert_eq!(file.next(SETTLING, at(200)), Step::Read { settled: true });
    }

    #[test]
    fn a_file_that_was_there_long_before_is_read_at_once() {
        let file = Watched::new(stamp(1), Duration::from_secs(60), at(0));
        assert_eq!(file.next(SETTLING, at(0)), Step::Read { settled: true });
    }

    #[test]
    fn what_failed_for_a_passing_reason_is_read_again_later_and_at_once_when_it_changes() {
        let put_off = || {
            let mut file = Watched::new(stamp(1), Duration::from_secs(60), at(0));
            file.put_off(at(3_000));
            file
        };
        let mut file = put_off();
        assert_eq!(
            file.next(SETTLING, at(1_000)),
            Step::Wait(Duration::from_secs(2))
        );
        assert_eq!(file.next(SETTLING, at(3_000)), Step::Read { settled: true });
        file.reconsider();
        assert_eq!(file.next(SETTLING, at(1_000)), Step::Read { settled: true });
        let mut file = put_off();
        file.seen(stamp(2), true, at(1_000));
        assert_eq!(
            file.next(SETTLING, at(1_000)),
            Step::Read { settled: false }
        );
    }

    #[test]
    fn names_of_files_under_way_and_of_signatures_do_not_count() {
        for good in ["a.wasm", "plugin", "Some Name.component"] {
            assert!(is_candidate(OsStr::new(good)), "{good}");
        }
        for bad in [
            ".a.wasm.swp",
            ".hidden",
            "a.wasm.part",
            "a.wasm~",
            "a.wasm.minisig",
            "a.tmp",
        ] {
            assert!(!is_candidate(OsStr::new(bad)), "{bad}");
        }
    }
}
