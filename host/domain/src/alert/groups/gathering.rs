//! What waits to be told together with others.

use super::AlertGroups;
use crate::{
    alert::{
        OutboxEntry,
        outbox::lane::{LaneKey, delivery_lane},
    },
    time::Timestamp,
};
use std::time::Duration;

/// What waits to be told together.
#[derive(Debug, Clone)]
pub(super) struct Gathering {
    wait: Duration,
    /// It has waited for its time then.
    due: Timestamp,
    pub(super) entries: Vec<OutboxEntry>,
}

impl AlertGroups {
    pub(super) fn gather(
        &mut self,
        group: LaneKey,
        lane: LaneKey,
        entry: OutboxEntry,
        wait: Duration,
        now: Timestamp,
    ) {
        self.looked_at = self.looked_at.max(Some(now));
        self.gathers.insert(lane, group.clone());
        self.waiting += 1;
        // The daemon before may have waited for some of it.
        let due = entry.alert.at.min(now) + wait;
        if let Some(gathering) = self.gathering.get_mut(&group) {
            gathering.entries.push(entry);
            return;
        }
        self.by_due.insert((due, group.clone()));
        let gathering = Gathering {
            wait,
            due,
            entries: vec![entry],
        };
        self.gathering.insert(group, gathering);
    }

    /// Nobody waits for the size of the jump.
    pub(super) fn clock_was_set_back(&mut self, now: Timestamp) {
        self.by_due.clear();
        for (group, gathering) in &mut self.gathering {
            gathering.due = gathering.due.min(now + gathering.wait);
            self.by_due.insert((gathering.due, group.clone()));
        }
    }

    /// Takes out what waits of one thing.
    pub(super) fn leave(&mut self, group: &LaneKey, lane: &LaneKey) -> Vec<OutboxEntry> {
        self.gathers.remove(lane);
        let Some(gathering) = self.gathering.get_mut(group) else {
            return Vec::new();
        };
        let all = std::mem::take(&mut gathering.entries);
        let (own, others): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|entry| delivery_lane(entry) == *lane);
        gathering.entries = others;
        if gathering.entries.is_empty() {
            self.by_due.remove(&(gathering.due, group.clone()));
            self.gathering.remove(group);
        }
        self.waiting = self.waiting.saturating_sub(own.len());
        own
    }
}
