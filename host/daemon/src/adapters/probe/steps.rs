//! What fails by the wall clock, while the wall clock itself was set of late.

use super::{Seen, words::length};
use crate::ports::Clock;
use mainstay_domain::{clock_steps::ClockSteps, health::Outcome};
use parking_lot::Mutex;
use std::time::Duration;

/// What all looks saw of the clocks.
#[derive(Default)]
pub(super) struct Steps(Mutex<ClockSteps>);

impl Steps {
    /// Looks at the clocks; by how much the wall clock was set of late.
    pub(super) fn look(&self, clock: &dyn Clock) -> Option<Duration> {
        let mut steps = self.0.lock();
        steps.look(clock.now(), clock.monotonic())
    }

    /// An age or a date that fails says nothing while the wall clock may be wrong.
    pub(super) fn judge(&self, clock: &dyn Clock, seen: Seen) -> Seen {
        // Most looks pass, or have nothing to do with it; the next one sees where it was set meanwhile.
        if !seen.by_wall_clock || seen.outcome != Some(Outcome::Failed) {
            return seen;
        }
        let Some(set) = self.look(clock) else {
            return seen;
        };
        Seen {
            value: seen.value,
            ..Seen::unknown(format!(
                "{} (the host itself: its wall clock was set by {} of late, so no date and no age is judged by it yet)",
                seen.message,
                length(set)
            ))
        }
    }
}
