//! What must survive a crash: changes that are written together, and entries of an operation's effect log.
//!
//! Invariant: a [`Change`] is a whole new value, never a difference, so that writing it twice is writing it once.

use crate::{
    alert::OutboxEntry,
    audit::AuditContext,
    backup::{BackupRecord, BackupType},
    call_record::{CallEnd, CallRecord},
    effect::{Effect, EffectResult},
    event::Event,
    id::{AlertId, BackupId, OperationId},
    incident::Incident,
    name::{FailureType, JobName, PluginName, TargetName},
    operation::Operation,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One thing to write; a list of them is written in one transaction, or not at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Append; the journal gives it its `seq`.
    Event(Event),
    /// Insert or replace, by its identifier. Shared with the machine, which keeps it.
    Incident(Arc<Incident>),
    /// Insert or replace, by its identifier.
    Operation(Operation),
    /// Append to the effect log of its operation.
    Effect(EffectEntry),
    /// Insert or replace, by operation and number; its end stays.
    Call(Box<CallRecord>),
    /// The end of this call; nothing where there is no record of it.
    CallEnded(OperationId, u32, CallEnd),
    /// The fencing number of the daemon that writes now: a result with a lower one is refused.
    Fencing(u64),
    /// Insert or replace, by alert and alerter.
    Alert(OutboxEntry),
    /// It is delivered or given up.
    AlertDone(AlertId, PluginName),
    /// Insert or replace, by its identifier.
    Backup(BackupRecord),
    /// It is gone from every tier.
    BackupRemoved(BackupId),
    /// The process of a target; none: it has none that should live.
    Process(TargetName, Option<ProcessIdentity>),
    /// A target, or with none the host, is paused or not.
    Paused(Option<TargetName>, bool),
    /// No automatic operation for this failure before then [seed 001].
    Cooldown(TargetName, FailureType, Timestamp),
    /// The last slot of a job's schedule that was used.
    Slot(JobName, BackupType, Timestamp),
    /// The last slot of a job's scheduled drills that was used.
    DrillSlot(JobName, Timestamp),
    /// Operations that ended, incidents that closed, events and rows of the audit log, from before then, are no longer
    /// needed. The newest of each stay, whatever a clock says, and of very many some go at a time.
    Forget(Timestamp),
    /// No start need look for the events with these numbers: what they tell of is over.
    NotSought(Vec<u64>),
    /// Rows of the audit log say from here on that this holds, also of daemons to come.
    AuditedUnder(AuditContext),
}

/// What tells a process from a later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The process number, which is also its process group.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`: clock ticks after boot.
    pub start_ticks: u64,
    /// `/proc/sys/kernel/random/boot_id`, for start ticks mean nothing after a reboot.
    pub boot_id: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// How often the daemon had started the target again, this start included.
    pub restarts: u32,
    /// A digest of what of its config the process would notice; none where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// How it ended by itself, for people, once that was reported; none while it should live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Whether that end was one that its config expects, so that it is done; only where `ended` is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub completed: bool,
    /// The target under whose name it was started, where that was another one: it was renamed while the process ran,
    /// which carries the mark of that name to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marked_as: Option<TargetName>,
    /// The file that it was given for its output, whatever name that has by now; none where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputFile>,
}

/// What tells a file from every other one of this boot, also from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OutputFile {
    /// The number of its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// When it was made, in nanoseconds since 1970.
    pub made_at_ns: u64,
}

/// What kind of entry it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// It is about to be done.
    Intent,
    /// It was done, or failed.
    Result,
    /// It was not done: the dry run's plan answered.
    Planned,
    /// It was begun, and a person says that it did not happen.
    DidNot,
}

/// One entry of an operation's effect log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectEntry {
    /// The operation.
    pub operation: OperationId,
    /// The number of the effect within its operation, from 1; an intent and its result share it.
    pub number: u32,
    /// When.
    pub at: Timestamp,
    /// Before, after, or instead.
    pub kind: EntryKind,
    /// What was asked.
    pub effect: Effect,
    /// What was answered; absent in an intent.
    pub result: Option<EffectResult>,
    /// The call of the operation that asked for it; absent in a dry run, and in entries of versions that did not count
    /// calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u32>,
    /// The hash of the request, by which a replay knows it again; absent where `call` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_hash: Option<String>,
    /// The fencing number of the daemon that wrote it; 0 where `call` is absent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fencing: u64,
    /// In the intent of what is done with a target: the process that ran then; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<TargetIdentity>,
    /// In the intent of a sleep: when it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl EffectEntry {
    /// What it takes in the journal, bytes.
    pub fn bytes(&self) -> u64 {
        let json = serde_json::to_vec(self).unwrap_or_default();
        u64::try_from(json.len()).unwrap_or(u64::MAX)
    }
}

/// What tells a process of a target from every other one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetIdentity {
    /// The process number.
    pub pid: u32,
    /// Clock ticks after boot.
    pub start_ticks: u64,
    /// Which boot.
    pub boot_id: String,
}

impl From<&ProcessIdentity> for TargetIdentity {
    fn from(process: &ProcessIdentity) -> Self {
        Self {
            pid: process.pid,
            start_ticks: process.start_ticks,
            boot_id: process.boot_id.clone(),
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
