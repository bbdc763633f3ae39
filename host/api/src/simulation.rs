//! What `simulate --json` prints.

use crate::{incidents::Incident, operations::Operation, severity::Severity};
use mainstay_domain::{
    simulation::{self, SimulationReport},
    time::millis,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a simulated day came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Simulation {
    /// When it began, by its own clock.
    #[schemars(extend("format" = "date-time"))]
    pub begin: String,
    /// When it ended, by its own clock.
    #[schemars(extend("format" = "date-time"))]
    pub end: String,
    /// Inputs that the recovery machine had.
    pub inputs: u64,
    /// What checks saw.
    pub observations: u64,
    /// What of a recorded day was left out, for people.
    pub notes: Vec<String>,
    /// The incidents, most important first.
    pub incidents: Vec<SimulatedIncident>,
    /// Everything that was seen, decided and answered, in order.
    pub timeline: Vec<SimulatedEvent>,
}

/// An incident as a simulation left it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SimulatedIncident {
    /// What is known of it.
    pub incident: Incident,
    /// Whether its recovery time objective was exceeded.
    pub rto_exceeded: bool,
    /// Whether it was handed to people at some time.
    pub escalated: bool,
    /// What a person has to do, where it waits for one.
    pub waits: Option<String>,
    /// Its operations, oldest first.
    pub operations: Vec<Operation>,
}

/// One thing that happened in a simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SimulatedEvent {
    /// When, by its own clock.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// How long after the beginning, milliseconds.
    pub after_ms: u64,
    /// The kind of an event; or `handler.called`, `handler.answered`, `command.refused`.
    pub kind: String,
    /// How bad it is.
    pub severity: Severity,
    /// The target that it is about.
    pub target: Option<String>,
    /// The identifier of the operation that it is about.
    pub operation: Option<String>,
    /// For people, one line.
    pub message: String,
}

impl From<&SimulationReport> for Simulation {
    fn from(report: &SimulationReport) -> Self {
        let incidents = report.by_importance().into_iter();
        let happened = |line: &simulation::Line| SimulatedEvent {
            at: (report.begin + line.at).to_string(),
            after_ms: millis(line.at),
            kind: line.kind.to_owned(),
            severity: line.severity.into(),
            target: line.target.as_ref().map(ToString::to_string),
            operation: line.operation.as_ref().map(ToString::to_string),
            message: line.message.clone(),
        };
        Self {
            begin: report.begin.to_string(),
            end: (report.begin + report.lasted).to_string(),
            inputs: report.inputs,
            observations: report.observations,
            notes: Vec::new(),
            incidents: incidents.map(SimulatedIncident::from).collect(),
            timeline: report.lines.iter().map(happened).collect(),
        }
    }
}

impl From<&simulation::SimulatedIncident> for SimulatedIncident {
    fn from(one: &simulation::SimulatedIncident) -> Self {
        Self {
            incident: Incident::from(&one.incident),
            rto_exceeded: one.incident.rto_exceeded_at.is_some(),
            escalated: one.incident.escalated,
            waits: one.waits.clone(),
            operations: one.operations.iter().map(Operation::from).collect(),
        }
    }
}
