//! Whether a target may be broken for a drill.
//!
//! Invariant: what recovery would not take up by itself is not broken.

use crate::{
    drill::DrillMethod,
    failure,
    name::FailureType,
    route::RouteTable,
    severity::Severity,
    spec::{Spec, TargetSpec},
    text::list,
};
use std::collections::BTreeSet;

/// How the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrillState {
    /// Automatic recovery of it, or of the host, is paused.
    pub is_paused: bool,
    /// It has an open incident, or an operation.
    pub is_failing: bool,
    /// Its supervised process runs.
    pub runs: bool,
    /// A drill of it is under way.
    pub is_drilled: bool,
}

/// Whether it may be broken, by its config and as it is.
///
/// # Errors
/// Why not, and what to do, for people.
pub fn may_drill(
    spec: &Spec,
    target: &TargetSpec,
    failure: &FailureType,
    method: DrillMethod,
    state: DrillState,
) -> Result<(), String> {
    let name = &target.name;
    if target.process.is_none() {
        return Err(format!(
            "{name} is not supervised by this host, so there is no process to {method}; a drill needs a target with `run`"
        ));
    }
    let checks = target
        .checks
        .iter()
        .map(|check| (&check.failure, check.severity));
    let exit = target.process.iter();
    let exit = exit.map(|process| (&process.exit_failure, process.exit_severity));
    let seen: Vec<(&FailureType, Severity)> = checks.chain(exit).collect();
    let Some((_, severity)) = seen.iter().find(|(known, _)| *known == failure) else {
        let known: BTreeSet<&FailureType> = seen.iter().map(|(known, _)| *known).collect();
        return Err(format!(
            "nothing sees {failure} of {name}, so nobody would notice the break; seen are {}",
            list(known, "none")
        ));
    };
    let severity = (*severity).max(failure::default_severity(failure));
    let place = RouteTable::new(&spec.routes).place(name, failure, severity);
    let route = place.and_then(|place| spec.routes.get(place));
    let Some(route) = route else {
        return Err(format!(
            "no route fits {failure} of {name}, so nothing would recover it; add a [[route]] with failure = \"{failure}\""
        ));
    };
    if route.strategy.awaits_approval() || target.leaves_to_people(failure) {
        return Err(format!(
            "only a person recovers {name} from {failure}, by its config, so there is no recovery to be timed"
        ));
    }
    if state.is_drilled {
        return Err(format!(
            "a drill of {name} is under way; `mainstay events --follow` says when it is over"
        ));
    }
    if state.is_paused {
        return Err(format!(
            "recovery of {name} is paused, so nothing would recover it; `mainstay resume {name}`, or `mainstay resume`, ends that"
        ));
    }
    if state.is_failing {
        return Err(format!(
            "{name} is failing already; `mainstay status {name}` says why, and a drill is for what is healthy"
        ));
    }
    if !state.runs {
        return Err(format!(
            "{name} does not run, so there is nothing to {method}; `mainstay start {name}` starts it"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        effect::Signal,
        name::{PluginName, TargetName},
        spec::{
            BreakerSpec, ForeignCommands, HostSpec, OnShutdown, ProcessSpec, RestartPolicy,
            RouteSpec, SocketSpec, StepSpec, Strategy,
        },
    };
    use std::{collections::BTreeMap, path::PathBuf, time::Duration};

    const WELL: DrillState = DrillState {
        is_paused: false,
        is_failing: false,
        runs: true,
        is_drilled: false,
    };

    fn failure(text: &str) -> FailureType {
        FailureType::parse(text).unwrap()
    }

    fn target() -> TargetSpec {
        TargetSpec {
            name: TargetName::parse("web").unwrap(),
            priority: 5,
            depends_on: Vec::new(),
            rto: Duration::from_secs(300),
            process: Some(ProcessSpec {
                run: vec!["/bin/web".to_owned()],
                cwd: "/".into(),
                env: Default::default(),
                user: None,
                umask: None,
                nice: None,
                nofile: None,
                memory_max: None,
                cpu_max: None,
                env_file: None,
                before_start: None,
                stop_signal: Signal::Term,
                reload: None,
                grace: Duration::from_secs(10),
                on_shutdown: OnShutdown::Stop,
                pid_file: None,
                restart: RestartPolicy::Always,
                expected_exit: vec![0],
                exit_failure: failure("down"),
                exit_severity: Severity::High,
                log_max_bytes: 1 << 20,
                log_keep: 1,
            }),
            commands: ForeignCommands::default(),
            checks: Vec::new(),
            breaker: BreakerSpec {
                open_for: Duration::from_secs(30),
            },
            validation_timeout: Duration::from_secs(5),
            start_period: Duration::ZERO,
        }
    }

    fn spec(target: TargetSpec, strategy: Option<Strategy>) -> Spec {
        let route = |strategy| RouteSpec {
            failure: None,
            target: None,
            severity: None,
            strategy,
            cooldown: Duration::ZERO,
            relapse_window: Duration::from_secs(60),
            chain: vec![StepSpec {
                handler: PluginName::parse("fix").unwrap(),
                version: semver::VersionReq::STAR,
                always: false,
                params: serde_json::json!({}),
                timeout: Duration::from_secs(60),
            }],
        };
        Spec {
            host: HostSpec {
                name: "host".to_owned(),
                state_dir: PathBuf::from("/state"),
                plugin_dir: PathBuf::from("/plugins"),
                shutdown_deadline: Duration::from_secs(30),
                keep_history: Duration::from_secs(3600),
                api: None,
                socket: SocketSpec::default(),
            },
            targets: vec![target].into(),
            commands: BTreeMap::new(),
            secrets: BTreeMap::new(),
            routes: strategy.map(route).into_iter().collect(),
            plugins: BTreeMap::new(),
            alerts: Vec::new(),
            jobs: Vec::new(),
            maintenance: Vec::new(),
            digest: String::new(),
        }
    }

    const AT_ONCE: Strategy = Strategy::Immediate { max_attempts: 1 };

    fn check(spec: &Spec, of: &str, state: DrillState, expected: Result<(), &str>) {
        let found = may_drill(
            spec,
            &spec.targets[0],
            &failure(of),
            DrillMethod::Kill,
            state,
        );
        match (found, expected) {
            (Ok(()), Ok(())) => {}
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
            (found, expected) => panic!("{found:?}, and not {expected:?}"),
        }
    }

    #[test]
    fn what_is_healthy_and_would_be_recovered_may_be_broken_and_nothing_else() {
        let usual = spec(target(), Some(AT_ONCE));
        check(&usual, "down", WELL, Ok(()));
        check(
            &usual,
            "slow",
            WELL,
            Err("nothing sees slow of web, so nobody would notice the break; seen are down"),
        );
        for (state, why) in [
            (
                DrillState {
                    is_paused: true,
                    ..WELL
                },
                "is paused",
            ),
            (
                DrillState {
                    is_failing: true,
                    ..WELL
                },
                "is failing already",
            ),
            (
                DrillState {
                    runs: false,
                    ..WELL
                },
                "does not run",
            ),
            (
                DrillState {
                    is_drilled: true,
                    ..WELL
                },
                "is under way",
            ),
        ] {
            check(&usual, "down", state, Err(why));
        }
        check(
            &spec(target(), None),
            "down",
            WELL,
            Err("no route fits down"),
        );
        let manual = Strategy::Manual { max_attempts: 1 };
        check(
            &spec(target(), Some(manual)),
            "down",
            WELL,
            Err("only a person recovers web"),
        );
        let foreign = TargetSpec {
            process: None,
            ..target()
        };
        check(
            &spec(foreign, Some(AT_ONCE)),
            "down",
            WELL,
            Err("is not supervised by this host"),
        );
    }
}
