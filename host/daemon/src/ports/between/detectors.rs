//! Calls of detectors.

use super::super::Boxed;
use mainstay_domain::{health::Outcome, name::TargetName, spec::CheckSpec, time::Timestamp};
use std::sync::Arc;

/// What a detector saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Detected {
    /// How the target was; never unknown.
    pub outcome: Outcome,
    /// What was seen, for people.
    pub message: String,
    /// The measured value.
    pub value: Option<f64>,
}

/// Looks at targets by plugins.
pub trait Detectors: Send + Sync {
    /// Asks the detector of a check of kind `plugin`, within the check's timeout. What it left the last time is handed to
    /// it. The error is why it could not look, for people. May be dropped.
    fn detect(
        &self,
        target: TargetName,
        check: Arc<CheckSpec>,
        now: Timestamp,
    ) -> Boxed<'_, Result<Detected, String>>;
}
