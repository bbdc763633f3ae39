//! The calls of handlers that an operation has on record.

use mainstay_domain::call_record::{CallOutcome, RecordedCall};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One call of a handler: what a daemon after a crash makes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HandlerCall {
    /// Its number within the operation, from 1.
    pub call: u32,
    /// The step of the chain, from 0.
    pub step: u32,
    /// The attempt of the operation, from 1.
    pub attempt: u32,
    /// Who was called, by the name of the plugin or of its instance.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The BLAKE3 hash of its component, hexadecimal.
    pub digest: String,
    /// When it began.
    #[schemars(extend("format" = "date-time"))]
    pub began_at: String,
    /// When it ended; null while it has not.
    #[schemars(extend("format" = "date-time"))]
    pub ended_at: Option<String>,
    /// `done`, or how it failed; null while it has not ended.
    pub outcome: Option<String>,
    /// How often in a row it was begun again after an end of the daemon without getting further.
    pub replays: u32,
}

impl From<&RecordedCall> for HandlerCall {
    fn from(call: &RecordedCall) -> Self {
        let RecordedCall { record, end } = call;
        let outcome = |outcome: &CallOutcome| match outcome {
            CallOutcome::Done(_) => "done".to_owned(),
            CallOutcome::Failed(failure) => failure.to_string(),
            CallOutcome::GivenUp(why) => why.clone(),
        };
        Self {
            call: record.call,
            step: record.step,
            attempt: record.attempt,
            plugin: record.plugin.to_string(),
            version: record.version.to_string(),
            digest: record.digest.clone(),
            began_at: record.began_at.to_string(),
            ended_at: end.as_ref().map(|end| end.at.to_string()),
            outcome: end.as_ref().map(|end| outcome(&end.outcome)),
            replays: record.replays,
        }
    }
}
