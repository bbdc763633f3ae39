//! Scenarios and recorded events as JSON lines: one object a line; empty lines are left out.

use super::{
    at::Length,
    draft::{Draft, Entry},
    rule::Rule,
};
use crate::{event::Event, phase::Phase, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a text of JSON lines holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Lines {
    /// A scenario.
    Written(Draft),
    /// Events of a journal, as `mainstay events --json` prints them; and how many lines were of kinds that are not known.
    Recorded(Vec<Event>, usize),
}

/// A line that is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct LinesError {
    /// Which, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// What the file as a whole says, as a line of its own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begin: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleLine {
    rule: Rule,
}

/// Reads JSON lines. Events where the first line is one, else a scenario.
///
/// # Errors
/// The first line that is none.
pub fn read_lines(text: &str) -> Result<Lines, LinesError> {
    let mut draft = Draft::default();
    let mut events: Option<(Vec<Event>, usize)> = None;
    for (place, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |error: serde_json::Error| LinesError {
            line: place + 1,
            why: error.to_string(),
        };
        let value: Value = serde_json::from_str(line).map_err(wrong)?;
        let has = |name: &str| value.get(name).is_some();
        let is_first = draft == Draft::default();
        if events.is_none() && is_first && has("seq") && has("kind") {
            events = Some((Vec::new(), 0));
        }
        if let Some((known, unknown)) = &mut events {
            match Event::deserialize(&value) {
                Ok(event) => known.push(event),
                // Of a kind that another version wrote.
                Err(_) if has("seq") && has("kind") => *unknown += 1,
                Err(error) => return Err(wrong(error)),
            }
        } else if has("rule") {
            draft
                .rules
                .push(RuleLine::deserialize(&value).map_err(wrong)?.rule);
        } else if has("format") || has("begin") || has("until") || (has("phase") && !has("at")) {
            let head = Head::deserialize(&value).map_err(wrong)?;
            draft.format = head.format.or(draft.format);
            draft.begin = head.begin.or(draft.begin);
            draft.until = head.until.or(draft.until);
            draft.phase = head.phase.or(draft.phase);
        } else {
            draft.steps.push(Entry::deserialize(&value).map_err(wrong)?);
        }
    }
    Ok(match events {
        Some((events, unknown)) => Lines::Recorded(events, unknown),
        None => Lines::Written(draft),
    })
}

/// Writes a scenario as JSON lines, which [`read_lines`] reads: what it says as a whole, then the rules, then the steps.
///
/// # Errors
/// None is known: every scenario can be written.
pub fn write_lines(draft: &Draft) -> Result<Vec<String>, serde_json::Error> {
    let head = Head {
        format: Some(draft.format.unwrap_or(1)),
        begin: draft.begin,
        until: draft.until,
        phase: draft.phase,
    };
    let mut lines = vec![serde_json::to_string(&head)?];
    for rule in &draft.rules {
        lines.push(serde_json::to_string(&RuleLine { rule: rule.clone() })?);
    }
    for step in &draft.steps {
        lines.push(serde_json::to_string(step)?);
    }
    Ok(lines)
}
