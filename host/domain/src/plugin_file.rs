//! When a file of the plugin directory is worth reading, and when what was read of it counts.
//!
//! Invariant: a file that is being written is not a broken file. What cannot be loaded counts as refused only when the
//! file has rested since its last change; what may be the beginning of more, or was written with pauses before, has to
//! rest for longer. Who writes for ever is refused once all the same.

use crate::time::Monotonic;
use std::time::Duration;

/// What tells one content of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// Its inode: a file that is renamed into place is another.
    pub inode: u64,
    /// Its length, bytes.
    pub len: u64,
    /// When its content changed: seconds and nanoseconds.
    pub modified: (i64, i64),
    /// When anything of it changed: seconds and nanoseconds.
    pub changed: (i64, i64),
}

/// For how long files have to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRest {
    /// Until what a file holds is read, though nobody was seen to close it, and is judged where it is whole.
    pub settling: Duration,
    /// Until a file is judged that may be the beginning of more, or that was written with pauses.
    pub patience: Duration,
    /// Until a file is judged that never rests, since its first change.
    pub limit: Duration,
}

/// What was seen of one file over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHistory {
    stamp: FileStamp,
    /// Since when this stamp is known.
    since: Monotonic,
    /// How old the content was then.
    age: Duration,
    /// Since when it changes without having rested.
    begun: Monotonic,
    /// It was written, rested for a while, and was written again.
    has_pauses: bool,
    /// What was read of it could not be loaded, and did not count yet.
    is_doubted: bool,
    /// What was read of it serves.
    is_accepted: bool,
    state: FileState,
}

/// What is known of the content under one stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileState {
    /// It may still be written to: it is worth reading once it has settled.
    Open,
    /// Its writer closed it, or it was renamed into place: it is worth reading at once.
    Closed,
    /// What was read counts: it was accepted, or refused when it had rested.
    Final,
    /// What was read when it had rested failed for a reason that may pass by itself: not to be read again before this.
    RetryAt(Monotonic),
}

/// What to do about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileStep {
    /// Nothing: what it holds is known.
    Rest,
    /// It may still be written to; look again after this.
    Wait(Duration),
    /// Read it.
    Read(Confidence),
}

/// What it means where a file that is read cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Nothing yet: the file may be half-written.
    Tentative,
    /// It counts where the file is whole and was written in one go: it has not changed for the settling time.
    Settled,
    /// It counts: the file has rested, or it never will.
    Rested,
}

/// Why a file that was read cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFlaw {
    /// It may be the beginning of a file that can.
    Unfinished,
    /// Whatever else.
    Content,
}

impl FileHistory {
    /// A file that is seen for the first time, and is this old already.
    pub fn new(stamp: FileStamp, age: Duration, now: Monotonic) -> Self {
        Self {
            stamp,
            since: now,
            age,
            begun: now,
            has_pauses: false,
            is_doubted: false,
            is_accepted: false,
            state: FileState::Open,
        }
    }

    /// It is seen again. `closed`: its writer closed it, or it was renamed into place, since the last time. Gives
    /// whether it is another than before.
    pub fn update(
        &mut self,
        stamp: FileStamp,
        closed: bool,
        rest: &FileRest,
        now: Monotonic,
    ) -> bool {
        let has_changed = self.stamp != stamp;
        if has_changed {
            let quiet = self.quiet(now);
            let before = *self;
            *self = Self::new(stamp, Duration::ZERO, now);
            // What was whole, or rested for long, is written anew; what did not is written still.
            if quiet < rest.patience && !before.is_accepted {
                self.begun = before.begun;
                self.has_pauses = before.has_pauses || quiet >= rest.settling;
            }
        }
        if closed {
            self.state = self.state.closed();
        }
        has_changed
    }

    /// What to do about it now.
    pub fn next(&self, rest: &FileRest, now: Monotonic) -> FileStep {
        let quiet = self.quiet(now);
        let confidence = match () {
            () if quiet >= rest.patience => Confidence::Rested,
            () if now.since(self.begun) >= rest.limit => Confidence::Rested,
            () if quiet >= rest.settling => Confidence::Settled,
            () => Confidence::Tentative,
        };
        // A pause is not its end where it had some before.
        let (needed, after) = match self.has_pauses || self.is_doubted {
            true => (Confidence::Rested, rest.patience),
            false => (Confidence::Settled, rest.settling),
        };
        match self.state {
            FileState::Final => FileStep::Rest,
            FileState::RetryAt(until) if until > now => FileStep::Wait(until.since(now)),
            FileState::Closed | FileState::RetryAt(_) => FileStep::Read(confidence),
            FileState::Open if confidence >= needed => FileStep::Read(confidence),
            FileState::Open => FileStep::Wait(after.saturating_sub(quiet)),
        }
    }

    /// What was read cannot be loaded. Gives after how long to look again where that does not count yet.
    pub fn doubt(
        &mut self,
        flaw: FileFlaw,
        confidence: Confidence,
        rest: &FileRest,
        now: Monotonic,
    ) -> Option<Duration> {
        let counts = match (confidence, flaw) {
            (Confidence::Rested, _) => true,
            (Confidence::Settled, FileFlaw::Content) => !self.has_pauses,
            (Confidence::Settled, FileFlaw::Unfinished) | (Confidence::Tentative, _) => false,
        };
        if counts {
            return None;
        }
        self.is_doubted |= confidence == Confidence::Settled;
        self.state = self.state.reopened();
        match self.next(rest, now) {
            FileStep::Wait(wait) => Some(wait),
            FileStep::Rest | FileStep::Read(_) => Some(Duration::ZERO),
        }
    }

    /// What was read serves.
    pub fn accept(&mut self) {
        self.is_accepted = true;
        self.state = FileState::Final;
    }

    /// What was read is refused for good. Where it is written on, it has the whole time again.
    pub fn refuse(&mut self, now: Monotonic) {
        self.begun = now;
        self.state = FileState::Final;
    }

    /// What was read is not what it holds any more: wait until it has settled.
    pub fn wait_for_settling(&mut self) {
        self.state = self.state.reopened();
    }

    /// The failure was not the file's fault: read it again, not before `until`.
    pub fn retry_at(&mut self, until: Monotonic) {
        self.state = FileState::RetryAt(until);
    }

    /// Its content is to be checked again, under other settings or beside other files.
    pub fn recheck(&mut self) {
        self.state = self.state.rechecked();
    }

    fn quiet(&self, now: Monotonic) -> Duration {
        now.since(self.since).saturating_add(self.age)
    }
}

impl FileState {
    /// Its writer closed it. Where what was read counts, or has rested, that tells nothing new.
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

    /// What was read counts no more. It has rested, so it need not be known that it was closed.
    fn rechecked(self) -> Self {
        match self {
            Self::Final | Self::RetryAt(_) => Self::Closed,
            Self::Open | Self::Closed => self,
        }
    }
}

#[cfg(test)]
mod tests;
