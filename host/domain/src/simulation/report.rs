//! What a simulation came to.

use crate::{
    event::Event,
    id::{IncidentId, OperationId},
    incident::Incident,
    name::TargetName,
    operation::Operation,
    severity::Severity,
    time::Timestamp,
};
use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

/// One thing that was seen, decided or answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// How long after the beginning.
    pub at: Duration,
    /// What it is: the kind of an event, `handler.called`, `handler.answered` or `command.refused`.
    pub kind: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Of which target.
    pub target: Option<TargetName>,
    /// Of which operation.
    pub operation: Option<OperationId>,
    /// In words.
    pub message: String,
}

/// An incident as it was left.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedIncident {
    /// What is known of it.
    pub incident: Incident,
    /// What a person has to do, where it waits for one.
    pub waits: Option<String>,
    /// Its operations, oldest first.
    pub operations: Vec<Operation>,
}

/// What a simulation came to.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationReport {
    /// When it began.
    pub begin: Timestamp,
    /// How long it lasted, by its own clock.
    pub lasted: Duration,
    /// Inputs that the recovery machine had.
    pub inputs: u64,
    /// What checks saw.
    pub observations: u64,
    /// Everything that happened, in order.
    pub lines: Vec<Line>,
    /// The incidents, oldest first.
    pub incidents: Vec<SimulatedIncident>,
}

impl SimulationReport {
    /// The incidents, most important first: what needs a person, then what is open, then what was escalated or took too long,
    /// then the others; each the most severe first.
    pub fn by_importance(&self) -> Vec<&SimulatedIncident> {
        let mut incidents: Vec<&SimulatedIncident> = self.incidents.iter().collect();
        incidents.sort_by_key(|one| {
            let incident = &one.incident;
            (
                one.waits.is_none(),
                !incident.state.is_open(),
                !incident.escalated,
                incident.rto_exceeded_at.is_none(),
                Reverse(incident.severity),
                incident.opened_at,
            )
        });
        incidents
    }
}

/// What is gathered while it runs.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) inputs: u64,
    pub(super) observations: u64,
    pub(super) lines: Vec<Line>,
    pub(super) incidents: BTreeMap<IncidentId, Incident>,
    pub(super) operations: BTreeMap<OperationId, Operation>,
}

impl Gathered {
    pub(super) fn event(&mut self, at: Duration, event: Event) {
        self.lines.push(Line {
            at,
            kind: event.kind.as_str(),
            severity: event.severity,
            target: event.target,
            operation: event.operation,
            message: event.message,
        });
    }

    /// `waits` is what incidents wait for.
    pub(super) fn report(
        self,
        begin: Timestamp,
        lasted: Duration,
        mut waits: BTreeMap<IncidentId, String>,
    ) -> SimulationReport {
        let mut operations: BTreeMap<IncidentId, Vec<Operation>> = BTreeMap::new();
        for operation in self.operations.into_values() {
            if let Some(incident) = operation.incident.clone() {
                operations.entry(incident).or_default().push(operation);
            }
        }
        let incidents = self.incidents.into_iter();
        SimulationReport {
            begin,
            lasted,
            inputs: self.inputs,
            observations: self.observations,
            lines: self.lines,
            incidents: incidents
                .map(|(id, incident)| SimulatedIncident {
                    incident,
                    waits: waits.remove(&id),
                    operations: operations.remove(&id).unwrap_or_default(),
                })
                .collect(),
        }
    }
}
