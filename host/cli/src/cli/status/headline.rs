//! What stands first in `status`: what needs a person.

use super::{jobs::is_amiss, plugins::is_troubled, urgency::Urgency};
use crate::cli::output::{Block, Times, Tone, cell, printable};
use mainstay_api::{AlerterRow, Status, TargetRow, TierRow};
use mainstay_domain::{phase::Phase, severity::Severity, text::counted};

/// One line: what needs a person, and how many targets are not as they should be; what a person has stopped is.
pub(super) fn headline(status: &Status, targets: &[(Urgency, &TargetRow)]) -> Block {
    let needs = needs(status, targets);
    let (needs, tone) = match needs.is_empty() {
        true => ("nothing needs a person".to_owned(), Tone::Good),
        false => (format!("needs a person: {}", needs.join(", ")), Tone::Bad),
    };
    let odd = targets
        .iter()
        .filter(|(urgency, _)| !matches!(urgency, Urgency::None | Urgency::Stopped))
        .count();
    let all = counted(targets.len(), "target");
    let rest = match (odd, targets.len()) {
        (_, 0) => "; no targets are configured".to_owned(),
        (0, _) => format!("; {all}, nothing amiss"),
        (odd, _) => format!("; {odd} of {all} not as they should be"),
    };
    Block::Text {
        hang: 2,
        pieces: vec![cell(needs, tone), cell(rest, Tone::Plain)],
    }
}

fn needs(status: &Status, targets: &[(Urgency, &TargetRow)]) -> Vec<String> {
    let waiting: Vec<&TargetRow> = targets
        .iter()
        .filter(|(urgency, _)| *urgency == Urgency::Person)
        .map(|(_, target)| *target)
        .collect();
    let mut needs = Vec::new();
    match waiting.as_slice() {
        [] => {}
        [one] => needs.push(format!("the recovery of {}", printable(&one.name))),
        several => needs.push(format!("{} recoveries", several.len())),
    }
    needs.extend(status.alerters.iter().filter_map(fault_of));
    if status.last_reload.as_ref().is_some_and(|reload| !reload.ok) {
        needs.push("the config, which was refused".to_owned());
    }
    let mut add = |count: usize, noun: &str| {
        if count > 0 {
            needs.push(counted(count, noun));
        }
    };
    add(status.unhandled_routes.len(), "missing handler");
    add(
        status.plugins.iter().filter(|row| is_troubled(row)).count(),
        "plugin",
    );
    add(
        status.jobs.iter().filter(|job| is_amiss(job)).count(),
        "backup job",
    );
    needs
}

/// Why people are not told of what this alerter should tell; nothing where they are.
fn fault_of(row: &AlerterRow) -> Option<String> {
    row.since.as_ref()?;
    let name = printable(&row.name);
    let fault = match row.serves {
        true => "cannot deliver",
        false => "does not serve",
    };
    let undelivered = counted(row.undelivered, "alert");
    Some(format!(
        "alerter {name} {fault} ({undelivered} undelivered)"
    ))
}

/// Since when an alerter does not serve, or its deliveries fail, and what the last one said.
pub(super) fn alerter_line(row: &AlerterRow, times: &Times) -> Option<Block> {
    let fault = fault_of(row)?;
    let since = row.since.as_ref().map(|since| times.both(since));
    let since = since.unwrap_or_default();
    let error = row.last_error.as_ref();
    let error = error.map(|error| format!("; its last attempt said: {}", printable(error)));
    let error = error.unwrap_or_default();
    let text = format!("{fault}, since {since}{error}");
    Some(Block::text(text, Tone::Bad))
}

/// That a tier did not take a backup, and when it is tried again.
pub(super) fn tier_line(row: &TierRow, times: &Times) -> Block {
    let until = row.left_alone_until.as_ref();
    let until = until.map(|until| format!("; it is left alone until {}", times.both(until)));
    let (name, at) = (printable(&row.name), times.both(&row.failed_at));
    let (why, until) = (printable(&row.why), until.unwrap_or_default());
    let text = format!("tier {name} did not take a backup, {at}: {why}{until}");
    Block::text(text, Tone::Warn)
}

/// That the host's recovery is paused, where it is.
pub(super) fn paused_line(status: &Status, times: &Times) -> Option<Block> {
    let host = &status.host;
    let until = host.paused_until.as_ref();
    let until = until.map(|until| format!(", until {}", times.both(until)));
    let until = until.unwrap_or_default();
    let text = format!("automatic recovery of the host is PAUSED{until}");
    host.paused.then(|| Block::text(text, Tone::Warn))
}

/// What the phase leaves to people, where it leaves something.
pub(super) fn phase_line(phase: Phase) -> Option<Block> {
    let what = match phase.least() {
        Some(Severity::Low) => return None,
        Some(least) => format!("only what is {least} or worse is recovered automatically"),
        None => "nothing is recovered automatically".to_owned(),
    };
    let text = format!(
        "in the phase {} {what}; `mainstay phase` says more, and changes it",
        phase.as_str()
    );
    Some(Block::text(text, Tone::Warn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn status(alerters: Value) -> Status {
        let status = json!({
            "host": {
                "name": "db1", "version": "0.1.0", "phase": "normal", "started_at": "2026-03-01T08:00:00Z",
                "contract_versions": [], "config_digest": "00", "paused": false, "paused_until": null,
            },
            "targets": [], "plugins": [], "jobs": [], "last_reload": null, "alerters": alerters,
        });
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn a_phase_that_leaves_something_to_people_says_so() {
        use crate::cli::layout::{Style, lay_out};
        let style = Style {
            width: None,
            colour: false,
        };
        for (phase, expected) in [
            (Phase::Normal, None),
            (
                Phase::Launch,
                Some("only what is critical or worse is recovered"),
            ),
            (Phase::Safe, Some("nothing is recovered automatically")),
        ] {
            let shown = phase_line(phase).map(|line| lay_out(&[line], style).concat());
            match (shown, expected) {
                (None, None) => {}
                (Some(shown), Some(expected)) => assert!(shown.contains(expected), "{shown}"),
                (shown, expected) => panic!("{phase:?}: {shown:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn an_alerter_that_tells_nobody_needs_a_person_and_one_that_delivers_does_not() {
        let row = |serves: bool, undelivered: u64, since: Option<&str>| {
            json!([{
                "name": "webhook", "serves": serves, "undelivered": undelivered, "last_error": null, "since": since,
            }])
        };
        let at = Some("2026-03-01T08:00:00Z");
        for (alerters, expected) in [
            (row(true, 0, None), Vec::new()),
            (
                row(false, 2, at),
                vec!["alerter webhook does not serve (2 alerts undelivered)"],
            ),
            (
                row(true, 1, at),
                vec!["alerter webhook cannot deliver (1 alert undelivered)"],
            ),
        ] {
            assert_eq!(needs(&status(alerters), &[]), expected);
        }
    }
}
