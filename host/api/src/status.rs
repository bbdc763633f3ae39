//! What the daemon is doing now: the object that `status --json` prints.
//!
//! Length: one answer, all of it.

use crate::{
    alerts::AlerterRow, backups::BackupStatus, drilled::Drilled, modes::FallbackMode,
    plugins::PluginRow, silences::Silence, words::words,
};
use mainstay_domain::{
    breaker,
    health::{self, Outcome},
    maintenance,
    recovery::PauseSummary,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// How a target is, by its checks.
    #[serde(rename_all = "kebab-case")]
    Health as health::Health {
        /// No check has answered yet, or the host cannot look.
        Unknown,
        /// It was started a moment ago, and not every check has passed since.
        Starting,
        /// Every check passes.
        Healthy,
        /// It works, but a check warns, or has failed too seldom to count.
        Degraded,
        /// A check has failed as often as it may.
        Failed,
    }
}

impl From<Outcome> for Health {
    /// How a target is by one look of one check.
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Healthy => Self::Healthy,
            Outcome::Degraded => Self::Degraded,
            Outcome::Failed => Self::Failed,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

words! {
    /// Where a target's circuit breaker stands.
    #[serde(rename_all = "kebab-case")]
    CircuitState as breaker::CircuitState {
        /// Healthy enough.
        Closed,
        /// Failing.
        Open,
        /// Tried again: successes close it, any failure opens it.
        HalfOpen,
    }
}

/// What `status --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The host.
    pub host: HostStatus,
    /// Its targets, in the order of the config.
    pub targets: Vec<TargetRow>,
    /// Its plugins.
    pub plugins: Vec<PluginRow>,
    /// Its backup jobs.
    pub jobs: Vec<JobRow>,
    /// How the last reload of config or plugins ended; null where there was none since the start.
    pub last_reload: Option<ReloadRow>,
    /// Routes that are left without any handler that serves: a sentence for each handler that is missing, for people.
    #[serde(default)]
    pub unhandled_routes: Vec<String>,
    /// How each alerter stands that an `[[alert]]` names, in the order of the config.
    #[serde(default)]
    pub alerters: Vec<AlerterRow>,
    /// The silences that hold, oldest first.
    #[serde(default)]
    pub silences: Vec<Silence>,
    /// The maintenance windows that are open, in the order of the config.
    #[serde(default)]
    pub maintenance: Vec<OpenWindow>,
    /// The tiers that did not take the last backup that was brought to them since the start, by name.
    #[serde(default)]
    pub tiers: Vec<TierRow>,
}

/// A maintenance window that is open, in `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenWindow {
    /// On which targets work is done; empty: on the whole host.
    pub targets: Vec<String>,
    /// When it began.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// When it ends.
    #[schemars(extend("format" = "date-time"))]
    pub until: String,
    /// Whether alerts are held back.
    pub holds_alerts: bool,
    /// Whether automatic recovery is paused.
    pub pauses_recovery: bool,
}

impl From<&maintenance::OpenWindow> for OpenWindow {
    fn from(window: &maintenance::OpenWindow) -> Self {
        Self {
            targets: window.targets.iter().map(ToString::to_string).collect(),
            since: window.since.to_string(),
            until: window.until.to_string(),
            holds_alerts: window.holds_alerts,
            pauses_recovery: window.pauses_recovery,
        }
    }
}

/// The host, in `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostStatus {
    /// What the host calls itself.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// The operating phase.
    pub phase: String,
    /// In which mode it works; null of a daemon that does not say.
    #[serde(default)]
    pub mode: Option<FallbackMode>,
    /// The SHA-256 of the charter, hexadecimal; null where there is no charter.
    #[serde(default)]
    pub charter: Option<String>,
    /// The public key by which it signs its backups, 64 hexadecimal digits: what another host that is to take them up has in
    /// `trusted_backup_keys`; null where there is none.
    #[serde(default)]
    pub backup_key: Option<String>,
    /// When the daemon started.
    #[schemars(extend("format" = "date-time"))]
    pub started_at: String,
    /// The contract versions that it speaks.
    pub contract_versions: Vec<String>,
    /// BLAKE3 over the config in use, hexadecimal.
    pub config_digest: String,
    /// Whether automatic recovery is paused.
    pub paused: bool,
    /// Until when it is, where the pause ends by itself; null where it does not, or there is none.
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub paused_until: Option<String>,
}

/// One target, in `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetRow {
    /// Its name.
    pub name: String,
    /// By its checks.
    pub health: Health,
    /// Which checks make it degraded, and what they saw, for people; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<String>,
    /// Its circuit breaker.
    pub circuit: CircuitState,
    /// The identifier of its open incident.
    pub incident: Option<String>,
    /// The identifier of its operation that has not ended.
    pub operation: Option<String>,
    /// Until when its next operation, or its next attempt, waits, and why; null where none does.
    #[serde(default)]
    pub rests: Option<Rest>,
    /// What its recovery waits for a person to do, for people; null where it waits for none.
    #[serde(default)]
    pub waits: Option<String>,
    /// The pause that keeps its recovery from beginning; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<RecoveryPause>,
    /// What its recovery that is due waits for, beside a pause, for people: a budget, the phase, a dependency, its turn; absent
    /// where nothing holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Since when one of its checks cannot look, for reasons of the host's own, and why; null where all look. What cannot be
    /// seen is neither a failure nor a success.
    #[serde(default)]
    pub unseen: Option<Unseen>,
    /// 1 is most urgent.
    pub priority: u8,
    /// Whether its automatic recovery is paused.
    pub paused: bool,
    /// Until when it is, where the pause ends by itself; null where it does not, or there is none.
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub paused_until: Option<String>,
    /// Of the supervised process, where one runs; that of a foreign service is `service_pid`.
    pub pid: Option<u32>,
    /// Of the process of a foreign service, as its pid file named it some seconds ago; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_pid: Option<u32>,
    /// How often the daemon has started it again, for whatever reason: its process, or a foreign service by its commands. A daemon
    /// that begins goes on from there where it takes over a process of the target, or learns of its end, and else begins at 0.
    pub restarts: u32,
    /// Why the commands of a foreign service did not start it the last time; absent where they did or were not run, and while it is
    /// healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_started: Option<NotStarted>,
    /// Why its process does not run yet, where it is on the way to its start: what it depends on, or its `before_start`; absent
    /// where it runs, or is not on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unstarted: Option<Unstarted>,
    /// While it is starting: which of its checks have not passed, and what they saw, for people; absent otherwise, and where
    /// none has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_yet: Option<String>,
    /// Whether its process has ended with an exit code that its config expects, and none runs.
    #[serde(default)]
    pub completed: bool,
    /// Who keeps it stopped, and why, for people; null where nobody does. Nothing of it is looked at meanwhile.
    #[serde(default)]
    pub stopped: Option<String>,
}

/// What `status TARGET --json` prints: one target, in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetDetail {
    /// Its row of `status`.
    #[serde(flatten)]
    pub target: TargetRow,
    /// What each of its checks saw last, in the order of the config.
    pub checks: Vec<LastLook>,
    /// The last lines of its log, without secrets, up to 20 lines and 4 KiB; null where there are none.
    pub log: Option<String>,
    /// The process of a foreign service; absent of a target that is supervised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceProcess>,
}

/// Why the commands of a foreign service did not start it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotStarted {
    /// When that was.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// Which command, how it ended and what it printed last, for people.
    pub why: String,
}

/// The process of a foreign service, in `status TARGET`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceProcess {
    /// The `pid_file` of its config, else the first that one of its checks names; null where nothing names one.
    pub pid_file: Option<String>,
    /// The living process that the file names; null where it names none.
    pub pid: Option<u32>,
    /// Why that is not known, for people; null where it is.
    pub error: Option<String>,
}

/// What one check saw last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LastLook {
    /// Its name.
    pub check: String,
    /// What it saw; null where it has seen nothing yet.
    pub outcome: Option<Health>,
    /// The same, for people.
    pub message: Option<String>,
    /// The measured value, where there is one, in the check's own unit.
    pub value: Option<f64>,
    /// That unit: `ms`, `days`, `bytes`, `%` or `lines`; null where it has none.
    pub unit: Option<String>,
    /// When it looked.
    #[schemars(extend("format" = "date-time"))]
    pub at: Option<String>,
    /// How long it took, milliseconds.
    pub elapsed_ms: Option<f64>,
}

/// What `logs TARGET --json` prints: the end of a target's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetLog {
    /// The target's name.
    pub target: String,
    /// The last lines, up to 128 KiB, without secrets; the last one may not be whole yet.
    pub text: String,
    /// How long the whole log is, bytes.
    pub log_bytes: u64,
}

/// What `probe --json` prints: each check of a target, run at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeReport {
    /// The target's name.
    pub target: String,
    /// Whether it has checks, and each of them is healthy.
    pub healthy: bool,
    /// Each check, in the order of the config; last the supervised process, where it is one.
    pub checks: Vec<ProbedCheck>,
}

/// One check that was run at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbedCheck {
    /// Its name; `process` is the life of the supervised process.
    pub check: String,
    /// What it saw; null where it has nothing to say yet.
    pub outcome: Option<Health>,
    /// The same, for people.
    pub message: Option<String>,
    /// The measured value, where there is one, in the check's own unit.
    pub value: Option<f64>,
    /// How long it took, milliseconds.
    pub elapsed_ms: f64,
}

/// Until when something waits, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rest {
    /// Until when.
    #[schemars(extend("format" = "date-time"))]
    pub until: String,
    /// Why, for people.
    pub why: String,
}

/// A pause that keeps a recovery from beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryPause {
    /// Whether it is the host's; else it is the target's own.
    pub of_host: bool,
    /// Who asked for it; null where nobody knows.
    pub by: Option<String>,
    /// Until when it lasts; null where only `resume` ends it.
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<String>,
}

impl From<PauseSummary> for RecoveryPause {
    fn from(pause: PauseSummary) -> Self {
        Self {
            of_host: pause.of_host,
            by: pause.by,
            until: pause.until.map(String::from),
        }
    }
}

/// Since when something cannot be looked at, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unseen {
    /// Since when.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// Why, for people.
    pub why: String,
}

/// Why a process that is on the way to its start does not run yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unstarted {
    /// Since when.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// What it waits for, or what runs before it, for people.
    pub why: String,
}

/// One backup job, in `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobRow {
    /// Its name.
    pub name: String,
    /// When its newest verified backup was taken.
    #[schemars(extend("format" = "date-time"))]
    pub last_verified: Option<String>,
    /// How its newest backup stands.
    pub last_status: Option<BackupStatus>,
    /// Whether its newest backup is incomplete. Absent where that is not so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last_incomplete: bool,
    /// Why its newest backup is failed or corrupted, for people. Absent where that is not so, or nothing says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When the next one is due.
    #[schemars(extend("format" = "date-time"))]
    pub next_due: Option<String>,
    /// Whether the newest verified and complete backup is within the recovery point objective; null where there is none.
    pub rpo_met: Option<bool>,
    /// What a backup that is due waits for, for people; null where none waits.
    #[serde(default)]
    pub waits: Option<String>,
    /// When its newest right checkpoint was taken, of whatever kind. Absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub last_checkpoint: Option<String>,
    /// When its next checkpoint is due. Absent where it keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub next_checkpoint: Option<String>,
    /// What its newest drill has measured, as of a backup. Absent where none came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_drill: Option<Drilled>,
}

/// A tier that did not take the last backup that was brought to it, in `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TierRow {
    /// Its name.
    pub name: String,
    /// When that was.
    #[schemars(extend("format" = "date-time"))]
    pub failed_at: String,
    /// Why, for people.
    pub why: String,
    /// Until when it is left alone where another takes the backup; null where the next one is brought to it.
    #[schemars(extend("format" = "date-time"))]
    pub left_alone_until: Option<String>,
}

/// The last reload, in `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReloadRow {
    /// When.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// Whether it was applied.
    pub ok: bool,
    /// Why not.
    pub error: Option<String>,
}
