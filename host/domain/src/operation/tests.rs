//! What an operation may do, and what it keeps.

use super::*;
use proptest::prelude::*;

const STATES: [OperationState; 8] = [
    OperationState::Scheduled,
    OperationState::InProgress,
    OperationState::Validating,
    OperationState::Succeeded,
    OperationState::Failed,
    OperationState::Partial,
    OperationState::Cancelled,
    OperationState::AwaitingManual,
];

const RTO: Duration = Duration::from_secs(300);

fn operation(mode: Mode) -> Operation {
    Operation::scheduled(
        OperationId::parse("op-01K0000000000000000000000A").unwrap(),
        TargetName::parse("api").unwrap(),
        FailureType::parse("down").unwrap(),
        Severity::High,
        mode,
        at(100),
    )
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

/// The state after these events, one second after another, from the 101st.
fn check(mode: Mode, events: &[OperationEvent], expected: OperationState) -> Operation {
    let mut operation = operation(mode);
    for (event, second) in events.iter().zip(101..) {
        operation.apply(*event, at(second), RTO).unwrap();
    }
    assert_eq!(operation.state, expected, "after {events:?}");
    operation
}

#[test]
fn the_whole_table_of_moves_is_as_written() {
    // Rows: scheduled, in-progress, validating, succeeded, failed, partial, cancelled, awaiting-manual.
    // Columns: attempt-began, handler-finished, verified, gave-up, needs-person, approved, rejected, cancelled.
    let table = [
        "in-progress -          -         failed  awaiting-manual -         -         cancelled",
        "in-progress validating -         failed  awaiting-manual -         -         cancelled",
        "in-progress -          succeeded partial awaiting-manual -         -         cancelled",
        "-           -          -         -       -               -         -         -",
        "-           -          -         -       -               -         -         -",
        "-           -          -         -       -               -         -         -",
        "-           -          -         -       -               -         -         -",
        "-           -          -         failed  -               scheduled cancelled cancelled",
    ];
    for (from, row) in STATES.into_iter().zip(table) {
        for (event, expected) in OperationEvent::ALL.into_iter().zip(row.split_whitespace()) {
            let found = next(from, event).map_or("-", OperationState::as_str);
            assert_eq!(found, expected, "{from:?} × {event:?}");
        }
    }
}

#[test]
fn the_way_of_a_success_keeps_its_times_from_detection() {
    use OperationEvent::*;
    let events = [
        AttemptBegan,
        HandlerFinished,
        AttemptBegan,
        HandlerFinished,
        Verified,
    ];
    let done = check(Mode::Automatic, &events, OperationState::Succeeded);
    assert_eq!(done.attempts, 2);
    assert_eq!(done.started_at, Some(at(101)));
    assert_eq!(done.finished_at, Some(at(105)));
    assert_eq!(done.recovery_ms, Some(5_000));
    assert!(!done.rto_exceeded && !done.escalated);
}

#[test]
fn a_recovery_that_took_longer_than_the_objective_says_so_even_where_it_succeeded() {
    let mut late = operation(Mode::Automatic);
    late.apply(OperationEvent::AttemptBegan, at(400), RTO)
        .unwrap();
    assert!(
        !late.rto_exceeded,
        "300 s after detection is within the objective"
    );
    late.apply(OperationEvent::HandlerFinished, at(401), RTO)
        .unwrap();
    late.apply(OperationEvent::Verified, at(401), RTO).unwrap();
    assert!(late.rto_exceeded);
}

#[test]
fn an_automatic_recovery_that_failed_is_escalated_and_a_manual_one_is_not() {
    use OperationEvent::*;
    let failed = [AttemptBegan, GaveUp];
    let partial = [AttemptBegan, HandlerFinished, GaveUp];
    assert!(check(Mode::Automatic, &failed, OperationState::Failed).escalated);
    assert!(check(Mode::Automatic, &partial, OperationState::Partial).escalated);
    assert!(!check(Mode::Manual, &failed, OperationState::Failed).escalated);
}

/// [seed 000] Automatic, manual, emergency, maintenance; a person asks in each but the first.
#[test]
fn a_person_asks_in_each_mode_but_the_automatic_and_an_approval_changes_no_other() {
    assert!(Mode::parse_asked("automatic").is_err());
    for (word, mode) in [
        ("manual", Mode::Manual),
        ("emergency", Mode::Emergency),
        ("maintenance", Mode::Maintenance),
    ] {
        assert_eq!(Mode::parse_asked(word), Ok(mode));
        assert_eq!(serde_json::to_value(mode).unwrap(), word);
        let decided = [OperationEvent::NeedsOperator, OperationEvent::Approved];
        let approved = check(mode, &decided, OperationState::Scheduled);
        assert_eq!(approved.mode, mode);
    }
}

/// Trap 4 of the seeds' systems: "manual" executed at once; awaiting-manual was never set.
#[test]
fn trap_4_what_awaits_a_person_does_not_begin_before_the_approval() {
    use OperationEvent::*;
    let mut waiting = check(
        Mode::Automatic,
        &[NeedsOperator],
        OperationState::AwaitingManual,
    );
    let before = waiting.clone();
    for event in [AttemptBegan, HandlerFinished, Verified] {
        assert!(waiting.apply(event, at(200), RTO).is_err());
    }
    assert_eq!(waiting, before, "an illegal event changes nothing");
    waiting.apply(Approved, at(200), RTO).unwrap();
    assert_eq!(waiting.mode, Mode::Manual);
    waiting.apply(AttemptBegan, at(201), RTO).unwrap();
    assert_eq!(waiting.state, OperationState::InProgress);

    let rejected = check(
        Mode::Automatic,
        &[NeedsOperator, Rejected],
        OperationState::Cancelled,
    );
    assert!(rejected.escalated);
}

#[test]
fn an_illegal_move_is_told_in_words() {
    let error = next(OperationState::Succeeded, OperationEvent::Approved).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an operation that is succeeded cannot be approved"
    );
}

proptest! {
    #[test]
    fn nothing_follows_an_end_and_only_ends_have_a_finish(events in proptest::collection::vec(0_usize..8, 0..30)) {
        let mut operation = operation(Mode::Automatic);
        for (event, second) in events.into_iter().zip(101..) {
            let before = operation.clone();
            let result = operation.apply(OperationEvent::ALL[event], at(second), RTO);
            prop_assert!(result.is_err() || !before.state.is_final());
            prop_assert_eq!(result.is_err(), operation == before);
            prop_assert_eq!(operation.state.is_final(), operation.finished_at.is_some());
            prop_assert_eq!(operation.finished_at.is_some(), operation.recovery_ms.is_some());
            prop_assert_eq!(operation.attempts > 0, operation.started_at.is_some());
        }
    }
}
