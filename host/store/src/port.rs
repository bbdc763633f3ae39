//! The journal: what is written, what is read of it, and the values of plugins.
//!
//! Length: all that others know of the journal.

mod filters;
mod statistics;
mod values;

pub use filters::{AlertFilter, AuditFilter, EventFilter, HistoryFilter, IncidentFilter};
pub use statistics::{StatisticsFilter, TargetStatistics};
pub use values::{RecordedWrite, Values};

use mainstay_domain::{
    alert::OutboxEntry,
    audit::AuditRow,
    backup::{BackupRecord, BackupType},
    call_record::{CallRecord, RecordedCall},
    event::{Event, EventKind},
    id::{IncidentId, OperationId},
    incident::Incident,
    name::{FailureType, JobName, TargetName},
    operation::Operation,
    record::{Change, EffectEntry, ProcessIdentity},
    time::Timestamp,
};
use std::{collections::BTreeSet, future::Future, pin::Pin, sync::Arc};

/// A boxed future, for traits that are used as objects.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a store did not take or give something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// More waits for the disk than the store keeps in memory. What was submitted was not taken.
    Full,
    /// It cannot be opened, read or written now: the disk is full or broken, or somebody else holds the file.
    Unavailable,
    /// Another owner has taken the store over: what this one submits is refused, now and later.
    Fenced,
    /// It will not get better by itself: the file is damaged or not ours, or what was submitted is refused.
    Unreadable,
    /// The writer is gone: the daemon is stopping.
    Closed,
}

/// A store cannot be written or read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub struct StoreError {
    /// What kind of failure it is; callers decide by it.
    pub kind: StoreErrorKind,
    /// Which store, what happened, and what to do; a sentence for people.
    pub text: String,
}

impl StoreError {
    /// An error of this kind.
    pub fn new(kind: StoreErrorKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }

    /// Whether the same submission or question may work later with nothing else changed.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            StoreErrorKind::Full | StoreErrorKind::Unavailable
        )
    }
}

/// Which owner of the store writes; each new owner has a greater one, and what an older one submits is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence(pub u64);

impl Fence {
    /// That of the only owner of a store that is locked by its one daemon.
    pub const ONLY: Self = Self(1);
}

/// Changes that are written together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Who submits it.
    pub fence: Fence,
    /// What is written, in order; may be empty.
    pub changes: Vec<Change>,
    /// How soon.
    pub haste: Haste,
}

/// How soon a batch is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// At once: somebody waits until it is on the disk.
    Now,
    /// At once: somebody waits until it outlives the daemon, and goes on while it is put on the disk, as is what was before
    /// it. For what is forgotten only with the machine, which ends all that would have followed.
    Written,
    /// Within a few milliseconds, together with the next that somebody waits for, so that both cost one fsync.
    Soon,
}

impl Batch {
    /// Of the only owner, for which nobody waits, or nobody who is in a hurry.
    pub fn soon(changes: Vec<Change>) -> Self {
        Self {
            haste: Haste::Soon,
            ..Self::from(changes)
        }
    }

    /// Of the only owner, who goes on as soon as it outlives the daemon.
    pub fn written(changes: Vec<Change>) -> Self {
        Self {
            haste: Haste::Written,
            ..Self::from(changes)
        }
    }
}

impl From<Vec<Change>> for Batch {
    /// Of the only owner, who waits for it.
    fn from(changes: Vec<Change>) -> Self {
        Self {
            fence: Fence::ONLY,
            changes,
            haste: Haste::Now,
        }
    }
}

/// What became of a submission that the journal took.
#[derive(Debug, Clone, PartialEq)]
pub enum Committed {
    /// It is on the disk; the submitted events with their `seq`.
    Durable(Vec<Arc<Event>>),
    /// It is in the journal's file, as was asked with [`Haste::Written`], and not yet on the disk: it survives the end of the
    /// daemon, and not that of the machine.
    Written,
    /// The disk takes nothing now. It is held in memory, in its place in the order, and written when the disk does;
    /// only the end of the daemon before that loses it. Nothing is to be submitted again.
    Held,
}

impl Committed {
    /// Whether it survives the end of the daemon.
    pub fn outlives_the_daemon(&self) -> bool {
        !matches!(self, Self::Held)
    }

    /// Whether it survives a crash of the machine.
    pub fn is_durable(&self) -> bool {
        matches!(self, Self::Durable(_))
    }

    /// The submitted events with their `seq`; none where they have none yet.
    pub fn events(self) -> Vec<Arc<Event>> {
        match self {
            Self::Durable(events) => events,
            Self::Written | Self::Held => Vec::new(),
        }
    }
}

/// The answer of the journal to a submission, on its way.
pub type Commit = Boxed<'static, Result<Committed, StoreError>>;

/// Writes what must survive a crash. Submissions are written in order; those that come together share one fsync. A
/// write that fails in a way that may pass is tried again until it works, with everything behind it waiting: a caller
/// repeats nothing but what was refused with [`StoreErrorKind::Full`].
pub trait Journal: Send + Sync {
    /// Submits a batch. The submission itself happens at once, in this call; the future resolves when the batch is
    /// durable, or written where that is enough, or at once where the disk takes nothing now, and may be dropped by who does not need to know.
    fn commit(&self, batch: Batch) -> Commit;

    /// Submits once more what was refused with [`StoreErrorKind::Full`]. What the first submission set off besides,
    /// such as alerts, which go out all the same, is not set off again.
    fn commit_again(&self, batch: Batch) -> Commit {
        self.commit(batch)
    }

    /// Resolves as [`Journal::commit`] does, when all that was submitted before is durable; writes nothing itself.
    fn written(&self) -> Commit {
        self.commit(Vec::new().into())
    }

    /// Every event from now on, once it is durable. A receiver that falls behind gets `Lagged` and reads
    /// [`Browse::events`] from the last `seq` it saw.
    fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Arc<Event>>;
}

/// How the journal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JournalNumbers {
    /// What it takes on disk, its write-ahead log included.
    pub size_bytes: u64,
    /// Transactions since it was opened.
    pub writes: u64,
    /// Changes that are not yet on the disk.
    pub waiting: u64,
}

/// Whether what is submitted to the journal can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskState {
    /// It can, and has always been since the journal was opened.
    Healthy,
    /// The disk was found full, or fails; why, for people. It holds until [`DiskState::Recovered`].
    Full(String),
    /// It was full. Everything that was held is written, and there is a reserve again.
    Recovered,
}

/// An answer of the journal, on its way.
pub type Reading<'a, T> = Boxed<'a, Result<T, StoreError>>;

/// What a new daemon finds in the journal of the one before.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// Operations without an end state.
    pub operations: Vec<Operation>,
    /// The number of the last effect of each of them that has any.
    pub effects: Vec<(OperationId, u32)>,
    /// The number of the last call of each of them that has any on record.
    pub calls: Vec<(OperationId, u32)>,
    /// The last call of each of them that has not ended, where it is on record.
    pub open_calls: Vec<CallRecord>,
    /// Those of them of whose last call something was set aside, now or before: what its handler did is not known.
    pub lost: BTreeSet<OperationId>,
    /// The fencing number of the daemon before; 0 where none had one.
    pub fencing: u64,
    /// Open incidents.
    pub incidents: Vec<Incident>,
    /// Incidents that closed not long ago, in the order in which they were opened, whatever the clock said then.
    pub closed: Vec<Incident>,
    /// Alerts not yet delivered, oldest first.
    pub outbox: Vec<OutboxEntry>,
    /// Processes that should live.
    pub processes: Vec<(TargetName, ProcessIdentity)>,
    /// Paused targets.
    pub paused_targets: Vec<TargetName>,
    /// Whether the host is paused.
    pub paused_host: bool,
    /// Cooldowns, past ones included.
    pub cooldowns: Vec<(TargetName, FailureType, Timestamp)>,
    /// The last slots taken up.
    pub slots: Vec<(JobName, BackupType, Timestamp)>,
    /// The last slots taken up of scheduled drills.
    pub drill_slots: Vec<(JobName, Timestamp)>,
    /// Every backup in the catalog.
    pub backups: Vec<BackupRecord>,
    /// Records among these that this version cannot read, and that were set aside just now; nobody goes on with them.
    pub set_aside: Vec<SetAside>,
}

/// A record that was moved out of its table, as it was found, for this version cannot read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// What it is one of: `operations`, `incidents`, ….
    pub table: &'static str,
    /// Its name there.
    pub key: String,
    /// Why it cannot be read.
    pub why: String,
}

/// Reads what a new daemon goes on with.
pub trait Recover: Send + Sync {
    /// What the daemon before left; of the incidents that are closed those that closed at or after a time.
    fn recovered(&self, closed_since: Timestamp) -> Reading<'_, Recovered>;
}

/// Reads the journal for those who show it, with readers of their own: they hold up nobody who writes.
pub trait Browse: Send + Sync {
    /// Operations, newest first.
    fn history(&self, filter: HistoryFilter) -> Reading<'_, Vec<Operation>>;
    /// One operation and its journal, in order.
    fn operation(&self, id: OperationId) -> Reading<'_, Option<(Operation, Vec<EffectEntry>)>>;
    /// The calls of handlers that an operation has on record, in order.
    fn calls(&self, operation: OperationId) -> Reading<'_, Vec<RecordedCall>>;
    /// Incidents, newest first.
    fn incidents(&self, filter: IncidentFilter) -> Reading<'_, Vec<Incident>>;
    /// One incident.
    fn incident(&self, id: IncidentId) -> Reading<'_, Option<Incident>>;
    /// Events after `seq`, oldest first.
    fn events(&self, after: u64, limit: u32) -> Reading<'_, Vec<Event>>;
    /// Events after `seq` that a filter asks for, oldest first.
    fn events_like(&self, filter: EventFilter, after: u64, limit: u32) -> Reading<'_, Vec<Event>>;
    /// Events after `seq` of these kinds, and those that say that an alert is over, oldest first; of the kinds only those
    /// that make a difference to what people were told of, see `OpenAlerts::kinds`. For the start alone.
    fn events_of(
        &self,
        kinds: &'static [EventKind],
        after: u64,
        limit: u32,
    ) -> Reading<'_, Vec<Event>>;
    /// The notes about what has this identifier, an incident or an operation, oldest first.
    fn notes(&self, about: String, limit: u32) -> Reading<'_, Vec<Event>>;
    /// Of the newest [`AlertFilter::REMEMBERED`] events that say that an alert was delivered or given up those that a filter
    /// asks for, newest first.
    fn alerts(&self, filter: AlertFilter) -> Reading<'_, Vec<Event>>;
    /// Rows of the audit log, newest first.
    fn audit(&self, filter: AuditFilter) -> Reading<'_, Vec<AuditRow>>;
    /// What became of the failures of each target that had any, in the order of their names.
    fn statistics(&self, filter: StatisticsFilter) -> Reading<'_, Vec<TargetStatistics>>;
    /// That this target, or any, got another name or has it from another one, newest first.
    fn renames(&self, target: Option<TargetName>, limit: u32) -> Reading<'_, Vec<Event>>;
    /// The newest events, oldest first.
    fn last_events(&self, limit: u32) -> Reading<'_, Vec<Event>>;
    /// The `seq` after which come the newest events, so many of them; 0 where there are no more than those.
    fn seq_before_newest(&self, count: u32) -> Reading<'_, u64>;
    /// The same of those that a filter asks for.
    fn seq_before_newest_like(&self, filter: EventFilter, count: u32) -> Reading<'_, u64>;
}
