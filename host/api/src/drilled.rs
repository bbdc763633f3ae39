//! What a restore drill has measured.

use mainstay_domain::drilled;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A restore drill that came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drilled {
    /// When it ended.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// How long all that was stored took to be written into its scratch directory, milliseconds.
    pub restore_ms: u64,
    /// How long what was started on that took to be found healthy, milliseconds; absent where nothing was started, or it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_ms: Option<u64>,
    /// Both, milliseconds.
    pub total_ms: u64,
    /// Whose recovery it would have been; absent where the job does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The recovery time objective of that target then, milliseconds; absent where there is no target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_ms: Option<u64>,
    /// Why it failed, for people; absent where it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<&drilled::Drilled> for Drilled {
    fn from(drilled: &drilled::Drilled) -> Self {
        Self {
            at: drilled.at.to_string(),
            restore_ms: drilled.restore_ms,
            healthy_ms: drilled.healthy_ms,
            total_ms: drilled.total_ms(),
            target: drilled.target.as_ref().map(ToString::to_string),
            rto_ms: drilled.rto_ms,
            error: drilled.error.clone(),
        }
    }
}
