//! What the engine knows.

use mainstay_domain::{
    cooldown::Cooldowns,
    flap::FlapDetector,
    id::OperationId,
    incident::Incident,
    journal::Change,
    name::{FailureType, TargetName},
    operation::Operation,
    queue::RecoveryQueue,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio_util::sync::CancellationToken;

/// An incident's key: one open incident per target and failure.
pub(super) type Key = (TargetName, FailureType);

/// The key of the incident that an operation is for.
pub(super) fn key_of(operation: &Operation) -> Key {
    (operation.target.clone(), operation.failure.clone())
}

/// What the engine knows. The next engine finds again in the journal what is open and what waits; what flaps and
/// what failed in a row it learns anew.
#[derive(Default)]
pub(super) struct State {
    /// Open incidents.
    pub(super) incidents: BTreeMap<Key, Incident>,
    /// Operations in the queue or awaiting a person.
    pub(super) waiting: BTreeMap<OperationId, Operation>,
    /// The order of those that are scheduled.
    pub(super) queue: RecoveryQueue,
    /// Operations that run, and how to end them.
    pub(super) running: BTreeMap<OperationId, Running>,
    /// Rests after a success.
    pub(super) cooldowns: Cooldowns,
    /// Targets that fail again and again.
    pub(super) flapping: BTreeMap<TargetName, FlapDetector>,
    /// Automatic operations in a row that did not succeed.
    pub(super) failures_in_a_row: BTreeMap<Key, u32>,
    /// Who is paused.
    pub(super) paused_targets: BTreeSet<TargetName>,
    pub(super) paused_host: bool,
    /// Ends that the journal has not taken yet, in their order.
    pub(super) unwritten: VecDeque<Vec<Change>>,
    /// Nothing is begun any more; what is open is for the next daemon.
    pub(super) is_stopping: bool,
}

/// An operation that its own task owns.
pub(super) struct Running {
    pub(super) key: Key,
    pub(super) is_dry: bool,
    pub(super) cancel: CancellationToken,
    /// Who cancelled it, and why.
    pub(super) cancelled: Option<String>,
    /// Its failure went away by itself meanwhile, and is not back.
    pub(super) is_cleared: bool,
}

impl State {
    /// The operations of an incident that wait; a dry run is none of them.
    pub(super) fn waiting_for<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Operation> {
        let waiting = self.waiting.values();
        waiting.filter(|one| !one.dry_run && one.target == key.0 && one.failure == key.1)
    }

    /// The operation of an incident that runs, if one does; a dry run is none.
    pub(super) fn running_for(&self, key: &Key) -> Option<&OperationId> {
        let mut running = self.running.iter();
        running
            .find(|(_, running)| running.key == *key && !running.is_dry)
            .map(|(id, _)| id)
    }
}
