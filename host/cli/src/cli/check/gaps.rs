//! What a config leaves open: what nobody looks at, what nobody is told of, and what a handler cannot act on.
//!
//! Warnings: each may be meant.

use super::Served;
use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use mainstay_domain::{
    name::{FailureType, PluginName, TargetName},
    route::RouteTable,
    severity::Severity,
    spec::{AlertRoute, RestartPolicy, RouteSpec, Spec, TargetSpec, plugin_behind},
};
use std::collections::BTreeMap;

/// A warning for each.
pub(super) fn problems(loaded: &Loaded, served: &Served) -> Vec<Problem> {
    let spec = &loaded.spec;
    let table = RouteTable::new(&spec.routes);
    let mut problems = Vec::new();
    for is_supervised in [true, false] {
        let unseen: Vec<&TargetSpec> = spec
            .targets
            .iter()
            .filter(|target| target.checks.is_empty() && !is_job(target))
            .filter(|target| target.process.is_some() == is_supervised)
            .collect();
        if let Some(first) = unseen.first() {
            let (kind, name) = (EntityKind::Target, first.name.as_str());
            problems.push(loaded.problem_about(kind, name, unseen_problem(&unseen)));
        }
    }
    for target in &spec.targets {
        let name = &target.name;
        let mut tell = |problem| {
            problems.push(loaded.problem_about(EntityKind::Target, name.as_str(), problem))
        };
        let can_be_started = can_be_started(target);
        for (failure, severity) in raised(target) {
            if !spec.alerts.is_empty() && !is_told(&spec.alerts, name, severity) {
                tell(Problem::warning(
                    format!(
                        "no alert route lets `{failure}` of target `{name}` through, for it is {severity}: nobody is told of it"
                    ),
                    format!(
                        "set `min_severity` of an [[alert]] to \"{severity}\", or give the failure a higher `severity`"
                    ),
                ));
            }
            if can_be_started {
                continue;
            }
            let route = table.place(name, failure, severity);
            let route = route.and_then(|place| spec.routes.get(place));
            let route = route.filter(|route| route.target.is_none() && route.failure.is_none());
            // It calls nothing of itself: people are told, and decide.
            let route = route.filter(|route| !route.strategy.awaits_approval());
            if let Some(handler) = route.and_then(|route| acting(route, spec, served)) {
                tell(Problem::warning(
                    format!(
                        "`{failure}` of target `{name}` gets the route for everything, whose handler `{handler}` acts on \
                         targets, and `{name}` has neither `run` nor `commands`: nothing can be started or stopped"
                    ),
                    format!(
                        "add a [[route]] with failure = \"{failure}\" and a handler for it, and strategy = {{ kind = \"manual\" }} where \
                         people are to be told and no more; or give the target `commands`"
                    ),
                ));
            }
        }
    }
    problems
}

/// That nobody is told of anything: there is something to be told of, and no `[[alert]]`.
pub(super) fn untold(loaded: &Loaded) -> Option<Problem> {
    let spec = &loaded.spec;
    let has_something = spec.targets.iter().next().is_some() || !spec.jobs.is_empty();
    (has_something && spec.alerts.is_empty()).then(|| {
        Problem::warning(
            "there is no [[alert]]: nobody is told when something fails",
            "add an [[alert]] with the alerter that tells you; `mainstay plugin install webhook` has one, and `mainstay alert test` \
             shows that it arrives",
        )
    })
}

/// Whether it runs once: its exit says all.
fn is_job(target: &TargetSpec) -> bool {
    let process = target.process.as_ref();
    process.is_some_and(|process| process.restart == RestartPolicy::Never)
}

/// One warning for all targets that nobody looks at, all of them supervised or none.
fn unseen_problem(targets: &[&TargetSpec]) -> Problem {
    let is_supervised = targets.iter().any(|target| target.process.is_some());
    let message = match targets {
        [one] => {
            let seen = match is_supervised {
                true => "only its exit is seen, and not whether it works",
                false => "nothing of it is seen",
            };
            format!("target `{}` has no check: {seen}", one.name)
        }
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|target| format!("`{}`", target.name))
                .collect();
            let seen = match is_supervised {
                true => "only their exits are seen, and not whether they work",
                false => "nothing of them is seen",
            };
            format!(
                "{} targets have no check: {seen}: {}",
                several.len(),
                names.join(", ")
            )
        }
    };
    Problem::warning(
        message,
        "add a [[target.check]] below each: http, tcp and unix ask a service, exec runs a program",
    )
}

/// What can be raised of a target, and how bad it is at worst.
pub(super) fn raised(target: &TargetSpec) -> BTreeMap<&FailureType, Severity> {
    let exit = target.process.as_ref();
    let exit = exit.map(|process| (&process.exit_failure, process.exit_severity));
    let checks = target.checks.iter();
    let checks = checks.map(|check| (&check.failure, check.severity));
    let mut worst = BTreeMap::new();
    for (failure, severity) in checks.chain(exit) {
        let known = worst.entry(failure).or_insert(severity);
        *known = severity.max(*known);
    }
    worst
}

fn is_told(alerts: &[AlertRoute], target: &TargetName, severity: Severity) -> bool {
    let of_failures = ["incident.", "operation."];
    alerts.iter().any(|alert| {
        let mut events = alert.events.iter().map(|kind| kind.as_str());
        alert.min_severity <= severity
            && alert.target.as_ref().is_none_or(|only| only == target)
            && (alert.events.is_empty()
                || events.any(|kind| of_failures.iter().any(|noun| kind.starts_with(noun))))
    })
}

fn can_be_started(target: &TargetSpec) -> bool {
    let commands = &target.commands;
    target.process.is_some()
        || commands.start.is_some()
        || commands.stop.is_some()
        || commands.restart.is_some()
}

/// The first handler of the route that asks for targets.
fn acting<'a>(route: &'a RouteSpec, spec: &Spec, served: &Served) -> Option<&'a PluginName> {
    let mut handlers = route.chain.iter().map(|step| &step.handler);
    handlers.find(|handler| {
        let versions = served.get(plugin_behind(&spec.plugins, handler));
        let versions = versions.into_iter().flatten();
        let mut asked = versions.flat_map(|version| &version.capabilities);
        asked.any(|capability| capability.name.split(':').next() == Some("target"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Serving, testing::loaded};
    use super::*;
    use mainstay_domain::plugin::{Capability, PluginIdentity, PluginKind};

    /// What is said of this config, where `restarts` asks for targets and `cleans` does not.
    fn said(rest: &str) -> Vec<String> {
        let (_directory, loaded) = loaded(rest);
        let serving = |name: &str, asked: &str| {
            let name = PluginName::parse(name).unwrap();
            let serving = Serving {
                kind: PluginKind::RecoveryHandler,
                identity: PluginIdentity {
                    name: name.clone(),
                    version: "1.0.0".parse().unwrap(),
                    digest: String::new(),
                },
                capabilities: vec![Capability {
                    name: asked.to_owned(),
                    why: String::new(),
                }],
                handles: Vec::new(),
            };
            (name, vec![serving])
        };
        let served = Served::from([serving("restarts", "target"), serving("cleans", "dir")]);
        let found = problems(&loaded, &served);
        assert!(found.iter().all(|problem| !problem.is_error()));
        found.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn a_config_that_tells_nobody_of_anything_is_warned_of() {
        let job = "[[target]]\nname = \"job\"\nrun = [\"true\"]\n";
        let alert = "[[alert]]\nalerter = \"page\"\n";
        for (rest, is_untold) in [
            (String::new(), false),
            (job.to_owned(), true),
            (format!("{job}{alert}"), false),
        ] {
            let (_directory, loaded) = loaded(&rest);
            let found = untold(&loaded);
            assert_eq!(found.is_some(), is_untold, "{rest}");
            assert!(found.is_none_or(|problem| !problem.is_error()));
        }
    }

    #[test]
    fn what_a_config_leaves_open_is_said() {
        let job = "[[target]]\nname = \"job\"\nrun = [\"true\"]\n";
        let checked = "[[target.check]]\nkind = \"process\"\nfailure = \"service-down\"\n";
        let disk = "[[target]]\nname = \"disk\"\n[[target.check]]\nkind = \"disk\"\npath = \"/\"\nfailure = \"full\"\n";
        let commands = "[target.commands]\nrestart = [\"true\"]\n";
        let foreign = "[[target]]\nname = \"away\"\ncommands.start = [\"true\"]\n";
        let alert =
            |least: &str| format!("[[alert]]\nmin_severity = \"{least}\"\nalerter = \"page\"\n");
        let route = |filter: &str, handler: &str| {
            format!("[[route]]\n{filter}chain = [{{ handler = \"{handler}\" }}]\n")
        };
        for (config, expected) in [
            (format!("{job}{checked}"), None),
            (
                job.to_owned(),
                Some("target `job` has no check: only its exit"),
            ),
            (format!("{job}restart = \"never\"\n"), None),
            (
                foreign.to_owned(),
                Some("target `away` has no check: nothing of it"),
            ),
            (
                format!("{job}[[target]]\nname = \"other\"\nrun = [\"true\"]\n"),
                Some(
                    "2 targets have no check: only their exits are seen, and not whether they work: `job`, `other`",
                ),
            ),
            (
                format!(
                    "{disk}[[route]]\nstrategy = {{ kind = \"manual\" }}\nchain = [{{ handler = \"restarts\" }}]\n"
                ),
                None,
            ),
            // service-down is high.
            (format!("{job}{checked}{}", alert("high")), None),
            (
                format!("{job}{checked}{}", alert("critical")),
                Some("no alert route lets `service-down` of target `job` through, for it is high"),
            ),
            (
                format!(
                    "{job}{checked}{}events = [\"backup.failed\"]\n",
                    alert("low")
                ),
                Some("no alert route lets `service-down`"),
            ),
            (
                format!(
                    "{job}{checked}{}events = [\"incident.opened\"]\n",
                    alert("low")
                ),
                None,
            ),
            (format!("{disk}{}", alert("medium")), None),
            (format!("{disk}{}", route("", "cleans")), None),
            (
                format!("{disk}{}", route("", "restarts")),
                Some(
                    "`full` of target `disk` gets the route for everything, whose handler `restarts`",
                ),
            ),
            (
                format!("{disk}{}", route("failure = \"full\"\n", "restarts")),
                None,
            ),
            (format!("{disk}{commands}{}", route("", "restarts")), None),
            (format!("{job}{checked}{}", route("", "restarts")), None),
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
