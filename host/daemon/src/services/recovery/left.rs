//! What the daemon before left, as the machine takes it.

use crate::ports::{self, Watch};
use mainstay_domain::recovery::{CaseKey, Recovered};

/// What no check sees now is told apart by `watch`.
pub(super) fn of(left: &ports::Recovered, watch: &dyn Watch) -> Recovered {
    let open = left.incidents.iter();
    let unseen = open.filter(|open| !watch.is_failing(&open.target, &open.failure));
    let unseen = unseen.map(CaseKey::from);
    let incidents = left.incidents.iter().chain(&left.closed);
    Recovered {
        unseen: unseen.collect(),
        incidents: incidents.cloned().collect(),
        operations: left.operations.clone(),
        effects: left.effects.iter().cloned().collect(),
        paused_targets: left.paused_targets.iter().cloned().collect(),
        paused_host: left.paused_host,
        cooldowns: left.cooldowns.clone(),
    }
}
