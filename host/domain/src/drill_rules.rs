//! Whether a target may be broken for a drill.
//!
//! Invariant: what recovery would not take up by itself is not broken.

use crate::{
    drill::DrillMethod,
    failure,
    name::FailureType,
    policy::{Phase, Why},
    route::RouteTable,
    severity::Severity,
    spec::{RouteSpec, Spec, StepSpec, TargetSpec},
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
    /// A person set that each recovery of it is approved.
    pub asks: bool,
    /// The phase of the host.
    pub phase: Phase,
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
    can_be_broken(spec, target, method)?;
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
    let is_left = route.strategy.awaits_approval() || route.simulate;
    if is_left || target.leaves_to_people(failure) {
        return Err(format!(
            "only a person recovers {name} from {failure}, by its config, so there is no recovery to be timed"
        ));
    }
    if state.asks {
        return Err(format!(
            "a person has to approve each recovery of {name}, so there is none to be timed; `mainstay policy show {name}` \
             says what was set"
        ));
    }
    if let Some(why) = held_back(spec, target, route, severity, state.phase) {
        return Err(format!(
            "{why}, so nothing would recover {name} from {failure} by itself"
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
    if target.process.is_some() && !state.runs {
        return Err(format!(
            "{name} does not run, so there is nothing to {method}; `mainstay start {name}` starts it"
        ));
    }
    Ok(())
}

/// What of the gate keeps automatic recovery from it, for people.
fn held_back(
    spec: &Spec,
    target: &TargetSpec,
    route: &RouteSpec,
    severity: Severity,
    phase: Phase,
) -> Option<String> {
    let charter = spec.policy.charter.as_ref();
    if charter.is_some_and(|charter| charter.targets.contains(&target.name)) {
        return Some("the charter forbids it".to_owned());
    }
    let rule = spec.policy.phase(phase);
    let least = rule.least;
    if least.is_none_or(|least| severity < least) {
        return Some(Why::Phase { phase, least }.to_string());
    }
    let is_forbidden = |step: &StepSpec| {
        !rule.lets(&step.handler)
            || charter.is_some_and(|charter| charter.handlers.contains(&step.handler))
    };
    // What always runs recovers nothing by itself.
    let mut recovers = route.chain.iter().filter(|step| !step.always).peekable();
    let may_none = recovers.peek().is_some() && recovers.all(is_forbidden);
    may_none.then(|| {
        format!("no handler of its chain may be called in the phase {phase}, or under the charter")
    })
}

/// Whether its config has what the method needs.
fn can_be_broken(spec: &Spec, target: &TargetSpec, method: DrillMethod) -> Result<(), String> {
    let name = &target.name;
    let is_by_command = !matches!(method, DrillMethod::Kill | DrillMethod::Stop);
    if !is_by_command {
        return match target.process {
            Some(_) => Ok(()),
            None => Err(format!(
                "{name} is not supervised by this host, so there is no process to {method}; name commands that break it with \
                 drill.command = {{ run = \"NAME\", undo = \"NAME\" }}, and drill with --method command"
            )),
        };
    }
    let Some(commands) = target.drill.commands(method) else {
        return Err(format!(
            "the config of {name} does not say how to {method} it: write drill.{method} = {{ run = \"NAME\", undo = \"NAME\" }}, \
             with the names of [command.NAME] tables"
        ));
    };
    for command in [&commands.run, &commands.undo] {
        let own = spec.commands.get(command);
        if own.is_none_or(|own| !own.placeholders.is_empty()) {
            return Err(format!(
                "the command `{command}` has placeholders, which nobody fills in a drill; name one without"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        name::PluginName,
        simulation::tests::fixtures::{host, supervised},
        spec::{PhaseSpec, Strategy},
    };

    const WELL: DrillState = DrillState {
        is_paused: false,
        is_failing: false,
        runs: true,
        is_drilled: false,
        asks: false,
        phase: Phase::Normal,
    };

    fn usual() -> Spec {
        (*host(vec![supervised("web")])).clone()
    }

    fn check(
        spec: &Spec,
        of: &str,
        method: DrillMethod,
        state: DrillState,
        expected: Result<(), &str>,
    ) {
        let failure = FailureType::parse(of).unwrap();
        let found = may_drill(spec, &spec.targets[0], &failure, method, state);
        match (found, expected) {
            (Ok(()), Ok(())) => {}
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
            (found, expected) => panic!("{found:?}, and not {expected:?}"),
        }
    }

    #[test]
    fn what_is_healthy_and_would_be_recovered_may_be_broken_and_nothing_else() {
        let kill = DrillMethod::Kill;
        check(&usual(), "down", kill, WELL, Ok(()));
        let unseen = "nothing sees slow of web, so nobody would notice the break; seen are down";
        check(&usual(), "slow", kill, WELL, Err(unseen));
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
            (DrillState { asks: true, ..WELL }, "has to approve each"),
            (
                DrillState {
                    phase: Phase::Safe,
                    ..WELL
                },
                "in the phase safe nothing is recovered automatically",
            ),
        ] {
            check(&usual(), "down", kill, state, Err(why));
        }
        let mut unrouted = usual();
        unrouted.routes.clear();
        check(&unrouted, "down", kill, WELL, Err("no route fits down"));
        let mut manual = usual();
        manual.routes[0].strategy = Strategy::Manual { max_attempts: 1 };
        let mut planned = usual();
        planned.routes[0].simulate = true;
        for left in [&manual, &planned] {
            check(left, "down", kill, WELL, Err("only a person recovers web"));
        }
        let mut none = usual();
        let rule = PhaseSpec {
            allowed: Some(BTreeSet::new()),
            ..PhaseSpec::of(Phase::Normal)
        };
        none.policy.phases.insert(Phase::Normal, rule);
        let why = "no handler of its chain may be called";
        check(&none, "down", kill, WELL, Err(why));
    }

    #[test]
    fn a_chain_of_which_only_what_always_runs_may_be_called_recovers_nothing() {
        let mut spec = usual();
        let mut always = spec.routes[0].chain[0].clone();
        always.always = true;
        always.handler = PluginName::parse("alert").unwrap();
        let only = spec.routes[0].chain[0].handler.clone();
        spec.routes[0].chain.push(always);
        let rule = PhaseSpec {
            forbidden: [only].into(),
            ..PhaseSpec::of(Phase::Normal)
        };
        spec.policy.phases.insert(Phase::Normal, rule);
        let why = "no handler of its chain may be called in the phase normal";
        check(&spec, "down", DrillMethod::Kill, WELL, Err(why));
    }

    #[test]
    fn a_method_needs_a_process_or_the_commands_of_the_config() {
        let without = "does not say how to block it";
        check(&usual(), "down", DrillMethod::Block, WELL, Err(without));
        let foreign = (*host(vec![crate::simulation::tests::fixtures::check("web")])).clone();
        let unsupervised = "is not supervised by this host";
        check(
            &foreign,
            "tcp-down",
            DrillMethod::Kill,
            WELL,
            Err(unsupervised),
        );
    }
}
