//! Alerts: messages about events, and their way through the outbox.
//!
//! Invariant: an event about an alert never becomes an alert, so that a broken alerter is no loop.

use crate::{
    id::{AlertId, OperationId},
    name::{PluginName, TargetName},
    severity::Severity,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

mod concern;
mod delivery;
mod groups;
mod held;
mod open;
mod open_key;
mod outbox;
mod receiving;
mod routing;
mod text;
mod trial;

pub use delivery::{after_failure, retry_after};
pub use groups::{AlertGroups, GroupPart, GroupRule, GroupStep, Telling, Together, can_be_grouped};
pub use held::{Arrived, FailingDependencies, HeldAlerts};
pub use open::OpenAlerts;
pub use outbox::Outbox;
pub use receiving::{AlerterState, Receiving};
pub use routing::{alerts_for, is_alert_by_default, never_alerts, version_for};
pub use trial::{receivers, test_alert, test_alert_over};

/// Whether something is wrong or right again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertStatus {
    /// It is wrong.
    Firing,
    /// It is right again.
    Resolved,
}

/// One message about one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its identifier.
    pub id: AlertId,
    /// The same for every message about the same thing; receivers deduplicate on it.
    pub dedup_key: String,
    /// Wrong, or right again.
    pub status: AlertStatus,
    /// How bad it is.
    pub severity: Severity,
    /// When the event happened.
    pub at: Timestamp,
    /// Event kind, e.g. `operation.failed`.
    pub kind: String,
    /// One line.
    pub title: String,
    /// Some lines.
    pub body: String,
    /// What it is about.
    pub target: Option<TargetName>,
    /// The operation that it is about.
    pub operation: Option<OperationId>,
    /// Further facts.
    pub labels: Vec<(String, String)>,
}

impl Alert {
    /// Says that it is about a drill: nobody has to get up for what is broken on purpose.
    pub fn mark_as_drill(&mut self) {
        let title = format!("DRILL: {}", self.title);
        self.title = title.chars().take(text::MAX_TITLE).collect();
        self.body = format!(
            "This is a drill: a person has the target broken on purpose, to time its recovery.\n{}",
            self.body
        );
        self.labels.push(("drill".to_owned(), "true".to_owned()));
    }
}

/// An alert on its way to one alerter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// The message.
    pub alert: Alert,
    /// Who delivers it.
    pub alerter: PluginName,
    /// Attempts made so far.
    pub attempts: u32,
    /// For how long it has been tried, the wait until `due` included.
    #[serde(default)]
    pub tried_for: Duration,
    /// Not sooner than this.
    pub due: Timestamp,
    /// What the last attempt said.
    pub last_error: Option<String>,
    /// This alerter was told before that something with this key is wrong, or was to be, and it is not over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follows: bool,
    /// An attempt has begun, which may have arrived whatever is known of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub begun: bool,
    /// It was told in this group, and stays here until it is over. Nobody delivers it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<GroupPart>,
    /// The alerts that it tells in their place, where it is of a group. No record has them: another daemon does not know.
    #[serde(skip)]
    pub in_place_of: Vec<AlertId>,
}

impl OutboxEntry {
    /// An alert that nobody has tried to deliver; it is due since its event.
    pub(crate) fn new(alert: Alert, alerter: PluginName) -> Self {
        Self {
            due: alert.at,
            alert,
            alerter,
            attempts: 0,
            tried_for: Duration::ZERO,
            last_error: None,
            follows: false,
            begun: false,
            part_of: None,
            in_place_of: Vec::new(),
        }
    }

    /// Whether it is the alert of a group, which is part of no other.
    pub(crate) fn is_of_group(&self) -> bool {
        self.alert.kind == groups::KIND
    }

    /// Whether its receiver may have it already, so that nothing may hold it back any more.
    pub(crate) fn may_have_arrived(&self) -> bool {
        self.begun || self.attempts > 0
    }
}
