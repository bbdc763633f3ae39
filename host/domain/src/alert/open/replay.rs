//! What is open is in no record of its own: it is read from the events of the daemons before.

use super::{MOST, OpenAlerts};
use crate::{
    alert::{
        OutboxEntry,
        concern::{Concern, concern, dedup_keys},
        outbox::lane::{LaneKey, delivery_lane},
    },
    event::{Event, EventData, EventKind},
    id::IdSource,
    name::PluginName,
    spec::AlertRoute,
};
use std::sync::LazyLock;

impl OpenAlerts {
    /// Learns what the daemons before left open, by the events that they wrote, the oldest first, page by page, and the
    /// routes of today; [`OpenAlerts::replay_ended`] comes after the last.
    pub fn replay(&mut self, events: &[Event], routes: &[AlertRoute], host_name: &str) {
        self.is_replay = true;
        let mut ids = IdSource::new(0);
        for event in events {
            // Its alerts are in the outbox, or were sent.
            drop(self.alerts_for(event, routes, host_name, &mut ids));
        }
        self.is_replay = false;
    }

    /// What comes now is of this daemon.
    pub fn replay_ended(&mut self) {
        self.all_were_before();
    }

    /// The members of groups in this outbox whose alerters were told of nothing that is open: nothing will say any more that
    /// they are over. Each with its alerter and its own key.
    pub fn forgotten(&self, outbox: &[OutboxEntry]) -> Vec<(PluginName, String)> {
        let members = outbox.iter().filter(|entry| entry.part_of.is_some());
        let lanes = members.map(delivery_lane);
        let is_told = |(alerter, key): &LaneKey| {
            let of_key = self.told.get(key);
            of_key.is_some_and(|of_key| of_key.by.contains_key(alerter))
        };
        lanes.filter(|lane| !is_told(lane)).collect()
    }

    /// The kinds of events that make a difference to what is open.
    pub fn kinds() -> &'static [EventKind] {
        static KINDS: LazyLock<Vec<EventKind>> = LazyLock::new(|| {
            let mut kinds = EventKind::ALL.to_vec();
            kinds.retain(|kind| makes_a_difference(*kind));
            kinds
        });
        &KINDS
    }

    /// Whether an event makes a difference to what is open, so that it is looked for when that is replayed.
    pub fn are_changed_by(event: &Event) -> bool {
        let resolves =
            matches!(&event.data, EventData::AlertQueued(facts) if facts.resolves.is_some());
        resolves || makes_a_difference(event.kind)
    }

    /// Whether this event may make a difference to what is open now, where that was replayed over it: else nobody need
    /// replay it any more.
    pub fn need(&self, event: &Event, host_name: &str) -> bool {
        if event.kind == EventKind::HostStarted || self.told.len() >= MOST {
            return true;
        }
        match &event.data {
            EventData::AlertQueued(facts) => {
                let resolves = facts.resolves.as_ref();
                resolves.is_some_and(|key| self.told.contains_key(key))
            }
            _ => {
                let keys = dedup_keys(event, host_name);
                keys.iter().any(|key| self.told.contains_key(key))
            }
        }
    }
}

fn makes_a_difference(kind: EventKind) -> bool {
    concern(kind) != Concern::Tells || kind == EventKind::HostStarted
}
