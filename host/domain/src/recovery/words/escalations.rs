//! Why people have to act: what `operation.escalated` says.

use crate::{incident::Incident, operation::Operation, recovery::CaseKey, text::counted};

/// An operation ended without success.
pub(in crate::recovery) fn did_not_help(incident: &Incident, operation: &Operation) -> String {
    let (target, failure) = (&operation.target, &operation.failure);
    let why = operation.error.as_ref();
    let why = why.map(|error| format!(": {error}")).unwrap_or_default();
    match is_untried(incident, operation) {
        true => format!("nothing was tried to recover {target} from {failure}{why}"),
        false => format!("recovery of {target} from {failure} did not help{why}"),
    }
}

/// Whether no handler was called, for none that the route names serves.
pub(super) fn is_untried(incident: &Incident, operation: &Operation) -> bool {
    operation.handler.is_none() && incident.missing.is_some()
}

/// It came back after the last attempt of a round, of which each may have helped for a while.
pub(in crate::recovery) fn round_did_not_help(incident: &Incident, attempts: u32) -> String {
    format!(
        "{} to recover {} from {} did not help, or not for long",
        counted(attempts, "attempt"),
        incident.target,
        incident.failure
    )
}

/// Its config says that only a person recovers it.
pub(in crate::recovery) fn left_to_people(key: &CaseKey) -> String {
    let CaseKey { target, failure } = key;
    format!(
        "{failure} of {target} is left to people, for its `restart` is \"never\": `mainstay recover {target} --failure \
         {failure}` recovers it"
    )
}

/// The config has nothing that would recover it.
pub(in crate::recovery) fn no_route_fits(key: &CaseKey) -> String {
    format!(
        "no route fits {} of {}: nothing is done about it",
        key.failure, key.target
    )
}
