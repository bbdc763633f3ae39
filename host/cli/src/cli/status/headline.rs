//! What stands first in `status`: what needs a person.

use super::{jobs::is_amiss, plugins::is_troubled, view::Urgency};
use crate::cli::output::{Block, Times, Tone, cell, printable};
use mainstay_api::{Status, TargetRow};
use mainstay_domain::text::counted;

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

/// That the host's recovery is paused, where it is.
pub(super) fn paused_line(status: &Status, times: &Times) -> Option<Block> {
    let host = &status.host;
    let until = host.paused_until.as_ref();
    let until = until.map(|until| format!(", until {}", times.both(until)));
    let until = until.unwrap_or_default();
    let text = format!("automatic recovery of the host is PAUSED{until}");
    host.paused.then(|| Block::text(text, Tone::Warn))
}
