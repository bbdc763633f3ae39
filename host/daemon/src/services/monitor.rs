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
//! Invariant: an exit is told to the engine before the failure that it raises, and both before its end.
//! Paused targets are watched as all others are: a pause keeps recovery back, not the eyes.

mod events;
mod look;
mod outlet;
mod port;
mod process;
mod reconfigure;
mod schedule;
#[cfg(test)]
mod tests;
mod watched;

use super::{metrics::Numbers, next_spec::next_spec, shared::Shared, state::ChangedTargets};
use crate::ports::{Clock, Finding, Journal, Probe, ProcessUpdate};
use mainstay_domain::{
    breaker::HealthChange, health::Observation, incident::Incident, name::TargetName, spec::Spec,
    time::Monotonic,
};
use outlet::FindingSender;
use parking_lot::{Mutex, RwLock};
use process::ProcessState;
use schedule::{Due, Schedule};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use watched::{CheckRun, Watched, WatchedState};

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
    outlet: FindingSender,
    spec: watch::Receiver<Arc<Spec>>,
    targets: RwLock<HashMap<TargetName, Arc<Watched>>>,
    /// The last of each target, for those that the supervisor starts before they are watched.
    news: Mutex<HashMap<TargetName, ProcessUpdate>>,
    /// Circuits that go half-open by themselves and starts that end, on their way into the schedule.
    ticks: Mutex<Vec<(Arc<Watched>, Monotonic)>>,
    /// Those that may have checks which are not in the schedule yet.
    fresh: Mutex<Vec<Arc<Watched>>>,
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
            outlet: FindingSender::new(findings),
            spec,
            targets: RwLock::default(),
            news: Mutex::default(),
            ticks: Mutex::default(),
            fresh: Mutex::default(),
            wake: Notify::new(),
            changed: ChangedTargets::default(),
        };
        core.reconfigure(&present);
        Self {
            core: Arc::new(core),
        }
    }

    /// Takes up what failed when the daemon before ended, so that its end is seen and told; before anything is looked at.
    pub fn resume(&self, incidents: &[Incident]) {
        for open in incidents {
            if let Some(watched) = self.core.get(&open.target) {
                watched.lock().health.resume(&open.failure);
                self.core.changed.note(&open.target);
            }
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
        let mut schedule = Schedule::new();
        let checks = TaskTracker::new();
        schedule.add(core.unscheduled());
        loop {
            tokio::select! { biased;
                () = stop.cancelled() => break,
                () = core.wake.notified() => {
                    schedule.add(core.unscheduled());
                    for (watched, due) in std::mem::take(&mut *core.ticks.lock()) {
                        schedule.add_tick(watched, due, core.clock.monotonic());
                    }
                }
                present = next_spec(&mut spec) => {
                    core.reconfigure(&present);
                    schedule.add(core.unscheduled());
                }
                () = core.outlet.send_from_backlog() => {}
                due = schedule.next() => {
                    let runs = match due {
                        Due::Tick(watched, due) => core.tick(&watched, due),
                        Due::Check(watched, run) => vec![(watched, run)],
                    };
                    for (watched, run) in runs {
                        let (core, stop) = (Arc::clone(&core), stop.clone());
                        checks.spawn(async move {
                            stop.run_until_cancelled(core.run_scheduled(watched, run)).await
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
    fn get(&self, target: &TargetName) -> Option<Arc<Watched>> {
        let targets = self.targets.read();
        targets.get(target).cloned()
    }

    /// The checks to look at now: those that have not passed by the end of a start.
    fn tick(&self, watched: &Arc<Watched>, due: Monotonic) -> Vec<(Arc<Watched>, Arc<CheckRun>)> {
        let mut state = watched.lock();
        if state.tick_at != Some(due) {
            return Vec::new(); // What it was for is over; another one is on its way, or none is needed.
        }
        state.tick_at = None;
        let changes = state.health.tick(self.clock.monotonic());
        self.publish(watched, &mut state, &changes, None);
        let is_late = |run: &&Arc<CheckRun>| {
            let late = HealthChange::CheckLate {
                check: run.spec.name.clone(),
            };
            changes.contains(&late)
        };
        let late = state.checks.iter().filter(is_late);
        late.map(|run| (Arc::clone(watched), Arc::clone(run)))
            .collect()
    }

    fn apply_process_update(&self, watched: &Arc<Watched>, news: ProcessUpdate) {
        let mut state = watched.lock();
        let now = self.clock.monotonic();
        state.epoch += 1;
        let before = std::mem::replace(&mut state.process, ProcessState::after(&news));
        if before.is_awaited() {
            self.fresh.lock().push(Arc::clone(watched));
            self.wake.notify_one();
        }
        let start_period = state.spec.start_period;
        let mut changes = match news {
            ProcessUpdate::Started(_) => state.health.started(start_period, now),
            ProcessUpdate::Runs(_) => Vec::new(),
            ProcessUpdate::Exited(_) | ProcessUpdate::Down(_) | ProcessUpdate::Stopped => {
                state.health.ended()
            }
        };
        let has_exited = matches!(news, ProcessUpdate::Exited(_));
        let down = match news {
            ProcessUpdate::Exited(why) | ProcessUpdate::Down(why) => Some(why),
            ProcessUpdate::Started(_) | ProcessUpdate::Runs(_) | ProcessUpdate::Stopped => None,
        };
        if state.process.is_stopped() {
            self.publish(watched, &mut state, &changes, None);
            return;
        }
        // A target that just started owes its first heartbeat within one period from now.
        state.last_beat = now;
        let is_child = state.spec.process.is_some();
        let seen = is_child.then(|| self.observe_process(&state, down));
        if let Some(seen) = &seen {
            if has_exited {
                self.outlet.send(Finding::Exited {
                    target: seen.target.clone(),
                    at: seen.evidence.observed_at,
                    evidence: seen.evidence.clone(),
                });
            }
            changes.extend(state.health.observe_exit(seen, now));
        }
        self.publish(watched, &mut state, &changes, seen.as_ref());
    }

    /// Tells the others what changed; with the target's lock held, so that they hear it in order.
    fn publish(
        &self,
        watched: &Arc<Watched>,
        state: &mut WatchedState,
        changes: &[HealthChange],
        seen: Option<&Observation>,
    ) {
        if !changes.is_empty() {
            self.changed.note(&state.spec.name);
        }
        let at = self.clock.now();
        let events = events::of(&state.spec, changes, seen, at);
        if !events.is_empty() {
            // Durable soon; who needs to know reads the journal.
            drop(self.journal.commit(events.into()));
        }
        for finding in changes
            .iter()
            .filter_map(|change| events::finding(&state.spec.name, change, at))
        {
            self.outlet.send(finding);
        }
        let due = state.health.next_tick();
        if due.is_some() && due != state.tick_at {
            state.tick_at = due;
            self.ticks
                .lock()
                .extend(due.map(|due| (Arc::clone(watched), due)));
            self.wake.notify_one();
        }
    }
}
