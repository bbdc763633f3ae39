//! `when` of a step: a condition, whose errors name their column.

use super::super::super::{document::Place, reader::ValueAt, suggest::nearest, values::text};
use mainstay_domain::condition::{Condition, ConditionError};

/// When a step is called.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum When {
    /// Its chain says.
    Unsaid,
    /// Whatever came before it.
    Always,
    /// Where this is met.
    Met(Condition),
}

impl When {
    pub(super) fn condition(self) -> Option<Condition> {
        match self {
            When::Met(condition) => Some(condition),
            When::Unsaid | When::Always => None,
        }
    }
}

pub(super) fn when(at: ValueAt<'_>) -> Option<When> {
    let text = text(at)?;
    if text.trim() == "always" {
        return Some(When::Always);
    }
    match Condition::parse(&text) {
        Ok(condition) => Some(When::Met(condition)),
        Err(error) => refuse(at, &text, &error),
    }
}

fn refuse<T>(at: ValueAt<'_>, text: &str, error: &ConditionError) -> Option<T> {
    let meant = error.unknown.as_deref();
    let meant = meant.and_then(|found| nearest(found, Condition::NAMES));
    let help = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => error.help.clone(),
    };
    match place_in(at, text, error) {
        Some(place) => {
            let message = format!("`{}`: {error}", at.key);
            at.context.error(place, message, help);
            None
        }
        None => {
            let before = text.get(..error.span.start).unwrap_or_default();
            let column = before.chars().count().saturating_add(1);
            at.refuse(
                format!("`{}`: {error}, at its column {column}", at.key),
                help,
            )
        }
    }
}

/// Where in the file it is; none where the condition is not written there as it reads.
fn place_in(at: ValueAt<'_>, text: &str, error: &ConditionError) -> Option<Place> {
    let whole = at.node.place;
    let source = at.context.sources.get(whole.file)?;
    let written = source.text.get(whole.start..whole.end)?;
    let begins = written.find(text).filter(|_| !text.is_empty())?;
    let start = whole.start.saturating_add(begins);
    Some(Place {
        file: whole.file,
        start: start.saturating_add(error.span.start),
        end: start.saturating_add(error.span.end),
    })
}
