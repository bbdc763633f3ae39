//! One target, as the monitor sees it.
//!
//! Invariant: whatever changes what its checks mean (another config, a start, a stop) begins a new epoch; what a check
//! began to look at in an earlier one does not count.

use super::process::ProcessState;
use crate::{ports::Looked, services::metrics::Numbers};
use mainstay_domain::{
    breaker::{HealthChange, TargetHealth},
    health::{Observation, Outcome},
    name::{CheckName, FailureType, TargetName},
    pulse::Heard,
    severity::Severity,
    spec::{CheckSpec, TargetSpec},
    time::Monotonic,
};
use metrics::{Counter, Histogram};
use parking_lot::{Mutex, MutexGuard};
use std::{
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::Duration,
};

pub(super) struct MonitoredTarget {
    state: Mutex<MonitoredState>,
}

pub(super) struct MonitoredState {
    pub(super) spec: Arc<TargetSpec>,
    pub(super) checks: Vec<Arc<CheckRun>>,
    pub(super) health: TargetHealth,
    pub(super) epoch: u64,
    pub(super) process: ProcessState,
    pub(super) last_beat: Heard,
    /// When the circuit goes half-open by itself, or the start ends, where the schedule knows it.
    pub(super) tick_at: Option<Monotonic>,
    /// What its process wrote last before it ended, until that is told.
    pub(super) last_lines: Option<String>,
    /// By whom it is kept stopped, and why, for people.
    pub(super) stopped: Option<String>,
}

/// One check of one target in one config.
pub(super) struct CheckRun {
    pub(super) spec: Arc<CheckSpec>,
    /// Held by who runs it.
    pub(super) turn: tokio::sync::Mutex<()>,
    pub(super) meter: Meter,
    /// Its last look came to nothing, for the host's own reasons.
    pub(super) is_unseen: AtomicBool,
    /// What it saw last, without what was printed, and how long that took.
    last: Mutex<Option<(Observation, Duration)>>,
    state: Mutex<RunState>,
}

/// Where a check stands with the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunState {
    /// It was never put into it.
    New,
    /// It is in it, once.
    Scheduled,
    /// The config has it no more, or otherwise: it leaves the schedule when it is due next.
    Retired,
}

/// How a check is counted.
pub(super) struct Meter {
    target: TargetName,
    check: CheckName,
    kind: &'static str,
    numbers: Numbers,
    outcomes: [OnceLock<Counter>; 5],
    duration: OnceLock<Histogram>,
    lateness: OnceLock<Histogram>,
}

impl MonitoredTarget {
    pub(super) fn new(spec: &TargetSpec, numbers: &Numbers, heard: Heard) -> Self {
        let checks = spec
            .checks
            .iter()
            .map(|check| CheckRun::new(&spec.name, check, numbers));
        let state = MonitoredState {
            checks: checks.collect(),
            health: TargetHealth::new(&spec.checks, exit_of(spec), spec.breaker),
            spec: Arc::new(spec.clone()),
            epoch: 0,
            process: ProcessState::new(spec),
            last_beat: heard,
            tick_at: None,
            last_lines: None,
            stopped: None,
        };
        Self {
            state: Mutex::new(state),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, MonitoredState> {
        self.state.lock()
    }
}

impl MonitoredState {
    /// Applies another config of the same target; `process` is what is known of its process.
    pub(super) fn reconfigure(
        &mut self,
        spec: &TargetSpec,
        process: Option<&Observation>,
        numbers: &Numbers,
        heard: Heard,
    ) -> Vec<HealthChange> {
        if *self.spec == *spec {
            return Vec::new();
        }
        let mut before = std::mem::take(&mut self.checks);
        for check in &spec.checks {
            let same = before.iter().position(|run| *run.spec == *check);
            let run = same.map(|place| before.swap_remove(place));
            self.checks
                .push(run.unwrap_or_else(|| CheckRun::new(&spec.name, check, numbers)));
        }
        before.iter().for_each(|run| run.retire());
        self.spec = Arc::new(spec.clone());
        self.epoch += 1;
        self.last_beat = heard;
        let exit = exit_of(spec);
        self.health
            .reconfigure(&spec.checks, exit, spec.breaker, process, heard.at)
    }

    /// The target is not in the config any more: nothing of it is run, and nothing of it fails.
    pub(super) fn retire(&mut self) -> Vec<HealthChange> {
        self.checks.drain(..).for_each(|run| run.retire());
        self.epoch += 1;
        let failing: Vec<FailureType> = self.health.failing().cloned().collect();
        let mut changes: Vec<HealthChange> = Vec::new();
        for failure in failing {
            let change = HealthChange::FailureCleared { failure };
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        self.health = TargetHealth::new(&[], None, self.spec.breaker);
        changes
    }
}

fn exit_of(spec: &TargetSpec) -> Option<(&FailureType, Severity)> {
    let process = spec.process.as_ref()?;
    Some((&process.exit_failure, process.exit_severity))
}

impl CheckRun {
    fn new(target: &TargetName, check: &CheckSpec, numbers: &Numbers) -> Arc<Self> {
        Arc::new(Self {
            meter: Meter {
                target: target.clone(),
                check: check.name.clone(),
                kind: check.kind.as_str(),
                numbers: numbers.clone(),
                outcomes: [const { OnceLock::new() }; 5],
                duration: OnceLock::new(),
                lateness: OnceLock::new(),
            },
            spec: Arc::new(check.clone()),
            turn: tokio::sync::Mutex::new(()),
            is_unseen: AtomicBool::new(false),
            last: Mutex::default(),
            state: Mutex::new(RunState::New),
        })
    }

    /// It saw this, and took so long.
    pub(super) fn saw(&self, seen: &Observation, took: Duration) {
        let mut kept = seen.clone();
        kept.evidence.output = None;
        *self.last.lock() = Some((kept, took));
    }

    /// What it saw last; nothing where it has seen nothing yet.
    pub(super) fn last_look(&self) -> Looked {
        let (seen, took) = self.last.lock().clone().unzip();
        Looked {
            check: self.spec.name.clone(),
            seen,
            unit: self.spec.kind.unit(),
            took: took.unwrap_or_default(),
        }
    }

    /// True the first time.
    pub(super) fn claim_timer(&self) -> bool {
        let mut state = self.state.lock();
        let is_first = *state == RunState::New;
        if is_first {
            *state = RunState::Scheduled;
        }
        is_first
    }

    /// It leaves the schedule when it is due next.
    fn retire(&self) {
        *self.state.lock() = RunState::Retired;
    }

    pub(super) fn is_retired(&self) -> bool {
        *self.state.lock() == RunState::Retired
    }
}

impl Meter {
    /// It was run, with this outcome, for so long; a failure that the start excuses is counted apart.
    pub(super) fn ran(&self, outcome: Outcome, is_excused_by_start: bool, length: Duration) {
        let (place, word) = match outcome {
            Outcome::Healthy => (0, "healthy"),
            Outcome::Degraded => (1, "degraded"),
            Outcome::Failed if is_excused_by_start => (3, "starting"),
            Outcome::Failed => (2, "failed"),
            Outcome::Unknown => (4, "unknown"),
        };
        if let Some(counter) = self.outcomes.get(place) {
            counter.get_or_init(|| self.counter(word)).increment(1);
        }
        let duration = self.duration.get_or_init(|| {
            let kind = Some(("kind", self.kind));
            self.numbers
                .shared_histogram("check_duration_seconds", kind)
        });
        duration.record(length);
        self.numbers.sampled(1);
    }

    /// It began so much later than it was due.
    pub(super) fn began(&self, late: Duration) {
        let lateness = self.lateness.get_or_init(|| {
            self.numbers
                .shared_histogram("check_lateness_seconds", None)
        });
        lateness.record(late);
        self.numbers.sampled(1);
    }

    fn counter(&self, outcome: &'static str) -> Counter {
        let (target, check) = (self.target.to_string(), self.check.to_string());
        self.numbers.write(|| {
            metrics::counter!("checks_total", "target" => target, "check" => check, "outcome" => outcome)
        })
    }

    /// So many runs were left out, because it still ran or the machine slept.
    pub(super) fn skipped(&self, count: u64) {
        let (target, check) = (self.target.to_string(), self.check.to_string());
        self.numbers.write(|| {
            metrics::counter!("checks_skipped_total", "target" => target, "check" => check)
                .increment(count);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;

    #[test]
    fn a_check_enters_the_schedule_once_and_never_after_it_was_retired() {
        let numbers = Numbers::new().unwrap();
        // The state; whether it enters the schedule, and the state after it was asked.
        let table = [
            (RunState::New, true, RunState::Scheduled),
            (RunState::Scheduled, false, RunState::Scheduled),
            (RunState::Retired, false, RunState::Retired),
        ];
        for (before, enters, after) in table {
            let run = CheckRun::new(&specs::name("web"), &specs::check("tcp"), &numbers);
            *run.state.lock() = before;
            assert_eq!(run.claim_timer(), enters, "{before:?}");
            assert_eq!(*run.state.lock(), after, "{before:?}");
            assert_eq!(run.is_retired(), after == RunState::Retired, "{before:?}");
            run.retire();
            assert!(run.is_retired(), "{before:?}");
        }
    }
}
