//! One operation, told: how it stands, what was done step by step, what failed, and what programs printed.
//!
//! Invariant: pure. Of the journal nothing is left out but what is null, false or empty.

use super::{
    notes::in_a_line,
    output::{Block, Cell, Times, Tone, cell, length},
    records::{handler_of, state_tone},
};
use mainstay_api::{EntryKind, Health, JournalEntry, Operation, OperationDetail};
use mainstay_domain::time::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// What is done in one step: an effect, from its intent to its answer.
struct Step<'a> {
    begun: &'a JournalEntry,
    /// None while it is under way, or where the daemon ended before it knew.
    ended: Option<&'a JournalEntry>,
}

/// The whole story.
pub(super) fn story(detail: &OperationDetail, times: &Times) -> Vec<Block> {
    let operation = &detail.operation;
    let mut blocks = vec![Block::Facts(facts(detail, times))];
    let steps = steps_of(&detail.journal);
    blocks.push(Block::Gap);
    if steps.is_empty() {
        blocks.push(Block::text("no effects", Tone::Plain));
    }
    for step in steps {
        blocks.extend(step_blocks(&step, times));
    }
    if let Some(output) = &operation.output {
        blocks.push(Block::Gap);
        let heading = "the last lines at the failure:";
        blocks.push(Block::text(heading, Tone::Plain));
        blocks.extend(output.lines().map(|line| Block::indented(2, line)));
    }
    blocks
}

/// What a person has to do first, then how it went.
fn facts(detail: &OperationDetail, times: &Times) -> Vec<(String, Cell)> {
    let operation = &detail.operation;
    let mut facts: Vec<(String, Cell)> = Vec::new();
    let mut toned = |name: &str, text: Option<String>, tone| {
        facts.extend(text.map(|text| (name.to_owned(), cell(text, tone))));
    };
    toned("operation", Some(operation.id.clone()), Tone::Plain);
    let state = operation.state.to_string();
    toned("state", Some(state), state_tone(operation.state));
    toned("waits", operation.waits.clone(), Tone::Warn);
    for step in &operation.steps {
        toned("step", Some(step.clone()), Tone::Warn);
    }
    for step in &operation.runbook {
        toned("runbook", Some(step.clone()), Tone::Warn);
    }
    toned("error", operation.error.clone(), Tone::Bad);
    for result in &operation.validation_results {
        let tone = match result.outcome {
            Health::Healthy => Tone::Good,
            Health::Degraded | Health::Unknown | Health::Starting => Tone::Warn,
            Health::Failed => Tone::Bad,
        };
        let at = times.both(&result.at);
        let said = format!(
            "{} is {}: {}, {at}",
            result.check, result.outcome, result.message
        );
        toned("validated", Some(said), tone);
    }
    let mut add = |name: &str, text: Option<String>| toned(name, text, Tone::Plain);
    let both = |time: &String| times.both(time);
    add("cancel", operation.cancel_asked.clone());
    // What has passed is nothing that it waits for.
    let is_ahead = |due: &&String| Timestamp::parse(due).is_ok_and(|due| due > times.now());
    add("due", operation.due.as_ref().filter(is_ahead).map(both));
    add("target", Some(operation.target.clone()));
    add(
        "failure",
        Some(format!("{} ({})", operation.failure, operation.severity)),
    );
    add("mode", Some(operation.mode.to_string()));
    add("incident", operation.incident.clone());
    add("detected", Some(both(&operation.detected_at)));
    add("started", operation.started_at.as_ref().map(both));
    add("ended", operation.finished_at.as_ref().map(both));
    add("recovery", recovery_of(operation));
    add("attempts", Some(operation.attempts.to_string()));
    let interruptions = match (operation.interruptions, operation.cut_off) {
        (0, false) => None,
        (times, _) => Some(format!("{times}, by the end of the daemon")),
    };
    add("cut off", interruptions);
    add("handler", handler_of(operation));
    add(
        "escalated",
        operation.escalated.then(|| "to people".to_owned()),
    );
    let planned = "effects were only planned".to_owned();
    add("dry run", operation.dry_run.then_some(planned));
    add("revision", Some(operation.revision.to_string()));
    for signal in &operation.signals {
        let said = match signal.text.as_str() {
            "" => String::new(),
            text => format!(": {text}"),
        };
        let by = &signal.by;
        add(
            "signal",
            Some(format!(
                "{}{said}, by {by}, {}",
                signal.name,
                times.both(&signal.at)
            )),
        );
    }
    for action in &operation.actions {
        add("action", Some(action.clone()));
    }
    for note in &detail.notes {
        add("note", Some(in_a_line(note, times)));
    }
    facts
}

fn recovery_of(operation: &Operation) -> Option<String> {
    let took = length(Duration::from_millis(operation.recovery_ms?));
    let late = match operation.rto_exceeded {
        true => ", objective missed",
        false => "",
    };
    Some(format!("{took}{late}"))
}

/// Intents with their results.
fn steps_of(journal: &[JournalEntry]) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for entry in journal {
        let is_intent = entry.kind == EntryKind::Intent;
        if !is_intent {
            let mut steps = steps.iter_mut().rev();
            let open = steps.find(|step| step.begun.seq == entry.seq && step.ended.is_none());
            if let Some(step) = open {
                step.ended = Some(entry);
                continue;
            }
        }
        steps.push(Step {
            begun: entry,
            ended: (!is_intent).then_some(entry),
        });
    }
    steps
}

fn step_blocks(step: &Step<'_>, times: &Times) -> Vec<Block> {
    let Step { begun, ended } = step;
    let outcome = ended.and_then(|entry| entry.outcome.as_deref());
    let (outcome, tone) = match (ended.map(|entry| entry.kind), outcome) {
        (None, _) => ("no answer so far", Tone::Warn),
        (Some(EntryKind::Planned), _) => ("planned", Tone::Plain),
        (Some(EntryKind::DidNot), _) => ("a person says that it did not happen", Tone::Plain),
        (_, Some("done") | None) => ("done", Tone::Plain),
        (_, Some(failed)) => (failed, Tone::Bad),
    };
    let took = ended.and_then(|entry| {
        let (begun, ended) = (Timestamp::parse(&begun.at), Timestamp::parse(&entry.at));
        let took = ended.ok()?.since(begun.ok()?);
        (!took.is_zero()).then(|| format!(", {}", length(took)))
    });
    let request = words_of(&begun.request);
    let request = match request.is_empty() {
        true => String::new(),
        false => format!("  {request}"),
    };
    let answer = ended.map_or(&Value::Null, |entry| &entry.response);
    let (said, printed, fails) = answer_of(answer);
    let said = match said.is_empty() {
        true => String::new(),
        false => format!("  {said}"),
    };
    let mut blocks = vec![Block::Text {
        hang: 4,
        pieces: vec![
            cell(
                format!(
                    "{:>3}  {}  {}{request}  ",
                    begun.seq,
                    times.moment(&begun.at),
                    begun.effect
                ),
                Tone::Plain,
            ),
            cell(outcome, tone),
            cell(took.unwrap_or_default(), Tone::Plain),
            cell(said, if fails { Tone::Bad } else { Tone::Plain }),
        ],
    }];
    for (name, text) in printed {
        let lines = text.lines();
        blocks.extend(lines.map(|line| Block::indented(7, format!("{name} | {line}"))));
    }
    blocks
}

/// An object as `name=value`, other values as they are.
fn words_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Object(fields) => {
            let words: Vec<String> = fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| format!("{name}={}", word_of(value)))
                .collect();
            words.join(" ")
        }
        other => word_of(other),
    }
}

fn word_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What was answered in words; what was printed, by its name; and whether a program ended with an error.
fn answer_of(answer: &Value) -> (String, Vec<(String, String)>, bool) {
    // `{"output": {…}}`: what it is called says the effect too.
    let inner = match answer {
        Value::Object(fields) if fields.len() == 1 => fields.values().next(),
        Value::String(done) if done == "done" => None,
        other => Some(other),
    };
    let Some(Value::Object(fields)) = inner else {
        return (words_of(inner.unwrap_or(&Value::Null)), Vec::new(), false);
    };
    let is_printed = |name: &str| matches!(name, "stdout" | "stderr" | "body");
    let mut words = Vec::new();
    let mut printed = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Null | Value::Bool(false) => {}
            Value::String(text) if is_printed(name) => {
                printed.push((name.clone(), text.clone()));
            }
            Value::Number(code) if name == "exit_code" => {
                words.insert(0, format!("exit code {code}"))
            }
            value => words.push(format!("{name}={}", word_of(value))),
        }
    }
    let code = fields.get("exit_code").and_then(Value::as_i64);
    (words.join(" "), printed, code.is_some_and(|code| code != 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    #[test]
    fn an_operation_shows_what_each_check_said_that_validated_it() {
        let now = Timestamp::parse("2026-03-04T11:22:00Z").unwrap();
        let times = Times::at(now, TimeZone::UTC);
        let at = "2026-03-04T11:21:00Z";
        let detail: OperationDetail = serde_json::from_value(json!({
            "id": "op-1", "incident": "inc-1", "target": "web", "failure": "down", "severity": "high",
            "mode": "automatic", "state": "partial", "attempts": 1, "handler": null, "handler_version": null,
            "handler_digest": null, "actions": [], "error": null, "detected_at": "2026-03-04T11:20:00Z",
            "started_at": null, "finished_at": null, "recovery_ms": null, "rto_exceeded": false,
            "escalated": false, "dry_run": false, "journal": [],
            "validation_results": [
                {"check": "http", "outcome": "healthy", "message": "200", "at": at},
                {"check": "tcp", "outcome": "failed", "message": "refused", "at": at},
            ],
        }))
        .unwrap();
        let facts = facts(&detail, &times);
        let said = facts.iter().filter(|(name, _)| name == "validated");
        let said: Vec<Cell> = said.map(|(_, said)| said.clone()).collect();
        let at = times.both(at);
        assert_eq!(
            said,
            [
                cell(format!("http is healthy: 200, {at}"), Tone::Good),
                cell(format!("tcp is failed: refused, {at}"), Tone::Bad),
            ]
        );
    }

    #[test]
    fn an_operation_shows_no_due_time_that_has_passed() {
        let now = Timestamp::parse("2026-03-04T11:22:00Z").unwrap();
        let times = Times::at(now, TimeZone::UTC);
        for (due, is_shown) in [
            (None, false),
            (Some("2026-03-04T11:21:42Z"), false),
            (Some("2026-03-04T11:22:00Z"), false),
            (Some("2026-03-04T11:22:01Z"), true),
        ] {
            let detail: OperationDetail = serde_json::from_value(json!({
                "id": "op-1", "incident": "inc-1", "target": "web", "failure": "down", "severity": "high",
                "mode": "automatic", "state": "scheduled", "attempts": 0, "handler": null, "handler_version": null,
                "handler_digest": null, "actions": [], "error": null, "detected_at": "2026-03-04T11:20:00Z",
                "started_at": null, "finished_at": null, "recovery_ms": null, "rto_exceeded": false,
                "escalated": false, "dry_run": false, "revision": 1, "steps": [], "due": due, "journal": [],
            }))
            .unwrap();
            let facts = facts(&detail, &times);
            assert_eq!(
                facts.iter().any(|(name, _)| name == "due"),
                is_shown,
                "{due:?}"
            );
        }
    }
}
