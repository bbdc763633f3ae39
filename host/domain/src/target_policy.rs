//! What a person set of a target's recovery, over what its routes say [seed 002: `set_recovery_policy`].
//!
//! Invariant: it is a layer: what it does not say, the route says, also the one of a later config.

use serde::{Deserialize, Serialize};

/// What was set; nothing of what is absent. Serialised as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetPolicy {
    /// Whether a person has to approve each recovery, as with the strategy `manual`.
    pub ask: Option<bool>,
    /// How often it is tried, at least once.
    pub max_attempts: Option<u32>,
    /// Before the second attempt, milliseconds.
    pub initial_delay_ms: Option<u64>,
    /// By how much each delay is longer than the one before, at least 1.
    pub multiplier: Option<f64>,
    /// No delay is longer, milliseconds.
    pub max_delay_ms: Option<u64>,
    /// After a success, milliseconds.
    pub cooldown_ms: Option<u64>,
}

impl TargetPolicy {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This, and what another one says over it.
    pub fn and(&self, over: &Self) -> Self {
        Self {
            ask: over.ask.or(self.ask),
            max_attempts: over.max_attempts.or(self.max_attempts),
            initial_delay_ms: over.initial_delay_ms.or(self.initial_delay_ms),
            multiplier: over.multiplier.or(self.multiplier),
            max_delay_ms: over.max_delay_ms.or(self.max_delay_ms),
            cooldown_ms: over.cooldown_ms.or(self.cooldown_ms),
        }
    }
}
