//! How much memory a submission takes while it waits, as near as its JSON tells.

use mainstay_domain::record::Change;
use serde::Serialize;
use std::io;

/// Changes and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) changes: usize,
    pub(super) bytes: usize,
}

impl Load {
    /// Of changes; a submission of none, which only waits for those before it, counts as one.
    pub(super) fn of(changes: &[Change]) -> Self {
        Self {
            changes: changes.len().max(1),
            bytes: changes.iter().map(bytes).sum(),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            changes: self.changes.saturating_add(other.changes),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            changes: self.changes.saturating_sub(other.changes),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    pub(super) fn is_within(self, bound: Self) -> bool {
        self.changes <= bound.changes && self.bytes <= bound.bytes
    }
}

fn bytes(change: &Change) -> usize {
    let record = match change {
        Change::Event(event) => length(event),
        Change::Incident(incident) => length(&**incident),
        Change::Operation(operation) => length(operation),
        Change::Effect(entry) => length(entry),
        Change::Call(record) => length(&**record),
        Change::CallEnded(_, _, end) => length(end),
        Change::Alert(entry) => length(entry),
        Change::Backup(record) => length(record),
        // Names and times, which are short.
        Change::AlertDone(..)
        | Change::BackupRemoved(_)
        | Change::Process(..)
        | Change::Paused(..)
        | Change::Cooldown(..)
        | Change::Slot(..)
        | Change::DrillSlot(..)
        | Change::Fencing(_)
        | Change::Forget(_)
        | Change::AuditedUnder(_) => 128,
        Change::NotSought(events) => size_of_val(events.as_slice()),
    };
    size_of::<Change>() + record
}

/// The length of its JSON, which is written nowhere.
fn length<T: Serialize>(record: &T) -> usize {
    struct Counted(usize);
    impl io::Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counted = Counted(0);
    // What cannot be written as JSON is refused when it is written.
    let _ = serde_json::to_writer(&mut counted, record);
    counted.0
}
