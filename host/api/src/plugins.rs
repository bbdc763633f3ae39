//! Plugins: those of a daemon, what a component says of itself, and what `plugin new` wrote.

use crate::words::words;
use mainstay_domain::plugin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

words! {
    /// What a plugin does.
    #[serde(rename_all = "kebab-case")]
    PluginKind as plugin::PluginKind {
        /// Recovers targets.
        RecoveryHandler,
        /// Delivers alerts.
        Alerter,
        /// Judges which backups stay.
        RetentionPolicy,
        /// Looks at targets.
        Detector,
        /// Decides when a recovery is attempted again.
        RecoveryStrategy,
        /// Gives the documents of a backup.
        BackupSource,
        /// Recovers targets, and goes on where it was after a crash of the host.
        DurableRecoveryHandler,
    }
}

words! {
    /// Where a plugin file stands.
    #[serde(rename_all = "kebab-case")]
    PluginState as plugin::PluginState {
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
        /// Nothing names it, and it does not serve without settings.
        Unused,
    }
}

/// One plugin file or version of a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginRow {
    /// Null where the file was refused before it said its name.
    pub name: Option<String>,
    /// As it says.
    pub version: Option<String>,
    /// By its world.
    pub kind: Option<PluginKind>,
    /// Where it stands.
    pub state: PluginState,
    /// The contract version it was built against.
    pub contract: Option<String>,
    /// Where it was found, as given; null where only the store still has it.
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
    /// What it serves as by other names, in their order; `calls` counts none of theirs.
    #[serde(default)]
    pub instances: Vec<PluginInstance>,
}

/// A plugin by the name of an instance, under settings and grants of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginInstance {
    /// The instance's name.
    pub name: String,
    /// Calls begun by this name.
    pub calls: u64,
    /// Those of them that trapped, timed out, broke a limit or answered with an error.
    pub failures: u64,
    /// What the last failure said.
    pub last_error: Option<String>,
    /// It failed too often by this name and rests.
    pub quarantined: bool,
}

impl From<&plugin::PluginInstanceRow> for PluginInstance {
    fn from(row: &plugin::PluginInstanceRow) -> Self {
        Self {
            name: row.name.to_string(),
            calls: row.calls,
            failures: row.failures,
            last_error: row.last_error.clone(),
            quarantined: row.quarantined,
        }
    }
}

impl From<&plugin::PluginRow> for PluginRow {
    fn from(row: &plugin::PluginRow) -> Self {
        Self {
            name: row.name.as_ref().map(ToString::to_string),
            version: row.version.as_ref().map(ToString::to_string),
            kind: row.kind.map(PluginKind::from),
            state: row.state.into(),
            contract: row.contract.as_ref().map(ToString::to_string),
            file: row.file.clone(),
            digest: row.digest.clone(),
            serves: row.serves.clone(),
            calls: row.calls,
            failures: row.failures,
            last_error: row.last_error.clone(),
            quarantined: row.quarantined,
            instances: row.instances.iter().map(PluginInstance::from).collect(),
        }
    }
}

/// A capability that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capability {
    /// As in a grant, e.g. `target:restart`.
    pub name: String,
    /// A sentence for the operator.
    pub why: String,
}

impl From<&plugin::Capability> for Capability {
    fn from(capability: &plugin::Capability) -> Self {
        Self {
            name: capability.name.clone(),
            why: capability.why.clone(),
        }
    }
}

/// What `plugin inspect --json` prints: everything that a component says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PluginInspection {
    /// The name that it gives itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its kind.
    pub kind: PluginKind,
    /// The version of the contract that it was built against.
    pub contract: String,
    /// Its world, e.g. `mainstay:plugin/recovery-handler@1.0.0`.
    pub world: String,
    /// One sentence.
    pub summary: String,
    /// Failure types that it is meant for.
    pub handles: Vec<String>,
    /// What it asks for, and why.
    pub capabilities: Vec<Capability>,
    /// What it imports, sorted.
    pub imports: Vec<String>,
    /// JSON Schema of its settings; null where it has none.
    pub settings_schema: Option<Value>,
    /// Its size, bytes.
    pub size_bytes: u64,
    /// BLAKE3 of its bytes, hexadecimal.
    pub digest: String,
    /// Who signed it; null: nobody.
    pub signature: Option<String>,
}

/// What `plugin new --json` and `plugin install --json` print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrittenPlugin {
    /// The plugin's name.
    pub name: String,
    /// What it does.
    pub kind: PluginKind,
    /// Where it was written, an absolute path.
    pub directory: String,
}
