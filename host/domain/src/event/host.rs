//! What events of the host itself say.

use crate::{
    config_difference::ConfigDifference, fallback_mode::FallbackMode, name::TargetName,
    phase::Phase, target_policy::TargetPolicy, time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// The host or a target was paused or resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedBy {
    /// Who did it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
}

/// The host or a target was paused for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedFor {
    /// Who did it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Why, as they say; may be empty.
    pub reason: String,
    /// For how long, milliseconds.
    pub length_ms: u64,
}

/// The host is in another phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseChanged {
    /// The phase before.
    pub from: Phase,
    /// The phase now.
    pub to: Phase,
    /// Who changed it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Why, as they say; may be empty.
    pub reason: String,
}

/// What holds over the routes of a target was set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyChanged {
    /// All that is set of the target from now on.
    pub policy: TargetPolicy,
    /// Who set it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Why, as they say; may be empty.
    pub reason: String,
}

/// The host works in another mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeChanged {
    /// The mode before.
    pub from: FallbackMode,
    /// The mode now.
    pub to: FallbackMode,
    /// What calls for it, for people.
    pub reason: String,
}

/// The charter is not what the config is pinned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CharterBroken {
    /// What is wrong with it, for people.
    pub why: String,
}

/// A config was applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigApplied {
    /// The digest of the config, hexadecimal.
    pub digest: String,
    /// The tables and keys that the one before did not have, by their names alone: `target.web`, `target.web.rto`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// Those that it had, and that say something else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// Those that it had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// So many more than [`ConfigApplied::MOST`] there are, which are not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<u64>,
}

impl ConfigApplied {
    /// So many tables and keys are named at most.
    pub const MOST: usize = 100;

    /// The config with this digest, which differs so from the one before.
    pub fn new(digest: String, difference: ConfigDifference) -> Self {
        let (named, others) = difference.beginning(Self::MOST);
        let ConfigDifference {
            added,
            changed,
            removed,
        } = named;
        let others = u64::try_from(others).ok();
        Self {
            digest,
            added,
            changed,
            removed,
            others: others.filter(|others| *others > 0),
        }
    }
}

/// A config was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRejected {
    /// Every problem of it, for people; some lines.
    pub error: String,
}

/// The journal was found damaged while the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalDamaged {
    /// What was found first, for people.
    pub found: String,
}

/// A record of the journal was set aside, or the file of people's orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSetAside {
    /// What it is one of: `operations`, `incidents`, …; or [`RecordSetAside::ORDERS`].
    pub table: String,
    /// Its name there; of orders, their file.
    pub key: String,
    /// Why it cannot be read, for people.
    pub why: String,
}

impl RecordSetAside {
    /// The `table` of orders, which are no record of the journal.
    pub const ORDERS: &str = "orders.json";
}

/// Checks could not look for long, for reasons of the host's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorBlind {
    /// How many checks see nothing now.
    pub checks: u64,
    /// Of how many targets.
    pub targets: u64,
    /// Some of these targets; ten at most.
    pub names: Vec<TargetName>,
    /// Since when the first of them sees nothing.
    pub since: Timestamp,
    /// Why it does not, for people.
    pub why: String,
}
