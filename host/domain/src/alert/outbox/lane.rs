//! What is said to one alerter about one thing, in the order in which it was raised.

use crate::{alert::OutboxEntry, name::PluginName, severity::Severity};
use std::collections::BTreeSet;

/// Its number in the order of arrival.
pub(super) type Place = u64;

/// To whom, and the key of what it is about.
pub(in crate::alert) type LaneKey = (PluginName, String);

/// Where an entry stands in line.
pub(in crate::alert) fn delivery_lane(entry: &OutboxEntry) -> LaneKey {
    (entry.alerter.clone(), entry.alert.dedup_key.clone())
}

/// A line; it is as urgent as the most severe that stands in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    places: BTreeSet<Place>,
    by_severity: BTreeSet<(Severity, Place)>,
}

impl Lane {
    pub(super) fn insert(&mut self, place: Place, severity: Severity) {
        self.places.insert(place);
        self.by_severity.insert((severity, place));
    }

    pub(super) fn remove(&mut self, place: Place, severity: Severity) {
        self.places.remove(&place);
        self.by_severity.remove(&(severity, place));
    }

    pub(super) fn first(&self) -> Option<Place> {
        self.places.first().copied()
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.places.iter().copied()
    }

    pub(super) fn urgency(&self) -> Severity {
        let most = self.by_severity.last();
        most.map_or(Severity::Low, |(severity, _)| *severity)
    }
}
