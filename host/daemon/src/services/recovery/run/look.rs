//! How a run sees whether the failure is gone.

use super::Run;
use crate::ports::Clock;
use mainstay_domain::{
    breaker::CircuitState,
    effect::EffectError,
    health::{Observation, Outcome},
    operation::Operation,
    time::Monotonic,
};
use std::time::Duration;

/// Between two looks: at first this, then doubled up to [`SLOWEST_LOOK`].
const FIRST_LOOK: Duration = Duration::from_millis(2);
/// A target that starts slowly is not asked more often than this.
const SLOWEST_LOOK: Duration = Duration::from_millis(250);
/// For a target that is no longer configured.
const DEFAULT_VALIDATION: Duration = Duration::from_secs(60);

impl Run {
    /// Whether the failure holds, by the checks.
    pub(super) fn holds(&self) -> bool {
        let Operation {
            target, failure, ..
        } = &self.operation;
        self.ports.watch.is_failing(target, failure)
    }

    /// Runs the checks, but where their circuit is open: it is what they saw last. A child that is only being started
    /// or adopted is waited for.
    pub(super) async fn looks_healthy(&self) -> bool {
        let target = &self.operation.target;
        let mut looks = Looks::until(self.ports.clock.monotonic() + self.allowed());
        loop {
            let circuit = self.ports.watch.health(target).map(|(_, circuit)| circuit);
            if self.holds() && circuit == Some(CircuitState::Open) {
                return false;
            }
            match self.ports.watch.check_now(target.clone()).await {
                Ok(seen) => return !seen.is_empty() && self.all_pass(&seen),
                Err(EffectError::Unavailable(_)) => {
                    let is_over = self.cancel.is_cancelled();
                    if is_over || !looks.again(&*self.ports.clock).await {
                        return false;
                    }
                }
                Err(_) => return false,
            }
        }
    }

    /// Whether the checks that see this failure passed: another failure of the target is not this operation's. One that
    /// no check sees is judged by all of them.
    fn all_pass(&self, seen: &[Observation]) -> bool {
        let is_own = |one: &&Observation| {
            let target = self.target.as_ref();
            target.is_some_and(|target| target.is_seen_by(&self.operation.failure, &one.check))
        };
        let has_own = seen.iter().any(|one| is_own(&one));
        let mut judged = seen.iter().filter(|one| !has_own || is_own(one));
        judged.all(|one| one.outcome != Outcome::Failed)
    }

    fn allowed(&self) -> Duration {
        let target = self.target.as_ref();
        target.map_or(DEFAULT_VALIDATION, |target| target.validation_timeout)
    }

    /// Runs the checks until the failure is gone, or the time for it is over.
    pub(super) async fn validate(&self) -> bool {
        let target = self.operation.target.clone();
        self.ports.watch.handler_acted(&target);
        let mut looks = Looks::until(self.ports.clock.monotonic() + self.allowed());
        loop {
            let seen = self.ports.watch.check_now(target.clone()).await;
            if seen.is_ok_and(|seen| self.all_pass(&seen)) && !self.holds() {
                return true;
            }
            if self.cancel.is_cancelled() || !looks.again(&*self.ports.clock).await {
                return false;
            }
        }
    }
}

/// Looks at a target, ever more slowly, up to a time.
struct Looks {
    end: Monotonic,
    pause: Duration,
}

impl Looks {
    fn until(end: Monotonic) -> Self {
        Self {
            end,
            pause: FIRST_LOOK,
        }
    }

    /// Waits for the next look; false where the time is over.
    async fn again(&mut self, clock: &dyn Clock) -> bool {
        if clock.monotonic() >= self.end {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(SLOWEST_LOOK);
        true
    }
}
