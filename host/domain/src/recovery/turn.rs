//! Which step of a chain is called next, and why others are not.
//!
//! Invariant: what always runs is next whatever came before it; a condition can keep no other step from its turn, for it can
//! neither fail nor be about what is not there.

use super::AttemptProgress;
use crate::{
    condition::Facts,
    operation::Operation,
    spec::{OnFailure, StepSpec},
};
use std::collections::{BTreeMap, BTreeSet};

/// What is said of an attempt in which no step was called, for its condition was not met.
pub(super) const UNMET: &str = "the condition of no step of its chain was met";

/// Whose turn it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// The place of the step; none where the chain is over.
    pub(super) place: Option<usize>,
    /// Which steps before it are not called and why, with the word for that, for people.
    pub(super) skipped: Vec<String>,
}

/// The step behind `after`, or the first. `goes_on` is false where only what always runs is still called. What the gate has
/// `withheld`, and why, has not failed, and is not asked for its condition. What comes of the steps that are passed by is
/// added to `progress`.
pub(super) fn next(
    chain: &[StepSpec],
    after: Option<usize>,
    (permanently_failed, withheld): (&BTreeSet<usize>, &BTreeMap<usize, String>),
    goes_on: bool,
    facts: &Facts,
    progress: &mut AttemptProgress,
) -> Turn {
    let from = after.map_or(0, |step| step.saturating_add(1));
    let mut skipped = Vec::new();
    for (place, step) in chain.iter().enumerate().skip(from) {
        if permanently_failed.contains(&place) {
            progress.stopped |= step.on_failure == Some(OnFailure::Stop);
            continue;
        }
        let is_left = goes_on && progress.failed.is_none() && !progress.stopped;
        if !step.always && !is_left {
            continue;
        }
        if let Some(why) = withheld.get(&place) {
            // What is left where no other step is.
            progress
                .permanently_failed
                .get_or_insert_with(|| why.clone());
            skipped.push(why.clone());
            continue;
        }
        let number = number_of(place);
        let facts = Facts {
            step: number,
            ..*facts
        };
        match &step.when {
            Some(condition) if !condition.is_met(&facts) => {
                progress.unmet = true;
                skipped.push(format!(
                    "step {number}, {}, was not called: {condition} was not met [condition-not-met]",
                    step.handler
                ));
            }
            _ => {
                return Turn {
                    place: Some(place),
                    skipped,
                };
            }
        }
    }
    Turn {
        place: None,
        skipped,
    }
}

/// What is said of a step that a dry run has called.
pub(super) fn planned(place: usize, step: &StepSpec) -> String {
    let number = number_of(place);
    format!(
        "step {number}, {}, was only planned [dry-run]",
        step.handler
    )
}

/// As people count, from 1.
fn number_of(place: usize) -> u32 {
    u32::try_from(place.saturating_add(1)).unwrap_or(u32::MAX)
}

/// Puts on record what was not called, once for all attempts; whether it is another record now.
pub(super) fn note(operation: &mut Operation, skipped: Vec<String>) -> bool {
    let before = operation.actions.len();
    for words in skipped {
        if !operation.actions.contains(&words) {
            operation.actions.push(words);
        }
    }
    operation.actions.len() > before
}
