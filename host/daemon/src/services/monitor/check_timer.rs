//! When each check is due: one wheel for all, so that a check costs the same whatever their number.
//!
//! Invariant: a check keeps its rhythm: runs are due at multiples of `every`. Jitter delays one run only. Runs missed
//! while the machine slept are skipped and counted.
//! Invariant: runs that are due near one another share one wake-up: the first run of a check is put onto a grid of
//! [`GRAIN`], and so are all further ones where `every` is a multiple of it. Where it is none, or a run has jitter, it comes
//! later by less than a grain, and the rhythm stays.

use super::{
    target::{CheckRun, MonitoredTarget},
    wheel::Wheel,
};
use mainstay_domain::time::Monotonic;
use std::{
    future::poll_fn,
    hash::{BuildHasher, Hasher, RandomState},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// First runs are so far apart, taken together, as long as they fit into one period.
const SPREAD: Duration = Duration::from_millis(1);
/// The grid: at most fifty wake-ups a second for any number of checks.
const GRAIN: Duration = Duration::from_millis(20);
/// The grid of checks with a shorter period, and of what is no check: the timers of the runtime are no finer.
const FINE: Duration = Duration::from_millis(1);
/// From this period on a grain is little.
const LONG: Duration = Duration::from_secs(1);
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
    wheel: Wheel<Entry>,
    /// Rings when what is first in the wheel is due.
    alarm: Pin<Box<Sleep>>,
    random: u64,
}

impl CheckTimer {
    /// Needs a runtime with timers.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            wheel: Wheel::new(now),
            alarm: Box::pin(sleep_until(now)),
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
            let beat = self.wheel.align(beat, grain(&run));
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
        let after = due.since(now).clamp(FINE, FARTHEST);
        let at = self.wheel.align(Instant::now() + after, FINE);
        self.wheel.insert(at, Entry::Tick(monitored, due));
    }

    /// Waits for what is due next, all that shares its time, and has put the next runs into the wheel. May be dropped.
    pub(super) async fn next(&mut self) -> Vec<Due> {
        loop {
            poll_fn(|context| self.poll_alarm(context)).await;
            let now = Instant::now();
            let entries = self.wheel.take_first(now);
            let mut all = Vec::with_capacity(entries.len());
            for entry in entries {
                all.extend(self.begin(entry, now));
            }
            if !all.is_empty() {
                return all;
            }
        }
    }

    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // An empty wheel is not the end: the same loop adds to it.
        let Some(first) = self.wheel.first() else {
            return Poll::Pending;
        };
        if self.alarm.deadline() != first {
            self.alarm.as_mut().reset(first);
        }
        if self.alarm.is_elapsed() {
            return Poll::Ready(());
        }
        self.alarm.as_mut().poll(context)
    }

    /// None where its config is gone.
    fn begin(&mut self, entry: Entry, now: Instant) -> Option<Due> {
        match entry {
            Entry::Tick(monitored, due) => Some(Due::Tick(monitored, due)),
            Entry::Check { run, .. } if run.is_retired() => None,
            Entry::Check {
                monitored,
                run,
                beat,
            } => {
                let lateness = now.saturating_duration_since(beat + run.spec.jitter);
                run.meter.began(lateness);
                let (next, missed) = next_beat(beat, period(&run), now);
                if missed > 0 {
                    run.meter.skipped(missed);
                }
                self.insert(Arc::clone(&monitored), Arc::clone(&run), next);
                Some(Due::Check(monitored, run))
            }
        }
    }

    fn insert(&mut self, monitored: Arc<MonitoredTarget>, run: Arc<CheckRun>, beat: Instant) {
        let jitter = run.spec.jitter.min(FARTHEST);
        let when = match jitter.is_zero() {
            true => beat,
            false => beat + jitter.mul_f64(self.fraction()),
        };
        let at = self.wheel.align(when, grain(&run));
        let entry = Entry::Check {
            monitored,
            run,
            beat,
        };
        self.wheel.insert(at, entry);
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

fn grain(run: &CheckRun) -> Duration {
    match period(run) >= LONG {
        true => GRAIN,
        false => FINE,
    }
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
    use crate::services::{metrics::Numbers, testing::specs};
    use mainstay_domain::pulse::Heard;
    use std::collections::HashMap;

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

    fn targets(count: u32, every: Duration, jitter: Duration) -> Vec<Arc<MonitoredTarget>> {
        let numbers = Numbers::new().unwrap();
        let target = |number: u32| {
            let mut check = specs::check("tcp");
            (check.every, check.jitter) = (every, jitter);
            let spec = specs::target(&format!("t-{number}"), vec![check]);
            Arc::new(MonitoredTarget::new(&spec, &numbers, Heard::default()))
        };
        (0..count).map(target).collect()
    }

    fn runs(targets: &[Arc<MonitoredTarget>]) -> Vec<(Arc<MonitoredTarget>, Arc<CheckRun>)> {
        let run = |target: &Arc<MonitoredTarget>| {
            let run = Arc::clone(&target.lock().checks[0]);
            (Arc::clone(target), run)
        };
        targets.iter().map(run).collect()
    }

    /// When each of the next runs began, and in how many wake-ups.
    async fn begun(timer: &mut CheckTimer, count: usize) -> (HashMap<String, Instant>, usize) {
        let (mut begun, mut wakes) = (HashMap::new(), 0);
        while begun.len() < count {
            let due = timer.next().await;
            wakes += 1;
            for due in due {
                let Due::Check(target, _) = due else {
                    panic!("no tick was asked for");
                };
                let name = target.lock().spec.name.to_string();
                assert!(begun.insert(name, Instant::now()).is_none(), "once");
            }
        }
        (begun, wakes)
    }

    #[tokio::test(start_paused = true)]
    async fn runs_that_are_due_near_one_another_share_a_wake_up_and_keep_their_rhythm() {
        let (second, zero) = (Duration::from_secs(1), Duration::ZERO);
        // The period, the most wake-ups for 100 first runs within 100 ms, and how late further ones may be.
        for (every, wakes, late) in [
            (10 * second, 7, zero),
            (second, 7, zero),
            (second + Duration::from_millis(7), 7, GRAIN),
            (second / 2, 101, zero),
        ] {
            let (mut timer, targets) = (CheckTimer::new(), targets(100, every, zero));
            let start = Instant::now();
            timer.add(runs(&targets));
            let (first, found) = begun(&mut timer, 100).await;
            assert!(found <= wakes, "{every:?}: {found}");
            assert!(start.elapsed() <= Duration::from_millis(100) + GRAIN);
            for round in 1..=3 {
                let (next, found) = begun(&mut timer, 100).await;
                assert!(found <= wakes, "{every:?}: {found}");
                for (name, at) in next {
                    let due = first[&name] + every * round;
                    let after = at.checked_duration_since(due);
                    assert!(after.is_some_and(|after| after <= late), "{every:?}");
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn jitter_moves_a_run_later_and_not_the_next_one() {
        let (every, jitter) = (Duration::from_secs(10), Duration::from_secs(1));
        let (mut timer, targets) = (CheckTimer::new(), targets(50, every, jitter));
        let start = Instant::now();
        timer.add(runs(&targets));
        for round in 0..4 {
            let (begun, wakes) = begun(&mut timer, 50).await;
            assert!(wakes > 5, "they are apart");
            for at in begun.into_values() {
                let after = at.checked_duration_since(start + every * round);
                let latest = Duration::from_millis(50) + jitter + 2 * GRAIN;
                assert!(after.is_some_and(|after| after <= latest), "{after:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_added_meanwhile_or_is_gone_neither_holds_the_others_up_nor_is_run() {
        let (mut timer, every) = (CheckTimer::new(), Duration::from_secs(10));
        let (late, gone) = (
            targets(1, 60 * every, Duration::ZERO),
            targets(1, every, Duration::ZERO),
        );
        timer.add(runs(&late));
        timer.add(runs(&gone));
        assert_eq!(begun_count(&mut timer).await, 2);
        gone[0].lock().retire();
        let waits = tokio::time::timeout(2 * every, timer.next());
        assert!(waits.await.is_err(), "it is gone, and the other is not due");
        let new = targets(1, every, Duration::ZERO);
        timer.add(runs(&new));
        let start = Instant::now();
        assert_eq!(begun_count(&mut timer).await, 1);
        assert!(start.elapsed() <= GRAIN, "sooner than what was waited for");
    }

    /// How many runs begin at the next time at which one does.
    async fn begun_count(timer: &mut CheckTimer) -> usize {
        timer.next().await.len()
    }
}
