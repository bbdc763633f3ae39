//! What `status` says, the most urgent first: what needs a person, what is not healthy, how many others there are.
//!
//! Invariant: pure. What is left out is counted, and the count says how to see it.

use super::{
    headline::{alerter_line, headline, paused_line, phase_line, tier_line},
    jobs::job_blocks,
    plugins::plugin_blocks,
    quiet::quiet_blocks,
    reload::reload_blocks,
    target::{circuit_words, health_cell},
    urgency::{Urgency, is_watched, urgency_in, worst_of},
};
use crate::cli::output::{Block, Cell, Table, Times, Tone, cell, maybe, printable};
use mainstay_api::{CircuitState, Incident, Status, TargetRow};
use mainstay_domain::{phase::Phase, time::Timestamp};
use std::{cmp::Reverse, collections::HashMap};

/// How much of it is wanted.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Wanted {
    /// What is as it should be too.
    pub(in crate::cli) all: bool,
    /// In one table for programs; people have those that are as they should be apart.
    pub(in crate::cli) together: bool,
}

/// The status, with the incidents that are open.
pub(in crate::cli) fn view(
    status: &Status,
    incidents: &[Incident],
    times: &Times,
    wanted: Wanted,
) -> Vec<Block> {
    let open = by_target(incidents);
    let phase = Phase::parse(&status.host.phase).ok();
    let mut targets: Vec<(Urgency, &TargetRow)> = status
        .targets
        .iter()
        .map(|target| (urgency_in(phase, target, open_of(&open, target)), target))
        .collect();
    // Those that are alike stay in the order of the config.
    targets.sort_by_key(|(urgency, target)| {
        let worst = worst_of(open_of(&open, target));
        (*urgency, target.priority, Reverse(worst))
    });
    let mut blocks = vec![headline(status, &targets)];
    let reload = status.last_reload.as_ref();
    blocks.extend(reload_blocks(reload.filter(|reload| !reload.ok), times));
    let unhandled = status.unhandled_routes.iter();
    blocks.extend(unhandled.map(|route| Block::text(route, Tone::Bad)));
    let alerters = status.alerters.iter();
    blocks.extend(alerters.filter_map(|row| alerter_line(row, times)));
    blocks.extend(status.tiers.iter().map(|tier| tier_line(tier, times)));
    blocks.extend(paused_line(status, times));
    blocks.extend(phase.and_then(phase_line));
    blocks.extend(quiet_blocks(&status.maintenance, &status.silences, times));
    blocks.push(Block::Gap);
    blocks.extend(target_blocks(&targets, &open, times, wanted));
    blocks.extend(plugin_blocks(&status.plugins, wanted.all));
    blocks.extend(job_blocks(&status.jobs, times, wanted.all));
    blocks.extend(reload_blocks(reload.filter(|reload| reload.ok), times));
    let host = &status.host;
    blocks.push(Block::text(
        format!(
            "{}  mainstay {}  phase {}  started {}  contract {}  times in {}",
            host.name,
            host.version,
            host.phase,
            times.both(&host.started_at),
            host.contract_versions.join(", "),
            times.zone_name(),
        ),
        Tone::Plain,
    ));
    let key = host.backup_key.as_ref().filter(|_| wanted.all);
    blocks.extend(key.map(|key| Block::text(format!("backups are signed by {key}"), Tone::Plain)));
    blocks
}

/// The incidents that are open, by their targets.
type Open<'a> = HashMap<&'a str, Vec<&'a Incident>>;

fn by_target(incidents: &[Incident]) -> Open<'_> {
    let mut open = Open::new();
    for incident in incidents {
        open.entry(&incident.target).or_default().push(incident);
    }
    open
}

fn open_of<'a>(open: &'a Open<'_>, target: &TargetRow) -> &'a [&'a Incident] {
    let found = open.get(target.name.as_str());
    found.map(Vec::as_slice).unwrap_or_default()
}

fn target_blocks(
    targets: &[(Urgency, &TargetRow)],
    open: &Open<'_>,
    times: &Times,
    wanted: Wanted,
) -> Vec<Block> {
    let all: Vec<&(Urgency, &TargetRow)> = targets.iter().collect();
    let (rest, odd): (Vec<_>, Vec<_>) = targets
        .iter()
        .partition(|(urgency, _)| *urgency == Urgency::None);
    let rows = |targets: &[&(Urgency, &TargetRow)]| -> Vec<Vec<Cell>> {
        let targets = targets.iter().map(|(_, target)| *target);
        targets
            .map(|target| target_row(target, open_of(open, target), times))
            .collect()
    };
    let groups = match wanted {
        Wanted { all: false, .. } => vec![odd],
        Wanted { together: true, .. } => vec![all],
        Wanted { .. } => vec![odd, rest.clone()],
    };
    let mut blocks = Vec::new();
    for group in groups.iter().filter(|group| !group.is_empty()) {
        let table = Table::new(&HEADINGS, rows(group), "");
        blocks.push(Block::Table(table.led_by(&[0, 1])));
        blocks.push(Block::Gap);
    }
    let completed = rest.iter().filter(|(_, target)| target.completed).count();
    let rest = rest.len();
    if !wanted.all && rest > 0 {
        let healthy = rest - completed;
        let also = match completed {
            0 => String::new(),
            some => format!(", {some} completed"),
        };
        blocks.push(Block::text(
            format!("targets: {healthy} healthy{also}; `mainstay status --all` lists them"),
            Tone::Plain,
        ));
    }
    blocks
}

const HEADINGS: [&str; 11] = [
    "TARGET",
    "HEALTH",
    "WHY",
    "NEXT",
    "SINCE",
    "CIRCUIT",
    "INCIDENT",
    "OPERATION",
    "PRIORITY",
    "PID",
    "RESTARTS",
];

fn target_row(target: &TargetRow, open: &[&Incident], times: &Times) -> Vec<Cell> {
    let since = open.iter().map(|incident| &incident.opened_at).min();
    let joined = |parts: Vec<String>| (!parts.is_empty()).then(|| parts.join("; "));
    vec![
        cell(&target.name, Tone::Plain),
        health_cell(target),
        maybe(joined(why(target, open, times))),
        maybe(joined(next(target, open, times))),
        maybe(since.map(|since| times.both(since))),
        match target.circuit {
            CircuitState::Closed => maybe(None::<&str>),
            circuit => cell(circuit_words(circuit), Tone::Plain),
        },
        maybe(target.incident.as_ref()),
        maybe(target.operation.as_ref()),
        cell(target.priority, Tone::Plain),
        maybe(target.pid.or(target.service_pid)),
        cell(target.restarts, Tone::Plain),
    ]
}

/// Why it is as it is.
pub(super) fn why(target: &TargetRow, open: &[&Incident], times: &Times) -> Vec<String> {
    let mut why = Vec::new();
    for incident in open {
        if is_watched(incident) {
            let since = incident.tried_at.as_ref().map(|since| times.both(since));
            let since = since.map_or("again".to_owned(), |since| format!("since {since}"));
            let (failure, severity) = (&incident.failure, incident.severity);
            why.push(format!("healthy {since}; it had {failure} ({severity})"));
            continue;
        }
        let seen = incident.evidence.last();
        let seen = seen.map(|seen| format!(": {}", printable(&seen.message)));
        why.push(format!(
            "{} ({}){}",
            incident.failure,
            incident.severity,
            seen.unwrap_or_default()
        ));
    }
    why.extend(target.not_started.as_ref().map(|not_started| {
        let (at, why) = (times.both(&not_started.at), printable(&not_started.why));
        format!("it was not started, {at}: {why}")
    }));
    why.extend(target.unstarted.as_ref().map(|unstarted| {
        let (why, since) = (printable(&unstarted.why), times.both(&unstarted.since));
        format!("{why}, since {since}")
    }));
    why.extend(target.not_yet.as_deref().map(printable));
    why.extend(target.degraded.as_deref().map(printable));
    why.extend(target.stopped.as_deref().map(printable));
    why.extend(target.completed.then(|| "completed".to_owned()));
    let until = target.paused_until.as_ref();
    let until = until.map(|until| format!(" until {}", times.both(until)));
    let paused = || format!("its recovery is paused{}", until.unwrap_or_default());
    why.extend(target.paused.then(paused));
    why.extend(target.unseen.as_ref().map(|unseen| {
        let since = times.both(&unseen.since);
        format!("cannot look since {since}: {}", printable(&unseen.why))
    }));
    why
}

/// What comes next, and what it waits for.
pub(super) fn next(target: &TargetRow, open: &[&Incident], times: &Times) -> Vec<String> {
    let mut next = Vec::new();
    next.extend(target.waits.as_deref().map(printable));
    next.extend(target.pause.as_ref().map(|pause| {
        let by = pause
            .by
            .as_deref()
            .map(|by| format!(" by {}", printable(by)));
        let until = pause.until.as_deref().and_then(|until| times.clock(until));
        let until = until.map(|until| format!(" until {until}"));
        let resume = match pause.of_host {
            true => "mainstay resume".to_owned(),
            false => format!("mainstay resume {}", printable(&target.name)),
        };
        let (by, until) = (by.unwrap_or_default(), until.unwrap_or_default());
        format!("recovery is paused{by}{until}; `{resume}` lets it go on")
    }));
    next.extend(target.rests.as_ref().map(|rest| {
        let (why, now) = (printable(&rest.why), times.now());
        match Timestamp::parse(&rest.until) {
            // What comes at that moment was not seen yet.
            Ok(until) if until <= now => format!("recovery begins; it waited: {why}"),
            _ => format!("recovery at {}; it waits: {why}", times.both(&rest.until)),
        }
    }));
    let is_said = |held: &&str| {
        let rests = target.rests.as_ref();
        rests.is_some_and(|rest| held.ends_with(&rest.why))
    };
    let held = target.held.as_deref().filter(|held| !is_said(held));
    next.extend(held.map(printable));
    if next.is_empty() && target.operation.is_some() {
        next.push("an operation is under way".to_owned());
    }
    let watched = open.iter().filter_map(|one| one.relapse_until.as_deref());
    let ends = watched.filter_map(|until| times.clock(until)).max();
    next.extend(ends.map(|ends| format!("the incident is over at {ends} if it stays so")));
    next
}
