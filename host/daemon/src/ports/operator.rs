//! What services offer to operators, through the API and the command line; and who they are.
//!
//! Length: all that operators meet, in one place.

use super::{
    BackupViews, Boxed, GivenIdentities, NotPutBack, OnProgress, RestoreRules, UnwellTier,
    between::Active,
};
use mainstay_domain::{
    actor::Actor,
    backup::{BackupRecord, BackupStatus, BackupType, Verdict},
    checkpoint::CheckpointKind,
    drill::DrillMethod,
    drilled::Drilled,
    id::{BackupId, IncidentId, OperationId, SilenceId},
    name::{CheckpointName, FailureType, JobName, TargetName, TierName},
    operation::{Mode, Operation},
    orders::Reported,
    policy::{EffectivePolicy, GateNumbers, Phase},
    recovery::{FoundOut, NewSignal, PolicyOrder, Verb},
    severity::Severity,
    silence::{Silence, Silenced},
    spec::PhaseSpec,
    time::Timestamp,
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Why an operator's command was not carried out; a sentence for people that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// The accounts of the machine, which operators have.
pub trait Accounts: Send + Sync {
    /// What the account with this number is called; none where there is none. It reads a file.
    fn name(&self, uid: u32) -> Option<String>;
    /// The number of the account with this name; none where there is none. It reads a file.
    fn user(&self, name: &str) -> Option<u32>;
    /// The number of the group with this name; none where there is none. It reads a file.
    fn group(&self, name: &str) -> Option<u32>;
    /// The groups of the account with this number: its own, and those that list it; none where they cannot be read, or
    /// there is no such account. It reads files.
    fn groups(&self, uid: u32) -> Vec<u32>;
}

/// What an operator's `recover` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverRequest {
    /// What is to be recovered.
    pub target: TargetName,
    /// From what.
    pub failure: FailureType,
    /// Plan the effects only.
    pub dry_run: bool,
    /// In which mode; not automatic.
    pub mode: Mode,
    /// Who asks, for the record.
    pub by: Actor,
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
    pub by: Actor,
    /// Why, for the record.
    pub reason: String,
}

/// That a person takes an incident on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcknowledgeRequest {
    /// Which.
    pub incident: IncidentId,
    /// Its target.
    pub target: TargetName,
    /// Its failure.
    pub failure: FailureType,
    /// What they say about it, for the record; may be empty.
    pub reason: String,
    /// Who does, for the record.
    pub by: Actor,
}

/// What a person found out about an effect of which nobody knew whether it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// Of which operation.
    pub id: OperationId,
    /// The number of the effect.
    pub number: u32,
    /// Whether it happened, and what it was answered.
    pub found: FoundOut,
    /// Who says so, for the record.
    pub by: Actor,
}

/// A pause that ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseRequest {
    /// Whose; none: the host's.
    pub target: Option<TargetName>,
    /// For how long.
    pub length: Duration,
    /// Why, for the record; may be empty.
    pub reason: String,
    /// Who asks, for the record.
    pub by: Actor,
}

/// A change of the phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseRequest {
    /// To which.
    pub to: Phase,
    /// Why, for the record; may be empty.
    pub reason: String,
    /// Who asks, for the record.
    pub by: Actor,
}

/// What the recovery engine offers to operators.
pub trait RecoveryControl: Send + Sync {
    /// Schedules an operation in manual mode.
    fn recover(&self, request: RecoverRequest) -> Boxed<'_, Result<OperationId, Refused>>;
    /// Does what a person decided, where the operation's state allows it.
    fn decide(&self, decision: Decision) -> Boxed<'_, Result<Operation, Refused>>;
    /// Takes an incident on, for a person.
    fn acknowledge(&self, request: AcknowledgeRequest) -> Boxed<'_, Result<(), Refused>>;
    /// Takes what a person found out about an effect in doubt; its operation goes on.
    fn resolve(&self, resolution: Resolution) -> Boxed<'_, Result<Operation, Refused>>;
    /// Keeps a signal for the handler of an operation.
    fn signal(&self, signal: NewSignal) -> Boxed<'_, Result<Operation, Refused>>;
    /// Pauses or resumes automatic operations of a target, or with none of the host.
    fn pause(
        &self,
        target: Option<TargetName>,
        paused: bool,
        by: Actor,
    ) -> Boxed<'_, Result<(), Refused>>;
    /// Pauses them for a while.
    fn pause_for(&self, request: PauseRequest) -> Boxed<'_, Result<(), Refused>>;
    /// Whether the host, or a target, is paused.
    fn is_paused(&self, target: Option<&TargetName>) -> bool;
    /// Until when it is, where the pause has an end.
    fn paused_until(&self, target: Option<&TargetName>) -> Option<Timestamp>;
    /// The phase of the host.
    fn phase(&self) -> Phase;
    /// What that allows.
    fn phase_rule(&self) -> PhaseSpec {
        PhaseSpec::of(self.phase())
    }
    /// Changes it, where there is a way to that one.
    fn set_phase(&self, request: PhaseRequest) -> Boxed<'_, Result<(), Refused>>;
    /// How a target is recovered now.
    fn policy(&self, target: TargetName) -> Boxed<'_, Result<EffectivePolicy, Refused>>;
    /// Sets what holds over the routes of a target; how it is recovered then.
    fn set_policy(&self, order: PolicyOrder) -> Boxed<'_, Result<EffectivePolicy, Refused>>;
    /// What recovery does about a target; none where nothing is open.
    fn active(&self, target: &TargetName) -> Option<Active>;
    /// The gate in numbers; none where the engine has stopped.
    fn gate(&self) -> Boxed<'_, Option<GateNumbers>>;
}

/// What a person wants of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetVerb {
    /// That it runs; a stop that was ordered is over.
    Start,
    /// That it is stopped, and kept so.
    Stop,
    /// That it is stopped and started.
    Restart,
    /// That it reads its config anew while it runs.
    Reload,
}

/// A person's command to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetCommand {
    /// Which.
    pub target: TargetName,
    /// What.
    pub verb: TargetVerb,
    /// Who commands, for the record.
    pub by: Actor,
    /// Why, for the record.
    pub reason: String,
}

/// A command that was taken.
pub struct TakenCommand {
    /// The targets that depend on this one.
    pub dependents: Vec<TargetName>,
    /// Does it; at its end an event says what came of it. Not to be dropped.
    pub work: Boxed<'static, ()>,
}

/// What somebody reports of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportRequest {
    /// Which target.
    pub target: TargetName,
    /// Which failure.
    pub failure: FailureType,
    /// How bad it is; none: as its check says, else as it is by its kind.
    pub severity: Option<Severity>,
    /// The same as a number, from 0 to 1; of the two at most one.
    pub score: Option<f64>,
    /// How sure they are, from 0 to 1.
    pub confidence: Option<f64>,
    /// What they saw.
    pub message: String,
    /// For how long it holds; none: until it is taken back.
    pub lasts: Option<Duration>,
    /// It is over.
    pub clear: bool,
    /// Who reports it, for the record.
    pub by: Actor,
}

/// A drill that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillRequest {
    /// Which target.
    pub target: TargetName,
    /// The failure that is to come of it.
    pub failure: FailureType,
    /// How it is broken.
    pub method: DrillMethod,
    /// Who asks, for the record.
    pub by: Actor,
}

/// What people command of targets, and report of them.
pub trait TargetOperator: Send + Sync {
    /// Breaks a target for a drill; what comes of it is an event.
    fn drill(&self, request: DrillRequest) -> Boxed<'_, Result<TakenCommand, Refused>>;
    /// Takes a command that the target's state and config allow.
    fn command(&self, command: TargetCommand) -> Boxed<'_, Result<TakenCommand, Refused>>;
    /// Raises a failure, or takes one back; the report that holds, or did.
    fn report(&self, request: ReportRequest) -> Boxed<'_, Result<Reported, Refused>>;
}

/// A silence that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceRequest {
    /// Which alerts.
    pub of: Silenced,
    /// For how long.
    pub length: Duration,
    /// Why, for the record.
    pub reason: String,
    /// Who asks, for the record.
    pub by: Actor,
}

/// Silences, as operators make and end them.
pub trait SilenceControl: Send + Sync {
    /// Silences alerts for a while; with until when that is.
    fn silence(&self, request: SilenceRequest) -> Boxed<'_, Result<(Silence, Timestamp), Refused>>;
    /// Ends a silence.
    fn unsilence(&self, id: SilenceId, by: Actor) -> Boxed<'_, Result<(), Refused>>;
    /// Those that hold, the oldest first, each with until when.
    fn silences(&self) -> Vec<(Silence, Timestamp)>;
}

/// What is restored, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    /// The job.
    pub job: JobName,
    /// Which backup; absent: the newest verified.
    pub id: Option<BackupId>,
    /// Where no backup is named: the newest verified one of this type; absent: of any but emergency.
    pub backup_type: Option<BackupType>,
    /// Where no backup is named: the newest verified one that was taken by then.
    pub at: Option<Timestamp>,
    /// What of it, and whether other things stay. A part is not restored in place unless they do.
    pub rules: RestoreRules,
    /// Into this directory, which must not exist or be empty; absent: in place, over the sources.
    pub into: Option<PathBuf>,
    /// Needed in place, and where `into` holds something, unless it is merged.
    pub replace: bool,
}

/// A backup that was read back and is right.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadBack {
    /// It.
    pub backup: BackupRecord,
    /// What was wrong beside it and was mended, or is to be known; sentences for people.
    pub notes: Vec<String>,
}

/// What a rebuild of the catalog has found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rebuilt {
    /// The backups that are new in the catalog.
    pub found: Vec<BackupRecord>,
    /// What is stored and was left out, each with why and what to do; sentences for people.
    pub left_out: Vec<String>,
}

/// What became of the backups of a job that were to be encrypted to its present recipients.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rekeyed {
    /// Those that are encrypted anew; in a dry run those that would be.
    pub sealed: Vec<BackupRecord>,
    /// Those that stay as they were, each with why; sentences for people.
    pub left: Vec<String>,
    /// The full backup that was taken because some stay.
    pub taken: Option<BackupRecord>,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// The backups that the state was composed from, the full one first.
    pub chain: Vec<BackupRecord>,
    /// Where the newest was asked for: what is newer than it and corrupted, so that its state is not in it. The newest
    /// first.
    pub skipped: Vec<BackupRecord>,
    /// Documents written.
    pub documents: u64,
    /// Bytes written.
    pub bytes: u64,
    /// What a restore in place has no place for.
    pub not_put_back: NotPutBack,
    /// What is not as it was, and costs no content; sentences for people.
    pub notes: Vec<String>,
    /// How long it took, with the emergency backup where one was taken.
    pub elapsed: Duration,
}

/// A checkpoint that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRequest {
    /// The job.
    pub job: JobName,
    /// Why it is taken; what is due is taken by itself.
    pub kind: CheckpointKind,
    /// What people call it.
    pub name: Option<CheckpointName>,
    /// Who asks, for the record.
    pub by: Actor,
}

/// A hold that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRequest {
    /// Which backup.
    pub id: BackupId,
    /// Until when; none: until it is released.
    pub until: Option<Timestamp>,
    /// Why, for the record.
    pub reason: Option<String>,
    /// Who asks, for the record.
    pub by: Actor,
}

/// That a person wants a backup to go to the trash, or to come out of it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashRequest {
    /// Which backup.
    pub id: BackupId,
    /// Look, and change nothing.
    pub dry_run: bool,
    /// Who asks, for the record.
    pub by: Actor,
}

/// What came out of the trash.
#[derive(Debug, Clone, PartialEq)]
pub struct Undeleted {
    /// The backups, the one that was asked for last, and before it what it needs of what lay there; as they stand now.
    pub backups: Vec<BackupRecord>,
    /// What is to be known; sentences for people.
    pub notes: Vec<String>,
}

/// What became of work on backups that somebody wanted to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It has ended, and nothing of it stays.
    Ended,
    /// It is told to end, and has not yet; whoever asked for it, and the events, tell what comes of it.
    Ending,
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
    /// How its newest backup stands, emergency ones aside.
    pub last_status: Option<BackupStatus>,
    /// Whether that one is incomplete.
    pub last_incomplete: bool,
    /// Why that one is no good, for people; absent where it is not failed or corrupted, or nothing says why.
    pub last_error: Option<String>,
    /// When the next one is due.
    pub next_due: Option<Timestamp>,
    /// Whether the newest verified and complete backup is within the recovery point objective; absent where there is none.
    pub rpo_met: Option<bool>,
    /// What a backup that is due waits for, for people; absent where none waits.
    pub waits: Option<String>,
    /// When its newest checkpoint was taken that is right, of whatever kind; absent where there is none.
    pub last_checkpoint: Option<Timestamp>,
    /// When the next checkpoint is due; absent where it keeps none.
    pub next_checkpoint: Option<Timestamp>,
    /// What its newest drill has measured; absent where none came to its end.
    pub last_drill: Option<Drilled>,
}

/// What the backup service offers to operators.
pub trait BackupOperator: BackupViews {
    /// The same for one piece of work, which opens what is encrypted with these identities too.
    fn with_identities(self: Arc<Self>, given: GivenIdentities) -> Arc<dyn BackupOperator>;
    /// The same for one piece of work, which [`Self::cancel_restore`] finds under this name: a backup that is taken, or a restore.
    fn asked_as(self: Arc<Self>, name: String) -> Arc<dyn BackupOperator>;
    /// The tiers that did not take the last backup that was brought to them, by name.
    fn unwell_tiers(&self) -> Vec<UnwellTier>;
    /// Takes a backup, verifies it, and answers with its record.
    fn create(
        &self,
        job: JobName,
        backup_type: BackupType,
        progress: OnProgress,
    ) -> Boxed<'_, Result<BackupRecord, Refused>>;
    /// Every backup, or those of a job, newest first; expired ones in the trash included. One that needs a corrupted one
    /// is corrupted.
    fn list(&self, job: Option<JobName>) -> Vec<BackupRecord>;
    /// Reads a backup and those that it needs back from the tier.
    fn verify(&self, id: BackupId, progress: OnProgress) -> Boxed<'_, Result<ReadBack, Refused>>;
    /// Restores.
    fn restore(
        &self,
        request: RestoreRequest,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Restored, Refused>>;
    /// Ends the backup, the restore or the drill of a job that is under way, or, with a name, only what was asked for so, also while it
    /// waits for its turn; what is being put in place is put there whole. Refused where there is none, and where it came to its end
    /// all the same; without a name the end is waited for, but for some seconds alone.
    fn cancel_restore(
        &self,
        job: JobName,
        asked: Option<String>,
    ) -> Boxed<'_, Result<Cancelled, Refused>>;
    /// Records whatever is stored and not in the catalog: for when the journal was lost. Reads every stored byte.
    fn rebuild(&self) -> Boxed<'_, Result<Rebuilt, Refused>>;
    /// Encrypts what is stored of a job to its present recipients, and takes a full backup where some of it is not opened
    /// here; a dry run changes nothing.
    fn rekey(
        &self,
        job: JobName,
        dry_run: bool,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Rekeyed, Refused>>;
    /// Runs retention now.
    fn prune(&self, job: Option<JobName>, dry_run: bool) -> Boxed<'_, Result<Pruned, Refused>>;
    /// Holds a backup, so that nothing lets it go; a hold that there is is replaced.
    fn hold(&self, request: HoldRequest) -> Boxed<'_, Result<BackupRecord, Refused>>;
    /// Holds a backup no more.
    fn release(&self, id: BackupId, by: Actor) -> Boxed<'_, Result<BackupRecord, Refused>>;
    /// Takes a suspicious backup as it is, and those before it.
    fn accept(&self, id: BackupId, by: Actor) -> Boxed<'_, Result<BackupRecord, Refused>>;
    /// Moves a backup to the trash, where nothing stands on it and a policy could let it go; a dry run changes nothing. Its record is
    /// as it stands then, and says no time at which it expires where the store has no room for a trash, and it is gone.
    fn delete(&self, request: TrashRequest) -> Boxed<'_, Result<BackupRecord, Refused>>;
    /// Takes a backup out of the trash, with what it needs of what lies there, and reads it back; a dry run changes nothing.
    fn undelete(
        &self,
        request: TrashRequest,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Undeleted, Refused>>;
    /// Moves a stored backup to another tier; one that is there already stays there.
    fn move_to(
        &self,
        id: BackupId,
        tier: TierName,
        by: Actor,
    ) -> Boxed<'_, Result<BackupRecord, Refused>>;
    /// Restores the newest chain into a scratch directory and compares the root hash.
    fn drill(&self, job: JobName, progress: OnProgress) -> Boxed<'_, Result<Restored, Refused>>;
    /// Takes a checkpoint, verifies it, and answers with its record.
    fn take_checkpoint(
        &self,
        request: CheckpointRequest,
        progress: OnProgress,
    ) -> Boxed<'_, Result<BackupRecord, Refused>>;
    /// Rolls a job back to a checkpoint; refused where it is not there in the end.
    fn roll_back(
        &self,
        id: BackupId,
        by: Actor,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Restored, Refused>>;
    /// Resumes what a rollback that failed has left paused.
    fn resume_rolled_back(&self, job: JobName, by: Actor) -> Boxed<'_, Result<(), Refused>>;
    /// Each job.
    fn jobs(&self) -> Vec<JobStatus>;
}
