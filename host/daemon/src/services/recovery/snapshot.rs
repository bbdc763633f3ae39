//! What recovery shows to others: a snapshot of which only what changed is renewed.

use crate::{
    ports::{Active, Rest},
    services::status_view::ChangedTargets,
};
use mainstay_domain::{
    name::TargetName,
    policy::Phase,
    recovery::{Recovery, TargetSummary},
    spec::PhaseSpec,
    time::Timestamp,
};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What is open, runs and is paused. Clones share the same state.
#[derive(Debug, Clone)]
pub struct RecoverySnapshot {
    state: Arc<RwLock<State>>,
    changed: ChangedTargets,
}

#[derive(Debug, Default)]
struct State {
    active: BTreeMap<TargetName, Active>,
    paused_targets: BTreeSet<TargetName>,
    paused_host: bool,
    phase: Phase,
    /// What that allows; none before the machine said it.
    rule: Option<PhaseSpec>,
    /// Those of the pauses that have an end; that of the host has no target.
    paused_until: BTreeMap<Option<TargetName>, Timestamp>,
}

impl RecoverySnapshot {
    pub(super) fn new(changed: ChangedTargets) -> Self {
        Self {
            state: Arc::default(),
            changed,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write()
    }

    /// Replaces what is shown of a target.
    pub(super) fn update(&self, target: &TargetName, summary: TargetSummary) {
        let active = (summary != TargetSummary::default()).then(|| Active {
            incident: summary.incident,
            is_failing: summary.is_failing,
            operation: summary.operation,
            rests: summary.rests.map(|(until, why)| Rest { until, why }),
            held: summary.held,
            pause: summary.pause,
            waits: summary.waits,
            operations: summary.operations,
        });
        let mut state = self.write();
        if state.active.get(target) == active.as_ref() {
            return;
        }
        match active {
            Some(active) => drop(state.active.insert(target.clone(), active)),
            None => drop(state.active.remove(target)),
        }
        drop(state);
        self.changed.note(target);
    }

    /// Copies what is paused, and the phase.
    pub(super) fn pause(&self, machine: &Recovery) {
        let host = machine.is_paused(None);
        let until = machine.paused_until();
        let rule = machine.phase_rule();
        let is_as_before = {
            let state = self.read();
            state.paused_host == host
                && state.phase == machine.phase()
                && state.rule.as_ref() == Some(&rule)
                && state.paused_targets == *machine.paused_targets()
                && state.paused_until == until
        };
        if is_as_before {
            return;
        }
        let mut state = self.write();
        state.paused_host = host;
        state.phase = machine.phase();
        state.rule = Some(rule);
        let before = std::mem::replace(&mut state.paused_targets, machine.paused_targets().clone());
        let now = state.paused_targets.clone();
        let ended = std::mem::replace(&mut state.paused_until, until.clone());
        drop(state);
        for target in before.symmetric_difference(&now) {
            self.changed.note(target);
        }
        for target in ended.keys().chain(until.keys()).flatten() {
            self.changed.note(target);
        }
    }

    /// What is open or runs of a target; none where nothing is.
    pub fn active(&self, target: &TargetName) -> Option<Active> {
        self.read().active.get(target).cloned()
    }

    /// Until when the host, or a target, is paused, where that has an end.
    pub fn paused_until(&self, target: Option<&TargetName>) -> Option<Timestamp> {
        self.read().paused_until.get(&target.cloned()).copied()
    }

    /// The phase of the host.
    pub fn phase(&self) -> Phase {
        self.read().phase
    }

    /// What the phase allows.
    pub fn phase_rule(&self) -> PhaseSpec {
        let state = self.read();
        let rule = state.rule.clone();
        rule.unwrap_or_else(|| PhaseSpec::of(state.phase))
    }

    /// Whether the host, or a target, is paused.
    pub fn is_paused(&self, target: Option<&TargetName>) -> bool {
        let state = self.read();
        target.map_or(state.paused_host, |target| {
            state.paused_targets.contains(target)
        })
    }
}
