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

/// What `explain CODE --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorPage {
    /// The code, as it stands at the end of an error.
    pub code: String,
    /// What it means, in some words.
    pub title: String,
    /// All below the title, in Markdown.
    pub text: String,
}

/// A line of what `explain --json` prints without a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListedError {
    /// The code.
    pub code: String,
    /// What it means, in some words.
    pub title: String,
}
