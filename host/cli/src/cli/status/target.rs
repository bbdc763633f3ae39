//! How one target is said to be.

use crate::cli::output::Tone;
use mainstay_api::{CircuitState, Health};

/// The tone of a target's health.
pub(in crate::cli) fn health_tone(health: Health) -> Tone {
    match health {
        Health::Unknown | Health::Starting => Tone::Plain,
        Health::Healthy => Tone::Good,
        Health::Degraded => Tone::Warn,
        Health::Failed => Tone::Bad,
    }
}

/// A circuit in words.
pub(super) fn circuit_words(circuit: CircuitState) -> &'static str {
    match circuit {
        CircuitState::Closed => "closed",
        CircuitState::HalfOpen => "half-open, being tried",
        CircuitState::Open => "open, failing",
    }
}
