//! What tells one case from another.

use crate::{
    incident::Incident,
    name::{FailureType, TargetName},
    operation::Operation,
};

/// What a case is about: there is one for each failure of each target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseKey {
    /// The target.
    pub target: TargetName,
    /// Its failure.
    pub failure: FailureType,
}

impl From<&Operation> for CaseKey {
    fn from(operation: &Operation) -> Self {
        Self {
            target: operation.target.clone(),
            failure: operation.failure.clone(),
        }
    }
}

impl From<&Incident> for CaseKey {
    fn from(incident: &Incident) -> Self {
        Self {
            target: incident.target.clone(),
            failure: incident.failure.clone(),
        }
    }
}
