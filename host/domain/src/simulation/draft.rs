//! A scenario as it is written: nothing in it is checked against a config yet.

use super::{
    at::{At, Length},
    rule::Rule,
};
use crate::{
    health::Outcome,
    name::{CheckName, FailureType, TargetName},
    phase::Phase,
    severity::Severity,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// A scenario as it is written; as TOML, a file of it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The form of the file: 1, also where it is absent.
    #[serde(default)]
    pub format: Option<u32>,
    /// When it begins; absent: with the first time that a step names, else at a fixed one.
    #[serde(default)]
    pub begin: Option<Timestamp>,
    /// For how long it lasts; absent: until nothing is left to be done, at most a day.
    #[serde(default)]
    pub until: Option<Length>,
    /// In which phase the host is at the beginning; absent: normal.
    #[serde(default)]
    pub phase: Option<Phase>,
    /// What handlers answer.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// What happens.
    #[serde(default, rename = "step")]
    pub steps: Vec<Entry>,
}

/// One thing that happens. Which it is, is said by what is there: `check` with `outcome`, `exit`, `started`, `failure`,
/// `command`, or `phase`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When.
    pub at: At,
    /// Of which target; absent for a phase, and for a command over the whole host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// From now on this check sees `outcome`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckName>,
    /// What the check sees; or of a reported `failure`, `failed` (which is meant where it is absent) or `healthy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<SeenAs>,
    /// This failure is reported; or of a command, which failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureType>,
    /// How bad a reported failure is; absent: as its check says, or its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The supervised process ends by itself, and so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
    /// The supervised process is started by somebody: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<bool>,
    /// After so long it is over by itself.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Length>,
    /// What a person commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandWord>,
    /// A person changes the phase of the host to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// What was seen, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Entry {
    /// One that says nothing yet.
    pub fn new(at: At) -> Self {
        Self {
            at,
            target: None,
            check: None,
            outcome: None,
            failure: None,
            severity: None,
            exit: None,
            started: None,
            lasts: None,
            command: None,
            phase: None,
            message: None,
        }
    }
}

/// What a check sees, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenAs {
    /// As it should be.
    Healthy,
    /// It works, but not as it should.
    Degraded,
    /// It does not work.
    Failed,
    /// Nobody could look.
    Unknown,
}

impl From<SeenAs> for Outcome {
    fn from(seen: SeenAs) -> Self {
        match seen {
            SeenAs::Healthy => Self::Healthy,
            SeenAs::Degraded => Self::Degraded,
            SeenAs::Failed => Self::Failed,
            SeenAs::Unknown => Self::Unknown,
        }
    }
}

/// What a person commands, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandWord {
    /// Automatic recovery of a target, or with none of the host, is paused.
    Pause,
    /// It goes on.
    Resume,
    /// A target is recovered by hand.
    Recover,
    /// The operation of a target that waits for a person may run.
    Approve,
    /// It may not.
    Reject,
    /// The operation of a target is ended.
    Cancel,
}
