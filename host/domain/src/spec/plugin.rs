//! Grants, limits and settings of a plugin, as configured.
//!
//! Invariant: the default grants nothing.

use crate::{
    name::{CommandName, JobName, MailAccountName, PluginName, SecretName, TargetName},
    template::{self, Part},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

/// What the operator says of one plugin, all its versions alike.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginSpec {
    /// What it may do.
    pub grants: Grants,
    /// How much of it.
    pub limits: Limits,
    /// Handed to it as JSON; an object. Strings may hold `${secret:NAME}`, in place of which the guest sees a handle of
    /// its call, see [`crate::secret`]; so it may use that secret.
    pub settings: serde_json::Value,
    /// Which plugin it is an instance of: what is said here holds for calls by its name, and these run that plugin's
    /// component. None: it is the plugin of this name itself.
    pub plugin: Option<PluginName>,
    /// Its instances.
    pub instances: BTreeMap<PluginName, PluginSpec>,
    /// The config says nothing of it but through its instances.
    pub only_instances: bool,
    /// What is done about its effects that are in doubt after a crash; default: a person is asked.
    pub on_doubt: OnDoubt,
}

/// Gives each plugin its instances.
pub fn with_instances(
    mut plugins: BTreeMap<PluginName, PluginSpec>,
) -> BTreeMap<PluginName, PluginSpec> {
    let instances = plugins.iter().filter_map(|(name, spec)| {
        let of = spec.plugin.clone()?;
        Some((of, name.clone(), spec.clone()))
    });
    let instances: Vec<(PluginName, PluginName, PluginSpec)> = instances.collect();
    for (of, name, spec) in instances {
        let plugin = plugins.entry(of).or_insert_with(|| PluginSpec {
            only_instances: true,
            ..PluginSpec::default()
        });
        plugin.instances.insert(name, spec);
    }
    plugins
}

/// The plugin that calls by this name of a config run: of an instance, what it is of.
pub fn plugin_behind<'a>(
    plugins: &'a BTreeMap<PluginName, PluginSpec>,
    name: &'a PluginName,
) -> &'a PluginName {
    let instance = plugins.get(name);
    let of = instance.and_then(|instance| instance.plugin.as_ref());
    of.unwrap_or(name)
}

impl PluginSpec {
    /// The secrets that it may use: those that its settings name, and no others.
    pub fn secrets(&self) -> BTreeSet<SecretName> {
        secrets_in(&self.settings)
    }
}

/// The secrets that the texts of a value name.
pub(super) fn secrets_in(value: &serde_json::Value) -> BTreeSet<SecretName> {
    let mut names = BTreeSet::new();
    collect_secrets(value, &mut names);
    names
}

fn collect_secrets(value: &serde_json::Value, names: &mut BTreeSet<SecretName>) {
    match value {
        serde_json::Value::String(text) => {
            let parts = template::parts(text).unwrap_or_default().into_iter();
            names.extend(parts.filter_map(|part| match part {
                Part::Secret(name) => Some(name),
                Part::Text(_) => None,
            }));
        }
        serde_json::Value::Array(items) => {
            items.iter().for_each(|item| collect_secrets(item, names));
        }
        serde_json::Value::Object(fields) => {
            fields
                .values()
                .for_each(|field| collect_secrets(field, names));
        }
        _ => {}
    }
}

impl Default for PluginSpec {
    fn default() -> Self {
        Self {
            grants: Grants::default(),
            limits: Limits::default(),
            settings: serde_json::Value::Object(serde_json::Map::new()),
            plugin: None,
            instances: BTreeMap::new(),
            only_instances: false,
            on_doubt: OnDoubt::Ask,
        }
    }
}

/// What is done about an effect of which nobody knows after a crash whether it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDoubt {
    /// A person is asked, and the operation waits.
    #[default]
    Ask,
    /// The guest is told, as of a request that timed out.
    Tell,
}

/// What a plugin may do. Nothing by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// Verbs over targets.
    pub target: BTreeSet<TargetGrant>,
    /// Commands by name.
    pub command: BTreeSet<CommandName>,
    /// Origins that it may send requests to.
    pub http: Vec<HttpOrigin>,
    /// Those of them that take a request with the same idempotency key once: POST and PATCH too may be repeated there
    /// after a crash.
    pub http_idempotent: Vec<HttpOrigin>,
    /// Bytes of keys and values together; 0 is no grant.
    pub kv_bytes: u64,
    /// Jobs whose backups it may look at, take and restore.
    pub backup: BTreeSet<JobName>,
    /// Accounts that it may send mail through.
    pub mail: BTreeSet<MailAccountName>,
    /// Directories that it sees through WASI.
    pub dir: Vec<DirectoryGrant>,
}

/// One verb over the operation's own target, or over a named one (`restart:redis`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetGrant {
    /// What.
    pub verb: TargetVerb,
    /// To which; absent: the operation's own.
    pub target: Option<TargetName>,
}

/// What can be done to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    missing_docs,
    reason = "the names of the functions in effects.wit say it"
)]
pub enum TargetVerb {
    Status,
    Start,
    Stop,
    Restart,
    Signal,
    Check,
}

impl TargetVerb {
    /// Every verb.
    pub const ALL: [TargetVerb; 6] = [
        TargetVerb::Status,
        TargetVerb::Start,
        TargetVerb::Stop,
        TargetVerb::Restart,
        TargetVerb::Signal,
        TargetVerb::Check,
    ];

    /// The word that operators write.
    pub fn as_str(self) -> &'static str {
        match self {
            TargetVerb::Status => "status",
            TargetVerb::Start => "start",
            TargetVerb::Stop => "stop",
            TargetVerb::Restart => "restart",
            TargetVerb::Signal => "signal",
            TargetVerb::Check => "check",
        }
    }
}

/// Scheme, host and port; a path never is part of a grant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpOrigin {
    /// `http` or `https`.
    pub scheme: String,
    /// In lower case, without brackets.
    pub host: String,
    /// The scheme's own where the operator named none.
    pub port: u16,
}

/// A directory that a plugin sees through WASI, under the same path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryGrant {
    /// On the host; absolute.
    pub path: PathBuf,
    /// Under which name the guest sees it: as the operator wrote it.
    pub guest_path: String,
    /// Whether it may change it.
    pub write: bool,
}

/// How much a plugin may use. Each ends the one call that exceeds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one call, bytes; default 64 MiB, at most 256 MiB.
    pub memory_bytes: u64,
    /// CPU time of one call; default 1 s.
    pub deadline: Duration,
    /// Wall time of one call, effects included; default 60 s.
    pub timeout: Duration,
    /// Bytes that one call may answer, and that one effect may ask or be answered; default 1 MiB.
    pub result_bytes: u64,
    /// Log lines of one call; default 100. Those above it are dropped and counted, and end nothing.
    pub log_lines: u32,
    /// Effects of one call; default 1,000.
    pub effects: u32,
    /// Calls at one time; default 8.
    pub concurrency: u32,
    /// Bytes that the journal of one operation may take, looked at before an effect; default 16 MiB.
    pub journal_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            deadline: Duration::from_secs(1),
            timeout: Duration::from_secs(60),
            result_bytes: 1 << 20,
            log_lines: 100,
            effects: 1_000,
            concurrency: 8,
            journal_bytes: 16 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_has_its_instances_also_where_nothing_is_said_of_it_alone() {
        let name = |text: &str| PluginName::parse(text).unwrap();
        let of = |text: &str| PluginSpec {
            plugin: PluginName::parse(text).ok(),
            ..PluginSpec::default()
        };
        let plugins = [
            (name("log-file"), PluginSpec::default()),
            (name("loud"), of("log-file")),
            (name("ops"), of("slack")),
            (name("night"), of("slack")),
        ];
        let plugins = with_instances(plugins.into());
        let instances = |of: &str| -> Vec<String> {
            let all = plugins[&name(of)].instances.keys();
            all.map(ToString::to_string).collect()
        };
        assert_eq!(instances("slack"), ["night", "ops"]);
        assert_eq!(instances("log-file"), ["loud"]);
        assert!(instances("ops").is_empty());
        assert!(plugins[&name("slack")].only_instances);
        assert!(!plugins[&name("log-file")].only_instances);
    }

    #[test]
    fn a_plugin_may_use_the_secrets_that_its_settings_name() {
        let spec = PluginSpec {
            settings: serde_json::json!({
                "url": "https://x.example/?t=${secret:a}&u=${secret:b}",
                "headers": { "authorization": "Bearer ${secret:c}" },
                "list": [1, true, null, ["${secret:d}"]],
                "${secret:key}": "not a value",
            }),
            ..PluginSpec::default()
        };
        let names: Vec<String> = spec.secrets().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert!(PluginSpec::default().secrets().is_empty());
    }
}
