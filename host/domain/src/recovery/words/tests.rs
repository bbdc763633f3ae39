//! What each event of a recovery says in each state in which it is written.

use super::*;
use crate::{
    event::{AfterEscalation, IncidentEnd},
    health::Evidence,
    id::{IncidentId, OperationId},
    incident::Incident,
    name::{FailureType, TargetName},
    operation::Mode,
    pause::TimedPause,
    recovery::CaseKey,
};

const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const ID: &str = "op-01K0000000000000000000000A";

fn target() -> TargetName {
    TargetName::parse("api").unwrap()
}

fn failure() -> FailureType {
    FailureType::parse("down").unwrap()
}

fn ann() -> Actor {
    Actor::new("ann", "")
}

fn fix() -> Option<PluginName> {
    Some(PluginName::parse("fix").unwrap())
}

/// One that a check began, as `change` has changed it.
fn operation(change: impl FnOnce(&mut Operation)) -> Operation {
    let id = OperationId::parse(ID).unwrap();
    let mode = Mode::Automatic;
    let mut operation = Operation::scheduled(id, target(), failure(), Severity::High, mode, BEGIN);
    change(&mut operation);
    operation
}

fn incident(change: impl FnOnce(&mut Incident)) -> Incident {
    let seen = Evidence {
        check: "tcp".to_owned(),
        observed_at: BEGIN,
        message: "connection refused".to_owned(),
        value: None,
        output: None,
        score: None,
    };
    let id = IncidentId::parse("inc-01K0000000000000000000000B").unwrap();
    let mut incident = Incident::open(id, target(), failure(), Severity::High, seen, BEGIN, 0);
    change(&mut incident);
    incident
}

fn as_it_is<T>(_: &mut T) {}

fn said(change: Change) -> String {
    match change {
        Change::Event(event) => event.message,
        other => panic!("{other:?}"),
    }
}

fn check(change: Change, expected: &str) {
    assert_eq!(said(change), expected);
}

#[test]
fn what_is_said_of_a_recovery_that_begins_holds_whatever_it_waits_for() {
    let new = operation(as_it_is);
    check(
        scheduled(&new, BEGIN),
        "recovery of api from down is scheduled",
    );
    // It may be paused, or its turn may come later.
    let due = BEGIN + Duration::from_secs(7);
    let waits = operation(|operation| operation.due = Some(due));
    check(
        scheduled(&waits, BEGIN),
        &format!("recovery of api from down is scheduled, not before {due}"),
    );
    check(
        asked_for(&new, &ann(), BEGIN),
        "recovery of api from down was asked for by ann",
    );
    let dry = operation(|operation| operation.dry_run = true);
    check(
        asked_for(&dry, &ann(), BEGIN),
        "a dry run of the recovery of api from down was asked for by ann",
    );
    check(
        validating(&new, BEGIN),
        "recovery of api from down is validated",
    );
    check(
        resumed(&new, BEGIN),
        "recovery of api from down is gone on with: the daemon ended while a handler of it was called",
    );
    let tried = operation(|operation| operation.attempts = 2);
    for (delay, due) in [
        (Duration::ZERO, "at once"),
        (Duration::from_millis(200), "in 200 ms"),
        (Duration::from_secs(8), "in 8 s"),
    ] {
        check(
            retrying(&tried, "not yet", delay, BEGIN),
            &format!("attempt 2 to recover api from down failed, the next is due {due}: not yet"),
        );
    }
}

#[test]
fn what_waits_for_a_person_is_said_with_and_without_steps_and_what_they_decide_with_and_without_a_reason()
 {
    let asks = format!("`mainstay approve {ID}`, or `mainstay reject {ID}` [MS-0401]");
    check(
        awaits(&operation(as_it_is), BEGIN),
        &format!("recovery of api from down waits for a person: {asks}"),
    );
    let steps = operation(|operation| {
        operation.steps = vec!["look at the disk".to_owned(), "free some of it".to_owned()];
    });
    check(
        awaits(&steps, BEGIN),
        &format!(
            "recovery of api from down waits for a person; first: look at the disk; free some of it: {asks}"
        ),
    );
    for (reason, why) in [("it is night", ": it is night"), ("", ""), (" ", "")] {
        let new = operation(as_it_is);
        check(
            approved(&new, &ann(), reason, BEGIN),
            &format!("ann approved the recovery of api from down{why}"),
        );
        check(
            cancelling(&new, &ann(), reason, BEGIN),
            &format!(
                "ann asked to cancel the recovery of api from down, which ends with the attempt that runs{why}"
            ),
        );
    }
    let dry = operation(|operation| operation.dry_run = true);
    check(
        cancelling(&dry, &ann(), "", BEGIN),
        "ann asked to cancel the dry run of the recovery of api from down, which ends with the attempt that runs",
    );
}

#[test]
fn a_call_that_is_not_held_says_what_it_waits_for_and_a_signal_who_sent_it() {
    let new = operation(as_it_is);
    let until = BEGIN + Duration::from_secs(60);
    let name = crate::name::SignalName::parse("go").unwrap();
    check(
        suspended(&new, None, until, BEGIN),
        &format!(
            "the handler that recovers api from down sleeps until {until}, and is not held meanwhile"
        ),
    );
    check(
        suspended(&new, Some(&name), until, BEGIN),
        &format!(
            "the handler that recovers api from down waits for the signal `go` until {until}, and is not held meanwhile"
        ),
    );
    let signal = crate::recovery::NewSignal {
        id: new.id.clone(),
        name,
        text: "private".to_owned(),
        by: ann(),
    };
    check(
        signalled(&new, &signal, BEGIN),
        "ann signalled `go` to the recovery of api from down",
    );
}

#[test]
fn a_cancelled_recovery_says_what_becomes_of_its_failure() {
    for (dry_run, is_stopped, expected) in [
        (
            false,
            true,
            "recovery of api from down was cancelled: so; it is stopped by hand until it is over, or `mainstay resume \
             api` takes it up",
        ),
        (false, false, "recovery of api from down was cancelled: so"),
        (
            true,
            false,
            "dry run of the recovery of api from down was cancelled: so",
        ),
    ] {
        let operation = operation(|operation| operation.dry_run = dry_run);
        check(cancelled(&operation, "so", is_stopped, BEGIN), expected);
    }
}

/// Of each end: whether a handler acted, was called and did nothing, or was not called; and whether it was to be cancelled.
#[test]
fn the_end_of_a_recovery_says_what_it_came_to() {
    use OperationState as S;
    type Make = fn(&mut Operation);
    let acted: Make = |operation| {
        operation.handler = fix();
        operation.acted_by = fix();
    };
    let idle: Make = |operation| operation.handler = fix();
    let asked: Make = |operation| {
        operation.handler = fix();
        operation.acted_by = fix();
        operation.cancel_asked = Some("cancelled by ann".to_owned());
    };
    let wrong: Make = |operation| operation.error = Some("no".to_owned());
    let dry: Make = |operation| {
        operation.dry_run = true;
        operation.handler = fix();
    };
    for (state, change, expected) in [
        (
            S::Succeeded,
            acted,
            "recovery of api from down succeeded after 90 ms",
        ),
        (
            S::Succeeded,
            idle,
            "down of api is over after 90 ms; fix did nothing",
        ),
        (
            S::Succeeded,
            asked,
            "recovery of api from down succeeded after 90 ms; during its last call it was to be cancelled by ann",
        ),
        (
            S::Succeeded,
            dry,
            "dry run of the recovery of api from down succeeded after 90 ms",
        ),
        (
            S::Partial,
            wrong,
            "recovery of api from down ended after 90 ms, and api is not seen to be healthy: no",
        ),
        (
            S::Failed,
            wrong,
            "recovery of api from down failed after 90 ms: no",
        ),
        (
            S::Failed,
            idle,
            "recovery of api from down failed after 90 ms",
        ),
    ] {
        let operation = operation(|operation| {
            operation.state = state;
            operation.recovery_ms = Some(90);
            change(operation);
        });
        check(ended(&operation, false, false, BEGIN), expected);
    }
}

#[test]
fn what_is_said_of_an_incident_is_about_its_own_failure_and_no_other() {
    let new = incident(as_it_is);
    check(
        opened(&new, false, BEGIN),
        "api has down: connection refused",
    );
    check(
        opened(&new, true, BEGIN),
        "api is to be recovered from down: connection refused",
    );
    check(
        reopened(&new, "refused", Some(Duration::from_millis(40)), BEGIN),
        "api has down again, 40 ms after it was over: refused",
    );
    check(
        reopened(&new, "refused", None, BEGIN),
        "api has down again, shortly after it was over: refused",
    );
    check(
        worsened(&new, Severity::Medium, BEGIN),
        "down of api is high now, and was medium",
    );
    let rto = Duration::from_secs(300);
    check(
        rto_exceeded(&new, None, rto, rto, BEGIN),
        "api is not recovered from down within its recovery time objective of 5 min",
    );
}

/// An incident that `change` has changed, and that was open for half a second.
fn over(how: IncidentEnd, by: Option<&Operation>, change: fn(&mut Incident), expected: &str) {
    let open = Duration::from_millis(500);
    check(closed(&incident(change), by, how, open, BEGIN), expected);
}

#[test]
fn the_end_of_an_incident_says_no_more_than_is_known_of_it() {
    use IncidentEnd as End;
    let acted = operation(|operation| {
        operation.state = OperationState::Succeeded;
        operation.handler = fix();
        operation.acted_by = fix();
    });
    let idle = operation(|operation| {
        operation.state = OperationState::Succeeded;
        operation.handler = fix();
    });
    over(
        End::Recovered,
        Some(&acted),
        as_it_is,
        "api recovered from down after 500 ms",
    );
    over(
        End::Recovered,
        Some(&idle),
        as_it_is,
        "down of api is over after 500 ms; fix did nothing",
    );
    over(
        End::Lasting,
        None,
        |incident| incident.relapses = 1,
        "down of api is over after 500 ms, and has not come back since; it had come back 1 time",
    );
    over(
        End::Lasting,
        None,
        |incident| incident.escalated = true,
        "down of api is over after 500 ms, and has not come back since",
    );
    over(
        End::ByItself,
        None,
        as_it_is,
        "down of api is over after 500 ms, and nothing was done about it",
    );
    let tried: [fn(&mut Incident); 5] = [
        |incident| incident.attempts = 1,
        |incident| incident.failures_in_a_row = 1,
        |incident| incident.by_hand = true,
        |incident| incident.escalated = true,
        |incident| incident.relapses = 1,
    ];
    for change in tried {
        over(
            End::ByItself,
            None,
            change,
            "down of api is over after 500 ms; no attempt to recover it is known to have helped",
        );
    }
    over(
        End::Unseen,
        None,
        as_it_is,
        "no check sees down of api: nothing more is done about it",
    );
    over(
        End::Removed,
        None,
        as_it_is,
        "api is no longer in the config, which lets go of down after 500 ms",
    );
}

#[test]
fn a_page_has_the_last_lines_that_were_printed_at_all() {
    let output_of = |printed: Option<&str>| {
        let incident = incident(|incident| {
            for seen in &mut incident.evidence {
                seen.output = Some("starting".to_owned());
            }
        });
        let operation = operation(|operation| operation.output = printed.map(str::to_owned));
        let then = AfterEscalation::Round;
        let page = escalated(
            &incident,
            Some(&operation),
            (String::new(), then),
            Vec::new(),
            BEGIN,
        );
        match page {
            Change::Event(event) => event.data.output().map(str::to_owned),
            other => panic!("{other:?}"),
        }
    };
    for (printed, expected) in [
        (None, "starting"),
        (Some("starting"), "starting"),
        (
            Some("cannot bind: address in use"),
            "cannot bind: address in use",
        ),
    ] {
        assert_eq!(output_of(printed).as_deref(), Some(expected));
    }
}

#[test]
fn an_incident_that_a_stop_ends_says_who_stopped_its_target() {
    let open = Duration::from_millis(500);
    check(
        kept_stopped(
            &incident(as_it_is),
            "stopped by ann: new disks",
            open,
            BEGIN,
        ),
        "down of api is over: api is stopped by ann: new disks",
    );
}

#[test]
fn why_people_have_to_act_is_said() {
    let key = CaseKey {
        target: target(),
        failure: failure(),
    };
    let failed = |error: Option<&str>| {
        let error = error.map(str::to_owned);
        operation(|operation| (operation.attempts, operation.error) = (1, error))
    };
    let untouched =
        operation(|operation| operation.error = Some("its route only simulates by now".to_owned()));
    let missing = incident(|incident| incident.missing = fix());
    for (incident, operation, expected) in [
        (
            incident(as_it_is),
            failed(None),
            "recovery of api from down did not help",
        ),
        (
            incident(as_it_is),
            failed(Some("fix: it exited with 1")),
            "recovery of api from down did not help: fix: it exited with 1",
        ),
        (
            incident(as_it_is),
            untouched.clone(),
            "nothing was tried to recover api from down: its route only simulates by now",
        ),
        (
            incident(|incident| incident.attempts_before = Some(3)),
            untouched,
            "recovery of api from down did not help: its route only simulates by now",
        ),
        (
            missing,
            failed(Some("no version of it serves")),
            "nothing was tried to recover api from down: no version of it serves",
        ),
    ] {
        assert_eq!(did_not_help(&incident, &operation), expected);
    }
    for (attempts, expected) in [
        (
            1,
            "1 attempt to recover api from down did not help, or not for long",
        ),
        (
            3,
            "3 attempts to recover api from down did not help, or not for long",
        ),
    ] {
        let found = round_did_not_help(&incident(as_it_is), attempts);
        assert_eq!(found, expected);
    }
    assert_eq!(
        left_to_people(&key),
        "down of api is left to people, for its `restart` is \"never\": `mainstay recover api --failure down` recovers it"
    );
    assert_eq!(
        only_simulated(&key),
        "the route of down of api only simulates, and leaves it to people: `mainstay recover api --failure down` recovers it"
    );
    assert_eq!(
        no_route_fits(&key),
        "no route fits down of api: nothing is done about it"
    );
    for (starts, by_hand) in [(true, ", or `mainstay restart api` by hand"), (false, "")] {
        assert_eq!(
            unrouted(&key, Severity::High, starts),
            format!(
                "nothing is done about down, which is high, for no route fits: add a [[route]] with failure = \"down\"{by_hand}"
            )
        );
    }
    check(
        flapping(&target(), BEGIN),
        "api fails again and again: its recoveries are spaced out as their strategy says",
    );
    check(
        steady(&target(), BEGIN),
        "api has not failed again and again for a while",
    );
    check(
        unwatched(&target(), BEGIN),
        "api is no longer in the config, so nothing counts any more how often it fails",
    );
}

/// Only recovery is paused: checks go on, and alerts too.
#[test]
fn a_pause_says_what_it_keeps_back_and_nothing_else_is_called_one() {
    let api = target();
    for (whose, what) in [
        (Some(&api), "automatic recovery of api"),
        (None, "automatic recovery of the host"),
    ] {
        check(
            paused(whose, true, &ann(), BEGIN),
            &format!("ann paused {what}"),
        );
        check(
            paused(whose, false, &ann(), BEGIN),
            &format!("ann resumed {what}"),
        );
        let pause = TimedPause {
            since: BEGIN,
            length: Duration::from_secs(1_800),
            by: ann(),
        };
        for (reason, why) in [("new disks", ": new disks"), ("", ""), (" ", "")] {
            check(
                paused_for(whose, &pause, reason),
                &format!("ann paused {what} for 30 min{why}"),
            );
        }
        check(
            pause_over(whose, &pause, BEGIN),
            &format!("the pause of {what} is over: ann asked for 30 min"),
        );
    }
    let waits = operation(|operation| operation.due = Some(BEGIN));
    for change in [
        scheduled(&waits, BEGIN),
        retrying(&waits, "no", Duration::from_secs(1), BEGIN),
    ] {
        let said = said(change);
        assert!(!said.contains("pause"), "{said}");
    }
}
