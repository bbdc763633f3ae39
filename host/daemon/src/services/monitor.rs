//! Runs the checks of all targets on their schedules, and turns what they see into health, events and findings.
//!
//! Invariant: a check never waits for another one and never overlaps itself; where it still runs when it is due again,
//! that run is left out and counted.
//! Invariant: what a check saw before its target was stopped, started or configured anew does not count after it.
//! Invariant: nothing here waits for the journal or for the recovery engine. Events are submitted; findings that the
//! engine is too slow for are kept, the newest for each target and failure.
//! Invariant: the checks of a supervised child begin when its process was first told of: started, adopted, or not to be
//! had. Before, they would see the failure of what nobody has started yet.
//! Invariant: what one target tells costs the same whatever the number of targets; another config costs a comparison for
//! each, and work for those that it changes.
//! Invariant: an exit is sent to the engine before the failure that it raises, and both before its end.
//! Invariant: what failed while the daemon itself was held up is no failure, and no deadline passes in that time.
//! Invariant: a look that came to nothing for the host's own reasons changes nothing of its target but what is shown.
//! Paused targets are watched as all others are: a pause keeps recovery back, not the eyes.
//!
//! Length: the state of all targets and what each change of it sets off.

mod blind;
mod check_timer;
mod events;
mod finding_sender;
mod look;
mod port;
mod process;
mod pulse;
mod reconfigure;
mod reports;
mod resume;
mod round;
mod target;
#[cfg(test)]
mod tests;
mod wheel;

use super::{metrics::Numbers, next_spec::next_spec, shared::Shared, status_view::ChangedTargets};
use crate::ports::{Batch, Clock, Finding, Journal, Probe, ProcessUpdate};
use check_timer::{CheckTimer, Due};
use finding_sender::FindingSender;
use mainstay_domain::{
    blindness::Blindness,
    breaker::HealthChange,
    health::Observation,
    name::{FailureType, TargetName},
    policy::Multiplier,
    pulse::{BEAT, Pulse},
    spec::Spec,
    time::Monotonic,
};
use parking_lot::{Mutex, RwLock};
use process::ProcessState;
use round::{Run, rounds};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use target::{CheckRun, MonitoredState, MonitoredTarget};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The service, and the handle by which others reach it; clones are the same monitor.
#[derive(Clone)]
pub struct Monitor {
    core: Arc<Core>,
}

struct Core {
    probe: Arc<dyn Probe>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    numbers: Numbers,
    finding_sender: FindingSender,
    spec: watch::Receiver<Arc<Spec>>,
    targets: RwLock<HashMap<TargetName, Arc<MonitoredTarget>>>,
    /// The last of each target, for those that the supervisor starts before they are watched.
    news: Mutex<HashMap<TargetName, ProcessUpdate>>,
    /// Circuits that go half-open by themselves and starts that end, on their way into the schedule.
    ticks: Mutex<Vec<(Arc<MonitoredTarget>, Monotonic)>>,
    /// Locked after the target that it is asked or told about, where that is locked too.
    blindness: Mutex<Blindness>,
    /// What is reported of each target, beside what its checks see. Locked after the target.
    reported: Mutex<HashMap<TargetName, BTreeSet<FailureType>>>,
    /// Locked after all others.
    pulse: Mutex<Pulse>,
    /// Of the phase of the host: how many failures of a check are enough.
    multiplier: Mutex<Multiplier>,
    /// Those that may have checks which are not in the schedule yet.
    fresh: Mutex<Vec<Arc<MonitoredTarget>>>,
    wake: Notify,
    /// Of which something that `status` shows has changed.
    changed: ChangedTargets,
}

impl Monitor {
    /// Knows the targets of the present config at once; [`Monitor::run`] starts to look at them. Looks are counted in
    /// `numbers`.
    pub fn new(
        shared: Shared,
        probe: Arc<dyn Probe>,
        numbers: Numbers,
        findings: mpsc::Sender<Finding>,
    ) -> Self {
        let Shared {
            journal,
            clock,
            mut spec,
        } = shared;
        let present = Arc::clone(&spec.borrow_and_update());
        let core = Core {
            probe,
            journal,
            clock,
            numbers,
            finding_sender: FindingSender::new(findings),
            spec,
            targets: RwLock::default(),
            news: Mutex::default(),
            ticks: Mutex::default(),
            blindness: Mutex::default(),
            reported: Mutex::default(),
            pulse: Mutex::default(),
            multiplier: Mutex::default(),
            fresh: Mutex::default(),
            wake: Notify::new(),
            changed: ChangedTargets::default(),
        };
        core.reconfigure(&present);
        Self {
            core: Arc::new(core),
        }
    }

    /// The targets whose row in `status` has changed, as the monitor and the supervisor tell.
    pub fn changed(&self) -> ChangedTargets {
        self.core.changed.clone()
    }

    /// Looks until it is told to stop; checks that still run then are given up.
    pub async fn run(self, stop: CancellationToken) {
        let core = self.core;
        let mut spec = core.spec.clone();
        let mut timer = CheckTimer::new();
        let checks = TaskTracker::new();
        let mut pulse = interval(BEAT);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        timer.add(core.unscheduled());
        loop {
            tokio::select! { biased;
                () = stop.cancelled() => break,
                _ = pulse.tick() => core.beat(),
                () = core.wake.notified() => {
                    timer.add(core.unscheduled());
                    for (monitored, due) in std::mem::take(&mut *core.ticks.lock()) {
                        timer.add_tick(monitored, due, core.clock.monotonic());
                    }
                }
                present = next_spec(&mut spec) => {
                    core.reconfigure(&present);
                    timer.add(core.unscheduled());
                }
                () = core.finding_sender.send_from_backlog() => {}
                due = timer.next() => {
                    for round in rounds(core.due_runs(due)) {
                        let (core, stop) = (Arc::clone(&core), stop.clone());
                        checks.spawn(async move {
                            stop.run_until_cancelled(core.run_round(round)).await
                        });
                    }
                }
            }
        }
        checks.close();
        checks.wait().await;
    }
}

impl Core {
    fn get(&self, target: &TargetName) -> Option<Arc<MonitoredTarget>> {
        let targets = self.targets.read();
        targets.get(target).cloned()
    }

    fn due_runs(&self, all: Vec<Due>) -> Vec<Run> {
        let mut runs = Vec::with_capacity(all.len());
        for due in all {
            match due {
                Due::Tick(monitored, due) => runs.extend(self.tick(&monitored, due)),
                Due::Check(monitored, run) => runs.push((monitored, run)),
            }
        }
        runs
    }

    /// The checks to look at now: those that have not passed by the end of a start.
    fn tick(&self, monitored: &Arc<MonitoredTarget>, due: Monotonic) -> Vec<Run> {
        // After a gap this may come before the beat that shows it.
        self.beat();
        let mut state = monitored.lock();
        if state.tick_at != Some(due) {
            return Vec::new(); // What it was for is over; another one is on its way, or none is needed.
        }
        state.tick_at = None;
        let changes = state.health.tick(self.clock.monotonic());
        self.publish(monitored, &mut state, &changes, None);
        let is_late = |run: &&Arc<CheckRun>| {
            let late = HealthChange::CheckLate {
                check: run.spec.name.clone(),
            };
            changes.contains(&late)
        };
        let late = state.checks.iter().filter(is_late);
        late.map(|run| (Arc::clone(monitored), Arc::clone(run)))
            .collect()
    }

    fn apply_process_update(&self, monitored: &Arc<MonitoredTarget>, news: ProcessUpdate) {
        let mut state = monitored.lock();
        let now = self.clock.monotonic();
        state.epoch += 1;
        self.forget_unseen(&state.spec.name);
        let before = std::mem::replace(&mut state.process, ProcessState::after(&news));
        if before.is_awaited() {
            self.fresh.lock().push(Arc::clone(monitored));
            self.wake.notify_one();
        }
        state.stopped = match &news {
            ProcessUpdate::Held(by) => Some(by.clone()),
            _ => None,
        };
        let start_period = state.spec.start_period;
        let mut changes = process::felt(&news, &mut state.health, start_period, now);
        let has_exited = matches!(news, ProcessUpdate::Exited(_));
        let is_looked_for = matches!(news, ProcessUpdate::Forks(..));
        let written = state.last_lines.take().filter(|_| has_exited);
        let down = process::down(news);
        if state.process.is_stopped() || is_looked_for {
            self.publish(monitored, &mut state, &changes, None);
            return;
        }
        // A target that just started owes its first heartbeat within one period from now.
        state.last_beat = self.heard();
        let is_child = state.spec.process.is_some();
        let seen = is_child.then(|| self.observe_process(&state, down).with_output(written));
        if let Some(seen) = &seen {
            if has_exited {
                self.finding_sender.send(Finding::Exited {
                    target: seen.target.clone(),
                    at: seen.evidence.observed_at,
                    evidence: seen.evidence.clone(),
                });
            }
            changes.extend(state.health.observe_exit(seen, now));
        }
        self.publish(monitored, &mut state, &changes, seen.as_ref());
    }

    /// Tells the others what changed; with the target's lock held, so that they hear it in order.
    fn publish(
        &self,
        monitored: &Arc<MonitoredTarget>,
        state: &mut MonitoredState,
        changes: &[HealthChange],
        seen: Option<&Observation>,
    ) {
        // Most looks change nothing.
        if !changes.is_empty() {
            self.tell_changes(state, changes, seen);
        }
        let due = state.health.next_tick();
        if due.is_some() && due != state.tick_at {
            state.tick_at = due;
            self.ticks
                .lock()
                .extend(due.map(|due| (Arc::clone(monitored), due)));
            self.wake.notify_one();
        }
    }

    fn tell_changes(
        &self,
        state: &MonitoredState,
        changes: &[HealthChange],
        seen: Option<&Observation>,
    ) {
        self.changed.note(&state.spec.name);
        let at = self.clock.now();
        let events = events::of(&state.spec, changes, seen, at);
        if !events.is_empty() {
            // Durable soon; who needs to know reads the journal.
            drop(self.journal.commit(Batch::soon(events)));
        }
        for mut finding in changes
            .iter()
            .filter_map(|change| events::finding(&state.spec.name, change, at))
            .filter(|finding| !self.is_contradicted(finding))
        {
            if let Finding::Unseen { stopped, .. } = &mut finding {
                stopped.clone_from(&state.stopped);
            }
            self.finding_sender.send(finding);
        }
    }
}
