//! What is asked: queries of the URL and bodies of commands.
//!
//! Invariant: a field that is not known is refused, so that a misspelt one is not passed over.
//!
//! Length: the bodies and queries of all paths, side by side.

use crate::{
    backups::BackupType,
    operations::{Mode, OperationState},
    severity::Severity,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The query of `GET /v1/operations`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// Only of this target.
    pub target: Option<String>,
    /// Only with this failure.
    pub failure: Option<String>,
    /// Only in this state.
    pub state: Option<OperationState>,
    /// Only detected at or after this.
    #[schemars(extend("format" = "date-time"))]
    pub since: Option<String>,
    /// At most so many; default 100.
    pub limit: Option<u32>,
    /// Only those that come after the operation with this id in the list: the last of the page before.
    pub before: Option<String>,
}

/// The query of `GET /v1/incidents`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentQuery {
    /// Only those whose failure holds; default false.
    pub open: Option<bool>,
    /// Only of this target.
    pub target: Option<String>,
    /// Only opened at or after this.
    #[schemars(extend("format" = "date-time"))]
    pub since: Option<String>,
    /// At most so many; default 100.
    pub limit: Option<u32>,
    /// Only those that come after the incident with this id in the list: the last of the page before.
    pub before: Option<String>,
}

/// The query of `GET /v1/events`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Those after this `seq`; absent: the newest.
    pub since: Option<u64>,
    /// Only of this time or later.
    #[schemars(extend("format" = "date-time"))]
    pub from: Option<String>,
    /// Only about this target.
    pub target: Option<String>,
    /// Go on with those to come; default false.
    pub follow: Option<bool>,
    /// Without `since` and `from`: so many of the newest; default 50. With one of them: at most so many, the first;
    /// default all.
    pub limit: Option<u32>,
}

/// The query of `GET /v1/renames`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameQuery {
    /// Only of this target, by a name that it has or had.
    pub target: Option<String>,
    /// At most so many; default 100.
    pub limit: Option<u32>,
}

/// The query of `GET /v1/backups`, `/v1/checkpoints` and `/v1/stats/backups`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupQuery {
    /// Only of this job.
    pub job: Option<String>,
}

/// The body of `POST /v1/recover`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoverBody {
    /// What is to be recovered.
    pub target: String,
    /// From what.
    pub failure: String,
    /// Plan the effects only.
    #[serde(default)]
    pub dry_run: bool,
    /// In which mode: manual, which it is where it is absent, emergency or maintenance.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `approve`, `reject` and `cancel`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    /// The revision of the operation that was looked at: where it has moved on meanwhile, the decision is refused.
    #[serde(default)]
    pub revision: Option<u64>,
    /// On whose behalf, as a note: who decides is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
    /// Why, for the record.
    #[serde(default)]
    pub reason: String,
}

/// The body of `POST /v1/incidents/{id}/ack`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeBody {
    /// On whose behalf, as a note: who takes it on is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
    /// What is said about it, for the record.
    #[serde(default)]
    pub reason: String,
}

/// The body of `POST /v1/operations/{id}/resolve`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveBody {
    /// The number of the effect that is in doubt.
    pub number: u32,
    /// Whether it happened; where it did not, it is performed now.
    pub happened: bool,
    /// What it was answered, as a journal shows it in `response`; absent: that it went well.
    #[serde(default)]
    pub answer: Option<serde_json::Value>,
    /// On whose behalf, as a note: who says so is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `POST /v1/operations/{id}/signal`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalBody {
    /// What the signal is called; a handler waits for it by this name.
    pub name: String,
    /// What comes with it; the handler gets it as JSON text, of at most 4,096 bytes, or an empty text where it is absent.
    #[serde(default)]
    pub value: Option<serde_json::Value>,
    /// On whose behalf, as a note: who signals is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `pause` and `resume`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseBody {
    /// Which target; absent: the host.
    #[serde(default)]
    pub target: Option<String>,
    /// Of a pause: after so many milliseconds it ends by itself; absent: it lasts until `resume`.
    #[serde(default)]
    pub for_ms: Option<u64>,
    /// Of a pause with `for_ms`: why, for the record.
    #[serde(default)]
    pub reason: String,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `start`, `stop`, `restart` and `reload` of a target.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetBody {
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
    /// Why, for the record.
    #[serde(default)]
    pub reason: String,
}

/// The body of `report` of a target.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportBody {
    /// Which failure: one that a check or a route of the target names.
    pub failure: String,
    /// How bad it is; absent: as its check says, else as it is by its kind.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// How bad it is as a number, from 0 to 1, in place of `severity`: from 0.9 critical, from 0.7 high, from 0.4 medium.
    #[serde(default)]
    pub score: Option<f64>,
    /// How sure the reporter is, from 0 to 1.
    #[serde(default)]
    pub confidence: Option<f64>,
    /// What was seen, for the record.
    #[serde(default)]
    pub message: String,
    /// For how long it holds, milliseconds; absent: until it is cleared.
    #[serde(default)]
    pub for_ms: Option<u64>,
    /// It is over.
    #[serde(default)]
    pub clear: bool,
    /// On whose behalf, as a note: who reports is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `drill` of a target.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetDrillBody {
    /// The failure that is to come of it: one that a check of the target, or the end of its process, raises.
    pub failure: String,
    /// How it is broken: `kill` or `stop` its process, or `block`, `fill` or `command` by the commands of its `drill`; default
    /// `kill`.
    #[serde(default)]
    pub method: Option<String>,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `POST /v1/silence`: of `target` and `alert` one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceBody {
    /// The target whose alerts are silenced.
    #[serde(default)]
    pub target: Option<String>,
    /// The key of the alerts that are silenced.
    #[serde(default)]
    pub alert: Option<String>,
    /// For so many milliseconds.
    pub for_ms: u64,
    /// Why, for the record.
    pub reason: String,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `POST /v1/unsilence`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnsilenceBody {
    /// The identifier of the silence.
    pub id: String,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `POST /v1/plugins/forget`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetPluginBody {
    /// The plugin's name.
    pub name: String,
    /// Its version, with its build metadata.
    pub version: String,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `POST /v1/backups`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBody {
    /// The job.
    pub job: String,
    /// What kind; default: a full one.
    #[serde(rename = "type", default = "full")]
    pub backup_type: BackupType,
    /// A name for this request, by which `POST /v1/restore/cancel` ends what was asked for and nothing else of the job.
    #[serde(default)]
    pub asked: Option<String>,
}

fn full() -> BackupType {
    BackupType::Full
}

/// The body of `POST /v1/restore`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreBody {
    /// The job.
    pub job: String,
    /// The identifier of the backup; absent: the newest verified.
    #[serde(default)]
    pub id: Option<String>,
    /// Where no backup is named: the newest verified one of this type; absent: of any but emergency.
    #[serde(default, rename = "type")]
    pub backup_type: Option<BackupType>,
    /// Where no backup is named: the newest verified one that was taken at this time or before.
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub at: Option<String>,
    /// Only what lies at and under these keys, as `backup ls` shows them, or what patterns with `*`, `?` and `**` name, as those of
    /// `backup find`; none: everything. In place it needs `merge`.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Into this directory, an absolute path; absent: in place.
    #[serde(default)]
    pub into: Option<String>,
    /// Needed in place, and where `into` holds something, unless it is merged: what is there goes.
    #[serde(default)]
    pub replace: bool,
    /// What is there and not in the backup stays.
    #[serde(default)]
    pub merge: bool,
    /// A name for this request, by which `POST /v1/restore/cancel` ends what was asked for and nothing else of the job.
    #[serde(default)]
    pub asked: Option<String>,
}

/// The body of `POST /v1/restore/cancel`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRestoreBody {
    /// The job.
    pub job: String,
    /// Only what was asked for under this name, also while it waits for its turn; absent: what is under way, whoever asked for it.
    #[serde(default)]
    pub asked: Option<String>,
}

/// The body of `POST /v1/backups/{id}/hold`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldBody {
    /// Until this time; absent: until it is released.
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<String>,
    /// Why, for the record.
    #[serde(default)]
    pub reason: Option<String>,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `POST /v1/backups/{id}/release`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseBody {
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `POST /v1/backups/{id}/accept`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptBody {
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `POST /v1/backups/{id}/move`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveBody {
    /// The tier that it is to be in: one of the config, or `local`.
    pub tier: String,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `POST /v1/backups/{id}/delete`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteBody {
    /// Look whether it may go, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `POST /v1/backups/{id}/undelete`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UndeleteBody {
    /// Look what would come back, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

/// The body of `POST /v1/backups/{id}/documents`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentsBody {
    /// Only what lies at and under this key.
    #[serde(default)]
    pub path: Option<String>,
    /// Only what this names: `*` stands for any part of one name, `**` for any part of a key, `?` for one letter. One without
    /// a slash is held against the last name of a key, any other against the whole key.
    #[serde(default)]
    pub pattern: Option<String>,
}

/// The body of `POST /v1/backups/{id}/diff`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiffBody {
    /// The identifier of the backup to compare with; absent: what the sources of the job hold now.
    #[serde(default)]
    pub to: Option<String>,
}

/// The body of `POST /v1/backups/{id}/content`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentBody {
    /// The document, as `backup ls` shows it: a file, or a link, of which it is where that leads.
    pub key: String,
}

/// The body of `POST /v1/rekey`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RekeyBody {
    /// The job.
    pub job: String,
    /// Look, and encrypt nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// The body of `POST /v1/prune`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneBody {
    /// Only this job.
    #[serde(default)]
    pub job: Option<String>,
    /// Judge, and expire nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// The body of `POST /v1/drill`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillBody {
    /// The job.
    pub job: String,
}
