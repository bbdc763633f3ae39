//! Who is a member of a group, and what the group says of it.

use super::{AlertGroups, GroupPart, OpenGroup, Telling, Together, text::Words};
use crate::alert::{
    Alert, AlertStatus, OutboxEntry,
    outbox::lane::{LaneKey, delivery_lane},
};
use std::collections::BTreeSet;

/// What the message of a group is made of.
#[derive(Default)]
pub(super) struct Said {
    /// The group was told before, and was not over.
    is_update: bool,
    /// The members that are new or have changed, and are not over.
    changed: BTreeSet<LaneKey>,
    /// Those that came and ended since the last message.
    passed: Vec<OutboxEntry>,
    pub(super) done: Vec<OutboxEntry>,
    pub(super) arrived: Vec<OutboxEntry>,
}

impl AlertGroups {
    /// It is a member of its group.
    pub(super) fn join(&mut self, entry: OutboxEntry) {
        let Some(part) = &entry.part_of else {
            return;
        };
        let lane = delivery_lane(&entry);
        let group = (entry.alerter.clone(), part.group.clone());
        let group = self.open.entry(group).or_default();
        group.severity = group.severity.max(part.severity);
        group.members.insert(lane.1.clone());
        self.members.insert(lane, entry);
    }

    /// It is a member no more.
    pub(super) fn end(&mut self, group: &LaneKey, lane: &LaneKey) -> Option<OutboxEntry> {
        if let Some(group) = self.open.get_mut(group) {
            group.members.remove(&lane.1);
        }
        self.members.remove(lane)
    }

    /// The group tells of these, in their order.
    pub(super) fn tell(
        &mut self,
        group: &LaneKey,
        entries: Vec<OutboxEntry>,
        telling: &mut Telling<'_>,
    ) -> Together {
        let mut said = Said {
            is_update: self.open.contains_key(group),
            arrived: entries.clone(),
            ..Said::default()
        };
        let mut joined = BTreeSet::new();
        for mut entry in entries {
            let lane = delivery_lane(&entry);
            if entry.alert.status == AlertStatus::Resolved {
                said.changed.remove(&lane);
                if let Some(member) = self.end(group, &lane) {
                    if joined.remove(&lane) {
                        said.passed.push(member.clone());
                    }
                    said.done.push(member);
                }
                said.done.push(entry);
                continue;
            }
            said.changed.insert(lane.clone());
            if let Some(member) = self.members.get_mut(&lane) {
                update(&mut member.alert, &entry.alert);
                said.done.push(entry);
                continue;
            }
            entry.part_of = Some(GroupPart {
                group: group.1.clone(),
                severity: entry.alert.severity,
            });
            joined.insert(lane);
            self.join(entry);
        }
        self.say(group, said, telling)
    }

    /// Makes the messages, where there is anything to be said.
    pub(super) fn say(
        &mut self,
        key: &LaneKey,
        mut said: Said,
        telling: &mut Telling<'_>,
    ) -> Together {
        let group = self.open.remove(key).unwrap_or_default();
        let is_over = group.members.is_empty();
        let mut severity = group.severity;
        let mut words = Words::new(key, telling);
        let mut told = Vec::new();
        if !said.changed.is_empty() || !said.passed.is_empty() {
            let lanes = group.members.iter();
            let lanes = lanes.map(|member| (key.0.clone(), member.clone()));
            let open = lanes.filter_map(|lane| self.members.get(&lane));
            let open: Vec<&Alert> = open.map(|member| &member.alert).collect();
            let passed: Vec<&Alert> = said.passed.iter().map(|entry| &entry.alert).collect();
            let mut firing = words.firing(&open, &passed, said.is_update);
            let arrived = said.arrived.iter();
            firing.in_place_of = arrived.map(|entry| entry.alert.id.clone()).collect();
            severity = severity.max(firing.alert.severity);
            told.push(firing);
        }
        if is_over {
            let last = said.done.last().map(|entry| &entry.alert);
            told.push(words.resolved(last, severity));
        } else {
            let first = group.members.first().cloned().unwrap_or_default();
            let lane = (key.0.clone(), first);
            let first = self.members.get_mut(&lane);
            if let Some(part) = first.and_then(|member| member.part_of.as_mut())
                && part.severity < severity
            {
                part.severity = severity;
                said.changed.insert(lane);
            }
            self.open
                .insert(key.clone(), OpenGroup { severity, ..group });
        }
        let changed = said.changed.iter();
        let members = changed.filter_map(|lane| self.members.get(lane).cloned());
        Together {
            group: key.1.clone(),
            told,
            members: members.collect(),
            done: said.done,
            arrived: said.arrived,
        }
    }
}

/// What a group says of a member from now on.
fn update(member: &mut Alert, by: &Alert) {
    member.severity = member.severity.max(by.severity);
    member.kind.clone_from(&by.kind);
    member.title.clone_from(&by.title);
    member.body.clone_from(&by.body);
    member.operation.clone_from(&by.operation);
}
