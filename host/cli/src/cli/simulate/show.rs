//! What a simulation came to, for people and for programs.
//!
//! Invariant: pure.

use super::super::output::{Block, Cell, Table, Tone, cell, length, maybe, tone_of};
use mainstay_api::{IncidentState, Severity, Simulation};
use mainstay_domain::{
    simulation::{Line, SimulatedIncident, SimulationReport},
    text::counted,
    time::Timestamp,
};
use std::time::Duration;

/// As programs read it.
pub(super) fn json(report: &SimulationReport, notes: &[String]) -> Simulation {
    Simulation {
        notes: notes.to_vec(),
        ..Simulation::from(report)
    }
}

/// As people read it: what it came to, the incidents, then everything in order.
pub(super) fn people(report: &SimulationReport) -> Vec<Block> {
    let incidents = report.by_importance();
    let mut blocks = vec![Block::text(headline(report), Tone::Plain)];
    if incidents.is_empty() && report.lines.is_empty() {
        blocks.push(Block::text("nothing happened", Tone::Plain));
        return blocks;
    }
    let rows = incidents.iter().map(|one| row(one, report.begin));
    let headings = [
        "TARGET", "FAILURE", "SEVERITY", "STATE", "AFTER", "TOOK", "ATTEMPTS", "REMARK",
    ];
    let table = Table::new(&headings, rows.collect(), "no incidents").led_by(&[0, 1, 3]);
    blocks.extend([Block::Gap, Block::Table(table), Block::Gap]);
    blocks.extend(report.lines.iter().map(told));
    blocks
}

fn headline(report: &SimulationReport) -> String {
    let of = |is: &dyn Fn(&SimulatedIncident) -> bool| {
        report.incidents.iter().filter(|one| is(one)).count()
    };
    let open = of(&|one| one.incident.state.is_open());
    let escalated = of(&|one| one.incident.escalated);
    let late = of(&|one| one.incident.rto_exceeded_at.is_some());
    format!(
        "{} simulated: {}, {open} open at the end, {escalated} escalated, {late} beyond their objective",
        length(report.lasted),
        counted(report.incidents.len(), "incident"),
    )
}

fn row(one: &SimulatedIncident, begin: Timestamp) -> Vec<Cell> {
    let incident = &one.incident;
    let state = IncidentState::from(incident.state);
    let tone = match state {
        IncidentState::Open => Tone::Warn,
        IncidentState::Escalated => Tone::Bad,
        IncidentState::Recovered | IncidentState::SelfHealed => Tone::Good,
        IncidentState::Unseen | IncidentState::Removed => Tone::Plain,
    };
    let severity = Severity::from(incident.severity);
    let took = incident
        .closed_at
        .map(|closed| length(closed.since(incident.opened_at)));
    let attempts: u32 = one
        .operations
        .iter()
        .map(|operation| operation.attempts)
        .sum();
    let mut remarks: Vec<String> = Vec::new();
    remarks.extend(one.waits.clone());
    if incident.rto_exceeded_at.is_some() {
        remarks.push("beyond its objective".to_owned());
    }
    if incident.escalated && state != IncidentState::Escalated {
        remarks.push("was escalated".to_owned());
    }
    let last = one.operations.last();
    remarks.extend(last.and_then(|operation| operation.error.clone()));
    vec![
        cell(&incident.target, Tone::Plain),
        cell(&incident.failure, Tone::Plain),
        cell(severity, tone_of(severity)),
        cell(state, tone),
        cell(clock(incident.opened_at.since(begin)), Tone::Plain),
        maybe(took),
        cell(attempts, Tone::Plain),
        maybe((!remarks.is_empty()).then(|| remarks.join("; "))),
    ]
}

fn told(line: &Line) -> Block {
    let tone = tone_of(line.severity.into());
    Block::Text {
        hang: 4,
        pieces: vec![
            cell(format!("{}  ", clock(line.at)), Tone::Plain),
            cell(format!("{:<22}", line.kind), tone),
            cell(format!("  {}", line.message), Tone::Plain),
        ],
    }
}

/// A length as a clock shows it: hours, minutes, seconds, milliseconds.
fn clock(after: Duration) -> String {
    let seconds = after.as_secs();
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60,
        after.subsec_millis()
    )
}
