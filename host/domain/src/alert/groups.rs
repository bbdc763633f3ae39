//! Alerts that are told together: what fires within a wait is one alert to its receiver, which says how many and which.
//!
//! Invariant: each alert is told as itself or in the messages of one group, and what is said of it later goes the same way.
//! Invariant: one alone goes out as itself. A critical one does so at once, and takes along what gathers of the same: a wait
//! costs the most where it is the most urgent, and no page is to hide in the update of a lesser one.
//! Invariant: a group is told to be over when all of its members are, by a message that passes wherever one of its others
//! did. Only what has an end becomes a member.
//! Invariant: what is open is known from the outbox alone: a member stays there, marked with its group, until it is over,
//! and what waits to be told together waits there as all others do. Who takes up the outbox row by row is where the daemon
//! before was, however that ended.
//! Invariant: at most [`MOST`] wait or are members; what is beyond goes out as itself.

mod gathering;
mod members;
mod rule;
#[cfg(test)]
mod tests;
mod text;

pub use rule::{GroupRule, can_be_grouped};

use self::{gathering::Gathering, members::Said};
use super::{
    AlertStatus, OutboxEntry,
    outbox::lane::{LaneKey, delivery_lane},
};
use crate::{id::IdSource, name::PluginName, severity::Severity, time::Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// So many wait to be told together, or are members of groups.
const MOST: usize = 10_000;

/// The kind of a group's alert; no event has it.
pub(super) const KIND: &str = "alert.group";

/// What an alert that was told in a group is a part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupPart {
    /// The key of the group's alert.
    pub group: String,
    /// How severe the messages of the group were at most, as far as this member keeps it: the first of them by their keys
    /// keeps it of all.
    pub severity: Severity,
}

/// What becomes of alerts that arrived.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupStep {
    /// It is to be delivered as itself.
    Alone(Box<OutboxEntry>),
    /// Some are told together.
    Together(Together),
}

/// What is to be written in one transaction, before any of it is delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct Together {
    /// The key of the group's alert.
    pub group: String,
    /// The messages of the group, in their order; none where nothing is to be said yet.
    pub told: Vec<OutboxEntry>,
    /// Its members that are new or have changed, as they are now. They stay in the outbox, and are not delivered.
    pub members: Vec<OutboxEntry>,
    /// What leaves the outbox: it is over, or its group tells of it in its place.
    pub done: Vec<OutboxEntry>,
    /// What arrived, of which this is what becomes of it.
    pub arrived: Vec<OutboxEntry>,
}

/// What a call is made with.
#[derive(Debug)]
pub struct Telling<'a> {
    /// The name of the host.
    pub host_name: &'a str,
    /// The wall clock.
    pub now: Timestamp,
    /// Where the identifiers of messages come from.
    pub ids: &'a mut IdSource,
}

/// The groups, and what waits for one.
#[derive(Debug, Clone, Default)]
pub struct AlertGroups {
    /// What waits to be told together, by alerter and key of the group.
    gathering: BTreeMap<LaneKey, Gathering>,
    /// For which of these that waits which is about one thing.
    gathers: BTreeMap<LaneKey, LaneKey>,
    /// When each has waited for its time.
    by_due: BTreeSet<(Timestamp, LaneKey)>,
    /// How many wait.
    waiting: usize,
    /// The newest time that the wall clock said, since it was last set back.
    looked_at: Option<Timestamp>,
    /// What was told in a group, and is not over.
    members: BTreeMap<LaneKey, OutboxEntry>,
    /// The groups that were told, and are not over.
    open: BTreeMap<LaneKey, OpenGroup>,
}

#[derive(Debug, Clone)]
struct OpenGroup {
    /// By their own keys.
    members: BTreeSet<String>,
    /// How severe its messages were at most.
    severity: Severity,
}

impl Default for OpenGroup {
    fn default() -> Self {
        Self {
            members: BTreeSet::new(),
            severity: Severity::Low,
        }
    }
}

impl AlertGroups {
    /// An alert arrives that nothing holds back; with how it is grouped, where it is.
    pub fn arrive(
        &mut self,
        entry: OutboxEntry,
        rule: Option<GroupRule>,
        telling: &mut Telling<'_>,
    ) -> Vec<GroupStep> {
        if entry.is_of_group() {
            return vec![alone(entry)];
        }
        let lane = delivery_lane(&entry);
        if entry.part_of.is_some() {
            // What stands before it of the same was to be told as itself, and is not yet.
            let before = self.gathers.get(&lane).cloned();
            let before = before.map_or_else(Vec::new, |group| self.leave(&group, &lane));
            self.join(entry);
            return before.into_iter().map(alone).collect();
        }
        let is_firing = entry.alert.status == AlertStatus::Firing;
        let is_urgent = is_firing && entry.alert.severity == Severity::Critical;
        if let Some(group) = self.gathers.get(&lane).cloned() {
            if !is_urgent {
                self.gather(group, lane, entry, Duration::ZERO, telling.now);
                return Vec::new();
            }
            let mut own = self.leave(&group, &lane);
            own.push(entry);
            return match self.members.contains_key(&lane) {
                true => vec![GroupStep::Together(self.tell(&group, own, telling))],
                false => own.into_iter().map(alone).collect(),
            };
        }
        if let Some(group) = self.group_of(&lane) {
            if let Some(rule) = rule
                && is_firing
                && !is_urgent
            {
                self.gather(group, lane, entry, rule.wait, telling.now);
                return Vec::new();
            }
            let told = self.tell(&group, vec![entry], telling);
            return vec![GroupStep::Together(told)];
        }
        let has_room = self.waiting + self.members.len() < MOST;
        match rule {
            // What follows what was told as itself is told as itself.
            Some(rule) if is_firing && !is_urgent && !entry.follows && has_room => {
                let group = (entry.alerter.clone(), rule.key);
                self.gather(group, lane, entry, rule.wait, telling.now);
                Vec::new()
            }
            _ => vec![alone(entry)],
        }
    }

    /// Tells what has waited for its time.
    pub fn due(&mut self, telling: &mut Telling<'_>) -> Vec<GroupStep> {
        let now = telling.now;
        if let Some(last) = self.looked_at.replace(now)
            && now < last
        {
            self.clock_was_set_back(now);
        }
        let mut steps = Vec::new();
        while self.by_due.first().is_some_and(|(due, _)| *due <= now) {
            let Some((_, group)) = self.by_due.pop_first() else {
                break;
            };
            let Some(gathering) = self.gathering.remove(&group) else {
                continue;
            };
            let entries = gathering.entries;
            self.waiting = self.waiting.saturating_sub(entries.len());
            let lanes: BTreeSet<LaneKey> = entries.iter().map(delivery_lane).collect();
            for lane in &lanes {
                self.gathers.remove(lane);
            }
            if lanes.len() == 1 && !self.open.contains_key(&group) {
                steps.extend(entries.into_iter().map(alone));
            } else {
                steps.push(GroupStep::Together(self.tell(&group, entries, telling)));
            }
        }
        steps
    }

    /// How long until something has waited for its time.
    pub fn next(&self, now: Timestamp) -> Option<Duration> {
        self.by_due.first().map(|(due, _)| due.since(now))
    }

    /// Nothing will say any more that this is over: its part in its group has ended.
    pub fn forget(
        &mut self,
        alerter: &PluginName,
        key: &str,
        telling: &mut Telling<'_>,
    ) -> Option<Together> {
        let lane = (alerter.clone(), key.to_owned());
        let group = self.group_of(&lane)?;
        let mut said = Said::default();
        if let Some(group) = self.gathers.get(&lane).cloned() {
            said.done = self.leave(&group, &lane);
            said.arrived.clone_from(&said.done);
        }
        said.done.extend(self.end(&group, &lane));
        Some(self.say(&group, said, telling))
    }

    /// The group that tells of this.
    fn group_of(&self, lane: &LaneKey) -> Option<LaneKey> {
        let part = self.members.get(lane)?.part_of.as_ref()?;
        Some((lane.0.clone(), part.group.clone()))
    }
}

fn alone(entry: OutboxEntry) -> GroupStep {
    GroupStep::Alone(Box::new(entry))
}
