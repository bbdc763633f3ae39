//! What is listed: incidents, history, events.

use super::{
    arguments::{HistoryArguments, Since},
    client::{Client, path_with, refused},
    failure::Ending,
    output::{Output, Tone, cell, length, maybe, now, printable, relative, tone_of},
};
use crate::console;
use anyhow::Context;
use comfy_table::Cell;
use mainstay_api::{ErrorBody, Event, Incident, IncidentState, Operation, OperationState};
use mainstay_domain::id::IncidentId;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// Shows an answer: to programs as it came, to people by `show`.
pub(super) fn present<T: DeserializeOwned>(
    out: &Output,
    answer: &str,
    show: impl FnOnce(&Output, T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if out.json {
        return out.json_text(answer);
    }
    show(out, parse(answer)?)
}

/// Reads what the daemon answered.
pub(super) fn parse<T: DeserializeOwned>(answer: &str) -> anyhow::Result<T> {
    serde_json::from_str(answer)
        .context("the daemon's answer is not understood; is it of another version?")
}

pub(super) async fn incidents(
    client: &Client,
    out: &Output,
    open: bool,
    limit: u32,
    before: Option<IncidentId>,
) -> anyhow::Result<()> {
    let query = [
        ("open", open.then(|| "true".to_owned())),
        ("limit", Some(limit.to_string())),
        ("before", before.map(|id| id.to_string())),
    ];
    let answer = client.get(&path_with("/v1/incidents", &query)).await?;
    present(out, &answer, |out, incidents: Vec<Incident>| {
        let now = now();
        let rows = incidents.into_iter().map(|incident| {
            let tone = match incident.state {
                IncidentState::Open => Tone::Warn,
                IncidentState::Escalated => Tone::Bad,
                IncidentState::Recovered | IncidentState::SelfHealed => Tone::Good,
                IncidentState::Unseen | IncidentState::Removed => Tone::Plain,
            };
            vec![
                cell(&incident.id, Tone::Plain),
                cell(&incident.target, Tone::Plain),
                cell(&incident.failure, Tone::Plain),
                cell(incident.severity, tone_of(incident.severity)),
                cell(
                    match incident.by_hand && incident.state.is_open() {
                        true => format!("{}, by hand", incident.state),
                        false => incident.state.to_string(),
                    },
                    tone,
                ),
                cell(relative(&incident.opened_at, now), Tone::Plain),
                maybe(incident.closed_at.map(|time| relative(&time, now))),
                cell(incident.recurrence, Tone::Plain),
                maybe(
                    incident
                        .evidence
                        .last()
                        .map(|evidence| evidence.message.clone()),
                ),
            ]
        });
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
        out.table(&headings, rows.collect(), "no incidents")
    })
}

pub(super) async fn history(
    client: &Client,
    out: &Output,
    arguments: HistoryArguments,
) -> anyhow::Result<()> {
    let target = arguments.target.clone();
    let since = arguments.since.map(|since| match since {
        Since::Time(time) => time,
        Since::Ago(length) => now() - length,
    });
    let query = [
        ("target", arguments.target.map(|target| target.to_string())),
        (
            "failure",
            arguments.failure.map(|failure| failure.to_string()),
        ),
        ("state", arguments.state.map(|state| state.to_string())),
        ("since", since.map(|time| time.to_string())),
        ("limit", Some(arguments.limit.to_string())),
        ("before", arguments.before.map(|id| id.to_string())),
    ];
    let answer = client.get(&path_with("/v1/operations", &query)).await?;
    present(out, &answer, |out, operations: Vec<Operation>| {
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
            "RECOVERY",
            "ERROR",
        ];
        let rows = operations.into_iter().map(operation_row).collect();
        out.table(&headings, rows, "no operations")
    })?;
    match target {
        Some(target) if !out.json => other_names(client, out, target.as_str()).await,
        _ => Ok(()),
    }
}

/// What a target is called now, or was called before: the rest of its operations is listed under that name.
async fn other_names(client: &Client, out: &Output, target: &str) -> anyhow::Result<()> {
    let query = [("target", Some(target.to_owned()))];
    // A daemon of a version before does not know.
    let Ok(answer) = client.get(&path_with("/v1/renames", &query)).await else {
        return Ok(());
    };
    let now = now();
    for event in parse::<Vec<Event>>(&answer)? {
        let names = ["from", "to"].map(|name| event.data.get(name).and_then(Value::as_str));
        let mut names = names.into_iter().flatten();
        let Some(other) = names.find(|name| *name != target) else {
            continue;
        };
        out.line(&format!(
            "{}, {}: `mainstay history --target {}` lists the others",
            printable(&event.message),
            relative(&event.at, now),
            printable(other)
        ))?;
    }
    Ok(())
}

fn operation_row(operation: Operation) -> Vec<Cell> {
    let state = if operation.dry_run {
        format!("{} (dry run)", operation.state)
    } else {
        operation.state.to_string()
    };
    let handler = operation
        .handler
        .map(|name| match operation.handler_version {
            Some(version) => format!("{name}@{version}"),
            None => name,
        });
    vec![
        cell(&operation.id, Tone::Plain),
        cell(&operation.target, Tone::Plain),
        cell(&operation.failure, Tone::Plain),
        cell(operation.severity, tone_of(operation.severity)),
        cell(operation.mode, Tone::Plain),
        cell(state, state_tone(operation.state)),
        cell(operation.attempts, Tone::Plain),
        maybe(handler),
        cell(relative(&operation.detected_at, now()), Tone::Plain),
        match operation.recovery_ms {
            Some(millis) => cell(
                length(Duration::from_millis(millis)),
                if operation.rto_exceeded {
                    Tone::Bad
                } else {
                    Tone::Plain
                },
            ),
            None => cell("-", Tone::Plain),
        },
        maybe(operation.error),
    ]
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

/// Events that are shown where nothing is said of which.
const NEWEST_EVENTS: u32 = 50;

pub(super) async fn events(
    client: &Client,
    out: &Output,
    follow: bool,
    since: Option<u64>,
    limit: Option<u32>,
) -> anyhow::Result<Ending> {
    let limit = limit.or_else(|| since.is_none().then_some(NEWEST_EVENTS));
    let query = [
        ("follow", follow.then(|| "true".to_owned())),
        ("since", since.map(|seq| seq.to_string())),
        ("limit", limit.map(|limit| limit.to_string())),
    ];
    let mut lines = client.get_lines(&path_with("/v1/events", &query)).await?;
    if follow {
        lines = lines.followed();
    }
    let mut shown: u32 = 0;
    while let Some(line) = lines.next().await? {
        show_event(out, &line)?;
        shown = shown.saturating_add(1);
    }
    if !follow || (since.is_some() && limit == Some(shown)) {
        return Ok(Ending::Done);
    }
    console::note("mainstay: the daemon has stopped");
    Ok(Ending::Failed)
}

/// Shows one line of the stream of events.
pub(super) fn show_event(out: &Output, line: &str) -> anyhow::Result<()> {
    // The stream's last line may be an error.
    let event: Event = match serde_json::from_str(line) {
        Ok(event) => event,
        Err(_) if out.json && serde_json::from_str::<ErrorBody>(line).is_err() => {
            // An event of a kind that this program does not know yet; whoever reads JSON may.
            return out.json_text(line);
        }
        Err(_) => return Err(refused(parse::<ErrorBody>(line)?)),
    };
    if out.json {
        return out.json_text(line);
    }
    let about = [event.target, event.job, event.plugin];
    let about: Vec<String> = about.into_iter().flatten().collect();
    out.line(&format!(
        "{:>6}  {}  {}  {}  {}",
        event.seq,
        event.at,
        out.paint(&format!("{:<26}", event.kind), tone_of(event.severity)),
        about.join(" "),
        printable(&event.message),
    ))
}
