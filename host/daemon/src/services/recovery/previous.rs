//! What the previous daemon left, as the machine takes it.

use crate::ports::{self, Watch};
use mainstay_domain::{
    pause::TimedPauses,
    policy::PolicyHistory,
    recovery::{CaseKey, Recovered},
};

/// `watch` tells which open incidents no check sees now; of the pauses these have an end; `policy` is what the gate knows.
pub(super) fn of(
    previous: &ports::Recovered,
    pauses: TimedPauses,
    policy: PolicyHistory,
    watch: &dyn Watch,
) -> Recovered {
    let open = previous.incidents.iter();
    let unseen = open.filter(|open| !watch.is_failing(&open.target, &open.failure));
    let unseen = unseen.map(CaseKey::from);
    let incidents = previous.incidents.iter().chain(&previous.closed);
    let open_calls = previous.open_calls.iter();
    let open_calls = open_calls.map(|record| (record.operation.clone(), record.clone()));
    Recovered {
        unseen: unseen.collect(),
        incidents: incidents.cloned().collect(),
        operations: previous.operations.clone(),
        effects: previous.effects.iter().cloned().collect(),
        calls: previous.calls.iter().cloned().collect(),
        open_calls: open_calls.collect(),
        lost: previous.lost.clone(),
        fencing: previous.fencing.saturating_add(1),
        paused_targets: previous.paused_targets.iter().cloned().collect(),
        paused_host: previous.paused_host,
        pauses,
        policy,
        cooldowns: previous.cooldowns.clone(),
    }
}
