//! What an operation is taken along as, and what a build that is rehearsed on it comes to.

use crate::words::words;
use mainstay_domain::{
    call_record::{CallOutcome, RecordedCall},
    record::EffectEntry,
    rehearsal::{self, Difference},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

words! {
    /// How much a build differs from what was done; the later is the worse.
    #[serde(rename_all = "kebab-case")]
    RehearsalClass as rehearsal::Class {
        /// In nothing.
        Identical,
        /// In the texts of its report.
        Cosmetic,
        /// In what it looks at.
        ReadsDiffer,
        /// In what it does.
        EffectsDiffer,
        /// In how it ends.
        OutcomeDiffers,
        /// It gives no answer.
        Fault,
    }
}

words! {
    /// How an effect was found in the record.
    #[serde(rename_all = "kebab-case")]
    RehearsalMatch as rehearsal::Matched {
        /// It is the next recorded one.
        Next,
        /// It is a recorded one that comes later, with nothing between that acts.
        Later,
        /// None like it is recorded.
        Speculative,
    }
}

/// What `operation export ID` prints: all that a rehearsal needs. Secrets are in it by name only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationExport {
    /// The form of this document.
    pub format: u32,
    /// The identifier of the operation.
    pub operation: String,
    /// Its calls, as they are stored.
    pub calls: Vec<Value>,
    /// The entries of its journal, as they are stored.
    pub journal: Vec<Value>,
}

impl OperationExport {
    /// Of an operation.
    pub fn of(operation: String, calls: &[RecordedCall], journal: &[EffectEntry]) -> Self {
        let stored = |value: serde_json::Result<Value>| value.unwrap_or_default();
        Self {
            format: 1,
            operation,
            calls: calls
                .iter()
                .map(|call| stored(serde_json::to_value(call)))
                .collect(),
            journal: journal
                .iter()
                .map(|entry| stored(serde_json::to_value(entry)))
                .collect(),
        }
    }
}

/// What `operation replay --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RehearsalReport {
    /// The identifier of the operation.
    pub operation: String,
    /// The build that was rehearsed, `NAME@VERSION`.
    pub plugin: String,
    /// How much it differs.
    pub class: RehearsalClass,
    /// Where first; null where it asked for nothing else.
    pub first_difference: Option<RehearsalDifference>,
    /// What it asked for, in order.
    pub effects: Vec<RehearsalEffect>,
    /// How the call ended then, and how it ends now.
    pub outcome: RehearsalOutcome,
}

/// Where a build first did something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RehearsalDifference {
    /// The number of the effect.
    pub number: u32,
    /// What was asked for then; null where nothing more was.
    pub recorded: Option<String>,
    /// What it asks for; null where it asks for nothing more.
    pub asked: Option<String>,
}

/// One effect that a build asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RehearsalEffect {
    /// Its number within the operation.
    pub number: u32,
    /// The contract's name of the function, e.g. `targets.restart`.
    pub effect: String,
    /// How it was found in the record.
    #[serde(rename = "match")]
    pub matched: RehearsalMatch,
    /// Its arguments.
    pub request: Value,
    /// What was asked for in its place then; null where the record was used up.
    pub recorded: Value,
    /// `record` or `plan`.
    pub answer_from: String,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RehearsalOutcome {
    /// Then; null where it had no end.
    pub recorded: Option<String>,
    /// Now.
    pub now: String,
}

impl RehearsalReport {
    /// Of a rehearsal; `now` is how the build ended, for people.
    pub fn of(
        operation: String,
        plugin: String,
        found: &Difference,
        recorded: Option<&CallOutcome>,
        now: String,
    ) -> Self {
        let first = found.first.as_ref().map(|first| RehearsalDifference {
            number: first.number,
            recorded: first.recorded.clone(),
            asked: first.asked.clone(),
        });
        let effects = found.effects.iter().map(|effect| RehearsalEffect {
            number: effect.number,
            effect: effect.request.name().to_owned(),
            matched: effect.matched.into(),
            request: serde_json::to_value(&effect.request).unwrap_or_default(),
            recorded: serde_json::to_value(&effect.recorded).unwrap_or_default(),
            answer_from: match effect.matched {
                rehearsal::Matched::Next | rehearsal::Matched::Later => "record".to_owned(),
                rehearsal::Matched::Speculative => "plan".to_owned(),
            },
        });
        Self {
            operation,
            plugin,
            class: found.class.into(),
            first_difference: first,
            effects: effects.collect(),
            outcome: RehearsalOutcome {
                recorded: recorded.map(outcome_words),
                now,
            },
        }
    }
}

/// How a call ended, for people.
pub fn outcome_words(outcome: &CallOutcome) -> String {
    match outcome {
        CallOutcome::Done(report) if report.actions.is_empty() => "done".to_owned(),
        CallOutcome::Done(report) => format!("done: {}", report.actions.join("; ")),
        CallOutcome::Failed(failure) => failure.to_string(),
        CallOutcome::GivenUp(why) => why.clone(),
    }
}
