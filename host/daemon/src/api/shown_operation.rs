//! An operation as it is shown: its record, and what it waits for now, which only recovery itself knows.

use crate::ports::{Active, RecoveryControl};
use mainstay_domain::{
    id::OperationId,
    operation::{Operation, OperationState},
};

/// An operation, with what it waits for.
pub(super) struct ShownOperation {
    operation: Operation,
    waits: Option<String>,
}

impl ShownOperation {
    /// Asks recovery what it waits for.
    pub(super) fn new(operation: Operation, recovery: &dyn RecoveryControl) -> Self {
        let may_wait = !operation.state.is_final() || operation.state == OperationState::Cancelled;
        let active = may_wait.then(|| recovery.active(&operation.target));
        let waits = active
            .flatten()
            .and_then(|active| waits_of(&operation, active));
        Self { operation, waits }
    }

    /// Its identifier.
    pub(super) fn id(&self) -> &OperationId {
        &self.operation.id
    }

    /// As it is answered.
    pub(super) fn form(&self) -> mainstay_api::Operation {
        mainstay_api::Operation {
            waits: self.waits.clone(),
            ..mainstay_api::Operation::from(&self.operation)
        }
    }
}

/// One of the past says what its incident waits for only where it is the one that a person ended.
fn waits_of(operation: &Operation, mut active: Active) -> Option<String> {
    if operation.state == OperationState::Cancelled {
        return active.waits.remove(operation.incident.as_ref()?);
    }
    active.operations.remove(&operation.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fakes::{incident, operation};

    #[test]
    fn what_waits_says_for_what_and_what_a_person_ended_how_it_is_taken_up() {
        let (own, of_incident) = ("between two attempts", "stopped by hand");
        for (state, expected) in [
            (OperationState::Scheduled, Some(own)),
            (OperationState::InProgress, Some(own)),
            (OperationState::AwaitingManual, Some(own)),
            (OperationState::Cancelled, Some(of_incident)),
        ] {
            let (mut operation, _) = operation(1);
            operation.state = state;
            operation.incident = Some(incident().id);
            let active = Active {
                waits: [(incident().id, of_incident.to_owned())].into(),
                operations: [(operation.id.clone(), own.to_owned())].into(),
                ..Active::default()
            };
            let waits = waits_of(&operation, active);
            assert_eq!(waits.as_deref(), expected, "{state:?}");
            assert_eq!(waits_of(&operation, Active::default()), None);
        }
    }
}
