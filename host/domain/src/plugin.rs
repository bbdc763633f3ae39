//! Plugins as the host speaks of them: kinds, identities, what they say of themselves, where they stand.

use crate::name::PluginName;
use semver::{Op, Version, VersionReq};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The longest version of a plugin, in characters, with its pre-release and its build metadata.
pub const MAX_VERSION: usize = 64;

/// Reads the version that a plugin gives itself; the error says what is wrong with it.
pub fn parse_version(text: &str) -> Result<Version, String> {
    if text.len() > MAX_VERSION {
        let found = text.len();
        return Err(format!(
            "it has {found} bytes, and at most {MAX_VERSION} are allowed"
        ));
    }
    Version::parse(text).map_err(|error| error.to_string())
}

/// Whether a version is one that is asked for. `=1.0.0` is exactly 1.0.0: 1.0.0 with build metadata is another build.
///
/// ```
/// use mainstay_domain::plugin::satisfies;
/// let pin = "=1.0.0".parse().unwrap();
/// assert!(satisfies(&pin, &"1.0.0".parse().unwrap()));
/// assert!(!satisfies(&pin, &"1.0.0+zzz".parse().unwrap()));
/// assert!(satisfies(&"^1".parse().unwrap(), &"1.0.0+zzz".parse().unwrap()));
/// ```
pub fn satisfies(requirement: &VersionReq, version: &Version) -> bool {
    let is_pin = requirement
        .comparators
        .iter()
        .any(|comparator| comparator.op == Op::Exact && comparator.patch.is_some());
    requirement.matches(version) && (version.build.is_empty() || !is_pin)
}

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
    /// Looks at targets.
    Detector,
    /// Decides when a recovery is attempted again.
    RecoveryStrategy,
    /// Gives the documents of a backup.
    BackupSource,
    /// Recovers targets, and goes on where it was after a crash of the host.
    DurableRecoveryHandler,
}

impl PluginKind {
    /// Every kind.
    pub const ALL: [PluginKind; 7] = [
        PluginKind::RecoveryHandler,
        PluginKind::Alerter,
        PluginKind::RetentionPolicy,
        PluginKind::Detector,
        PluginKind::RecoveryStrategy,
        PluginKind::BackupSource,
        PluginKind::DurableRecoveryHandler,
    ];

    /// The name of its world.
    pub fn as_str(self) -> &'static str {
        match self {
            PluginKind::RecoveryHandler => "recovery-handler",
            PluginKind::Alerter => "alerter",
            PluginKind::RetentionPolicy => "retention-policy",
            PluginKind::Detector => "detector",
            PluginKind::RecoveryStrategy => "recovery-strategy",
            PluginKind::BackupSource => "backup-source",
            PluginKind::DurableRecoveryHandler => "durable-recovery-handler",
        }
    }

    /// The kind whose place it takes: a durable recovery handler serves wherever a recovery handler does, and all others
    /// where their own kind is asked for.
    #[must_use]
    pub fn serves_as(self) -> PluginKind {
        match self {
            PluginKind::DurableRecoveryHandler => PluginKind::RecoveryHandler,
            own => own,
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

/// The failures that more than one plugin is meant for, each with those plugins. Versions of one plugin are one.
///
/// ```
/// use mainstay_domain::plugin::contested;
/// let handled = [("disk-full", "cleans"), ("redis-down", "restarts"), ("redis-down", "warms")];
/// let contested = contested(handled);
/// assert_eq!(contested.len(), 1);
/// assert_eq!(contested["redis-down"].len(), 2);
/// ```
pub fn contested<F: Ord, P: Ord>(
    handled: impl IntoIterator<Item = (F, P)>,
) -> BTreeMap<F, BTreeSet<P>> {
    let mut plugins: BTreeMap<F, BTreeSet<P>> = BTreeMap::new();
    for (failure, plugin) in handled {
        plugins.entry(failure).or_default().insert(plugin);
    }
    plugins.retain(|_, plugins| plugins.len() > 1);
    plugins
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
    /// Nothing names it, and it does not serve without settings.
    Unused,
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
    /// What it serves as by other names, in their order.
    #[serde(default)]
    pub instances: Vec<PluginInstanceRow>,
}

/// A plugin by the name of an instance, under settings and grants of its own, for those who show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginInstanceRow {
    /// The instance's name.
    pub name: PluginName,
    /// Calls begun by this name.
    pub calls: u64,
    /// Those of them that trapped, timed out, broke a limit or answered with an error.
    pub failures: u64,
    /// What the last failure said.
    pub last_error: Option<String>,
    /// It failed too often by this name and rests.
    pub quarantined: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_one_build_and_a_range_takes_any() {
        let check = |requirement: &str, version: &str| {
            let requirement = VersionReq::parse(requirement).unwrap();
            satisfies(&requirement, &Version::parse(version).unwrap())
        };
        for (requirement, version, expected) in [
            ("=1.0.0", "1.0.0", true),
            ("=1.0.0", "1.0.0+zzz", false),
            ("=1.0.0", "1.0.1", false),
            ("=1.0.0-rc.1", "1.0.0-rc.1", true),
            ("=1.0.0-rc.1", "1.0.0-rc.1+zzz", false),
            (">=1.0.0, =1.0.0", "1.0.0+zzz", false),
            ("=1.0", "1.0.0+zzz", true),
            ("^1", "1.0.0+zzz", true),
            ("1.0.0", "1.0.0+zzz", true),
            ("*", "1.0.0+zzz", true),
        ] {
            assert_eq!(
                check(requirement, version),
                expected,
                "{requirement} {version}"
            );
        }
    }

    #[test]
    fn a_durable_handler_serves_as_a_handler_and_all_others_as_themselves() {
        for kind in PluginKind::ALL {
            let expected = match kind {
                PluginKind::DurableRecoveryHandler => PluginKind::RecoveryHandler,
                own => own,
            };
            assert_eq!(kind.serves_as(), expected);
        }
    }

    #[test]
    fn a_version_has_a_length_with_all_its_parts() {
        assert!(parse_version("1.2.3-rc.1+build.7").is_ok());
        for part in ["-", "+"] {
            let fits = format!("1.0.0{part}{}", "a".repeat(MAX_VERSION - 6));
            assert!(parse_version(&fits).is_ok(), "{fits}");
            let error = parse_version(&format!("{fits}a")).unwrap_err();
            assert_eq!(error, "it has 65 bytes, and at most 64 are allowed");
        }
        assert!(parse_version("one").is_err());
    }
}
