//! Sources of backups that are services and plugins, as configured.

use super::ServiceAddress;
use crate::name::{PluginName, SecretName};
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

/// The keys of a Redis, each as the command that gives it back, in one document.
#[derive(Debug, Clone, PartialEq)]
pub struct RedisSource {
    /// Where it listens; it is asked in plain text.
    pub at: ServiceAddress,
    /// As whom; default: its user `default`. Needs `password`.
    pub user: Option<String>,
    /// The secret that it is given; default: none is asked for.
    pub password: Option<SecretName>,
    /// The number of the database; default 0.
    pub database: u32,
    /// Patterns of the keys, as SCAN has them; at least one, default `*`.
    pub keys: Vec<String>,
    /// The document's key.
    pub key: String,
    /// For all of it; default 10 min.
    pub timeout: Duration,
}
