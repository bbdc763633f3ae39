//! Events, one object a line.

use crate::{event_kind::EventKind, severity::Severity};
use mainstay_domain::event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its place in the order, from 1.
    pub seq: u64,
    /// When it happened.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// What happened.
    pub kind: EventKind,
    /// How bad it is; alerts are routed by it.
    pub severity: Severity,
    /// The target that it is about.
    pub target: Option<String>,
    /// The plugin that it is about, `name@version`.
    pub plugin: Option<String>,
    /// The identifier of the operation that it is about.
    pub operation: Option<String>,
    /// The identifier of the backup that it is about.
    pub backup: Option<String>,
    /// The job that it is about.
    pub job: Option<String>,
    /// For people, one line.
    pub message: String,
    /// For programs; an object, `{}` where there is nothing more.
    pub data: Value,
}

impl From<&event::Event> for Event {
    fn from(event: &event::Event) -> Self {
        Self {
            seq: event.seq,
            at: event.at.to_string(),
            kind: event.kind.into(),
            severity: event.severity.into(),
            target: event.target.as_ref().map(ToString::to_string),
            plugin: event.plugin.clone(),
            operation: event.operation.as_ref().map(ToString::to_string),
            backup: event.backup.as_ref().map(ToString::to_string),
            job: event.job.as_ref().map(ToString::to_string),
            message: event.message.clone(),
            data: serde_json::to_value(&event.data).unwrap_or_default(),
        }
    }
}
