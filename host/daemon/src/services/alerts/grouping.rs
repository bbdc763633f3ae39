//! Alerts that are told together, on their way to the outbox.
//!
//! Invariant: what becomes of the members of a group is written in one transaction with the group's message, and is submitted
//! before it is written that the delivery of that message begins.

use super::{DeliveryContext, done, event_of_held};
use crate::ports::Batch;
use mainstay_domain::{
    alert::{AlertGroups, GroupRule, GroupStep, OutboxEntry, Telling, Together},
    event::{AlertQueued, Event, EventKind},
    id::IdSource,
    name::PluginName,
    record::Change,
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};

/// The groups, and where the identifiers of their alerts come from.
pub(super) struct Groups {
    all: AlertGroups,
    ids: IdSource,
}

impl Groups {
    pub(super) fn new(ids: IdSource) -> Self {
        Self {
            all: AlertGroups::default(),
            ids,
        }
    }
}

impl DeliveryContext {
    /// Takes alerts that nothing holds back: into the outbox, or to be told together.
    pub(super) fn accept(&self, entries: Vec<OutboxEntry>) {
        let spec = Arc::clone(&self.shared.spec.borrow());
        let steps = self.with_groups(|groups, telling| {
            let mut steps = Vec::new();
            for entry in entries {
                let rule = GroupRule::of(&entry, &spec);
                steps.extend(groups.arrive(entry, rule, telling));
            }
            steps
        });
        self.take(steps);
    }

    /// Tells what has waited for its time; how long until the next has.
    pub(super) fn tell_gathered(&self) -> Option<Duration> {
        let (steps, next) = self.with_groups(|groups, telling| {
            let steps = groups.due(telling);
            (steps, groups.next(telling.now))
        });
        self.take(steps);
        next
    }

    /// Ends the part of these members in their groups.
    pub(super) fn forget(&self, members: &[(PluginName, String)]) {
        let steps = self.with_groups(|groups, telling| {
            let mut steps = Vec::new();
            for (alerter, key) in members {
                let together = groups.forget(alerter, key, telling);
                steps.extend(together.map(GroupStep::Together));
            }
            steps
        });
        self.take(steps);
    }

    fn with_groups<T>(&self, ask: impl FnOnce(&mut AlertGroups, &mut Telling<'_>) -> T) -> T {
        let spec = Arc::clone(&self.shared.spec.borrow());
        let mut groups = self.groups.lock();
        let Groups { all, ids } = &mut *groups;
        let mut telling = Telling {
            host_name: &spec.host.name,
            now: self.shared.clock.now(),
            ids,
        };
        ask(all, &mut telling)
    }

    fn take(&self, steps: Vec<GroupStep>) {
        let now = self.shared.clock.now();
        let mut entries = Vec::new();
        for step in steps {
            match step {
                GroupStep::Alone(entry) => entries.push(*entry),
                GroupStep::Together(together) => {
                    // Written in order; nothing waits for it.
                    drop(
                        self.shared
                            .journal
                            .commit(Batch::soon(changes(&together, now))),
                    );
                    // Who silences its key silences the group.
                    entries.extend(self.hold(together.told, true));
                }
            }
        }
        self.put(entries);
    }
}

/// What is written of it.
fn changes(together: &Together, now: Timestamp) -> Vec<Change> {
    let Together {
        group,
        told,
        members,
        done: over,
        arrived,
    } = together;
    let why = match told.first() {
        Some(message) => format!("it is told in {} ({group})", message.alert.id),
        None => format!("the others of {group} are not over"),
    };
    let mut changes = Vec::new();
    for entry in told {
        changes.extend([Change::Alert(entry.clone()), queued(entry, now)]);
    }
    changes.extend(members.iter().cloned().map(Change::Alert));
    changes.extend(over.iter().map(done));
    let grouped =
        |entry: &OutboxEntry| event_of_held(entry, EventKind::AlertGrouped, now, why.clone());
    changes.extend(arrived.iter().map(grouped));
    changes
}

fn queued(entry: &OutboxEntry, now: Timestamp) -> Change {
    let (alert, alerter) = (&entry.alert, &entry.alerter);
    let message = format!("alert for {alerter} queued: {}", alert.title);
    let data = AlertQueued {
        alert: alert.id.clone(),
        alerter: alerter.clone(),
        resolves: None,
    };
    let mut event = Event::new(EventKind::AlertQueued, alert.severity, now, message)
        .with_plugin(alerter)
        .with_data(data);
    event.target.clone_from(&alert.target);
    Change::Event(event)
}
