//! What is answered where something is not done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// What is wrong.
    pub error: String,
    /// What to do.
    pub help: Option<String>,
}
