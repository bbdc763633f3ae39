//! The borders inside the daemon: what services need from the world, in domain types only.
//!
//! Adapters implement these traits, services call them, `app` joins the two. A future that these traits return may
//! be dropped only where its docs say so; a dropped effect is an effect in doubt.
//!
//! Length: one page that lists every border is worth more than three shorter ones.

use mainstay_domain::{
    alert::{Alert, OutboxEntry},
    archive::Manifest,
    backup::{BackupRecord, BackupStatus, BackupSummary, BackupType, Verdict},
    breaker::CircuitState,
    effect::{CommandOutput, EffectError, HttpRequest, HttpResponse, Signal, TargetStatus},
    event::Event,
    health::{Evidence, Health, Observation},
    id::{BackupId, IncidentId, OperationId},
    incident::Incident,
    journal::{Change, EffectEntry, ProcessIdentity},
    name::{CommandName, FailureType, JobName, PluginName, SecretName, TargetName},
    operation::{Operation, OperationState},
    plugin::{PluginIdentity, PluginRow},
    recovery::{Call, Handled, Verb},
    secret::SecretHandles,
    severity::Severity,
    spec::{BackupSource, CheckSpec, CommandSpec, HttpOrigin, ProcessSpec, Spec, TargetSpec},
    template,
    time::{Monotonic, Timestamp},
};
use semver::VersionReq;
use serde::{Deserialize, Serialize};
use std::{future::Future, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

/// A boxed future, for traits that are used as objects.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Both clocks.
pub trait Clock: Send + Sync {
    /// Wall-clock time.
    fn now(&self) -> Timestamp;
    /// Time since the program started.
    fn monotonic(&self) -> Monotonic;
}

/// Why the journal did not take or give something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalErrorKind {
    /// More waits for the disk than the journal keeps in memory. What was submitted was not taken.
    Full,
    /// It cannot be opened, read or written now: the disk is full or broken, or somebody else holds the file.
    Unavailable,
    /// It will not get better by itself: the file is damaged or not ours, or what was submitted is refused.
    Unreadable,
    /// The writer is gone: the daemon is stopping.
    Closed,
}

/// The journal cannot be written or read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the journal in {path} {what}")]
pub struct JournalError {
    /// What kind of failure it is; callers decide by it.
    pub kind: JournalErrorKind,
    /// Its file.
    pub path: String,
    /// What happened, and what to do.
    pub what: String,
}

/// What became of a submission that the journal took.
#[derive(Debug, Clone, PartialEq)]
pub enum Committed {
    /// It is on the disk; the submitted events with their `seq`.
    Durable(Vec<Arc<Event>>),
    /// The disk takes nothing now. It is held in memory, in its place in the order, and written when the disk does;
    /// only the end of the daemon before that loses it. Nothing is to be submitted again.
    Held,
}

impl Committed {
    /// Whether it survives a crash.
    pub fn is_durable(&self) -> bool {
        matches!(self, Self::Durable(_))
    }

    /// The submitted events with their `seq`; none where they have none yet.
    pub fn events(self) -> Vec<Arc<Event>> {
        match self {
            Self::Durable(events) => events,
            Self::Held => Vec::new(),
        }
    }
}

/// The answer of the journal to a submission, on its way.
pub type Commit = Boxed<'static, Result<Committed, JournalError>>;

/// Writes what must survive a crash. Submissions are written in order; those that come together share one fsync. A
/// write that fails in a way that may pass is tried again until it works, with everything behind it waiting: a caller
/// repeats nothing but what was refused with [`JournalErrorKind::Full`].
pub trait Journal: Send + Sync {
    /// Submits changes that are written together or not at all. The submission itself happens at once, in this call;
    /// the future resolves when they are durable, or at once where the disk takes nothing now, and may be dropped by
    /// who does not need to know.
    fn commit(&self, changes: Vec<Change>) -> Commit;

    /// Submits once more what was refused with [`JournalErrorKind::Full`]. What the first submission set off besides,
    /// such as alerts, which go out all the same, is not set off again.
    fn commit_again(&self, changes: Vec<Change>) -> Commit {
        self.commit(changes)
    }

    /// Every event from now on, once it is durable. A receiver that falls behind gets `Lagged` and reads
    /// [`Records::events`] from the last `seq` it saw.
    fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Arc<Event>>;
}

/// Whether what is submitted to the journal can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// It can, and has always been since the journal was opened.
    Enough,
    /// The disk was found full, or fails; why, for people. It holds until [`Room::Regained`].
    Full(String),
    /// It was full. Everything that was held is written, and there is a reserve again.
    Regained,
}

/// An answer of the journal, on its way.
pub type Reading<'a, T> = Boxed<'a, Result<T, JournalError>>;

/// Which operations are asked for. Empty fields ask for all.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// Only of this target.
    pub target: Option<TargetName>,
    /// Only with this failure.
    pub failure: Option<FailureType>,
    /// Only in this state.
    pub state: Option<OperationState>,
    /// Only detected at or after this.
    pub since: Option<Timestamp>,
    /// At most so many, newest first.
    pub limit: u32,
}

/// What a new daemon finds in the journal of the one before.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// Operations without an end state.
    pub operations: Vec<Operation>,
    /// The number of the last effect of each of them that has any.
    pub effects: Vec<(OperationId, u32)>,
    /// Open incidents.
    pub incidents: Vec<Incident>,
    /// Incidents that closed not long ago.
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
    /// Every backup in the catalog.
    pub backups: Vec<BackupRecord>,
}

/// Reads the journal.
pub trait Records: Send + Sync {
    /// What the daemon before left; of the incidents that are closed those that closed at or after a time.
    fn recovered(&self, closed_since: Timestamp) -> Reading<'_, Recovered>;
    /// Operations, newest first.
    fn history(&self, filter: HistoryFilter) -> Reading<'_, Vec<Operation>>;
    /// One operation and its journal, in order.
    fn operation(&self, id: OperationId) -> Reading<'_, Option<(Operation, Vec<EffectEntry>)>>;
    /// Incidents, newest first.
    fn incidents(&self, open_only: bool, limit: u32) -> Reading<'_, Vec<Incident>>;
    /// One incident.
    fn incident(&self, id: IncidentId) -> Reading<'_, Option<Incident>>;
    /// Events after `seq`, oldest first.
    fn events(&self, after: u64, limit: u32) -> Reading<'_, Vec<Event>>;
    /// The newest events, oldest first.
    fn last_events(&self, limit: u32) -> Reading<'_, Vec<Event>>;
}

/// Durable values of plugins, each plugin in a namespace of its own. All errors are for the plugin.
pub trait Values: Send + Sync {
    /// A value.
    fn get(
        &self,
        plugin: PluginName,
        key: String,
    ) -> Boxed<'_, Result<Option<Vec<u8>>, EffectError>>;
    /// Sets or, with none, deletes a value; `Limited` where the namespace would grow above `max_bytes`.
    fn set(
        &self,
        plugin: PluginName,
        key: String,
        value: Option<Vec<u8>>,
        max_bytes: u64,
    ) -> Boxed<'_, Result<(), EffectError>>;
    /// Sets a value where the present one is `expected`; whether it was.
    fn compare_and_set(
        &self,
        plugin: PluginName,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        max_bytes: u64,
    ) -> Boxed<'_, Result<bool, EffectError>>;
    /// The keys with a prefix, sorted.
    fn keys(
        &self,
        plugin: PluginName,
        prefix: String,
    ) -> Boxed<'_, Result<Vec<String>, EffectError>>;
}

/// Looks at targets.
pub trait Probe: Send + Sync {
    /// Runs one check once, within its timeout. `pid` is the target's supervised process. Never fails: what goes wrong
    /// is the observation. May be dropped.
    fn observe(
        &self,
        target: Arc<TargetSpec>,
        check: Arc<CheckSpec>,
        pid: Option<u32>,
    ) -> Boxed<'_, Observation>;
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It was adopted, so only its end is known.
    Unknown,
}

/// Starts and ends processes. Errors are sentences for people.
pub trait Processes: Send + Sync {
    /// Starts a child in its own process group with its output in rotated files.
    fn spawn(
        &self,
        target: &TargetName,
        spec: &ProcessSpec,
        restarts: u32,
    ) -> Boxed<'_, Result<ProcessIdentity, String>>;
    /// Living processes that carry the mark of a target of this state directory, oldest first; they may be descendants
    /// of a child. For children that a killed daemon started and could not write down. Anyone can write a mark, so only
    /// processes of the daemon's own user count, and for the targets in `users` those of that user.
    fn find(
        &self,
        users: Vec<(TargetName, String)>,
    ) -> Boxed<'_, Vec<(TargetName, ProcessIdentity)>>;
    /// What tells this boot from others, as in [`ProcessIdentity::boot_id`].
    fn boot_id(&self) -> &str;
    /// Whether this very process lives.
    fn is_alive(&self, identity: &ProcessIdentity) -> bool;
    /// Resolves when it has ended, at once where it does not live. May be dropped and called again.
    fn wait(&self, identity: ProcessIdentity) -> Boxed<'static, Exit>;
    /// Sends a signal to its whole group; nothing happens where it has ended.
    fn signal(&self, identity: &ProcessIdentity, signal: Signal) -> Result<(), String>;
    /// SIGTERM to the group, grace, SIGKILL; resolves when the process has ended.
    fn stop(&self, identity: ProcessIdentity, grace: Duration) -> Boxed<'static, Exit>;
    /// Rotates the target's output file where it has grown above its size; the child goes on writing.
    fn rotate(&self, target: &TargetName, spec: &ProcessSpec) -> Boxed<'_, Result<(), String>>;
}

/// Runs programs to their end.
pub trait Commands: Send + Sync {
    /// Runs an operator's command with the guest's values for its placeholders. `key` is the idempotency key, handed on
    /// as `MAINSTAY_IDEMPOTENCY_KEY`.
    fn run(
        &self,
        name: CommandName,
        spec: CommandSpec,
        arguments: Vec<(String, String)>,
        key: String,
        max_output: u64,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>>;
    /// Starts, stops or restarts a foreign service; `argv` comes from its config.
    fn run_foreign(
        &self,
        argv: Vec<String>,
        cwd: PathBuf,
        timeout: Duration,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>>;
}

/// Sends HTTP requests for plugins: puts secrets in, follows redirects only within the grant, takes echoed secrets out.
pub trait HttpClient: Send + Sync {
    /// One request, one bounded response. Values are put in place of these handles and of nothing else; errors hold no
    /// handle. `key` is sent as `Idempotency-Key` where the request has none.
    fn send(
        &self,
        request: HttpRequest,
        granted: Vec<HttpOrigin>,
        secrets: Arc<SecretHandles>,
        key: Option<String>,
        timeout: Duration,
        max_bytes: u64,
    ) -> Boxed<'_, Result<HttpResponse, EffectError>>;
}

/// Controls targets; what the supervisor service offers to effects, the recovery engine and operators.
pub trait TargetControl: Send + Sync {
    /// What is known; `None` for an unknown target.
    fn status(&self, target: &TargetName) -> Option<TargetStatus>;
    /// Starts it where it does not run.
    fn start(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>>;
    /// Stops it where it runs; a stopped target is not seen as failed.
    fn stop(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>>;
    /// Stops it where it runs, then starts it.
    fn restart(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>>;
    /// Sends a signal to its process group.
    fn signal(&self, target: TargetName, signal: Signal) -> Boxed<'_, Result<(), EffectError>>;
}

/// What the monitor tells the recovery engine, over a bounded channel; in order for each target.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// The supervised process ended by itself, and should run. Told for each such end, before what it raises; not where
    /// it was stopped on purpose, nor where it could not be started.
    Exited {
        /// The target.
        target: TargetName,
        /// When that was seen.
        at: Timestamp,
        /// How it ended: its exit code, or the signal that ended it.
        evidence: Evidence,
    },
    /// A check failed as often as it may, or a process exited. Told again for each recurrence while it holds, and for
    /// each exit.
    Raised {
        /// The target.
        target: TargetName,
        /// What its failure is called.
        failure: FailureType,
        /// How bad it is.
        severity: Severity,
        /// What was seen.
        evidence: Evidence,
        /// When it was seen: the start of the recovery time.
        detected_at: Timestamp,
    },
    /// Every check that raises this failure passes again.
    Cleared {
        /// The target.
        target: TargetName,
        /// What its failure was called.
        failure: FailureType,
        /// When.
        at: Timestamp,
    },
}

/// What the monitor offers to the others.
pub trait Watch: Send + Sync {
    /// Runs each check of a target once, all at the same time; the observations also count as scheduled ones do.
    fn check_now(&self, target: TargetName) -> Boxed<'_, Result<Vec<Observation>, EffectError>>;
    /// A handler has acted: the circuit goes half-open, and fresh successes are needed to close it.
    fn handler_acted(&self, target: &TargetName);
    /// Whether its supervised process is known not to run, while it should. What has none is never down.
    fn is_down(&self, _: &TargetName) -> bool {
        false
    }
    /// Whether this failure of the target holds, by its checks.
    fn is_failing(&self, target: &TargetName, failure: &FailureType) -> bool;
    /// Health and circuit; `None` for an unknown target.
    fn health(&self, target: &TargetName) -> Option<(Health, CircuitState)>;
    /// A heartbeat came; false where the target has no heartbeat check.
    fn heartbeat(&self, target: &TargetName) -> bool;
}

/// What the supervisor tells the monitor of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessNews {
    /// It was started just now, so its start period begins; with the number of the supervised process, where it is one.
    Started(Option<u32>),
    /// It may run, and nobody started it now: it was adopted, or a command that should have started or stopped it
    /// failed.
    Runs(Option<u32>),
    /// Its supervised process ended by itself, and should run; how it ended, for people.
    Exited(String),
    /// Its supervised process was not started, and should run; why, for people.
    Down(String),
    /// It was stopped on purpose: until it runs again, nothing that its checks see counts.
    Stopped,
}

/// What the monitor offers to the supervisor.
pub trait ProcessWatch: Watch {
    /// Takes up news of a target at once, in this call: an exit needs no check to be seen. News of a target that the
    /// monitor does not know yet is kept for it.
    fn process_is(&self, target: &TargetName, news: ProcessNews);
    /// Something that `status` shows of its process has changed, and is no news for its checks.
    fn row_changed(&self, target: &TargetName);
}

/// Why an operator's command was not carried out; a sentence for people that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// What an operator's `recover` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverRequest {
    /// What is to be recovered.
    pub target: TargetName,
    /// From what.
    pub failure: FailureType,
    /// Plan the effects only.
    pub dry_run: bool,
    /// Who asks, for the record.
    pub by: String,
}

/// A decision about an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Which operation.
    pub id: OperationId,
    /// The revision of it that was looked at; none: whichever it has.
    pub revision: Option<u64>,
    /// What is decided.
    pub verb: Verb,
    /// Who decides, for the record.
    pub by: String,
    /// Why, for the record.
    pub reason: String,
}

/// What recovery does about a target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Active {
    /// Its open incident, the newest where there are several.
    pub incident: Option<IncidentId>,
    /// Its operation that has not ended.
    pub operation: Option<OperationId>,
    /// Its next operation, or the next attempt, waits for its time.
    pub rests: Option<Rest>,
}

/// Until when something waits, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Until when.
    pub until: Timestamp,
    /// Why, for people.
    pub why: String,
}

/// What the recovery engine offers to operators.
pub trait RecoveryControl: Send + Sync {
    /// Schedules an operation in manual mode.
    fn recover(&self, request: RecoverRequest) -> Boxed<'_, Result<OperationId, Refused>>;
    /// Does what a person decided, where the operation's state allows it.
    fn decide(&self, decision: Decision) -> Boxed<'_, Result<Operation, Refused>>;
    /// Pauses or resumes automatic operations of a target, or with none of the host.
    fn pause(
        &self,
        target: Option<TargetName>,
        paused: bool,
        by: String,
    ) -> Boxed<'_, Result<(), Refused>>;
    /// Whether the host, or a target, is paused.
    fn is_paused(&self, target: Option<&TargetName>) -> bool;
    /// What recovery does about a target; none where nothing is open.
    fn active(&self, target: &TargetName) -> Option<Active>;
}

/// How far long work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Documents done.
    pub documents: u64,
    /// Documents in all, where known.
    pub total: Option<u64>,
    /// Bytes done.
    pub bytes: u64,
}

/// Is told how far long work has come; must be quick.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Where a restore goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    /// The job.
    pub job: JobName,
    /// Which backup; absent: the newest verified.
    pub id: Option<BackupId>,
    /// Into this directory, which must not exist or be empty; absent: in place, over the sources.
    pub into: Option<PathBuf>,
    /// Needed in place, and where `into` holds something.
    pub replace: bool,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// The backups that the state was composed from, the full one first.
    pub chain: Vec<BackupRecord>,
    /// Documents written.
    pub documents: u64,
    /// Bytes written.
    pub bytes: u64,
    /// How long it took, with the emergency backup where one was taken.
    pub elapsed: Duration,
}

/// What one run of retention judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Pruned {
    /// Every verdict with its reason, after the host's guard.
    pub verdicts: Vec<Verdict>,
    /// The backups that went to the trash, or in a dry run would go.
    pub expired: Vec<BackupRecord>,
}

/// A job as `status` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobStatus {
    /// Its name.
    pub name: JobName,
    /// When its newest verified backup was taken.
    pub last_verified: Option<Timestamp>,
    /// How its newest backup stands.
    pub last_status: Option<BackupStatus>,
    /// When the next one is due.
    pub next_due: Option<Timestamp>,
    /// Whether the newest verified backup is within the recovery point objective; absent where there is none.
    pub rpo_met: Option<bool>,
}

/// What the backup service offers to operators.
pub trait BackupOperator: Send + Sync {
    /// Takes a backup, verifies it, and answers with its record.
    fn create(
        &self,
        job: JobName,
        backup_type: BackupType,
        progress: OnProgress,
    ) -> Boxed<'_, Result<BackupRecord, Refused>>;
    /// Every backup, or those of a job, newest first; expired ones in the trash included.
    fn list(&self, job: Option<JobName>) -> Vec<BackupRecord>;
    /// Reads a backup and those that it needs back from the tier.
    fn verify(
        &self,
        id: BackupId,
        progress: OnProgress,
    ) -> Boxed<'_, Result<BackupRecord, Refused>>;
    /// Restores.
    fn restore(
        &self,
        request: RestoreRequest,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Restored, Refused>>;
    /// Records whatever is stored and not in the catalog: for when the journal was lost. Reads every stored byte.
    fn rebuild(&self) -> Boxed<'_, Result<Vec<BackupRecord>, Refused>>;
    /// Runs retention now.
    fn prune(&self, job: Option<JobName>, dry_run: bool) -> Boxed<'_, Result<Pruned, Refused>>;
    /// Restores the newest chain into a scratch directory and compares the root hash.
    fn drill(&self, job: JobName, progress: OnProgress) -> Boxed<'_, Result<Restored, Refused>>;
    /// Each job.
    fn jobs(&self) -> Vec<JobStatus>;
}

/// Calls recovery handlers.
pub trait Handlers: Send + Sync {
    /// Calls the newest version that fits. The answer comes when whatever the call began has ended; the call itself is
    /// bounded by its timeout.
    fn recover(&self, call: Call) -> Boxed<'_, Handled>;
}

/// What became of one attempt to deliver an alert.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// It was taken.
    Delivered {
        /// The version that delivered it.
        by: PluginIdentity,
        /// The receiver's own word for it.
        reference: Option<String>,
    },
    /// Not now.
    Delayed {
        /// Why, for people.
        why: String,
        /// Not sooner than this.
        not_before: Option<Duration>,
    },
    /// Not ever.
    Refused(String),
}

/// Calls alerters.
pub trait Alerters: Send + Sync {
    /// One attempt, 1-based, by the newest version that fits.
    fn deliver(
        &self,
        alerter: PluginName,
        version: VersionReq,
        alert: Alert,
        attempt: u32,
    ) -> Boxed<'_, Delivery>;
}

/// Asks the retention policy of a job.
pub trait RetentionJudge: Send + Sync {
    /// The policy's verdicts; any error keeps everything.
    fn judge(
        &self,
        policy: PluginName,
        version: VersionReq,
        job: JobName,
        backups: Vec<BackupSummary>,
        now: Timestamp,
    ) -> Boxed<'_, Result<Vec<Verdict>, String>>;
}

/// What is to be stored as one backup.
#[derive(Debug, Clone, PartialEq)]
pub struct TakeBackup {
    /// Its identifier.
    pub id: BackupId,
    /// Its job.
    pub job: JobName,
    /// What it is.
    pub backup_type: BackupType,
    /// What is read. Of an emergency backup a directory that is not there is an empty one.
    pub sources: Vec<BackupSource>,
    /// What becomes of what is there and cannot be read.
    pub unreadable: Unreadable,
    /// zstd level.
    pub compression: i32,
    /// The chain of the backup that it is the difference to, the full one first; empty where it stands alone.
    pub chain: Vec<BackupId>,
    /// When its sources are read.
    pub created_at: Timestamp,
}

/// What a backup does where something that is there cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It fails.
    Fails,
    /// It stores the rest, with a warning.
    IsLeftOut,
}

/// A stored backup that was read back and found right.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenBackup {
    /// What was stored.
    pub manifest: Manifest,
    /// What was left out or changed while it was read; sentences for people.
    pub warnings: Vec<String>,
}

/// Where a store puts what it restores.
#[derive(Debug, Clone, PartialEq)]
pub enum RestorePlace {
    /// Everything below one directory; with `replace` whatever it holds goes.
    Into {
        /// Absolute.
        path: PathBuf,
        /// Needed where it exists and is not empty.
        replace: bool,
    },
    /// Over these sources; only directories can be.
    InPlace(Vec<BackupSource>),
}

/// What a store restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoredTree {
    /// Documents written.
    pub documents: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// Why a store could not do it. All texts are sentences for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A source cannot be read.
    #[error("{0}")]
    Source(String),
    /// What is stored is not what was written.
    #[error("backup {id} is corrupted: {what}")]
    Corrupted {
        /// Which of the chain.
        id: BackupId,
        /// What is wrong with it.
        what: String,
    },
    /// The store or the destination cannot be written or read now.
    #[error("{0}")]
    Unavailable(String),
    /// The daemon stops.
    #[error("the host is stopping; what was begun is removed")]
    Interrupted,
}

/// A backup that a store holds.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredBackup {
    /// Its manifest.
    pub manifest: Manifest,
    /// Whether the stored bytes are those that the manifest names.
    pub intact: bool,
    /// Whether it is in the trash.
    pub in_trash: bool,
}

/// A restored state that waits beside its place. Dropping it removes it, and blocks as placing it does.
pub trait StagedRestore: Send {
    /// Puts it in place: all of it, or nothing is changed.
    fn place(self: Box<Self>) -> Result<RestoredTree, StoreError>;
}

/// Stores backups. Every function blocks, perhaps for long: call it on a blocking thread. A chain is told by its links,
/// the one that stands alone first.
pub trait BackupStore: Send + Sync {
    /// Reads the sources, stores what differs, reads it back, and only then commits it with its manifest. A failure
    /// leaves nothing behind.
    fn take(&self, request: &TakeBackup, progress: &OnProgress) -> Result<TakenBackup, StoreError>;
    /// Reads a whole chain back and checks every byte.
    fn verify(
        &self,
        job: &JobName,
        chain: &[BackupId],
        progress: &OnProgress,
    ) -> Result<(), StoreError>;
    /// Writes the state that a chain gives beside the place that it is for, whole and durable; what is in place does
    /// not change.
    fn stage(
        &self,
        job: &JobName,
        chain: &[BackupId],
        place: &RestorePlace,
        progress: &OnProgress,
    ) -> Result<Box<dyn StagedRestore>, StoreError>;
    /// Restores into a scratch directory, reads that again, compares every document and the root hash, and removes it.
    fn drill(
        &self,
        job: &JobName,
        chain: &[BackupId],
        progress: &OnProgress,
    ) -> Result<RestoredTree, StoreError>;
    /// Moves a backup to the trash; one that is there already is no error.
    fn trash(&self, job: &JobName, id: &BackupId) -> Result<(), StoreError>;
    /// Deletes a backup from the trash; one that is gone is no error.
    fn delete(&self, job: &JobName, id: &BackupId) -> Result<(), StoreError>;
    /// Removes what a crash left: pieces without a manifest, scratch directories, and beside `sources` the trees of a
    /// restore that was interrupted. What cannot be removed stays, with an error for each.
    fn sweep(&self, sources: &[BackupSource]) -> Vec<StoreError>;
    /// The manifest of a backup that is committed; none where it is not.
    fn committed(&self, job: &JobName, id: &BackupId) -> Result<Option<Manifest>, StoreError>;
    /// Every backup that the store holds, read from its manifests; the catalog can be rebuilt from it.
    fn stored(&self) -> Result<Vec<StoredBackup>, StoreError>;
}

/// What the backup service offers to effects.
pub trait BackupControl: Send + Sync {
    /// The newest verified backup of a job, at or before a time.
    fn newest(
        &self,
        job: JobName,
        before: Option<Timestamp>,
    ) -> Boxed<'_, Result<Option<BackupSummary>, EffectError>>;
    /// Takes a backup now.
    fn create(
        &self,
        job: JobName,
        backup_type: BackupType,
    ) -> Boxed<'_, Result<BackupSummary, EffectError>>;
    /// Restores in place, over what the job's directory sources hold, after an emergency backup. Documents and bytes.
    fn restore(&self, job: JobName, id: String) -> Boxed<'_, Result<(u64, u64), EffectError>>;
    /// How many documents and bytes a restore of this backup would write, by the catalog; zero where it is unknown.
    fn restorable(&self, id: &str) -> (u64, u64);
}

/// Reads secrets and keeps them out of texts.
pub trait Secrets: Send + Sync {
    /// A value; the error is a sentence for people.
    fn value(&self, name: &SecretName) -> Result<String, String>;
    /// What an operator wrote with every `${secret:NAME}` replaced. Only for that: in any other text it means nothing.
    /// The error names the secret, never a value.
    fn reveal(&self, written: &str) -> Result<String, String> {
        template::expand(written, |name| self.value(name))
    }
    /// The bytes with `[secret:NAME]` in place of every known value.
    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8>;
}

/// Where configs come from. Errors are rendered diagnostics for people, with file, line and column.
pub trait ConfigSource: Send + Sync {
    /// Reads, parses and validates.
    fn load(&self) -> Boxed<'_, Result<Spec, String>>;
    /// Reads what a config names outside itself: its secrets. Until [`ConfigSource::adopt`] these stand beside those of
    /// before, which win where a name is in both. On an error nothing changes.
    fn prepare(&self, spec: &Spec) -> Result<(), String>;
    /// From now on what was prepared counts alone.
    fn adopt(&self);
    /// What was prepared never counts.
    fn abandon(&self);
    /// BLAKE3 over the text of all its files; `None` where they cannot be read.
    fn digest(&self) -> Boxed<'_, Option<String>>;
}

/// What the host says of itself in `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusFacts {
    /// What the host calls itself.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// The operating phase.
    pub phase: String,
    /// When the daemon started.
    pub started_at: Timestamp,
    /// The contract versions that it speaks.
    pub contract_versions: Vec<String>,
    /// Of the config in use; BLAKE3, hexadecimal.
    pub config_digest: String,
    /// Every target of the config in use with its priority, in its order; the same one for as long as that serves.
    pub targets: Arc<[(TargetName, u8)]>,
}

/// How the last reload of config or plugins ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastReload {
    /// When.
    pub at: Timestamp,
    /// Whether it was applied.
    pub ok: bool,
    /// Why not.
    pub error: Option<String>,
}

/// The host itself, for those who show it. All calls answer from memory.
pub trait HostView: Send + Sync {
    /// What `status` says of the host, by the config in use.
    fn facts(&self) -> StatusFacts;
    /// The last reload; absent where there was none since the start.
    fn last_reload(&self) -> Option<LastReload>;
}

/// The plugins, for those who show them. Answers from memory.
pub trait PluginView: Send + Sync {
    /// One row for each plugin file or version, as `plugin list` prints them.
    fn rows(&self) -> Vec<PluginRow>;
}

#[cfg(test)]
pub(crate) mod fakes;
