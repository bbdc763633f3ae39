//! One target: how it is and why, what comes next, what its checks saw last, and the end of its log.

use super::view::{next, why};
use crate::cli::output::{Block, Cell, Table, Times, Tone, cell, maybe};
use mainstay_api::{
    CircuitState, Health, Incident, LastLook, ServiceProcess, TargetDetail, TargetRow,
};
use mainstay_domain::{measure::size, text::counted};

/// One target, with its incidents that are open.
pub(in crate::cli) fn target_view(
    detail: &TargetDetail,
    incidents: &[Incident],
    times: &Times,
) -> Vec<Block> {
    let target = &detail.target;
    let open: Vec<&Incident> = incidents
        .iter()
        .filter(|incident| incident.target == target.name)
        .collect();
    let mut blocks = vec![
        Block::Text {
            hang: 2,
            pieces: vec![
                cell(format!("{}  ", target.name), Tone::Plain),
                health_cell(target),
            ],
        },
        Block::Facts(facts(detail, &open, times)),
        Block::Gap,
    ];
    let rows = detail.checks.iter().map(|look| look_row(look, times));
    let headings = ["CHECK", "OUTCOME", "VALUE", "TOOK", "LOOKED", "WHAT IT SAW"];
    blocks.push(Block::Table(
        Table::new(&headings, rows.collect(), "it has no checks").led_by(&[0, 1]),
    ));
    if let Some(log) = &detail.log {
        blocks.push(Block::Gap);
        // Until it runs, it has written nothing.
        let whose = match target.unstarted {
            Some(_) => "the last lines of its log, of its process before:",
            None => "the last lines of its log:",
        };
        blocks.push(Block::text(whose, Tone::Plain));
        blocks.extend(log.lines().map(|line| Block::indented(2, line)));
    }
    blocks
}

fn facts(detail: &TargetDetail, open: &[&Incident], times: &Times) -> Vec<(String, Cell)> {
    let target = &detail.target;
    let mut facts: Vec<(String, Cell)> = Vec::new();
    let mut add = |name: &str, text: String, tone| {
        facts.push((name.to_owned(), cell(text, tone)));
    };
    for next in next(target, open, times) {
        add("next", next, Tone::Warn);
    }
    for why in why(target, open, times) {
        add("why", why, Tone::Plain);
    }
    for incident in open {
        let since = times.both(&incident.opened_at);
        let text = format!("{}  {}, since {since}", incident.id, incident.state);
        add("incident", text, Tone::Plain);
    }
    if let Some(operation) = &target.operation {
        add("operation", operation.clone(), Tone::Plain);
    }
    let circuit = circuit_words(target.circuit).to_owned();
    add("circuit", circuit, Tone::Plain);
    if let Some(process) = process_words(detail) {
        add("process", process, Tone::Plain);
    }
    add("priority", target.priority.to_string(), Tone::Plain);
    facts
}

/// Its process, as far as it is known, and how often the daemon has started it again. Nothing of what has none that anyone
/// named or started: it may be no process at all, as a disk.
pub(super) fn process_words(detail: &TargetDetail) -> Option<String> {
    let process = match (&detail.service, detail.target.pid) {
        (Some(service), None) if service.pid_file.is_none() && detail.target.restarts == 0 => {
            return None;
        }
        (Some(service), None) => service_words(service),
        (_, Some(pid)) => format!("pid {pid}"),
        (None, None) if detail.target.unstarted.is_some() => "none runs yet".to_owned(),
        (None, None) => "no process is supervised now".to_owned(),
    };
    let restarts = counted(detail.target.restarts, "restart");
    Some(format!("{process}, {restarts}"))
}

/// The process of a foreign service, by its pid file.
fn service_words(service: &ServiceProcess) -> String {
    let Some(file) = &service.pid_file else {
        return "none is known: no `pid_file` names one".to_owned();
    };
    match (service.pid, &service.error) {
        (Some(pid), _) => format!("pid {pid}, as {file} says"),
        (None, Some(error)) => format!("not known: {error}"),
        (None, None) => format!("{file} names none that lives"),
    }
}

fn look_row(look: &LastLook, times: &Times) -> Vec<Cell> {
    vec![
        cell(&look.check, Tone::Plain),
        match look.outcome {
            Some(outcome) => cell(outcome, health_tone(outcome)),
            None => cell("nothing yet", Tone::Warn),
        },
        maybe(
            look.value
                .map(|value| measured(value, look.unit.as_deref())),
        ),
        maybe(look.elapsed_ms.map(|millis| format!("{millis:.1} ms"))),
        maybe(look.at.as_ref().map(|at| times.both(at))),
        maybe(look.message.as_ref()),
    ]
}

/// How a target is; what a person has stopped is not looked at, and as they want it.
pub(super) fn health_cell(target: &TargetRow) -> Cell {
    match (&target.stopped, target.health) {
        (Some(_), Health::Unknown) => cell("stopped", Tone::Plain),
        (_, health) => cell(health, health_tone(health)),
    }
}

/// A measured value as people read it: a whole number as such, else with one decimal, and its unit.
fn measured(value: f64, unit: Option<&str>) -> String {
    let number = match unit {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of bytes, which is shown with few digits"
        )]
        Some("bytes") => return size(value as u64),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    };
    match unit {
        Some(unit) => format!("{number} {unit}"),
        None => number,
    }
}

/// The tone of a target's health.
pub(in crate::cli) fn health_tone(health: Health) -> Tone {
    match health {
        Health::Unknown | Health::Starting => Tone::Plain,
        Health::Healthy => Tone::Good,
        Health::Degraded => Tone::Warn,
        Health::Failed => Tone::Bad,
    }
}

/// A circuit in words.
pub(super) fn circuit_words(circuit: CircuitState) -> &'static str {
    match circuit {
        CircuitState::Closed => "closed: nothing of it has failed as often as it may",
        CircuitState::HalfOpen => "half-open: any failure opens, and successes close it",
        CircuitState::Open => "open: it fails",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_value_has_its_unit_and_few_digits() {
        for (value, unit, expected) in [
            (76.461_513, Some("%"), "76.5 %"),
            (0.282_452, Some("ms"), "0.3 ms"),
            (414_978_048.0, Some("bytes"), "396 MiB"),
            (200.0, None, "200"),
            (3.0, Some("lines"), "3 lines"),
        ] {
            assert_eq!(measured(value, unit), expected);
        }
    }
}
