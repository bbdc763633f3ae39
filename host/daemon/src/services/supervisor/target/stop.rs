//! How a process is asked to end.

use super::super::{DEFAULT_GRACE, DEFAULT_STOP_SIGNAL};
use mainstay_domain::{effect::Signal, spec::ProcessSpec};
use std::time::Duration;

/// How a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Stop {
    pub(in super::super) signal: Signal,
    /// How long it then has to end by itself.
    pub(in super::super) grace: Duration,
}

impl Stop {
    /// Of a target that no config has named yet.
    pub(super) const DEFAULT: Self = Self {
        signal: DEFAULT_STOP_SIGNAL,
        grace: DEFAULT_GRACE,
    };

    /// By its config.
    pub(super) fn of(process: &ProcessSpec) -> Self {
        Self {
            signal: process.stop_signal,
            grace: process.grace,
        }
    }
}
