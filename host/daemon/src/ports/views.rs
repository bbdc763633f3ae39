//! The host and its plugins, for those who show them.

use super::{Boxed, Refused};
use mainstay_domain::{
    actor::Actor,
    alert::AlerterState,
    fallback_mode::FallbackMode,
    host_health::HostHealth,
    maintenance::OpenWindow,
    name::{PluginName, TargetName},
    plugin::PluginRow,
    time::Timestamp,
};
use semver::Version;
use std::sync::Arc;

/// What the host says of itself in `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusFacts {
    /// What the host calls itself.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// The SHA-256 of the charter, hexadecimal; none where there is no charter.
    pub charter: Option<String>,
    /// The public key by which it signs its backups, hexadecimal; none where there is none.
    pub backup_key: Option<String>,
    /// When the daemon started.
    pub started_at: Timestamp,
    /// The contract versions that it speaks.
    pub contract_versions: Vec<String>,
    /// Of the config in use; BLAKE3, hexadecimal.
    pub config_digest: String,
    /// Every target of the config in use with its priority, in its order; the same one for as long as that serves.
    pub targets: Arc<[(TargetName, u8)]>,
    /// What is left without a handler that serves, a sentence for each.
    pub unhandled_routes: Vec<String>,
    /// How each alerter stands that a route names.
    pub alerters: Vec<AlerterState>,
    /// The maintenance windows that are open.
    pub maintenance: Vec<OpenWindow>,
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

/// How the host as a whole does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostCondition {
    /// What its targets, their circuits and its recoveries come to, now.
    pub health: HostHealth,
    /// The mode in which it works.
    pub mode: FallbackMode,
    /// Since when.
    pub mode_since: Timestamp,
}

/// The condition of the host, for those who show it and who say whether it is ready. Answers from memory.
pub trait ConditionView: Send + Sync {
    /// As it is now; looks at every target.
    fn condition(&self) -> HostCondition;
    /// The mode alone, which costs nothing.
    fn mode(&self) -> FallbackMode;
}

/// The plugins, for those who show them and say what is one.
pub trait PluginView: Send + Sync {
    /// One row for each plugin file or version, as `plugin list` prints them. Answers from memory.
    fn rows(&self) -> Vec<PluginRow>;
    /// Whether what lay in the plugin directory at the start of the daemon is known, what had to be compiled included.
    fn are_judged(&self) -> bool {
        true
    }
    /// Resolves when that is so.
    fn judged(&self) -> Boxed<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    /// Lets other bytes go by a name and version than those that were accepted first.
    fn forget(
        &self,
        name: PluginName,
        version: Version,
        by: Actor,
    ) -> Boxed<'_, Result<(), Refused>>;
}
