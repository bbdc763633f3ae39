//! The alerts that wait to be delivered, in memory, in the order in which they were raised.
//!
//! Invariant: what is said about one thing is delivered to one alerter in that order: while an earlier entry for the
//! same alerter and with the same key waits, a later one has to.
//! Invariant: every call costs the logarithm of what waits, for each alerter; but where the wall clock is found set back,
//! one goes through all that waits.
//! Invariant: a wall clock that is set back keeps nothing waiting for the size of the jump, where it is looked at each
//! minute: at most that minute.
//! Invariant: at most [`Outbox::MOST`] wait; of more the oldest of the least severe goes, which the caller gets.

use super::{
    Alert, OutboxEntry,
    delivery::{GIVEN_UP_AFTER, LONGEST_WAIT},
};
use crate::{id::AlertId, name::PluginName, severity::Severity, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Its number in the order of arrival.
type Place = u64;

/// The alerts that wait.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    entries: BTreeMap<Place, OutboxEntry>,
    places: BTreeMap<(AlertId, PluginName), Place>,
    /// What is said to one alerter about one thing.
    lanes: BTreeMap<(PluginName, String), BTreeSet<Place>>,
    /// The first of each lane, by alerter.
    heads: BTreeMap<PluginName, DueHeads>,
    by_severity: BTreeSet<(Severity, Place)>,
    next: Place,
    /// The time of the newest look.
    looked_at: Option<Timestamp>,
}

/// What one alerter may be given.
#[derive(Debug, Clone, Default)]
struct DueHeads {
    waiting: BTreeSet<(Timestamp, Place)>,
    /// Due.
    ready: BTreeSet<Place>,
}

impl Outbox {
    /// So many wait at most: some 20 MB.
    pub const MOST: usize = 10_000;

    /// Puts an alert at the end; one that is there already stays as it is. What has to go for it, perhaps itself.
    pub fn add(&mut self, entry: OutboxEntry) -> Option<OutboxEntry> {
        let key = (entry.alert.id.clone(), entry.alerter.clone());
        if self.places.contains_key(&key) {
            return None;
        }
        let place = self.next;
        self.next += 1;
        self.places.insert(key, place);
        self.by_severity.insert((entry.alert.severity, place));
        let lane = self.lanes.entry(delivery_lane(&entry)).or_default();
        lane.insert(place);
        if lane.len() == 1 {
            self.wait(&entry.alerter, entry.due, place);
        }
        self.entries.insert(place, entry);
        if self.entries.len() <= Self::MOST {
            return None;
        }
        let (_, least) = self.by_severity.first().copied()?;
        self.remove(least)
    }

    /// Puts another state of an alert in its place; nothing where it is not there.
    pub fn change(&mut self, entry: OutboxEntry) {
        let key = (entry.alert.id.clone(), entry.alerter.clone());
        let Some(place) = self.places.get(&key).copied() else {
            return;
        };
        let Some(before) = self.entries.get(&place) else {
            return;
        };
        let due = before.due;
        if self.forget_head(&entry.alerter, due, place) {
            self.wait(&entry.alerter, entry.due, place);
        }
        self.entries.insert(place, entry);
    }

    /// Removes an alert that is delivered or given up.
    pub fn done(&mut self, alert: &AlertId, alerter: &PluginName) {
        let key = (alert.clone(), alerter.clone());
        if let Some(place) = self.places.get(&key).copied() {
            self.remove(place);
        }
    }

    /// The oldest due entry of each alerter that is not busy, and how long until the next of another is due, if one
    /// is. What is given stays until it is [done](Self::done) or [changed](Self::change).
    pub fn due(
        &mut self,
        busy: &BTreeSet<PluginName>,
        now: Timestamp,
    ) -> (Vec<OutboxEntry>, Option<Duration>) {
        if let Some(last) = self.looked_at.replace(now)
            && now < last
        {
            self.clock_was_set_back(last.since(now));
        }
        let mut places = Vec::new();
        let mut rest: Option<Duration> = None;
        let free = self.heads.iter_mut();
        for (_, heads) in free.filter(|(alerter, _)| !busy.contains(*alerter)) {
            heads.wake(now);
            if let Some(place) = heads.ready.first() {
                places.push(*place);
            } else if let Some((due, _)) = heads.waiting.first() {
                let wait = due.since(now);
                rest = Some(rest.map_or(wait, |rest| rest.min(wait)));
            }
        }
        places.sort_unstable();
        let due = places.iter().filter_map(|place| self.entries.get(place));
        (due.cloned().collect(), rest)
    }

    /// An alert was given up after a day. The next one on the same lane inherits the time it waited; else alerts
    /// behind a dead alerter would be given up one per day.
    pub fn after_giving_up(
        &self,
        alert: &Alert,
        alerter: &PluginName,
        now: Timestamp,
    ) -> Option<OutboxEntry> {
        let lane = (alerter.clone(), alert.dedup_key.clone());
        let lane = self.lanes.get(&lane)?.iter();
        let mut entries = lane.filter_map(|place| self.entries.get(place));
        let mut next = entries.find(|entry| entry.alert.id != alert.id)?.clone();
        next.tried_for = now.since(next.alert.at).min(GIVEN_UP_AFTER);
        next.due = now;
        Some(next)
    }

    /// What was to wait for some seconds still does.
    fn clock_was_set_back(&mut self, by: Duration) {
        for entry in self.entries.values_mut() {
            entry.due = entry.due - by;
        }
        for heads in self.heads.values_mut() {
            let waiting = std::mem::take(&mut heads.waiting).into_iter();
            heads.waiting = waiting.map(|(due, place)| (due - by, place)).collect();
        }
    }

    fn wait(&mut self, alerter: &PluginName, due: Timestamp, place: Place) {
        let heads = self.heads.entry(alerter.clone()).or_default();
        heads.waiting.insert((due, place));
    }

    /// Whether it was the first of its lane.
    fn forget_head(&mut self, alerter: &PluginName, due: Timestamp, place: Place) -> bool {
        let Some(heads) = self.heads.get_mut(alerter) else {
            return false;
        };
        let was_head = heads.waiting.remove(&(due, place)) | heads.ready.remove(&place);
        if heads.waiting.is_empty() && heads.ready.is_empty() {
            self.heads.remove(alerter);
        }
        was_head
    }

    fn remove(&mut self, place: Place) -> Option<OutboxEntry> {
        let entry = self.entries.remove(&place)?;
        let key = (entry.alert.id.clone(), entry.alerter.clone());
        self.places.remove(&key);
        self.by_severity.remove(&(entry.alert.severity, place));
        let lane_of_it = delivery_lane(&entry);
        let mut next = None;
        if let Some(lane) = self.lanes.get_mut(&lane_of_it) {
            lane.remove(&place);
            next = lane.first().copied();
        }
        if next.is_none() {
            self.lanes.remove(&lane_of_it);
        }
        if self.forget_head(&entry.alerter, entry.due, place)
            && let Some(next) = next
            && let Some(due) = self.entries.get(&next).map(|entry| entry.due)
        {
            self.wait(&entry.alerter, due, next);
        }
        Some(entry)
    }
}

impl DueHeads {
    /// What is due is ready. Nothing waits for longer than the longest wait: the clock has gone back.
    fn wake(&mut self, now: Timestamp) {
        while let Some((due, place)) = self.waiting.first().copied()
            && due <= now
        {
            self.waiting.pop_first();
            self.ready.insert(place);
        }
        while let Some((due, place)) = self.waiting.last().copied()
            && due.since(now) > LONGEST_WAIT
        {
            self.waiting.pop_last();
            self.ready.insert(place);
        }
    }
}

fn delivery_lane(entry: &OutboxEntry) -> (PluginName, String) {
    (entry.alerter.clone(), entry.alert.dedup_key.clone())
}

#[cfg(test)]
mod tests;
