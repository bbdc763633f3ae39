//! Plugins as the host speaks of them: kinds, identities, what they say of themselves, where they stand.

use crate::name::PluginName;
use serde::{Deserialize, Serialize};

/// What a plugin does; one WIT world each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// Recovers targets.
    RecoveryHandler,
    /// Delivers alerts.
    Alerter,
    /// Judges which backups stay.
    RetentionPolicy,
}

impl PluginKind {
    /// Every kind.
    pub const ALL: [PluginKind; 3] = [
        PluginKind::RecoveryHandler,
        PluginKind::Alerter,
        PluginKind::RetentionPolicy,
    ];

    /// The name of its world.
    pub fn as_str(self) -> &'static str {
        match self {
            PluginKind::RecoveryHandler => "recovery-handler",
            PluginKind::Alerter => "alerter",
            PluginKind::RetentionPolicy => "retention-policy",
        }
    }
}

impl std::fmt::Display for PluginKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One build of one plugin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PluginIdentity {
    /// The name that it gives itself.
    pub name: PluginName,
    /// Its version.
    pub version: semver::Version,
    /// The BLAKE3 hash of its component, hexadecimal.
    pub digest: String,
}

impl std::fmt::Display for PluginIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// A capability that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// As in a grant, e.g. `target:restart`.
    pub name: String,
    /// A sentence for the operator.
    pub why: String,
}

/// Where a plugin file stands; see `plugins.md`, "Lifecycle".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginState {
    /// Seen, not yet stable.
    Found,
    /// Gets new calls.
    Serving,
    /// Only finishes the calls it has.
    Draining,
    /// Freed.
    Retired,
    /// Refused, with a reason.
    Rejected,
}

/// One plugin file or version, for those who show them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginRow {
    /// Absent where the file was refused before it said its name.
    pub name: Option<PluginName>,
    /// As it says.
    pub version: Option<semver::Version>,
    /// By its world.
    pub kind: Option<PluginKind>,
    /// Where it stands.
    pub state: PluginState,
    /// The contract version it was built against.
    pub contract: Option<semver::Version>,
    /// Where it was found, as given; absent where only the store still has it.
    pub file: Option<String>,
    /// BLAKE3 of its bytes, hexadecimal.
    pub digest: String,
    /// Failure types that it handles.
    pub serves: Vec<String>,
    /// Calls begun.
    pub calls: u64,
    /// Calls that trapped, timed out, broke a limit or answered with an error.
    pub failures: u64,
    /// What the last failure or the refusal said.
    pub last_error: Option<String>,
    /// It failed too often and rests.
    pub quarantined: bool,
}
