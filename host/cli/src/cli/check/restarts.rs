//! Foreign services that a handler may restart, and that have no command for it: each of its restarts fails.
//!
//! Warnings: another step of the chain may help.

use super::gaps::raised;
use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use mainstay_domain::{
    name::{FailureType, PluginName},
    route::RouteTable,
    spec::{Spec, TargetSpec, TargetVerb},
};

/// A warning for each target, at the first of its failures whose route has such a handler.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let spec = &loaded.spec;
    let table = RouteTable::new(&spec.routes);
    let mut problems = Vec::new();
    for target in &spec.targets {
        let Some(lacked) = lacked(target) else {
            continue;
        };
        let Some((failure, handler)) = restarted(target, spec, &table) else {
            continue;
        };
        let name = &target.name;
        let problem = Problem::warning(
            format!(
                "`{failure}` of target `{name}` gets a route whose handler `{handler}` may restart it, and `{name}` has \
                 neither `commands.{lacked}` nor `commands.restart`: a restart fails"
            ),
            format!("add `commands.{lacked}` or `commands.restart` to the target"),
        );
        problems.push(loaded.problem_about(EntityKind::Target, name.as_str(), problem));
    }
    problems
}

/// The command that a restart would need too; none where it needs none, or where the target has no command at all: then
/// nobody means to restart it, or that is told already.
fn lacked(target: &TargetSpec) -> Option<&'static str> {
    let commands = &target.commands;
    if target.process.is_some() || commands.restart.is_some() {
        return None;
    }
    // What its pid file names is ended without a command.
    let is_stopped = commands.stop.is_some() || commands.pid_file.is_some();
    match (commands.start.is_some(), is_stopped) {
        (true, false) => Some("stop"),
        (false, true) => Some("start"),
        _ => None,
    }
}

/// The first failure for which a handler is called that may restart the target, and that handler.
fn restarted<'a>(
    target: &'a TargetSpec,
    spec: &'a Spec,
    table: &RouteTable,
) -> Option<(&'a FailureType, &'a PluginName)> {
    let may_restart = |handler: &&PluginName| {
        let plugin = spec.plugins.get(*handler);
        let mut granted = plugin.into_iter().flat_map(|plugin| &plugin.grants.target);
        granted.any(|grant| {
            let is_own = grant.target.as_ref().is_none_or(|of| *of == target.name);
            grant.verb == TargetVerb::Restart && is_own
        })
    };
    raised(target).into_iter().find_map(|(failure, severity)| {
        let place = table.place(&target.name, failure, severity)?;
        let route = spec.routes.get(place)?;
        let mut handlers = route.chain.iter().map(|step| &step.handler);
        let handler = handlers.find(may_restart)?;
        Some((failure, handler))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::loaded;
    use super::*;

    #[test]
    fn a_service_that_its_handler_cannot_restart_is_warned_of() {
        let check =
            "[[target.check]]\nkind = \"tcp\"\naddress = \"localhost:9\"\nfailure = \"gone\"\n";
        let start = "commands.start = [\"true\"]\n";
        let stop = "commands.stop = [\"true\"]\n";
        let restart = "commands.restart = [\"true\"]\n";
        let pid_file = "pid_file = \"/run/web.pid\"\n";
        for (keys, granted, lacked) in [
            (start.to_owned(), "restart", Some("stop")),
            (start.to_owned(), "restart:web", Some("stop")),
            (stop.to_owned(), "restart", Some("start")),
            (start.to_owned(), "start", None),
            (format!("{start}{stop}"), "restart", None),
            (format!("{start}{pid_file}"), "restart", None),
            (restart.to_owned(), "restart", None),
            ("run = [\"true\"]\n".to_owned(), "restart", None),
            (String::new(), "restart", None),
        ] {
            let text = format!(
                "[[target]]\nname = \"web\"\n{keys}{check}\
                 [[route]]\nchain = [{{ handler = \"looks\" }}, {{ handler = \"restarts\" }}]\n\
                 [plugin.restarts]\ngrants = {{ target = [\"{granted}\"] }}\n"
            );
            let (_directory, loaded) = loaded(&text);
            let found = problems(&loaded);
            assert!(found.iter().all(|problem| !problem.is_error()));
            let says = |lacked| {
                format!(
                    "`gone` of target `web` gets a route whose handler `restarts` may restart it, and `web` has neither \
                     `commands.{lacked}` nor `commands.restart`: a restart fails"
                )
            };
            let found: Vec<String> = found.into_iter().map(|problem| problem.message).collect();
            let expected: Vec<String> = lacked.map(says).into_iter().collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
