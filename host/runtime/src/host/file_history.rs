//! When a file of the plugin directory is worth reading, and when what was read counts.
//!
//! Invariant: a half-written file is never loaded and never refused for being half-written: what cannot be loaded
//! counts as refused only once the file has not changed for the settling time.
//! Invariant: a decision is pure; [`plugin_files`] says what the directory shows, and the caller gives the time.

use mainstay_domain::time::Monotonic;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
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
pub(crate) struct FileHistory {
    stamp: Stamp,
    /// Since when this stamp is known.
    since: Monotonic,
    /// How old the content was then.
    age: Duration,
    state: FileState,
}

/// What is known of the content under one stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileState {
    /// It may still be written to: it is worth reading once it has settled.
    Open,
    /// Its writer closed it, or it was renamed into place: it is worth reading at once.
    Closed,
    /// What was read counts: it was accepted, or refused when it had settled.
    Final,
    /// What was read when it had settled failed for a reason that may pass by itself: not to be read again before this.
    RetryAt(Monotonic),
}

/// What to do about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileStep {
    /// Nothing: what it holds is known.
    Rest,
    /// It may still be written to; look again after this.
    Wait(Duration),
    /// Read it.
    Read(Confidence),
}

/// What it means where a file that is read cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confidence {
    /// It counts: the file has not changed for the settling time.
    Settled,
    /// Nothing yet: the file may be half-written.
    Tentative,
}

impl FileHistory {
    /// A file that is seen for the first time, and is this old already.
    pub(crate) fn new(stamp: Stamp, age: Duration, now: Monotonic) -> Self {
        Self {
            stamp,
            since: now,
            age,
            state: FileState::Open,
        }
    }

    /// It is seen again. `closed`: its writer closed it, or it was renamed into place, since the last time. Gives
    /// whether it is another than before.
    pub(crate) fn update(&mut self, stamp: Stamp, closed: bool, now: Monotonic) -> bool {
        let has_changed = self.stamp != stamp;
        if has_changed {
            *self = Self::new(stamp, Duration::ZERO, now);
        }
        if closed {
            self.state = self.state.closed();
        }
        has_changed
    }

    pub(crate) fn next(&self, settling: Duration, now: Monotonic) -> FileStep {
        let quiet = now.since(self.since).saturating_add(self.age);
        let confidence = match quiet >= settling {
            true => Confidence::Settled,
            false => Confidence::Tentative,
        };
        match (self.state, confidence) {
            (FileState::Final, _) => FileStep::Rest,
            (FileState::RetryAt(until), _) if until > now => FileStep::Wait(until.since(now)),
            (FileState::Closed, _) | (_, Confidence::Settled) => FileStep::Read(confidence),
            (FileState::Open | FileState::RetryAt(_), Confidence::Tentative) => {
                FileStep::Wait(settling.saturating_sub(quiet))
            }
        }
    }

    /// The result of reading is final.
    pub(crate) fn accept_as_final(&mut self) {
        self.state = FileState::Final;
    }

    /// The result may be of a half-written file: wait until it has settled.
    pub(crate) fn wait_for_settling(&mut self) {
        self.state = self.state.reopened();
    }

    /// The failure was not the file's fault: read it again, not before `until`.
    pub(crate) fn retry_at(&mut self, until: Monotonic) {
        self.state = FileState::RetryAt(until);
    }

    /// Its content is to be checked again, under other settings or beside other files.
    pub(crate) fn recheck(&mut self) {
        self.state = self.state.rechecked();
    }
}

impl FileState {
    /// Its writer closed it. Where what was read counts, or has settled, that tells nothing new.
    fn closed(self) -> Self {
        match self {
            Self::Open | Self::Closed => Self::Closed,
            Self::Final | Self::RetryAt(_) => self,
        }
    }

    /// That it was closed did not mean that it is complete.
    fn reopened(self) -> Self {
        match self {
            Self::Open | Self::Closed => Self::Open,
            Self::Final | Self::RetryAt(_) => self,
        }
    }

    /// What was read counts no more. It has settled, so it need not be known that it was closed.
    fn rechecked(self) -> Self {
        match self {
            Self::Final | Self::RetryAt(_) => Self::Open,
            Self::Open | Self::Closed => self,
        }
    }
}

/// What lies at a path, behind links; of a link that leads nowhere, the link.
pub(crate) fn look_at(path: &Path) -> io::Result<Metadata> {
    fs::metadata(path).or_else(|_| fs::symlink_metadata(path))
}

/// What lies in a plugin directory and is taken for a plugin, with what is known of it. What is no regular file is refused
/// and not passed over, as it was dropped like one: but directories count only where their name ends in `.wasm`.
pub fn plugin_files(directory: &Path) -> io::Result<BTreeMap<PathBuf, Metadata>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // What vanished between the two calls is simply not there.
        let Ok(metadata) = look_at(&entry.path()) else {
            continue;
        };
        let name = entry.file_name();
        let may_be_one = !metadata.is_dir() || name.as_encoded_bytes().ends_with(b".wasm");
        if may_be_one && is_candidate(&name) {
            found.insert(entry.path(), metadata);
        }
    }
    Ok(found)
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
    use super::{
        Confidence::{Settled, Tentative},
        *,
    };

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
        let mut file = FileHistory::new(stamp(1), Duration::ZERO, at(1_000));
        assert_eq!(
            file.next(SETTLING, at(1_050)),
            FileStep::Wait(Duration::from_millis(150))
        );
        file.update(stamp(2), false, at(1_100));
        assert_eq!(
            file.next(SETTLING, at(1_250)),
            FileStep::Wait(Duration::from_millis(50))
        );
        assert_eq!(file.next(SETTLING, at(1_300)), FileStep::Read(Settled));
        file.accept_as_final();
        assert_eq!(file.next(SETTLING, at(1_300)), FileStep::Rest);
        file.update(stamp(2), true, at(9_000));
        assert_eq!(
            file.next(SETTLING, at(9_000)),
            FileStep::Rest,
            "closed again with nothing written"
        );
    }

    #[test]
    fn a_closed_file_is_read_at_once_but_refused_only_when_it_has_settled() {
        let mut file = FileHistory::new(stamp(1), Duration::ZERO, at(0));
        file.update(stamp(1), true, at(10));
        assert_eq!(file.next(SETTLING, at(10)), FileStep::Read(Tentative));
        file.wait_for_settling();
        assert_eq!(
            file.next(SETTLING, at(20)),
            FileStep::Wait(Duration::from_millis(180))
        );
        assert_eq!(file.next(SETTLING, at(200)), FileStep::Read(Settled));
    }

    #[test]
    fn a_file_that_was_there_long_before_is_read_at_once() {
        let file = FileHistory::new(stamp(1), Duration::from_secs(60), at(0));
        assert_eq!(file.next(SETTLING, at(0)), FileStep::Read(Settled));
    }

    #[test]
    fn what_failed_for_a_passing_reason_is_read_again_later_and_at_once_when_it_changes() {
        let retry_at = || {
            let mut file = FileHistory::new(stamp(1), Duration::from_secs(60), at(0));
            file.retry_at(at(3_000));
            file
        };
        let mut file = retry_at();
        assert_eq!(
            file.next(SETTLING, at(1_000)),
            FileStep::Wait(Duration::from_secs(2))
        );
        assert_eq!(file.next(SETTLING, at(3_000)), FileStep::Read(Settled));
        file.recheck();
        assert_eq!(file.next(SETTLING, at(1_000)), FileStep::Read(Settled));
        let mut file = retry_at();
        file.update(stamp(2), true, at(1_000));
        assert_eq!(file.next(SETTLING, at(1_000)), FileStep::Read(Tentative));
    }

    #[test]
    fn what_each_move_makes_of_what_is_known() {
        use FileState::{Closed, Final, Open, RetryAt};
        let retry_at = RetryAt(at(3_000));
        // The state; once it is closed, doubted, and reconsidered.
        let table = [
            (Open, Closed, Open, Open),
            (Closed, Closed, Open, Closed),
            (Final, Final, Final, Open),
            (retry_at, retry_at, retry_at, Open),
        ];
        for (state, closed, reopened, rechecked) in table {
            assert_eq!(state.closed(), closed, "{state:?}");
            assert_eq!(state.reopened(), reopened, "{state:?}");
            assert_eq!(state.rechecked(), rechecked, "{state:?}");
        }
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
