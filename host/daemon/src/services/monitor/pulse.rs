//! What the daemon's own pauses do to what was in flight.

use super::Core;
use mainstay_domain::{
    health::{Observation, Outcome},
    measure::length,
    pulse::{Heard, Heartbeat, Moment},
    time::Monotonic,
};
use std::{sync::Arc, time::Duration};

impl Core {
    /// The daemon runs. Where it was held up, starts have as much longer.
    pub(super) fn beat(&self) {
        self.look_back();
        let now = self.moment();
        let held_up = self.pulse.lock().beat(now);
        let Some(held_up) = held_up else {
            return;
        };
        let millis = held_up.length.as_millis();
        tracing::warn!(
            millis,
            "the daemon was held up; what failed meanwhile does not count"
        );
        let all: Vec<_> = self.targets.read().values().map(Arc::clone).collect();
        for monitored in all {
            let mut state = monitored.lock();
            state.health.held_up(held_up.awake, self.clock.monotonic());
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

    /// A target is heard of now.
    pub(super) fn heard(&self) -> Heard {
        let now = self.moment();
        self.pulse.lock().heard(now)
    }

    /// How it stands with a heartbeat that came last then.
    pub(super) fn heartbeat(&self, last: Heard, every: Duration) -> Heartbeat {
        let now = self.moment();
        self.pulse.lock().heartbeat(last, every, now)
    }

    fn held_up_since(&self, start: Monotonic) -> Option<Duration> {
        let now = self.moment();
        self.pulse.lock().held_up_since(start, now)
    }

    fn moment(&self) -> Moment {
        Moment {
            with_suspension: self.clock.with_suspension(),
            awake: self.clock.monotonic(),
        }
    }
}

pub(super) fn held_up(gap: Duration) -> String {
    format!("the daemon itself was held up for {}", length(gap))
}
