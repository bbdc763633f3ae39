//! What is listed: incidents, history, events.

use super::{
    arguments::{EventArguments, HistoryArguments, IncidentArguments, Since, SinceEvent},
    client::{Client, path_with, refused},
    failure::Ending,
    output::{Block, Output, Times, Tone, now, printable, relative},
    records::{event_block, incident_table, operation_table, waiting_blocks},
};
use crate::console;
use anyhow::Context;
use mainstay_api::{ErrorBody, Event, Incident, Operation};
use serde::de::DeserializeOwned;
use serde_json::Value;

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
    arguments: IncidentArguments,
) -> anyhow::Result<()> {
    let limit = arguments.limit;
    let query = [
        ("open", arguments.open.then(|| "true".to_owned())),
        ("target", arguments.target.map(|target| target.to_string())),
        (
            "since",
            arguments.since.map(|since| time_of(since, &out.times)),
        ),
        ("limit", Some(limit.to_string())),
        ("before", arguments.before.map(|id| id.to_string())),
    ];
    let answer = client.get(&path_with("/v1/incidents", &query)).await?;
    present(out, &answer, |out, incidents: Vec<Incident>| {
        let mut blocks = vec![Block::Table(incident_table(&incidents, &out.times))];
        let last = incidents.last().map(|incident| incident.id.as_str());
        blocks.extend(next_page("incidents", incidents.len(), limit, last));
        out.show(&blocks)
    })
}

/// The time from which on something is asked for, as the API takes it.
pub(super) fn time_of(since: Since, times: &Times) -> String {
    since.at(times).to_string()
}

pub(super) async fn history(
    client: &Client,
    out: &Output,
    arguments: HistoryArguments,
) -> anyhow::Result<()> {
    let (target, limit) = (arguments.target.clone(), arguments.limit);
    let query = [
        ("target", arguments.target.map(|target| target.to_string())),
        (
            "failure",
            arguments.failure.map(|failure| failure.to_string()),
        ),
        ("state", arguments.state.map(|state| state.to_string())),
        (
            "since",
            arguments.since.map(|since| time_of(since, &out.times)),
        ),
        ("limit", Some(limit.to_string())),
        ("before", arguments.before.map(|id| id.to_string())),
    ];
    let answer = client.get(&path_with("/v1/operations", &query)).await?;
    present(out, &answer, |out, operations: Vec<Operation>| {
        let mut blocks = vec![Block::Table(operation_table(&operations, &out.times))];
        blocks.extend(waiting_blocks(&operations, &out.times));
        let last = operations.last().map(|operation| operation.id.as_str());
        blocks.extend(next_page("history", operations.len(), limit, last));
        out.show(&blocks)
    })?;
    match target {
        Some(target) if !out.json => other_names(client, out, target.as_str()).await,
        _ => Ok(()),
    }
}

/// How to go on where a page is full: the last one that the daemon told of need not stand last in the table.
pub(super) fn next_page(
    command: &str,
    shown: usize,
    limit: u32,
    last: Option<&str>,
) -> Option<Block> {
    let is_full = u32::try_from(shown).is_ok_and(|shown| shown == limit);
    let last = last.filter(|_| is_full)?;
    Some(Block::text(
        format!("there may be older ones: `mainstay {command} --before {last}` goes on"),
        Tone::Plain,
    ))
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

/// Events that are shown where nothing is said of which.
const NEWEST_EVENTS: u32 = 50;

pub(super) async fn events(
    client: &Client,
    out: &Output,
    arguments: EventArguments,
) -> anyhow::Result<Ending> {
    let EventArguments {
        follow,
        target,
        since,
        limit,
    } = arguments;
    let (seq, from) = match since {
        Some(SinceEvent::Seq(seq)) => (Some(seq), None),
        Some(SinceEvent::Time(time)) => (None, Some(time_of(time, &out.times))),
        None => (None, None),
    };
    let limit = limit.or_else(|| since.is_none().then_some(NEWEST_EVENTS));
    let query = [
        ("follow", follow.then(|| "true".to_owned())),
        ("since", seq.map(|seq| seq.to_string())),
        ("from", from),
        ("target", target.map(|target| target.to_string())),
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
    let line = event_block(&event, &out.times, out.is_terminal());
    out.show(&[line])
}
