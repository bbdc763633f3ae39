//! The alerts that wait to be delivered, in memory: the most severe first, and of equals in the order in which they were
//! raised.
//!
//! Invariant: what is said about one thing is delivered to one alerter in the order in which it was raised: while an
//! earlier entry for the same alerter and with the same key waits or is under way, a later one has to wait. Such a line is
//! as urgent as the most severe that stands in it.
//! Invariant: at most [`Outbox::MOST_OF_ONE`] deliveries to one alerter are under way, and [`Outbox::MOST_AT_ONCE`] to all;
//! but an alerter that has none gets one, so that slow ones hold up nobody else.
//! Invariant: what waits for another attempt takes no place of one that is under way.
//! Invariant: every call costs the logarithm of what waits, for each alerter and for each entry that it gives; but where the
//! wall clock is found set back, one goes through all that waits.
//! Invariant: a wall clock that is set back keeps nothing waiting for the size of the jump, where it is looked at each
//! minute: at most that minute.
//! Invariant: at most [`Outbox::MOST`] wait; of more the oldest of the least severe that is not under way goes, which the
//! caller gets.

mod heads;
pub(super) mod lane;

use self::{
    heads::{Heads, UnderWay},
    lane::{Lane, LaneKey, Place, delivery_lane},
};
use super::{Alert, OutboxEntry, delivery::GIVEN_UP_AFTER};
use crate::{id::AlertId, name::PluginName, severity::Severity, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The alerts that wait.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    entries: BTreeMap<Place, OutboxEntry>,
    places: BTreeMap<(AlertId, PluginName), Place>,
    /// What is said to one alerter about one thing.
    lanes: BTreeMap<LaneKey, Lane>,
    /// The first of each lane that is not under way, by alerter.
    heads: BTreeMap<PluginName, Heads>,
    under_way: UnderWay,
    by_severity: BTreeSet<(Severity, Place)>,
    /// How many wait or are under way, by alerter.
    of_alerter: BTreeMap<PluginName, usize>,
    next: Place,
    /// The time of the newest look.
    looked_at: Option<Timestamp>,
}

impl Outbox {
    /// So many wait at most: some 40 MB.
    pub const MOST: usize = 20_000;
    /// So many deliveries to one alerter are under way at most.
    pub const MOST_OF_ONE: usize = 16;
    /// So many deliveries are under way at most, but for one to each alerter.
    pub const MOST_AT_ONCE: usize = 64;

    /// How many wait or are under way.
    pub fn waiting(&self) -> usize {
        self.entries.len()
    }

    /// The same, by alerter; none where none does.
    pub fn waiting_by_alerter(&self) -> &BTreeMap<PluginName, usize> {
        &self.of_alerter
    }

    /// What waits for another attempt by this alerter is due now, for what kept it from delivering is over.
    pub fn retry_now(&mut self, alerter: &PluginName, now: Timestamp) {
        let heads = self.heads.get_mut(alerter);
        for place in heads.map(|heads| heads.retry_now(now)).unwrap_or_default() {
            if let Some(entry) = self.entries.get_mut(&place) {
                entry.due = now;
            }
        }
    }

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
        *self.of_alerter.entry(entry.alerter.clone()).or_default() += 1;
        let lane = self.lanes.entry(delivery_lane(&entry)).or_default();
        let before = lane.first().map(|head| (head, lane.urgency()));
        lane.insert(place, entry.alert.severity);
        let urgency = lane.urgency();
        match before {
            None => self.wait(&entry.alerter, entry.due, place),
            Some((head, before)) => self.rank_anew(&entry.alerter, head, before, urgency),
        }
        self.entries.insert(place, entry);
        if self.entries.len() <= Self::MOST {
            return None;
        }
        let mut least = self.by_severity.iter().map(|(_, place)| *place);
        let least = least.find(|place| !self.under_way.is_given(*place))?;
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
        let urgency = self.urgency(&entry);
        if self.forget_head(&entry.alerter, due, place, urgency) {
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

    /// What is to be delivered now, the most severe first, where no alerter gets more at one time than `most` says; and
    /// how long until the next of another is due, if one is. What is given stays until it is [done](Self::done) or
    /// [changed](Self::change), and takes a place until its delivery has [ended](Self::ended).
    pub fn due(
        &mut self,
        most: impl Fn(&PluginName) -> usize,
        now: Timestamp,
    ) -> (Vec<OutboxEntry>, Option<Duration>) {
        if let Some(last) = self.looked_at.replace(now)
            && now < last
        {
            self.clock_was_set_back(last.since(now));
        }
        let Self {
            entries,
            lanes,
            heads,
            under_way,
            ..
        } = self;
        let urgency = |place: Place| {
            let lane = entries.get(&place).map(delivery_lane);
            let lane = lane.and_then(|lane| lanes.get(&lane));
            lane.map_or(Severity::Low, Lane::urgency)
        };
        for heads in heads.values_mut() {
            heads.wake(now, &urgency);
        }
        let mut due = Vec::new();
        loop {
            let free = heads
                .iter_mut()
                .filter(|(alerter, _)| under_way.has_room(alerter, most(alerter)));
            let ranked = free.filter_map(|(alerter, heads)| Some((heads.first()?, alerter, heads)));
            let Some((rank, alerter, heads)) = ranked.min_by_key(|(rank, ..)| *rank) else {
                break;
            };
            let place = heads.take(rank);
            under_way.begin(alerter, place);
            due.extend(entries.get(&place).cloned());
        }
        let free = heads
            .iter()
            .filter(|(alerter, _)| under_way.has_room(alerter, most(alerter)));
        let rest = free.filter_map(|(_, heads)| heads.next_due()).min();
        let rest = rest.map(|due| due.since(now));
        heads.retain(|_, heads| !heads.is_empty());
        (due, rest)
    }

    /// A delivery has ended, whatever came of it, and so has the place that it took. Where nobody said what came of it, the
    /// alert is due again.
    pub fn ended(&mut self, alert: &AlertId, alerter: &PluginName) {
        self.under_way.end(alerter);
        let key = (alert.clone(), alerter.clone());
        if let Some(place) = self.places.get(&key).copied()
            && self.under_way.forget(place)
            && let Some(due) = self.entries.get(&place).map(|entry| entry.due)
        {
            self.wait(alerter, due, place);
        }
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
        let mut entries = self
            .lanes
            .get(&lane)?
            .places()
            .filter_map(|place| self.entries.get(&place));
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
            heads.clock_was_set_back(by);
        }
    }

    fn wait(&mut self, alerter: &PluginName, due: Timestamp, place: Place) {
        let heads = self.heads.entry(alerter.clone()).or_default();
        heads.wait(due, place);
    }

    /// How urgent the lane of an entry is.
    fn urgency(&self, entry: &OutboxEntry) -> Severity {
        let lane = self.lanes.get(&delivery_lane(entry));
        lane.map_or(entry.alert.severity, Lane::urgency)
    }

    /// The lane behind this head is as urgent as this now.
    fn rank_anew(
        &mut self,
        alerter: &PluginName,
        head: Place,
        before: Severity,
        urgency: Severity,
    ) {
        if let Some(heads) = self.heads.get_mut(alerter) {
            heads.rank_anew(head, before, urgency);
        }
    }

    /// Whether it was the first of its lane.
    fn forget_head(
        &mut self,
        alerter: &PluginName,
        due: Timestamp,
        place: Place,
        urgency: Severity,
    ) -> bool {
        let was_given = self.under_way.forget(place);
        let Some(heads) = self.heads.get_mut(alerter) else {
            return was_given;
        };
        let was_head = heads.forget(due, place, urgency);
        if heads.is_empty() {
            self.heads.remove(alerter);
        }
        was_given || was_head
    }

    fn remove(&mut self, place: Place) -> Option<OutboxEntry> {
        let entry = self.entries.remove(&place)?;
        let key = (entry.alert.id.clone(), entry.alerter.clone());
        self.places.remove(&key);
        self.by_severity.remove(&(entry.alert.severity, place));
        if let Some(own) = self.of_alerter.get_mut(&entry.alerter) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.of_alerter.remove(&entry.alerter);
            }
        }
        let before = self.urgency(&entry);
        let lane_of_it = delivery_lane(&entry);
        let mut next = None;
        if let Some(lane) = self.lanes.get_mut(&lane_of_it) {
            lane.remove(place, entry.alert.severity);
            next = lane.first().map(|head| (head, lane.urgency()));
        }
        if next.is_none() {
            self.lanes.remove(&lane_of_it);
        }
        let was_head = self.forget_head(&entry.alerter, entry.due, place, before);
        if let Some((next, urgency)) = next {
            let due = self.entries.get(&next).map(|entry| entry.due);
            match due {
                Some(due) if was_head => self.wait(&entry.alerter, due, next),
                _ => self.rank_anew(&entry.alerter, next, before, urgency),
            }
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests;
