//! Failures that several plugins say they are meant for, where the config does not say which of them is called.
//!
//! Warnings: another plugin may be meant. Where a route calls one of them, the config has decided, and nothing is said.

use super::{Served, gaps::raised};
use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use mainstay_domain::{
    name::PluginName,
    plugin::{PluginKind, contested},
    route::RouteTable,
    spec::plugin_behind,
    text::list,
};
use std::collections::BTreeSet;

/// A warning for each failure, at the first target that it can be raised of.
pub(super) fn problems(loaded: &Loaded, served: &Served) -> Vec<Problem> {
    let spec = &loaded.spec;
    let versions = served.iter().flat_map(|(name, versions)| {
        let versions = versions.iter();
        versions.map(move |version| (name, version))
    });
    let handlers =
        versions.filter(|(_, version)| version.kind.serves_as() == PluginKind::RecoveryHandler);
    let handled = handlers.flat_map(|(name, version)| {
        let failures = version.handles.iter();
        failures.map(move |failure| (failure, name))
    });
    let contested = contested(handled);
    let table = RouteTable::new(&spec.routes);
    let mut told = BTreeSet::new();
    let mut problems = Vec::new();
    for target in &spec.targets {
        for (failure, severity) in raised(target) {
            let Some(rivals) = contested.get(failure) else {
                continue;
            };
            // Where no route fits, that is what is said.
            let route = table.place(&target.name, failure, severity);
            let Some(route) = route.and_then(|place| spec.routes.get(place)) else {
                continue;
            };
            let steps = route.chain.iter();
            let mut called = steps.map(|step| plugin_behind(&spec.plugins, &step.handler));
            if called.any(|plugin| rivals.contains(plugin)) || !told.insert(failure) {
                continue;
            }
            let message = format!(
                "{} plugins are meant for `{failure}`: {}; the route that `{failure}` of target `{}` gets calls none of them",
                rivals.len(),
                quoted(rivals.iter().copied()),
                target.name
            );
            let help = format!(
                "add a [[route]] with failure = \"{failure}\" and a chain of those that are to be called, in their order; or \
                 remove the others from the plugin directory"
            );
            let problem = Problem::warning(message, help);
            let (kind, name) = (EntityKind::Target, target.name.as_str());
            problems.push(loaded.problem_about(kind, name, problem));
        }
    }
    problems
}

fn quoted<'a>(names: impl Iterator<Item = &'a PluginName>) -> String {
    list(names.map(|name| format!("`{name}`")), "none")
}

#[cfg(test)]
mod tests {
    use super::super::{Serving, testing::loaded};
    use super::*;
    use mainstay_domain::{name::FailureType, plugin::PluginIdentity};

    /// What is said of this config, where `warms` and `refills` are meant for `redis-down`, and `restarts` and a detector
    /// too are meant for `service-down`.
    fn said(rest: &str) -> Vec<String> {
        let (_directory, loaded) = loaded(rest);
        let serving = |kind: PluginKind, name: &str, handles: &[&str]| {
            let name = PluginName::parse(name).unwrap();
            let version = |version: &str| Serving {
                kind,
                identity: PluginIdentity {
                    name: name.clone(),
                    version: version.parse().unwrap(),
                    digest: String::new(),
                },
                capabilities: Vec::new(),
                handles: handles
                    .iter()
                    .map(|failure| FailureType::parse(failure).unwrap())
                    .collect(),
            };
            (name.clone(), vec![version("1.0.0"), version("1.1.0")])
        };
        let handler = PluginKind::RecoveryHandler;
        let served = Served::from([
            serving(handler, "warms", &["redis-down"]),
            serving(
                PluginKind::DurableRecoveryHandler,
                "refills",
                &["redis-down"],
            ),
            serving(handler, "restarts", &["service-down"]),
            serving(PluginKind::Detector, "looks", &["service-down"]),
        ]);
        let found = problems(&loaded, &served);
        assert!(found.iter().all(|problem| !problem.is_error()));
        found.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn two_plugins_for_a_failure_are_warned_of_until_a_route_says_which() {
        let failing = |failure: &str| {
            format!(
                "[[target]]\nname = \"cache\"\n[[target.check]]\nkind = \"tcp\"\naddress = \"127.0.0.1:1\"\n\
                 failure = \"{failure}\"\n"
            )
        };
        let route = |filter: &str, handler: &str| {
            format!("[[route]]\n{filter}chain = [{{ handler = \"{handler}\" }}]\n")
        };
        let redis = failing("redis-down");
        let other = redis.replace("cache", "other");
        let everything = route("", "restarts");
        let instance = "[plugin.mine]\nplugin = \"warms\"\n";
        let warned = "2 plugins are meant for `redis-down`: `refills`, `warms`; the route that `redis-down` of target `cache`";
        for (config, expected) in [
            (format!("{redis}{everything}"), Some(warned)),
            (format!("{redis}{other}{everything}"), Some(warned)),
            (format!("{redis}{}", route("", "warms")), None),
            (format!("{redis}{instance}{}", route("", "mine")), None),
            (
                format!(
                    "{redis}{everything}{}",
                    route("failure = \"redis-down\"\n", "refills")
                ),
                None,
            ),
            (redis.clone(), None),
            (
                format!("{}{}", failing("service-down"), route("", "warms")),
                None,
            ),
            (format!("{}{everything}", failing("odd")), None),
        ] {
            let found = said(&config);
            match expected {
                None => assert!(found.is_empty(), "{config}: {found:?}"),
                Some(says) => {
                    assert_eq!(found.len(), 1, "{config}: {found:?}");
                    assert!(found[0].starts_with(says), "{config}: {found:?}");
                }
            }
        }
    }
}
