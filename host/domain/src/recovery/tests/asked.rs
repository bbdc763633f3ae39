//! What a test asks a world about.

use super::{
    super::{Call, Case},
    fixtures::{key, stage_name},
    world::World,
};
use crate::{event::EventKind, incident::Incident, operation::Operation};
use std::time::Duration;

impl World {
    pub(super) fn case(&self, name: &str) -> Option<&Case> {
        let key = key(name);
        let mut cases = self.machine.cases();
        cases
            .find(|(known, _)| **known == key)
            .map(|(_, case)| case)
    }

    pub(super) fn stage(&self, name: &str) -> &'static str {
        self.case(name)
            .map_or("none", |case| stage_name(&case.stage))
    }

    /// The operation of a failure that has not ended, as the machine has it.
    pub(super) fn operation(&self, name: &str) -> Operation {
        let work = self.case(name).and_then(Case::work);
        work.expect("it has an operation").operation.clone()
    }

    /// The incident of a failure, the newest, as the journal has it.
    pub(super) fn incident(&self, name: &str) -> &Incident {
        let key = key(name);
        let mut incidents = self.incidents.values().rev();
        let found = incidents.find(|one| one.target == key.target && one.failure == key.failure);
        found.expect("it has an incident")
    }

    /// How long the next operation or attempt of a failure waits.
    pub(super) fn waits(&self, name: &str) -> Duration {
        let due = self.operation(name).due;
        due.map_or(Duration::ZERO, |due| due.since(self.at().now))
    }

    /// How many events of this kind there were.
    pub(super) fn count(&self, kind: EventKind) -> usize {
        self.events
            .iter()
            .filter(|event| event.kind == kind)
            .count()
    }

    /// The targets of the calls without an answer.
    pub(super) fn called(&self) -> Vec<String> {
        let name = |call: &Call| format!("{} {}", call.request.target, call.request.failure);
        self.calls.iter().map(name).collect()
    }
}
