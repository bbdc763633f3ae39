//! When people are told of a failure that recovery has not ended, and what they are to do.

use crate::{failure, name::FailureType};
use std::{collections::BTreeMap, time::Duration};

/// When people are told of a failure that recovery has not ended, and what they are to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EscalationSpec {
    /// People are told of an incident that has lasted so long since its detection, while its recovery goes on; where the
    /// config says nothing 3 min [seed 000], none for never.
    pub after: Option<Duration>,
    /// People are told of it when so many attempts did not help, while others follow; default none: after the last.
    pub attempts: Option<u32>,
    /// Where nobody acknowledges it for so long after people were told, it is told once more, as
    /// `incident.unacknowledged`; default none: it is not.
    pub second_level_after: Option<Duration>,
    /// What a person has to do, by failure, where that is not the checklist of a well-known one.
    pub runbooks: BTreeMap<FailureType, Vec<String>>,
}

impl EscalationSpec {
    /// What a person has to do about a failure, in order; empty where neither the config nor a checklist says.
    pub fn runbook(&self, failure: &FailureType) -> Vec<String> {
        match self.runbooks.get(failure) {
            Some(steps) => steps.clone(),
            None => failure::checklist(failure)
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }
}
