//! The JSON that goes over the API beside what `mainstay_domain` and [`crate::services::state`] already name.
//!
//! Invariant: additive only. Times are RFC 3339 in UTC, durations end in `_ms`, sizes in `_bytes`.

use mainstay_domain::{
    backup::{BackupRecord, BackupType, Verdict},
    effect::{EffectError, EffectResult},
    id::{BackupId, OperationId},
    journal::{EffectEntry, EntryKind},
    name::{FailureType, JobName, TargetName},
    operation::{Operation, OperationState},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// Every answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What is wrong.
    pub error: String,
    /// What to do.
    pub help: Option<String>,
}

/// The query of `GET /v1/operations`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// Only of this target.
    pub target: Option<TargetName>,
    /// Only with this failure.
    pub failure: Option<FailureType>,
    /// Only in this state.
    pub state: Option<OperationState>,
    /// Only detected at or after this.
    pub since: Option<Timestamp>,
    /// At most so many; default 100.
    pub limit: Option<u32>,
}

/// The query of `GET /v1/incidents`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentQuery {
    /// Only those whose failure holds; default false.
    pub open: Option<bool>,
    /// At most so many; default 100.
    pub limit: Option<u32>,
}

/// The query of `GET /v1/events`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Those after this `seq`; absent: the newest.
    pub since: Option<u64>,
    /// Go on with those to come; default false.
    pub follow: Option<bool>,
    /// Without `since`: so many of the newest; default 50.
    pub limit: Option<u32>,
}

/// The query of `GET /v1/backups`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupQuery {
    /// Only of this job.
    pub job: Option<JobName>,
}

/// The body of `POST /v1/recover`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoverBody {
    /// What is to be recovered.
    pub target: TargetName,
    /// From what.
    pub failure: FailureType,
    /// Plan the effects only.
    #[serde(default)]
    pub dry_run: bool,
    /// Who asks, for the record.
    pub by: String,
}

/// The answer to `POST /v1/recover`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scheduled {
    /// The operation that was scheduled.
    pub operation: OperationId,
}

/// The body of `approve`, `reject` and `cancel`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    /// The revision of the operation that was looked at: where it has moved on meanwhile, the decision is refused.
    #[serde(default)]
    pub revision: Option<u64>,
    /// Who decides, for the record.
    pub by: String,
    /// Why, for the record.
    #[serde(default)]
    pub reason: String,
}

/// The body of `pause` and `resume`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseBody {
    /// Which target; absent: the host.
    #[serde(default)]
    pub target: Option<TargetName>,
    /// Who asks, for the record.
    pub by: String,
}

/// The body of `POST /v1/backups`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateBody {
    /// The job.
    pub job: JobName,
    /// What kind; default: a full one.
    #[serde(rename = "type", default = "full")]
    pub backup_type: BackupType,
}

fn full() -> BackupType {
    BackupType::Full
}

/// The body of `POST /v1/restore`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreBody {
    /// The job.
    pub job: JobName,
    /// Which backup; absent: the newest verified.
    #[serde(default)]
    pub id: Option<BackupId>,
    /// Into this directory, an absolute path; absent: in place.
    #[serde(default)]
    pub into: Option<PathBuf>,
    /// Needed in place, and where `into` holds something.
    #[serde(default)]
    pub replace: bool,
}

/// The body of `POST /v1/prune`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PruneBody {
    /// Only this job.
    #[serde(default)]
    pub job: Option<JobName>,
    /// Judge, and expire nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// The body of `POST /v1/drill`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillBody {
    /// The job.
    pub job: JobName,
}

/// What `operation show ID --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperationView {
    /// The operation's own fields.
    #[serde(flatten)]
    pub operation: Operation,
    /// Its effects, in order.
    pub journal: Vec<EntryView>,
}

/// One entry of an operation's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntryView {
    /// The number of the effect within its operation, from 1; an intent and its result share it.
    pub seq: u32,
    /// When.
    pub at: Timestamp,
    /// Before, after, or instead.
    pub kind: EntryKind,
    /// The contract's name of the function, e.g. `targets.restart`.
    pub effect: String,
    /// Its arguments.
    pub request: Value,
    /// What was answered; null in an intent and after a failure.
    pub response: Value,
    /// `done`, or how it failed (`denied: …`, `timed out: …`); null in an intent.
    pub outcome: Option<String>,
}

impl From<EffectEntry> for EntryView {
    fn from(entry: EffectEntry) -> Self {
        let effect = entry.effect.name().to_owned();
        let mut request = serde_json::to_value(&entry.effect).unwrap_or_default();
        if let Some(fields) = request.as_object_mut() {
            fields.remove("effect");
        }
        let outcome = |result: &EffectResult| match result {
            Ok(_) => "done".to_owned(),
            Err(error) => EffectError::to_string(error),
        };
        Self {
            seq: entry.number,
            at: entry.at,
            kind: entry.kind,
            effect,
            request,
            outcome: entry.result.as_ref().map(outcome),
            response: entry
                .result
                .and_then(Result::ok)
                .and_then(|answer| serde_json::to_value(answer).ok())
                .unwrap_or_default(),
        }
    }
}

/// What `backup create`, `verify`, `restore`, `prune` and `drill` print with `--json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackupReport {
    /// The backups that were taken, read, composed or expired, as `backup list --json` prints them.
    pub backups: Vec<BackupRecord>,
    /// How long it took.
    pub elapsed_ms: u64,
    /// Restore and drill: documents written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_documents: Option<u64>,
    /// Restore and drill: bytes written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_bytes: Option<u64>,
    /// Prune: every verdict with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdicts: Option<Vec<Verdict>>,
}

/// How far long work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressView {
    /// Documents done.
    pub documents: u64,
    /// Documents in all, where known.
    pub total: Option<u64>,
    /// Bytes done.
    pub bytes: u64,
}

/// One line of an answer to long work: progress, then one result or one error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WorkLine {
    /// It goes on.
    Progress {
        /// How far it has come.
        progress: ProgressView,
    },
    /// It is done.
    Result {
        /// What was done.
        result: BackupReport,
    },
    /// It was not done.
    Error(ErrorBody),
}
