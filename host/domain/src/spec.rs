//! What an operator configures, validated.
//!
//! Invariant: these types have no serde and no raw text that still has to be checked; only `config` in the daemon
//! makes them, and everything else may rely on what their docs say.

mod archive;
mod bandwidth;
mod check;
mod collected;
mod difference;
mod drill;
mod escalation;
mod exec_check;
mod http_check;
mod job;
mod mail;
mod maintenance;
mod plugin;
mod plugin_check;
mod policy;
mod process;
mod reading;
mod recovery;
mod restore_drill;
mod service_check;
mod target;
mod targets;
mod telemetry;
mod tier;

pub use archive::ArchiveSpec;
pub use bandwidth::BandwidthSpec;
pub use check::{CheckKind, CheckSpec, FailOf, LogPattern};
pub use collected::{PluginSource, RedisSource};
pub use drill::{DrillCommands, DrillSpec};
pub use escalation::EscalationSpec;
pub use exec_check::ExecCheck;
pub use http_check::{HttpCheck, Trust};
pub use job::{
    BackupSource, CheckpointSpec, HookSpec, HttpSource, JobSpec, ProofSchedules, RetentionSpec,
    Schedule, SealingSpec, StartSpec, WindowSpec,
};
pub use mail::{MailAccount, MailTls};
pub use maintenance::{MaintenanceBegin, MaintenanceSpec};
pub use plugin::{
    DirectoryGrant, Grants, HttpOrigin, Limits, OnDoubt, PluginSpec, TargetGrant, TargetVerb,
    plugin_behind, with_instances,
};
pub use plugin_check::PluginCheck;
pub use policy::{
    ApprovalSpec, BudgetSpec, CharterSpec, GroupSpec, OverBudget, PhaseSpec, PolicySpec,
    TargetPolicySpec,
};
pub use process::{
    BeforeStart, ForeignCommands, OnShutdown, ProcessSpec, Reload, RestartPolicy, RunAs,
};
pub use reading::{OnUnreadable, ReadingSpec};
pub use recovery::{
    AlertGrouping, AlertRoute, DeciderSpec, GroupBy, OnFailure, RouteSpec, StepSpec, Strategy,
    Workflow,
};
pub use restore_drill::RestoreDrillSpec;
pub use service_check::{
    EngineCheck, PostgresCheck, RedisCheck, RedisRole, S3Check, ServiceAddress,
};
pub use target::{BreakerSpec, TargetSpec};
pub use targets::Targets;
pub use telemetry::{StatsdFlavour, StatsdSpec};
pub use tier::{
    AzureTierSpec, BucketSpec, GcsTierSpec, S3TierSpec, TierPlaceSpec, TierRole, TierSpec,
};

use crate::name::{CommandName, MailAccountName, PluginName, SecretName, TargetName, TierName};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// One whole config. Paths are absolute.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The host's own part.
    pub host: HostSpec,
    /// Managed targets, in the order of the file; names are unique, dependencies exist and have no cycle.
    pub targets: Targets,
    /// Commands that plugins may be granted, and that drills and rollbacks run.
    pub commands: BTreeMap<CommandName, CommandSpec>,
    /// Accounts that plugins may be granted to send mail through.
    pub smtp: BTreeMap<MailAccountName, MailAccount>,
    /// Where secrets come from.
    pub secrets: BTreeMap<SecretName, SecretSource>,
    /// Which chain an incident gets.
    pub routes: Vec<RouteSpec>,
    /// Grants, limits and settings of plugins.
    pub plugins: BTreeMap<PluginName, PluginSpec>,
    /// Which alerter gets which events.
    pub alerts: Vec<AlertRoute>,
    /// Backup jobs, in the order of the file; names are unique.
    pub jobs: Vec<JobSpec>,
    /// Where backups are stored beside the state directory; none is named `local`, which is that.
    pub tiers: BTreeMap<TierName, TierSpec>,
    /// Maintenance windows, in the order of the file.
    pub maintenance: Vec<MaintenanceSpec>,
    /// When people are told of what recovery has not ended, and what they are to do.
    pub escalation: EscalationSpec,
    /// What automatic recovery may do beside its routes.
    pub policy: PolicySpec,
    /// Where numbers are sent to; nowhere by default. Read at the start.
    pub statsd: Option<StatsdSpec>,
    /// BLAKE3 over the text of all its files, hexadecimal.
    pub digest: String,
}

impl Spec {
    /// The target with this name, found without going through all.
    pub fn target(&self, name: &TargetName) -> Option<&TargetSpec> {
        self.targets.named(name)
    }

    /// Where the tier `local` is: as the config says, or in the state directory.
    pub fn backups(&self) -> PathBuf {
        match self.tiers.get(&TierName::local()).map(|tier| &tier.place) {
            Some(TierPlaceSpec::Directory(path)) => path.clone(),
            // No config makes it a bucket.
            Some(TierPlaceSpec::Bucket(_)) | None => self.host.state_dir.join("backups"),
        }
    }

    /// What is said of each plugin that is named anywhere: where no table `[plugin.NAME]` is, the defaults. What is named is
    /// there by its own name too, and not through its instances only.
    pub fn plugin_specs(&self) -> BTreeMap<PluginName, PluginSpec> {
        let handlers = self.routes.iter().flat_map(|route| &route.chain);
        let handlers = handlers.map(|step| &step.handler);
        let alerters = self.alerts.iter().map(|alert| &alert.alerter);
        let policies = self.jobs.iter().filter_map(|job| job.retention.as_ref());
        let policies = policies.map(|retention| &retention.policy);
        let sources = self.jobs.iter().flat_map(|job| &job.sources);
        let sources = sources.filter_map(|source| match source {
            BackupSource::Plugin(source) => Some(&source.plugin),
            _ => None,
        });
        let deciders = self
            .routes
            .iter()
            .filter_map(|route| route.decider.as_ref());
        let deciders = deciders.map(|decider| &decider.plugin);
        let checks = self.targets.iter().flat_map(|target| &target.checks);
        let detectors = checks.filter_map(|check| match &check.kind {
            CheckKind::Plugin(asked) => Some(&asked.plugin),
            _ => None,
        });
        let mut specs = self.plugins.clone();
        let named = handlers.chain(alerters).chain(policies).chain(sources);
        for name in named.chain(deciders).chain(detectors) {
            specs.entry(name.clone()).or_default().only_instances = false;
        }
        specs
    }
}

/// The host's own part of the config. A change of `state_dir`, `plugin_dir` or the API needs a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct HostSpec {
    /// What the host calls itself in alerts and status; default: the machine's name.
    pub name: String,
    /// Journal, sockets, logs, plugin store, backups.
    pub state_dir: PathBuf,
    /// Where plugins are dropped.
    pub plugin_dir: PathBuf,
    /// How long a shutdown may take before stragglers are named and left; default 30 s.
    pub shutdown_deadline: Duration,
    /// How long operations that ended, incidents that closed, events and the audit log are kept; default 90 d.
    pub keep_history: Duration,
    /// TCP for the admin API; off by default.
    pub api: Option<ApiSpec>,
    /// With whom the admin API's socket is shared.
    pub socket: SocketSpec,
    /// Keys of other hosts whose signed backups are used here as this host's own, each 64 hexadecimal digits; and `unsigned`,
    /// which lets backups be taken up that no key signed. Default none.
    pub trusted_backup_keys: Vec<String>,
}

/// With whom the admin API's socket is shared, beside its owner and root; by default with nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SocketSpec {
    /// The group whose members may use it as its owner does; default: none.
    pub group: Option<String>,
    /// Those who may read and command nothing, also where they are in that group; default: none.
    pub viewers: Vec<ViewerSpec>,
}

/// Who may only read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewerSpec {
    /// This user.
    User(String),
    /// Everybody in this group.
    Group(String),
}

/// The admin API over TCP.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiSpec {
    /// Where it listens.
    pub listen: std::net::SocketAddr,
    /// Which secret is the bearer token.
    pub token: SecretName,
    /// The host names that requests may be for, beside that address and localhost; default: none.
    pub hosts: Vec<String>,
}

/// A command that the operator lets plugins run. The argument list is the operator's.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandSpec {
    /// Program and arguments, never a shell; `{name}` is a placeholder. At least one element.
    pub run: Vec<String>,
    /// Declared placeholders: name and the regular set of characters that their values may have.
    pub placeholders: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Its whole environment beside `PATH`; values may hold `${secret:NAME}`.
    pub env: BTreeMap<String, String>,
    /// As whom; needs a daemon that runs as root.
    pub user: Option<String>,
    /// After this it is killed with its group; default 30 s.
    pub timeout: Duration,
    /// To run it twice with the same `MAINSTAY_IDEMPOTENCY_KEY` is to run it once; default false.
    pub idempotent: bool,
}

/// The longest value of a secret, in bytes; nothing that is called a secret is longer.
pub const MAX_SECRET_BYTES: u64 = 16 << 10;

/// Where a secret's value is read from.
#[derive(Debug, Clone, PartialEq)]
pub enum SecretSource {
    /// A file that only its owner can read; one trailing newline is not part of the value.
    File(PathBuf),
    /// An environment variable of the daemon.
    Env(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::tests::fixtures::{check, host};
    use semver::VersionReq;

    #[test]
    fn whoever_names_a_plugin_it_is_there_by_its_own_name() {
        let name = |text: &str| PluginName::parse(text).unwrap();
        let mut looked_at = check("web");
        looked_at.checks[0].kind = CheckKind::Plugin(PluginCheck {
            plugin: name("trend"),
            version: VersionReq::STAR,
            params: serde_json::json!({}),
        });
        let mut spec = (*host(vec![looked_at])).clone();
        spec.routes[0].decider = Some(DeciderSpec {
            plugin: name("fibonacci"),
            version: VersionReq::STAR,
            params: serde_json::json!({}),
        });
        let specs = spec.plugin_specs();
        for named in ["fix", "trend", "fibonacci"] {
            assert!(!specs[&name(named)].only_instances, "{named}");
        }
    }
}
