//! When each check is due: one hashed timing wheel for all, so that a check costs the same whatever their number.
//!
//! Invariant: a check keeps its rhythm: runs are due at multiples of `every`. Jitter delays one run only. Runs missed
//! while the machine slept are skipped and counted.

use super::target::{CheckRun, MonitoredTarget};
use mainstay_domain::time::Monotonic;
use std::{
    future::poll_fn,
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::time::DelayQueue;

/// First runs are at least so far apart, as long as they fit into one period.
const SPREAD: Duration = Duration::from_millis(1);
/// The wheel takes nothing further away.
const FARTHEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// What is due.
pub(super) enum Due {
    Check(Arc<MonitoredTarget>, Arc<CheckRun>),
    /// Its circuit goes half-open by itself, or its start ends, at this time.
    Tick(Arc<MonitoredTarget>, Monotonic),
}

enum Entry {
    Check {
        monitored: Arc<MonitoredTarget>,
        run: Arc<CheckRun>,
        /// Without jitter.
        beat: Instant,
    },
    Tick(Arc<MonitoredTarget>, Monotonic),
}

pub(super) struct CheckTimer {
    wheel: DelayQueue<Entry>,
    random: u64,
}

impl CheckTimer {
    pub(super) fn new() -> Self {
        Self {
            wheel: DelayQueue::new(),
            random: RandomState::new().build_hasher().finish(),
        }
    }

    /// Adds checks, their first runs spread: ten are run within milliseconds, many evenly over their period.
    pub(super) fn add(&mut self, checks: Vec<(Arc<MonitoredTarget>, Arc<CheckRun>)>) {
        let now = Instant::now();
        let count = u32::try_from(checks.len()).unwrap_or(u32::MAX).max(1);
        for (place, (monitored, run)) in (0..count).zip(checks) {
            let window = period(&run).min(SPREAD.saturating_mul(count));
            let beat = now + window.mul_f64(f64::from(place) / f64::from(count));
            self.insert(monitored, run, beat);
        }
    }

    pub(super) fn add_tick(
        &mut self,
        monitored: Arc<MonitoredTarget>,
        due: Monotonic,
        now: Monotonic,
    ) {
        // Not at once where clocks differ: a tick that comes too soon is asked for again.
        let after = due.since(now).clamp(Duration::from_millis(1), FARTHEST);
        self.wheel.insert(Entry::Tick(monitored, due), after);
    }

    /// Waits for what is due next, and has put its next run into the wheel. May be dropped.
    pub(super) async fn next(&mut self) -> Due {
        loop {
            // An empty wheel is not the end: the same loop adds to it.
            let entry = poll_fn(|context| match self.wheel.poll_expired(context) {
                Poll::Ready(Some(expired)) => Poll::Ready(expired.into_inner()),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            });
            match entry.await {
                Entry::Tick(monitored, due) => return Due::Tick(monitored, due),
                Entry::Check { run, .. } if run.is_retired() => {}
                Entry::Check {
                    monitored,
                    run,
                    beat,
                } => {
                    let now = Instant::now();
                    let lateness = now.saturating_duration_since(beat + run.spec.jitter);
                    run.meter.began(lateness);
                    let (next, missed) = next_beat(beat, period(&run), now);
                    if missed > 0 {
                        run.meter.skipped(missed);
                    }
                    self.insert(Arc::clone(&monitored), Arc::clone(&run), next);
                    return Due::Check(monitored, run);
                }
            }
        }
    }

    fn insert(&mut self, monitored: Arc<MonitoredTarget>, run: Arc<CheckRun>, beat: Instant) {
        let when = beat + run.spec.jitter.min(FARTHEST).mul_f64(self.fraction());
        self.wheel.insert_at(
            Entry::Check {
                monitored,
                run,
                beat,
            },
            when,
        );
    }

    /// From 0 to 1; xorshift (Marsaglia 2003), for which seconds of jitter are no secret.
    fn fraction(&mut self) -> f64 {
        self.random = self.random.max(1);
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let bits = u32::try_from(self.random >> 32).unwrap_or_default();
        f64::from(bits) / f64::from(u32::MAX)
    }
}

fn period(run: &CheckRun) -> Duration {
    run.spec.every.clamp(Duration::from_millis(1), FARTHEST)
}

/// The first beat after `now`, and how many were missed.
fn next_beat(beat: Instant, period: Duration, now: Instant) -> (Instant, u64) {
    let late = now.saturating_duration_since(beat);
    let missed = late.as_nanos() / period.as_nanos().max(1);
    let missed = u32::try_from(missed).unwrap_or(u32::MAX);
    let next = beat + period.saturating_mul(missed.saturating_add(1));
    (next, u64::from(missed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_that_passed_are_left_out_and_the_rhythm_stays() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        for (late_ms, expected_secs, missed) in
            [(0, 1, 0), (999, 1, 0), (1_000, 2, 1), (5_300, 6, 5)]
        {
            let now = start + Duration::from_millis(late_ms);
            let expected = (start + second * expected_secs, missed);
            assert_eq!(next_beat(start, second, now), expected, "{late_ms} ms late");
        }
    }
}
