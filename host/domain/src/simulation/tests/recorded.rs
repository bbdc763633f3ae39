//! Recorded days.

use super::{super::*, fixtures};
use crate::{
    event::{Event, EventKind},
    operation::OperationState,
    phase::Phase,
    spec::Spec,
};
use fixtures::{check, host, scenario, supervised, when};
use std::sync::Arc;

/// Plays it, and gives the events that a journal would hold.
fn events_of(spec: &Arc<Spec>, scenario: &Scenario) -> (SimulationReport, Vec<Event>) {
    let mut events = Vec::new();
    let mut observer = |heard: Heard<'_>| {
        if let Heard::Event(event) = heard {
            events.push(event.clone());
        }
    };
    let report = simulate(spec, scenario, Some(&mut observer)).unwrap();
    (report, events)
}

/// What became of each failure.
fn decisions(report: &SimulationReport) -> Vec<String> {
    let incidents = report.incidents.iter();
    incidents
        .map(|one| {
            let operations = one.operations.iter();
            let operations: Vec<(OperationState, u32)> = operations
                .map(|operation| (operation.state, operation.attempts))
                .collect();
            let incident = &one.incident;
            format!(
                "{} {} {} {:?} {operations:?}",
                incident.opened_at, incident.target, incident.failure, incident.state
            )
        })
        .collect()
}

#[test]
fn a_recorded_day_that_is_played_again_is_decided_in_the_same_way() {
    let spec = host(vec![check("api"), check("db")]);
    let day = scenario(
        &spec,
        r#"
        {"until":"6h"}
        {"rule":"any of db at attempt 1 fails after 3s: locked"}
        {"rule":"any of db at attempt 2 does nothing after 1s"}
        {"rule":"any of api succeeds after 2s"}
        {"at":"10m","target":"api","check":"tcp","message":"refused"}
        {"at":"1h","target":"db","check":"tcp","message":"gone"}
        {"at":"2h","target":"api","check":"tcp","for":"15s"}"#,
    );
    let (report, events) = events_of(&spec, &day);
    let (draft, notes) = recorded(&events, &spec);
    assert!(notes.is_empty(), "{notes:?}");
    let again = Scenario::new(draft, &spec).unwrap();
    let replayed = simulate(&spec, &again, None).unwrap();
    assert_eq!(report.incidents.len(), 2, "{:?}", decisions(&report));
    assert_eq!(decisions(&replayed), decisions(&report));
}

#[test]
fn a_day_with_phases_is_decided_in_the_same_way_also_where_it_begins_in_one() {
    let spec = host(vec![check("api")]);
    let day = scenario(
        &spec,
        r#"
        {"until":"6h"}
        {"at":"1s","phase":"safe"}
        {"at":"2s","phase":"launch"}
        {"at":"10m","target":"api","check":"tcp","message":"refused"}
        {"at":"1h","phase":"safe"}
        {"at":"1h","phase":"normal"}"#,
    );
    let (report, events) = events_of(&spec, &day);
    // In a launch six failures are needed in place of three, and what is high is not recovered.
    assert_eq!(when(&report, "incident.opened"), [650_000]);
    assert_eq!(when(&report, "handler.called"), [3_600_000]);
    let is_change = |event: &&Event| event.kind == EventKind::PhaseChanged;
    let later = events.iter().skip_while(is_change).cloned();
    for (recorded_day, began_in) in [
        (events.clone(), Phase::Normal),
        (later.collect(), Phase::Launch),
    ] {
        let (draft, notes) = recorded(&recorded_day, &spec);
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(draft.phase, Some(began_in));
        let exported = write_lines(&draft).unwrap().join("\n");
        let again = Scenario::new(draft, &spec).unwrap();
        assert_eq!(scenario(&spec, &exported), again);
        let replayed = simulate(&spec, &again, None).unwrap();
        assert_eq!(decisions(&replayed), decisions(&report));
    }
}

#[test]
fn what_the_config_does_not_have_is_left_out_and_counted() {
    let whole = host(vec![check("api"), supervised("web")]);
    let day = scenario(
        &whole,
        r#"
        {"at":"10s","target":"api","check":"tcp","for":"15s"}
        {"at":"20s","target":"web","exit":"exit code 1"}"#,
    );
    let (_, events) = events_of(&whole, &day);
    let (draft, notes) = recorded(&events, &host(vec![check("db")]));
    assert!(draft.steps.is_empty());
    let api = "the target api is not in this config: 2 of its events are left out";
    assert_eq!((notes.len(), notes[0].as_str()), (2, api), "{notes:?}");
}

#[test]
fn what_a_handler_ended_is_not_ended_by_the_clock_when_it_is_played_again() {
    let spec = host(vec![check("api")]);
    let day = scenario(
        &spec,
        r#"
        {"rule":"any succeeds after 2s"}
        {"at":"10s","target":"api","check":"tcp","message":"refused"}"#,
    );
    let (_, events) = events_of(&spec, &day);
    let (draft, _) = recorded(&events, &spec);
    let [step] = draft.steps.as_slice() else {
        panic!("{:?}", draft.steps)
    };
    assert_eq!(
        (step.outcome, step.message.as_deref()),
        (Some(SeenAs::Failed), Some("refused"))
    );
    let rules: Vec<String> = draft.rules.iter().map(ToString::to_string).collect();
    assert_eq!(
        rules,
        ["any of api from tcp-down at attempt 1 succeeds after 2s 1 time"]
    );
}
