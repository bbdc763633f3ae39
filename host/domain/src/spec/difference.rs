//! What one config says otherwise than another, by the names of its tables and keys.
//!
//! Invariant: names alone, and never what a key says: a secret may have been written where none belongs.
//! Invariant: what has no name of its own, as a route, is told by its table.

mod said;
mod tables;
mod targets;

use super::Spec;
use crate::config_difference::ConfigDifference;
use said::Keys;
use tables::tables;

impl Spec {
    /// What `next` says otherwise than this.
    pub fn difference(&self, next: &Spec) -> ConfigDifference {
        let mut before = tables(self);
        let mut difference = ConfigDifference::default();
        for (table, now) in tables(next) {
            match before.remove(&table) {
                None => difference.added.push(table),
                Some(was) => compare(&mut difference, &table, &was, &now),
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
fn compare(noted: &mut ConfigDifference, table: &str, before: &Keys<'_>, now: &Keys<'_>) {
    let name = |key: &str| match key {
        "" => table.to_owned(),
        key => format!("{table}.{key}"),
    };
    for (key, says) in now {
        match before.get(key) {
            None if says.is_told_beside(before) => noted.added.push(name(key)),
            Some(said) if !said.is(says) => noted.changed.push(name(key)),
            None | Some(_) => {}
        }
    }
    for (key, said) in before {
        if !now.contains_key(key) && said.is_told_beside(now) {
            noted.removed.push(name(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        name::{PluginName, SecretName},
        severity::Severity,
        simulation::tests::fixtures::{check as target, host, supervised},
        spec::{AlertRoute, PluginSpec, SecretSource, TargetSpec, with_instances},
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
    fn a_target_that_is_run_from_now_on_has_its_program_added_and_no_default_of_it() {
        let runs = supervised("web");
        let mut watched = runs.clone();
        watched.process = None;
        let (before, next) = (spec(vec![watched]), spec(vec![runs]));
        check(&before, &next, "added target.web.run");
        check(&next, &before, "removed target.web.run");
        let mut renewed = next.targets[0].clone();
        renewed.process.as_mut().unwrap().grace = Duration::from_secs(7);
        check(&next, &spec(vec![renewed]), "changed target.web.grace");
    }

    #[test]
    fn an_instance_is_told_and_not_the_plugin_that_the_config_says_nothing_of() {
        let before = spec(Vec::new());
        let mut next = before.clone();
        let ops = PluginSpec {
            plugin: Some(PluginName::parse("slack").unwrap()),
            ..PluginSpec::default()
        };
        let name = PluginName::parse("slack-ops").unwrap();
        next.plugins = with_instances([(name, ops)].into());
        check(&before, &next, "added plugin.slack-ops");
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
