//! What a simulation decides, when, and that it is what the machine decides.

pub(crate) mod fixtures;
mod recorded;
mod rules;

use super::*;
use crate::{
    id::IdSource,
    incident::IncidentState,
    policy::{Multiplier, Phase},
    recovery::{Input, InputTime, Outcome, Recovery},
    spec::{PhaseSpec, Spec},
    time::millis,
};
use fixtures::{check, host, play, scenario, supervised, when};
use proptest::prelude::*;
use std::sync::Arc;

#[test]
fn a_failing_check_is_raised_recovered_and_over_when_the_config_and_the_rules_say() {
    let spec = host(vec![check("api")]);
    let report = play(
        &spec,
        r#"
        {"rule":"fix succeeds after 2s"}
        {"at":"10s","target":"api","check":"tcp","message":"refused"}"#,
    );
    // Every ten seconds, three times in a row.
    assert_eq!(when(&report, "check.failed"), [10_000, 30_000]);
    assert_eq!(when(&report, "incident.opened"), [30_000]);
    assert_eq!(when(&report, "handler.called"), [30_000]);
    assert_eq!(when(&report, "handler.answered"), [32_000]);
    let closed = when(&report, "incident.closed");
    assert!(matches!(closed[..], [32_000..=32_999]), "{closed:?}");
    let [one] = report.incidents.as_slice() else {
        panic!("{:?}", report.incidents)
    };
    assert_eq!(one.incident.state, IncidentState::Recovered);
    assert_eq!((one.operations.len(), &one.waits), (1, &None));
}

#[test]
fn as_many_failures_are_needed_as_the_multiplier_of_the_phase_says() {
    let mut spec = (*host(vec![check("api")])).clone();
    let rule = PhaseSpec {
        multiplier: Multiplier::new(2.0),
        ..PhaseSpec::of(Phase::Normal)
    };
    spec.policy.phases.insert(Phase::Normal, rule);
    let failing = r#"{"at":"10s","target":"api","check":"tcp"}"#;
    let report = play(&Arc::new(spec), failing);
    // Six times in a row in place of three.
    assert_eq!(when(&report, "incident.opened"), [60_000]);
}

#[test]
fn attempts_are_spaced_as_the_strategy_says_and_the_last_that_fails_is_escalated() {
    let spec = host(vec![check("api")]);
    let report = play(
        &spec,
        r#"
        {"until":"60s"}
        {"rule":"fix fails: the port is in use"}
        {"at":"10s","target":"api","check":"tcp"}"#,
    );
    let called = when(&report, "handler.called");
    // A second after the first, two after the second.
    assert_eq!(called[..3], [30_000, 31_000, 33_000]);
    assert_eq!(when(&report, "operation.escalated"), [33_000]);
    let told = report
        .lines
        .iter()
        .find(|line| line.kind == "handler.answered");
    assert_eq!(told.unwrap().message, "fix failed: the port is in use");
    assert!(report.incidents[0].incident.state.is_open());
    assert_eq!(report.lasted.as_secs(), 60);
}

#[test]
fn a_target_waits_for_what_it_depends_on() {
    let mut api = check("api");
    api.depends_on = vec![fixtures::name("db")];
    let spec = host(vec![api, check("db")]);
    let report = play(
        &spec,
        r#"
        {"rule":"any of db succeeds after 30s"}
        {"at":"5s","target":"db","check":"tcp"}
        {"at":"10s","target":"api","check":"tcp"}"#,
    );
    let called = report
        .lines
        .iter()
        .filter(|line| line.kind == "handler.called");
    let called: Vec<(&str, u64)> = called
        .map(|line| (line.target.as_ref().unwrap().as_str(), millis(line.at)))
        .collect();
    let [("db", 25_000), ("api", later)] = called[..] else {
        panic!("{called:?}")
    };
    assert!((55_000..56_000).contains(&later), "{called:?}");
}

#[test]
fn an_exit_is_known_at_once_and_a_process_that_runs_for_a_moment_is_recovered() {
    let spec = host(vec![supervised("web")]);
    let report = play(
        &spec,
        r#"
        {"rule":"fix succeeds after 200ms"}
        {"at":"1h","target":"web","exit":"exit code 1"}"#,
    );
    assert_eq!(when(&report, "handler.called"), [3_600_000]);
    let closed = when(&report, "incident.closed");
    // Its first second proves nothing.
    assert!(matches!(closed[..], [3_601_200..=3_602_500]), "{closed:?}");
}

#[test]
fn a_check_that_passes_again_by_itself_needs_no_handler() {
    let spec = host(vec![check("api")]);
    let report = play(
        &spec,
        r#"{"at":"10s","target":"api","check":"tcp","for":"15s"}"#,
    );
    assert_eq!(when(&report, "check.recovered"), [25_000]);
    assert_eq!(when(&report, "incident.opened"), [0_u64; 0]);
}

#[test]
fn a_reported_failure_is_recovered_and_a_pause_keeps_it_back() {
    let spec = host(vec![check("api")]);
    let report = play(
        &spec,
        r#"
        {"at":"5s","target":"api","command":"pause","for":"1m"}
        {"at":"10s","target":"api","failure":"tcp-down","severity":"critical"}"#,
    );
    assert_eq!(when(&report, "incident.opened"), [10_000]);
    assert_eq!(when(&report, "handler.called"), [65_000]);
    assert_eq!(report.incidents[0].incident.state, IncidentState::Recovered);
}

#[test]
fn a_phase_says_how_many_failures_are_enough_and_holds_back_what_it_does_not_recover() {
    let spec = host(vec![check("api")]);
    let day = |phase: &str| {
        let text = format!(
            "{{\"until\":\"10m\",\"phase\":\"{phase}\"}}\n\
             {{\"at\":\"10s\",\"target\":\"api\",\"check\":\"tcp\"}}"
        );
        let report = play(&spec, &text);
        let opened = when(&report, "incident.opened");
        (opened, !when(&report, "handler.called").is_empty())
    };
    // Three failures, times 1, 1.5 and 2; the severity is high.
    assert_eq!(day("normal"), (vec![30_000], true));
    assert_eq!(day("deployment"), (vec![50_000], true));
    assert_eq!(day("launch"), (vec![60_000], false));
    assert_eq!(day("safe"), (vec![30_000], false));
}

#[test]
fn a_change_of_the_phase_lets_begin_what_waited_and_one_that_has_no_way_is_refused() {
    let spec = host(vec![check("api")]);
    let report = play(
        &spec,
        r#"
        {"phase":"safe"}
        {"at":"10s","target":"api","check":"tcp"}
        {"at":"1m","phase":"payload"}
        {"at":"2m","phase":"normal"}"#,
    );
    assert_eq!(when(&report, "command.refused"), [60_000]);
    assert_eq!(when(&report, "phase.changed"), [120_000]);
    assert_eq!(when(&report, "handler.called"), [120_000]);
    assert_eq!(report.incidents[0].incident.state, IncidentState::Recovered);
    for more in [r#""target":"api""#, r#""for":"5m""#, r#""command":"pause""#] {
        let beside = fixtures::draft(&format!(r#"{{"at":"1s","phase":"safe",{more}}}"#));
        let problems = Scenario::new(beside, &spec).unwrap_err();
        let problem = &problems[0].problem;
        assert!(problem.contains("has nothing beside it"), "{problems:?}");
    }
}

#[test]
fn what_does_not_fit_the_config_is_told_step_by_step() {
    let spec = host(vec![check("api")]);
    let draft = fixtures::draft(
        r#"
        {"at":"10s","target":"ghost","check":"tcp"}
        {"at":"10s","target":"api","check":"http"}
        {"at":"10s","target":"api","exit":"exit code 1"}
        {"at":"10s","target":"api"}
        {"at":"10s","command":"approve"}"#,
    );
    let problems = Scenario::new(draft, &spec).unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for (told, expected) in told.iter().zip([
        "step 1, at 10s: there is no target `ghost` in the config; there are: api",
        "step 2, at 10s: api has no check `http`; it has: tcp",
        "step 3, at 10s: api has no process that is supervised (`run`)",
        "step 4, at 10s: it says more than one thing, or nothing",
        "step 5, at 10s: this command needs a `target`",
    ]) {
        assert!(told.starts_with(expected), "{told}");
    }
    assert_eq!(told.len(), 5);
}

/// Plays it, and gives what the machine was told and what it said.
fn inputs_of(spec: &Arc<Spec>, scenario: &Scenario) -> (SimulationReport, Vec<Heard3>) {
    let mut heard = Vec::new();
    let mut observer = |one: Heard<'_>| {
        if let Heard::Input { input, at, outcome } = one {
            heard.push((input.clone(), at, outcome.clone()));
        }
    };
    let report = simulate(spec, scenario, Some(&mut observer)).unwrap();
    (report, heard)
}

type Heard3 = (Input, InputTime, Outcome);

/// A line of a scenario on `api`, `db` and `web`.
fn any_line() -> impl Strategy<Value = String> {
    let at = 0_u32..20_000;
    let target = prop::sample::select(vec!["api", "db"]);
    prop_oneof![
        (at.clone(), target.clone(), 1_u32..900).prop_map(|(at, target, lasts)| format!(
            r#"{{"at":"{at}s","target":"{target}","check":"tcp","for":"{lasts}s"}}"#
        )),
        (at.clone(), target.clone()).prop_map(|(at, target)| format!(
            r#"{{"at":"{at}s","target":"{target}","check":"tcp"}}"#
        )),
        at.clone()
            .prop_map(|at| format!(r#"{{"at":"{at}s","target":"web","exit":"exit code 1"}}"#)),
        (at.clone(), target.clone(), 1_u32..900).prop_map(|(at, target, lasts)| format!(
            r#"{{"at":"{at}s","target":"{target}","command":"pause","for":"{lasts}s"}}"#
        )),
        (at, target).prop_map(|(at, target)| format!(
            r#"{{"at":"{at}s","target":"{target}","failure":"odd","for":"5m"}}"#
        )),
    ]
}

fn any_rule() -> impl Strategy<Value = String> {
    let answers = vec![
        "succeeds",
        "does nothing",
        "fails",
        "fails for good",
        "needs a person",
        "is missing",
    ];
    (prop::sample::select(answers), 0_u32..90, 1_u32..5).prop_map(|(answer, after, times)| {
        format!(r#"{{"rule":"any {answer} after {after}s {times} times"}}"#)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_simulation_decides_what_the_machine_decides_and_the_same_twice(
        steps in prop::collection::vec(any_line(), 1..12),
        rules in prop::collection::vec(any_rule(), 0..6),
    ) {
        let mut api = check("api");
        api.depends_on = vec![fixtures::name("db")];
        let spec = host(vec![api, check("db"), supervised("web")]);
        let head = vec![r#"{"until":"8h"}"#.to_owned()];
        let text = [head, rules, steps].concat().join("\n");
        let scenario = scenario(&spec, &text);
        let (report, heard) = inputs_of(&spec, &scenario);
        prop_assert_eq!(&report, &simulate(&spec, &scenario, None).unwrap());
        let mut machine = Recovery::new(Arc::clone(&spec), IdSource::new(11));
        for (input, at, outcome) in heard {
            let shown = format!("{input:?}");
            prop_assert_eq!(machine.apply(input, at).unwrap(), outcome, "{}", shown);
            machine.audit().unwrap();
        }
    }
}
