//! The circuit breaker of a target [seed 002]: closed, open, half-open.

use serde::{Deserialize, Serialize};

/// Where a target's circuit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum CircuitState {
    /// Healthy enough.
    #[default]
    Closed,
    /// Failing.
    Open,
    /// Tried again: successes close it, any failure opens it.
    HalfOpen,
}
