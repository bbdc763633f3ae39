//! Who waits for whom: a first start for what the target depends on, a stop at the end for what depends on it.
//!
//! Invariant: no wait is for ever. A start waits for each dependency until that is healthy, or done where it runs once, or
//! fails, at most for so long after its own first start as its `start_period` says (where that is zero and it has to end, as
//! the default says), and where that start lasts, for no longer than what runs before it may take besides. A stop waits at
//! most half of the time that the shutdown has.
//! Invariant: only first starts wait: those at the daemon's start and those of targets that a reload brings. When a
//! target is recovered while another one fails is the recovery queue's to say.

use super::{
    Core, DEFAULT_GRACE,
    reconfigure::AFTER_GRACE,
    target::{Intent, SupervisedTarget},
};
use mainstay_domain::{dependency, health::Health, name::TargetName, spec::TargetSpec};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between two looks at what is waited for. Its health is a value of the monitor, and looking at it costs a look-up.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The same of what was not started yet: who waits for it is told when it runs, and behind a long chain many wait.
const LOOK_EVERY_UNBEGUN: Duration = Duration::from_millis(250);

impl Core {
    /// Starts what never ran, once what it depends on is there.
    pub(super) fn start_first(self: &Arc<Self>, supervised: Arc<SupervisedTarget>) {
        let core = Arc::clone(self);
        self.background.spawn(async move {
            // What the config has no more may hold its port.
            core.reconciled.wait().await;
            let ended = core.endings.wait();
            let _ = tokio::time::timeout(DEFAULT_GRACE + AFTER_GRACE, ended).await;
            // Without the turn: an operator who starts it meanwhile need not wait.
            core.wait_for_dependencies(&supervised).await;
            let _turn = supervised.turn.lock().await;
            if supervised.wants_process() && !core.is_closing() {
                core.launch_or_report(&supervised).await;
            }
        });
    }

    /// Resolves when the target may be started as far as its dependencies go, and when the daemon stops.
    pub(super) async fn wait_for_dependencies(&self, waiting: &SupervisedTarget) {
        let target = &waiting.name;
        let mut is_told = false;
        loop {
            let waits_for = self.waits_for(target);
            if waiting.set_waits_for(waits_for.as_ref(), self.ports.shared.clock.now()) {
                self.ports.watch.row_changed(target);
            }
            let Some(dependency) = waits_for else {
                return;
            };
            if !is_told {
                tracing::info!(target_name = %target, %dependency, "waits for what it depends on");
                is_told = true;
            }
            let Some(supervised) = self.get(&dependency) else {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            };
            let runs = supervised.runs_now.notified();
            tokio::pin!(runs);
            runs.as_mut().enable();
            // It may have been started since it was looked at.
            if self.waits_for(target).as_ref() == Some(&dependency) {
                let length = match supervised.began() {
                    Some(_) => LOOK_EVERY,
                    None => LOOK_EVERY_UNBEGUN,
                };
                let _ = tokio::time::timeout(length, runs).await;
            }
        }
    }

    /// What its start waits for now; nothing where the daemon stops.
    fn waits_for(&self, target: &TargetName) -> Option<TargetName> {
        let waits_for = self.unready_dependency(target);
        waits_for.filter(|_| !self.is_closing())
    }

    /// The first of its dependencies that is still on its way.
    fn unready_dependency(&self, target: &TargetName) -> Option<TargetName> {
        let spec = Arc::clone(&self.spec.borrow());
        let dependencies = spec.target(target)?.depends_on.iter();
        let mut unready = dependencies.filter(|name| {
            let dependency = spec.target(name);
            dependency.is_some_and(|dependency| !self.is_ready(dependency))
        });
        unready.next().cloned()
    }

    fn is_ready(&self, dependency: &TargetSpec) -> bool {
        // What the supervisor does not know yet begins in a moment; what was stopped on purpose, or is done, does not
        // start at all.
        let Some(supervised) = self.get(&dependency.name) else {
            return false;
        };
        if supervised.intent() == Intent::StayDown || supervised.has_completed() {
            return true;
        }
        let is_child = supervised.process_spec().is_some();
        let Some(began) = supervised.began() else {
            return false;
        };
        // That it runs is no sign that it is done.
        let runs_once = dependency.has_to_end();
        // Without a check there is nothing to wait for, but the end of what ends by itself.
        let has_nothing_to_say = dependency.checks.is_empty() && !runs_once;
        let is_blind = has_nothing_to_say && (!is_child || supervised.runs());
        let before = supervised.process_spec().filter(|_| !supervised.runs());
        let before = before.and_then(|process| Some(process.before_start.as_ref()?.timeout));
        // That its checks are given no time says nothing of how long what has to end may take: as where nothing is said.
        let patience = match runs_once && dependency.start_period.is_zero() {
            true => TargetSpec::START_PERIOD,
            false => dependency.start_period,
        };
        if is_blind || began.elapsed() >= patience + before.unwrap_or_default() {
            return true;
        }
        let health = self.ports.watch.health(&dependency.name);
        match health.map_or(Health::Unknown, |(health, _)| health) {
            Health::Failed => true,
            Health::Healthy => !runs_once,
            // Of what nobody here has started it may be the first look at a service that is not there yet.
            Health::Degraded => is_child && !runs_once,
            Health::Starting | Health::Unknown => false,
        }
    }
}

/// The order of the stops at the end.
pub(super) struct StopOrder {
    stopped: HashMap<TargetName, CancellationToken>,
    dependents: HashMap<TargetName, Vec<TargetName>>,
    patience: Instant,
}

impl StopOrder {
    /// Of these, by what each depends on; the shutdown ends at `end`.
    pub(super) fn new(core: &Core, stopping: &[Arc<SupervisedTarget>], end: Instant) -> Self {
        let spec = Arc::clone(&core.spec.borrow());
        let names = stopping.iter().map(|supervised| &supervised.name);
        let graph: Vec<_> = names
            .map(|name| {
                let depends_on = spec.target(name).map(|target| target.depends_on.as_slice());
                (name, depends_on.unwrap_or_default())
            })
            .collect();
        let now = Instant::now();
        Self {
            stopped: graph
                .iter()
                .map(|(name, _)| ((*name).clone(), CancellationToken::new()))
                .collect(),
            dependents: dependency::dependents(&graph)
                .into_iter()
                .map(|(name, dependents)| {
                    let dependents = dependents.into_iter().cloned();
                    (name.clone(), dependents.collect())
                })
                .collect(),
            patience: now + end.saturating_duration_since(now) / 2,
        }
    }

    /// Resolves when everything that depends on the target has stopped, or there is no more time to wait for it.
    pub(super) async fn turn_of(&self, target: &TargetName) {
        let dependents = self.dependents.get(target).into_iter().flatten();
        for dependent in dependents {
            if let Some(stopped) = self.stopped.get(dependent) {
                let _ = tokio::time::timeout_at(self.patience, stopped.cancelled()).await;
            }
        }
    }

    /// Tells that the target has stopped.
    pub(super) fn has_stopped(&self, target: &TargetName) {
        if let Some(stopped) = self.stopped.get(target) {
            stopped.cancel();
        }
    }
}
