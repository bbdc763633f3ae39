//! What one config says otherwise than another, by the names of its tables and keys.
//!
//! Invariant: names alone, and never what a key says: a secret may have been written where none belongs.
//! Invariant: what has no name of its own, as a route, is told by its table.

use super::{HostSpec, JobSpec, PluginSpec, ProcessSpec, Spec, TargetPolicySpec, TargetSpec};
use crate::config_difference::ConfigDifference;
use std::{any::Any, collections::BTreeMap, fmt::Display};

impl Spec {
    /// What `next` says otherwise than this.
    pub fn difference(&self, next: &Spec) -> ConfigDifference {
        let mut before = tables(self);
        let mut difference = ConfigDifference::default();
        for (table, now) in tables(next) {
            match before.remove(&table) {
                None => difference.added.push(table),
                Some(was) => compare(&mut difference, &table, was, now),
            }
        }
        difference.removed.extend(before.into_keys());
        let lists = [
            &mut difference.added,
            &mut difference.changed,
            &mut difference.removed,
        ];
        for names in lists {
            names.sort();
        }
        difference
    }
}

/// Notes what a table says otherwise, key by key.
fn compare(noted: &mut ConfigDifference, table: &str, mut before: Keys<'_>, now: Keys<'_>) {
    let name = |key: &str| match key {
        "" => table.to_owned(),
        key => format!("{table}.{key}"),
    };
    for (key, says) in now {
        match before.remove(&key) {
            None => noted.added.push(name(&key)),
            Some(said) if !said.is(&says) => noted.changed.push(name(&key)),
            Some(_) => {}
        }
    }
    let removed = before.keys();
    noted.removed.extend(removed.map(|key| name(key)));
}

/// What a key says, to be compared and not to be shown.
struct Says<'a> {
    value: &'a dyn Any,
    same: fn(&dyn Any, &dyn Any) -> bool,
}

impl Says<'_> {
    fn is(&self, other: &Says<'_>) -> bool {
        (self.same)(self.value, other.value)
    }
}

fn says<T: Any + PartialEq>(value: &T) -> Says<'_> {
    Says {
        value,
        same: is_same::<T>,
    }
}

fn is_same<T: Any + PartialEq>(one: &dyn Any, other: &dyn Any) -> bool {
    one.downcast_ref::<T>() == other.downcast_ref::<T>()
}

/// The keys of a table; the empty one is the table as a whole.
type Keys<'a> = BTreeMap<String, Says<'a>>;

fn keys<'a, const N: usize>(keys: [(&str, Says<'a>); N]) -> Keys<'a> {
    let keys = keys.into_iter();
    keys.map(|(key, says)| (key.to_owned(), says)).collect()
}

/// A table that is compared as a whole.
fn whole<T: Any + PartialEq>(value: &T) -> Keys<'_> {
    keys([("", says(value))])
}

/// Tables by names of their own, each of which is compared as a whole.
fn wholes<'a, N: Display, T: Any + PartialEq>(
    of: &str,
    tables: &'a BTreeMap<N, T>,
) -> impl Iterator<Item = (String, Keys<'a>)> {
    let named = tables.iter();
    named.map(move |(name, table)| (format!("{of}.{name}"), whole(table)))
}

/// Every table, by its name; of those that the config may leave out and that have no names in them only what it says.
fn tables(spec: &Spec) -> BTreeMap<String, Keys<'_>> {
    let policy = &spec.policy;
    let mut tables = BTreeMap::from([
        ("host".to_owned(), host(&spec.host)),
        ("escalation".to_owned(), whole(&spec.escalation)),
        ("budget".to_owned(), whole(&policy.host)),
        ("approval".to_owned(), whole(&policy.approval)),
        ("cooldown".to_owned(), whole(&policy.cooldowns)),
    ]);
    for one in &spec.targets {
        let policy = policy.targets.get(&one.name);
        tables.insert(format!("target.{}", one.name), target(one, policy));
    }
    for one in &spec.jobs {
        tables.insert(format!("job.{}", one.name), job(one));
    }
    for (name, one) in &spec.plugins {
        tables.insert(format!("plugin.{name}"), plugin(one));
    }
    tables.extend(wholes("command", &spec.commands));
    tables.extend(wholes("smtp", &spec.smtp));
    tables.extend(wholes("secrets", &spec.secrets));
    tables.extend(wholes("tier", &spec.tiers));
    tables.extend(wholes("group", &policy.groups));
    tables.extend(wholes("phase", &policy.phases));
    if let Some(charter) = &policy.charter {
        tables.insert("charter".to_owned(), whole(charter));
    }
    if let Some(statsd) = &spec.statsd {
        tables.insert("telemetry.statsd".to_owned(), whole(statsd));
    }
    if !spec.routes.is_empty() {
        tables.insert("route".to_owned(), whole(&spec.routes));
    }
    if !spec.alerts.is_empty() {
        tables.insert("alert".to_owned(), whole(&spec.alerts));
    }
    if !spec.maintenance.is_empty() {
        tables.insert("maintenance".to_owned(), whole(&spec.maintenance));
    }
    tables
}

fn host(host: &HostSpec) -> Keys<'_> {
    keys([
        ("name", says(&host.name)),
        ("state_dir", says(&host.state_dir)),
        ("plugin_dir", says(&host.plugin_dir)),
        ("shutdown_deadline", says(&host.shutdown_deadline)),
        ("keep_history", says(&host.keep_history)),
        ("api", says(&host.api)),
        ("api.group", says(&host.socket.group)),
        ("api.viewers", says(&host.socket.viewers)),
        ("trusted_backup_keys", says(&host.trusted_backup_keys)),
    ])
}

fn target<'a>(target: &'a TargetSpec, policy: Option<&'a TargetPolicySpec>) -> Keys<'a> {
    let mut found = keys([
        ("priority", says(&target.priority)),
        ("depends_on", says(&target.depends_on)),
        ("rto", says(&target.rto)),
        ("commands", says(&target.commands)),
        ("breaker", says(&target.breaker)),
        ("validation_timeout", says(&target.validation_timeout)),
        ("start_period", says(&target.start_period)),
        ("drill", says(&target.drill)),
    ]);
    for check in &target.checks {
        found.insert(format!("check.{}", check.name), says(check));
    }
    if let Some(one) = &target.process {
        found.extend(process(one));
    }
    if let Some(policy) = policy {
        found.extend(keys([
            ("group", says(&policy.group)),
            ("budget", says(&policy.budget)),
            ("approval", says(&policy.approval)),
        ]));
    }
    found
}

fn process(process: &ProcessSpec) -> Keys<'_> {
    keys([
        ("run", says(&process.run)),
        ("cwd", says(&process.cwd)),
        ("env", says(&process.env)),
        ("user", says(&process.user)),
        ("umask", says(&process.umask)),
        ("nice", says(&process.nice)),
        ("nofile", says(&process.nofile)),
        ("memory_max", says(&process.memory_max)),
        ("cpu_max", says(&process.cpu_max)),
        ("env_file", says(&process.env_file)),
        ("before_start", says(&process.before_start)),
        ("stop_signal", says(&process.stop_signal)),
        ("reload", says(&process.reload)),
        ("grace", says(&process.grace)),
        ("on_shutdown", says(&process.on_shutdown)),
        ("pid_file", says(&process.pid_file)),
        ("restart", says(&process.restart)),
        ("expected_exit", says(&process.expected_exit)),
        ("exit_failure", says(&process.exit_failure)),
        ("exit_severity", says(&process.exit_severity)),
        ("log.max_bytes", says(&process.log_max_bytes)),
        ("log.keep", says(&process.log_keep)),
    ])
}

fn job(job: &JobSpec) -> Keys<'_> {
    keys([
        ("source", says(&job.sources)),
        ("exclude", says(&job.reading.exclude)),
        ("exclude_caches", says(&job.reading.exclude_caches)),
        ("one_filesystem", says(&job.reading.one_filesystem)),
        ("on_unreadable", says(&job.reading.on_unreadable)),
        ("after", says(&job.after)),
        ("full", says(&job.full)),
        ("differential", says(&job.differential)),
        ("incremental", says(&job.incremental)),
        ("rpo", says(&job.rpo)),
        ("compression", says(&job.compression)),
        ("shrink_guard", says(&job.shrink_guard)),
        ("before", says(&job.hooks.before)),
        ("after_success", says(&job.hooks.after_success)),
        ("after_failure", says(&job.hooks.after_failure)),
        ("retention", says(&job.retention)),
        ("checkpoints", says(&job.checkpoints)),
        ("verify", says(&job.proofs.verify)),
        ("verify.sample", says(&job.proofs.sample)),
        ("drill", says(&job.proofs.drill)),
        ("drill.commands", says(&job.drill)),
        ("jitter", says(&job.starts.delay)),
        ("window", says(&job.starts.window)),
        ("tiers", says(&job.tiers)),
        ("archive", says(&job.archive)),
        ("encryption", says(&job.sealing.encryption)),
        (
            "encryption.recipients_file",
            says(&job.sealing.recipients_file),
        ),
        ("identity", says(&job.sealing.identity)),
        ("index", says(&job.sealing.index)),
    ])
}

fn plugin(plugin: &PluginSpec) -> Keys<'_> {
    keys([
        ("grants", says(&plugin.grants)),
        ("limits", says(&plugin.limits)),
        ("settings", says(&plugin.settings)),
        ("plugin", says(&plugin.plugin)),
        ("on_doubt", says(&plugin.on_doubt)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        name::{PluginName, SecretName},
        severity::Severity,
        simulation::tests::fixtures::{check as target, host},
        spec::{AlertRoute, OnUnreadable, SecretSource},
        tier_order::tests::job,
    };
    use semver::VersionReq;
    use std::{num::NonZeroU32, time::Duration};

    fn spec(targets: Vec<TargetSpec>) -> Spec {
        (*host(targets)).clone()
    }

    fn check(before: &Spec, next: &Spec, expected: &str) {
        assert_eq!(before.difference(next).sentence(), expected);
    }

    #[test]
    fn tables_and_keys_are_told_by_their_names() {
        let before = spec(vec![target("web"), target("old")]);
        check(&before, &before, "");
        // What is of the text alone is no difference.
        let mut next = before.clone();
        next.digest = "ab".to_owned();
        check(&before, &next, "");

        let mut web = target("web");
        web.rto = Duration::from_secs(7);
        let looks = format!("target.web.check.{}", web.checks[0].name);
        web.checks.clear();
        let mut next = spec(vec![web, target("db")]);
        let alert = AlertRoute {
            min_severity: Severity::Low,
            events: Vec::new(),
            target: None,
            alerter: PluginName::parse("page").unwrap(),
            version: VersionReq::STAR,
            grouping: None,
        };
        next.alerts = vec![alert];
        next.policy.host.per_hour = NonZeroU32::new(3);
        check(
            &before,
            &next,
            &format!(
                "added alert, target.db; changed budget, target.web.rto; removed target.old, {looks}"
            ),
        );
        check(
            &next,
            &before,
            &format!(
                "added target.old, {looks}; changed budget, target.web.rto; removed alert, target.db"
            ),
        );
        let empty = spec(Vec::new());
        check(&before, &empty, "removed target.old, target.web");
    }

    #[test]
    fn of_keys_that_are_read_together_only_those_are_told_that_differ() {
        let with = |job| Spec {
            jobs: vec![job],
            ..spec(Vec::new())
        };
        let mut other = job(&[]);
        other.reading.on_unreadable = OnUnreadable::Fail;
        other.sealing.index = !other.sealing.index;
        let names = "changed job.state.index, job.state.on_unreadable";
        check(&with(job(&[])), &with(other), names);
    }

    #[test]
    fn what_a_key_says_is_never_told() {
        let secret = |variable: &str| SecretSource::Env(variable.to_owned());
        let mut before = spec(Vec::new());
        let name = SecretName::parse("token").unwrap();
        before.secrets.insert(name.clone(), secret("PLAIN_ONE"));
        let plugin = PluginName::parse("slack").unwrap();
        let with = |token: &str| PluginSpec {
            settings: serde_json::json!({ "token": token }),
            ..PluginSpec::default()
        };
        before.plugins.insert(plugin.clone(), with("plain-one"));
        let mut next = before.clone();
        next.secrets.insert(name, secret("PLAIN_OTHER"));
        next.plugins.insert(plugin, with("plain-other"));
        check(
            &before,
            &next,
            "changed plugin.slack.settings, secrets.token",
        );
    }
}
