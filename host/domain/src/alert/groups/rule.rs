//! Which alerts are told together.

use crate::{
    alert::{
        Alert, OutboxEntry,
        concern::{Concern, concern},
        routing::{kind_of, route_of},
    },
    event::EventKind,
    spec::{GroupBy, Spec},
};
use std::time::Duration;

/// How an alert is grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    /// The key of the group's alert.
    pub(super) key: String,
    /// For so long others are waited for.
    pub(super) wait: Duration,
}

impl GroupRule {
    /// How an alert is grouped by the first route that sends it. None where that does not group, where its receiver may
    /// have it already, and where it has no end: its group would have none either.
    pub fn of(entry: &OutboxEntry, spec: &Spec) -> Option<Self> {
        let alert = &entry.alert;
        if entry.may_have_arrived() || !has_end(alert) {
            return None;
        }
        let grouping = route_of(entry, &spec.alerts)?.grouping.as_ref()?;
        let mut key = format!("{}/alerts", spec.host.name);
        for by in &grouping.by {
            let value = match by {
                GroupBy::Target => alert.target.as_ref().map(|target| target.as_str()),
                GroupBy::Failure => {
                    let mut labels = alert.labels.iter();
                    let failure = labels.find(|(name, _)| name == "failure");
                    failure.map(|(_, value)| value.as_str())
                }
            };
            // What has none of it is told with what has none either.
            key = format!("{key}/{}={}", by.as_str(), value.unwrap_or_default());
        }
        Some(Self {
            key,
            wait: grouping.wait,
        })
    }
}

fn has_end(alert: &Alert) -> bool {
    kind_of(alert).is_some_and(can_be_grouped)
}

/// Whether alerts about events of this kind can be told together: what they tell of has an end.
pub fn can_be_grouped(kind: EventKind) -> bool {
    matches!(concern(kind), Concern::Fires(_))
}
