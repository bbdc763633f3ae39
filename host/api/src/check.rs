//! What `check --json` prints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a config can be used in spite of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemSeverity {
    /// It cannot.
    Error,
    /// It can, but hardly does what its author wants.
    Warning,
}

/// One thing that is wrong with a config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Whether the config can be used in spite of it.
    pub severity: ProblemSeverity,
    /// The file, as it was named.
    pub file: Option<String>,
    /// From 1; null where it is about the whole file.
    pub line: Option<u64>,
    /// In characters, from 1.
    pub column: Option<u64>,
    /// What was found and why it is wrong.
    pub message: String,
    /// What is allowed, or what to do next.
    pub help: String,
}

/// What `check --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckReport {
    /// Whether there is no error; warnings are allowed.
    pub ok: bool,
    /// Everything that was found.
    pub problems: Vec<Problem>,
}

impl CheckReport {
    /// A report about these problems.
    pub fn new(problems: Vec<Problem>) -> Self {
        let is_error = |problem: &Problem| problem.severity == ProblemSeverity::Error;
        let ok = !problems.iter().any(is_error);
        Self { ok, problems }
    }
}
