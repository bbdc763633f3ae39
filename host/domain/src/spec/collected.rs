//! Sources of backups that give documents by keys of their own, as configured.

use crate::name::PluginName;
use semver::VersionReq;
use std::time::Duration;

/// A plugin of the kind `backup-source`, which gives documents page by page. Where it does not give all of them the backup
/// is none, or incomplete.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginSource {
    /// The plugin's name.
    pub plugin: PluginName,
    /// Which of its versions; default any. One gives all pages of a run.
    pub version: VersionReq,
    /// A key, which stands before every key that it gives.
    pub prefix: String,
    /// For all of its pages; default 1 h. A page has no longer than a call of the plugin may take.
    pub timeout: Duration,
}
