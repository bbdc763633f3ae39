//! The words of an alert, for a person at three in the morning: what happened, to what, what the host did, and what to
//! do next.
//!
//! Every sentence of an alert is made here, from the event's kind and its facts: `headline`, `done` and `next`.
//!
//! Invariant: a sentence is true in every state in which its event is written; `tests` has the table.
//! Invariant: what checks, programs, guests and people wrote disturbs no terminal, and begins no line as these words do.
//! Invariant: of an event's data only what `EventData` answers by name is read, and each answer may be absent.

mod done;
mod headline;
mod next;
#[cfg(test)]
mod tests;

use crate::{
    event::{Event, EventKind},
    text::{visible, visible_lines},
};
use done::actions_taken;
use headline::headline;
use next::next_step;
use std::fmt::Write;

/// The longest title, in characters; some receivers cut what is longer.
pub(super) const MAX_TITLE: usize = 160;

/// One line.
pub(super) fn title(event: &Event, host_name: &str) -> String {
    title_of(event, host_name, headline(event))
}

/// One line with other words than those of the event's kind.
pub(super) fn title_of(event: &Event, host_name: &str, headline: &str) -> String {
    let subject = match (subject(event), event.data.failure()) {
        (Some(subject), Some(failure)) => format!("{subject}: {failure}: "),
        (Some(subject), None) => format!("{subject}: "),
        (None, _) => String::new(),
    };
    cut(&visible(&format!("[{host_name}] {subject}{headline}")))
}

/// A title that is not too long.
pub(super) fn cut(line: &str) -> String {
    line.chars().take(MAX_TITLE).collect()
}

/// Some lines.
pub(super) fn body(event: &Event, host_name: &str) -> String {
    let mut body = String::new();
    let (what, why) = apart(&without_orders(event), event.data.error());
    add(&mut body, "What happened", &what);
    if let Some(why) = why {
        add(&mut body, "Why", why);
    }
    if let Some(output) = event.data.output() {
        body.push_str("Its last lines:\n");
        for line in output.lines() {
            // Writing to a string cannot fail.
            let _ = writeln!(body, "  {line}");
        }
    }
    let to_what = match (&event.target, &event.job, &event.plugin) {
        (Some(target), ..) => format!("{target} on {host_name}"),
        (None, Some(job), _) => format!("job {job} on {host_name}"),
        (None, None, Some(plugin)) => format!("plugin {plugin} on {host_name}"),
        (None, None, None) => format!("the host {host_name}"),
    };
    let (severity, at) = (event.severity, event.at);
    add(
        &mut body,
        "To what",
        &format!("{to_what}, {severity}, at {at}"),
    );
    add(&mut body, "What the host did", &actions_taken(event));
    for (number, step) in (1..).zip(event.data.steps()) {
        add(&mut body, &format!("To be done first, step {number}"), step);
    }
    for (number, step) in (1..).zip(event.data.runbook()) {
        add(&mut body, &format!("Runbook, step {number}"), step);
    }
    add(&mut body, "What to do next", &next_step(event));
    body
}

/// The message without what has a line of its own below: the steps, and the command that it ends in, which is what to do next.
fn without_orders(event: &Event) -> String {
    let mut message = event.message.clone();
    let steps = event.data.steps();
    if !steps.is_empty() {
        message = message.replace(&format!("; first: {}", steps.join("; ")), "");
    }
    let ends_in_a_command = match event.kind {
        EventKind::OperationAwaitingManual | EventKind::IncidentUnacknowledged => true,
        // Nothing was begun: it says how a person begins it.
        EventKind::OperationEscalated => event.operation.is_none(),
        _ => false,
    };
    match message.rsplit_once(": `mainstay ") {
        Some((what, _)) if ends_in_a_command => what.to_owned(),
        _ => message,
    }
}

/// What happened without its reason, and the reason, so that it is said once: a message ends in it, and what says several
/// messages has it in each. No reason where what happened is the reason, or has it amid its own words.
fn apart<'a>(message: &str, error: Option<&'a str>) -> (String, Option<&'a str>) {
    let Some(error) = error.filter(|error| !error.is_empty()) else {
        return (message.to_owned(), None);
    };
    let what = message.replace(&format!(": {error}"), "");
    let is_said = what.contains(error);
    (what, Some(error).filter(|_| !is_said))
}

fn add(body: &mut String, name: &str, text: &str) {
    let text = visible_lines(text).replace('\n', "\n  ");
    // Writing to a string cannot fail.
    let _ = writeln!(body, "{name}: {text}");
}

/// The name of a plugin that is written `name@version`.
pub(super) fn without_version(plugin: &str) -> &str {
    plugin.split('@').next().unwrap_or(plugin)
}

fn subject(event: &Event) -> Option<&str> {
    let target = event.target.as_ref().map(|target| target.as_str());
    let job = event.job.as_ref().map(|job| job.as_str());
    target.or(job).or(event.plugin.as_deref())
}
