//! What the daemon's own pauses do to what was in flight.

use super::Core;
use mainstay_domain::{
    health::{Observation, Outcome},
    time::Monotonic,
};
use std::{sync::Arc, time::Duration};

impl Core {
    /// The daemon runs. Where it was held up, starts have as much longer.
    pub(super) fn beat(&self) {
        self.look_back();
        let gap = self.pulse.lock().beat(self.clock.with_suspension());
        let Some(gap) = gap else {
            return;
        };
        let millis = gap.as_millis();
        tracing::warn!(
            millis,
            "the daemon was held up; what failed meanwhile does not count"
        );
        let all: Vec<_> = self.targets.read().values().map(Arc::clone).collect();
        for monitored in all {
            let mut state = monitored.lock();
            state.health.held_up(gap, self.clock.monotonic());
            self.publish(&monitored, &mut state, &[], None);
        }
    }

    /// When a look begins, for [`Core::void`].
    pub(super) fn begun(&self) -> Monotonic {
        self.clock.with_suspension()
    }

    /// Makes a failure unknown that was seen while the daemon was held up: the time that it took is the daemon's own.
    pub(super) fn void(&self, seen: &mut Observation, begun: Monotonic) {
        if seen.outcome != Outcome::Failed {
            return;
        }
        if let Some(gap) = self.held_up_since(begun) {
            seen.outcome = Outcome::Unknown;
            seen.evidence.message = format!("{} ({})", held_up(gap), seen.evidence.message);
        }
    }

    /// Why a heartbeat that did not come within its period is not missed yet: it has a whole one after each gap.
    pub(super) fn excuse_of_heartbeat(&self, every: Duration) -> Option<String> {
        let now = self.clock.with_suspension();
        let start = Monotonic::from_start(now.elapsed().saturating_sub(every));
        let gap = self.pulse.lock().held_up_since(start, now);
        gap.map(|gap| format!("{}; its period has begun anew", held_up(gap)))
    }

    fn held_up_since(&self, start: Monotonic) -> Option<Duration> {
        let now = self.clock.with_suspension();
        self.pulse.lock().held_up_since(start, now)
    }
}

fn held_up(gap: Duration) -> String {
    format!("the daemon itself was held up for {} ms", gap.as_millis())
}
