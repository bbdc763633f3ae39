//! What `demo --json` prints: one line for each step, then one for the whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One step of `demo --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DemoStep {
    /// Its name.
    pub step: String,
    /// Whether it went as it should.
    pub ok: bool,
    /// How long it took, milliseconds.
    pub elapsed_ms: u64,
    /// What was seen, or what went wrong, for people.
    pub detail: String,
}

/// The last line of `demo --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DemoEnd {
    /// Whether every step went as it should.
    pub ok: bool,
    /// How many steps were begun.
    pub steps: u32,
    /// How long all of it took, milliseconds.
    pub elapsed_ms: u64,
}
