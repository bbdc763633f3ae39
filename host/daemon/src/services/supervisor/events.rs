//! What the supervisor writes down.

use super::{Core, target::SupervisedTarget};
use crate::ports::Batch;
use mainstay_domain::{
    event::{Event, EventKind, ProcessFacts},
    name::TargetName,
    record::{Change, ProcessIdentity},
    severity::Severity,
};

impl Core {
    /// Written in this order, soon; a start that is lost with the daemon is found again by its mark.
    pub(super) fn submit(&self, changes: Vec<Change>) {
        drop(self.ports.shared.journal.commit(Batch::soon(changes)));
    }

    pub(super) fn event(
        &self,
        supervised: &SupervisedTarget,
        kind: EventKind,
        severity: Severity,
        message: String,
    ) -> Change {
        self.event_of(&supervised.name, kind, severity, message)
    }

    pub(super) fn event_of(
        &self,
        target: &TargetName,
        kind: EventKind,
        severity: Severity,
        message: String,
    ) -> Change {
        Change::Event(
            Event::new(kind, severity, self.ports.shared.clock.now(), message).with_target(target),
        )
    }

    /// About one process, with its facts.
    pub(super) fn process_event(
        &self,
        supervised: &SupervisedTarget,
        kind: EventKind,
        severity: Severity,
        message: String,
        identity: &ProcessIdentity,
    ) -> Change {
        let data = ProcessFacts {
            pid: identity.pid,
            started_at: identity.started_at,
            restarts: identity.restarts,
        };
        let event = Event::new(kind, severity, self.ports.shared.clock.now(), message);
        Change::Event(event.with_target(&supervised.name).with_data(data))
    }
}
