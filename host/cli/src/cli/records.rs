//! Incidents, operations and events as people read them.
//!
//! Invariant: pure.

use super::output::{Block, Cell, Table, Times, Tone, cell, length, maybe, tone_of};
use mainstay_api::{Event, Incident, IncidentState, Operation, OperationState};
use mainstay_domain::time::Timestamp;
use std::time::Duration;

/// Incidents; what is open comes first.
pub(super) fn incident_table(incidents: &[Incident], times: &Times) -> Table {
    let mut incidents: Vec<&Incident> = incidents.iter().collect();
    incidents.sort_by_key(|incident| match incident.state {
        IncidentState::Escalated => 0,
        IncidentState::Open => 1,
        _ => 2,
    });
    let rows = incidents
        .into_iter()
        .map(|incident| incident_row(incident, times))
        .collect();
    let headings = [
        "INCIDENT",
        "TARGET",
        "FAILURE",
        "SEVERITY",
        "STATE",
        "OPENED",
        "CLOSED",
        "RECURRENCE",
        "LAST SEEN",
    ];
    Table::new(&headings, rows, "no incidents").led_by(&[0, 1, 4])
}

fn incident_row(incident: &Incident, times: &Times) -> Vec<Cell> {
    let tone = match incident.state {
        IncidentState::Open => Tone::Warn,
        IncidentState::Escalated => Tone::Bad,
        IncidentState::Recovered | IncidentState::SelfHealed => Tone::Good,
        IncidentState::Unseen | IncidentState::Removed => Tone::Plain,
    };
    let state = match incident.by_hand && incident.state.is_open() {
        true => format!("{}, by hand", incident.state),
        false => incident.state.to_string(),
    };
    let closed = incident.closed_at.as_ref();
    let seen = incident.evidence.last();
    vec![
        cell(&incident.id, Tone::Plain),
        cell(&incident.target, Tone::Plain),
        cell(&incident.failure, Tone::Plain),
        cell(incident.severity, tone_of(incident.severity)),
        cell(state, tone),
        cell(times.both(&incident.opened_at), Tone::Plain),
        maybe(closed.map(|time| times.both(time))),
        cell(incident.recurrence, Tone::Plain),
        maybe(seen.map(|evidence| &evidence.message)),
    ]
}

/// Operations; those that wait for a person come first.
pub(super) fn operation_table(operations: &[Operation], times: &Times) -> Table {
    let mut operations: Vec<&Operation> = operations.iter().collect();
    operations.sort_by_key(|operation| operation.state != OperationState::AwaitingManual);
    let rows = operations
        .into_iter()
        .map(|operation| operation_row(operation, times))
        .collect();
    let headings = [
        "OPERATION",
        "TARGET",
        "FAILURE",
        "SEVERITY",
        "MODE",
        "STATE",
        "ATTEMPTS",
        "HANDLER",
        "DETECTED",
        "STARTED",
        "RECOVERY",
        "ERROR",
    ];
    Table::new(&headings, rows, "no operations").led_by(&[0, 1, 5])
}

/// What those of them that wait wait for, and until when where that is known.
pub(super) fn waiting_blocks(operations: &[Operation], times: &Times) -> Vec<Block> {
    let lines = operations.iter().filter_map(|operation| {
        let waits = operation.waits.as_ref()?;
        let is_ahead = |due: &&String| Timestamp::parse(due).is_ok_and(|due| due > times.now());
        let due = operation.due.as_ref().filter(is_ahead);
        let until = due.map(|due| format!(", until {}", times.both(due)));
        Some(Block::Text {
            hang: 4,
            pieces: vec![
                cell(format!("{} waits: ", operation.id), Tone::Plain),
                cell(waits, Tone::Warn),
                cell(until.unwrap_or_default(), Tone::Plain),
            ],
        })
    });
    lines.collect()
}

fn operation_row(operation: &Operation, times: &Times) -> Vec<Cell> {
    let state = match operation.dry_run {
        true => format!("{} (dry run)", operation.state),
        false => operation.state.to_string(),
    };
    let late = match operation.rto_exceeded {
        true => Tone::Bad,
        false => Tone::Plain,
    };
    vec![
        cell(&operation.id, Tone::Plain),
        cell(&operation.target, Tone::Plain),
        cell(&operation.failure, Tone::Plain),
        cell(operation.severity, tone_of(operation.severity)),
        cell(operation.mode, Tone::Plain),
        cell(state, state_tone(operation.state)),
        cell(operation.attempts, Tone::Plain),
        maybe(handler_of(operation)),
        cell(times.both(&operation.detected_at), Tone::Plain),
        maybe(operation.started_at.as_ref().map(|at| times.both(at))),
        match operation.recovery_ms {
            Some(millis) => cell(length(Duration::from_millis(millis)), late),
            None => cell("-", Tone::Plain),
        },
        maybe(operation.error.as_ref()),
    ]
}

/// The handler that ran last, with its version.
pub(super) fn handler_of(operation: &Operation) -> Option<String> {
    let name = operation.handler.as_ref()?;
    Some(match &operation.handler_version {
        Some(version) => format!("{name}@{version}"),
        None => name.clone(),
    })
}

/// The tone of an operation's state.
pub(super) fn state_tone(state: OperationState) -> Tone {
    match state {
        OperationState::Succeeded => Tone::Good,
        OperationState::Failed | OperationState::Partial => Tone::Bad,
        OperationState::AwaitingManual => Tone::Warn,
        OperationState::Scheduled
        | OperationState::InProgress
        | OperationState::Validating
        | OperationState::Cancelled => Tone::Plain,
    }
}

/// One event; on a terminal with the local time, else with that of the record.
pub(super) fn event_block(event: &Event, times: &Times, is_terminal: bool) -> Block {
    let about = [&event.target, &event.job, &event.plugin];
    let about: Vec<&str> = about.into_iter().flatten().map(String::as_str).collect();
    let at = match is_terminal {
        true => times.date_and_clock(&event.at),
        false => event.at.clone(),
    };
    let about = about.join(" ");
    // What it is about stands before the message, which need not say it again.
    let message = event.message.strip_prefix(&about);
    let message = message.and_then(|message| message.strip_prefix(": "));
    let message = message.unwrap_or(&event.message);
    // Else the first word of the message would be taken for it.
    let shown = match about.as_str() {
        "" => "-",
        about => about,
    };
    Block::Entry {
        hang: 8,
        head: vec![
            cell(format!("{:>6}  {at}  ", event.seq), Tone::Plain),
            cell(
                format!("{:<26}", event.kind.to_string()),
                tone_of(event.severity),
            ),
            cell("  ", Tone::Plain),
        ],
        said: vec![
            cell(format!("{shown}  "), Tone::Plain),
            cell(message, Tone::Plain),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Output;
    use jiff::tz::TimeZone;

    #[test]
    fn a_message_does_not_say_again_what_it_is_about() {
        for (message, expected) in [
            ("web: check tcp failed", "web  check tcp failed\n"),
            ("web has down: refused", "web  web has down: refused\n"),
            ("website: gone", "web  website: gone\n"),
        ] {
            let event: Event = serde_json::from_value(serde_json::json!({
                "seq": 7, "at": "2026-03-04T12:00:00.000Z", "kind": "check.failed", "severity": "low", "target": "web",
                "plugin": null, "operation": null, "backup": null, "job": null, "message": message, "data": {}
            }))
            .unwrap();
            let out = Output::in_memory(false, false);
            let block = event_block(&event, &Times::new(true), false);
            out.show(&[block]).unwrap();
            let shown = out.written();
            assert!(shown.ends_with(&format!("  {expected}")), "{shown}");
        }
    }

    #[test]
    fn an_event_about_nothing_named_says_so_where_that_would_stand() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "seq": 7, "at": "2026-03-04T12:00:00.000Z", "kind": "config.rejected", "severity": "low", "target": null,
            "plugin": null, "operation": null, "backup": null, "job": null, "message": "config refused", "data": {}
        }))
        .unwrap();
        let out = Output::in_memory(false, false);
        out.show(&[event_block(&event, &Times::new(true), false)])
            .unwrap();
        let shown = out.written();
        assert!(shown.ends_with("  -  config refused\n"), "{shown}");
    }

    /// Of a failure that was detected at 11:20.
    fn operation(started: Option<&str>, waits: Option<&str>, due: Option<&str>) -> Operation {
        serde_json::from_value(serde_json::json!({
            "id": "op-1", "incident": "inc-1", "target": "web", "failure": "down", "severity": "high",
            "mode": "automatic", "state": "scheduled", "attempts": 0, "handler": null, "handler_version": null,
            "handler_digest": null, "actions": [], "error": null, "detected_at": "2026-03-04T11:20:00Z",
            "started_at": started, "finished_at": null, "recovery_ms": null, "rto_exceeded": false,
            "escalated": false, "dry_run": false, "revision": 1, "steps": [], "due": due, "waits": waits,
        }))
        .unwrap()
    }

    #[test]
    fn operations_of_one_incident_are_told_apart_by_when_each_began_in_the_zone_of_the_reader() {
        let now = Timestamp::parse("2026-03-04T11:22:00Z").unwrap();
        let began = ["2026-03-04T11:20:01Z", "2026-03-04T11:20:31Z"];
        let operations = began.map(|began| operation(Some(began), None, None));
        let not_yet = operation(None, None, None);
        let east = TimeZone::fixed(jiff::tz::offset(2));
        for (zone, detected, expected) in [
            (TimeZone::UTC, "11:20:00", ["11:20:01", "11:20:31"]),
            (east, "13:20:00", ["13:20:01", "13:20:31"]),
        ] {
            let times = Times::at(now, zone);
            let rows = |operation: &Operation| -> String {
                let out = Output::in_memory(false, false);
                let table = operation_table(std::slice::from_ref(operation), &times);
                out.show(&[Block::Table(table)]).unwrap();
                out.written().lines().last().unwrap().to_owned()
            };
            for (operation, began) in operations.iter().zip(expected) {
                let row = rows(operation);
                for at in [detected, began] {
                    assert!(row.contains(&format!("  {at}, ")), "{row}");
                }
            }
            assert!(!rows(&not_yet).contains(expected[0]));
        }
    }

    #[test]
    fn what_waits_says_for_what_and_until_when_where_that_is_to_come() {
        let now = Timestamp::parse("2026-03-04T11:22:00Z").unwrap();
        let times = Times::at(now, TimeZone::UTC);
        let operation = |waits: Option<&str>, due: Option<&str>| operation(None, waits, due);
        let rests = Some("between two attempts");
        let until = format!(", until {}", times.both("2026-03-04T11:22:30Z"));
        for (operation, expected) in [
            (operation(None, None), String::new()),
            (operation(None, Some("2026-03-04T11:22:30Z")), String::new()),
            (
                operation(rests, None),
                "op-1 waits: between two attempts\n".to_owned(),
            ),
            (
                operation(rests, Some("2026-03-04T11:21:00Z")),
                "op-1 waits: between two attempts\n".to_owned(),
            ),
            (
                operation(rests, Some("2026-03-04T11:22:30Z")),
                format!("op-1 waits: between two attempts{until}\n"),
            ),
        ] {
            let out = Output::in_memory(false, false);
            out.show(&waiting_blocks(&[operation], &times)).unwrap();
            assert_eq!(out.written(), expected);
        }
    }
}
