//! Alerts that are held back, in memory; in the durable outbox they wait as all others do.
//!
//! Invariant: what is over while its alert was held back is told to nobody who was not told of it before.
//! Invariant: what is said to one alerter about one thing keeps its order.
//! Invariant: what its receiver may have is not held back, also where a daemon ended amid its first attempt: its end would be
//! told to nobody.
//! Invariant: at most [`Outbox::MOST`](super::Outbox::MOST) are held back; more are delivered.

use super::{
    Alert, AlertStatus, Outbox, OutboxEntry,
    outbox::lane::{LaneKey, delivery_lane},
};
use crate::{name::TargetName, spec::Targets};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The alerts that are held back, by alerter and key.
#[derive(Debug, Clone, Default)]
pub struct HeldAlerts {
    lanes: BTreeMap<LaneKey, Vec<OutboxEntry>>,
    all: usize,
}

/// What becomes of an alert that arrives.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrived {
    /// It is to be delivered, after what was held back of the same till now.
    Deliver(Vec<OutboxEntry>),
    /// It is held back, and why.
    Held(Box<OutboxEntry>, String),
    /// It says that it is over.
    Over {
        /// Nobody is told of these any more.
        untold: Vec<OutboxEntry>,
        /// That it is over, for one who was told of it before.
        deliver: Option<Box<OutboxEntry>>,
    },
}

impl HeldAlerts {
    /// An alert arrives; with why it is to be held back, where it is.
    pub fn arrive(&mut self, entry: OutboxEntry, why: Option<String>) -> Arrived {
        let lane = delivery_lane(&entry);
        if entry.alert.status == AlertStatus::Resolved {
            let mut untold = self.take(&lane);
            let Some(first) = untold.first() else {
                return Arrived::Deliver(vec![entry]);
            };
            let was_told = first.follows;
            let deliver = match was_told {
                true => Some(Box::new(entry)),
                false => {
                    untold.push(entry);
                    None
                }
            };
            return Arrived::Over { untold, deliver };
        }
        match why {
            Some(why) if self.all < Outbox::MOST && !entry.may_have_arrived() => {
                self.all += 1;
                self.lanes.entry(lane).or_default().push(entry.clone());
                Arrived::Held(Box::new(entry), why)
            }
            _ => {
                let mut deliver = self.take(&lane);
                deliver.push(entry);
                Arrived::Deliver(deliver)
            }
        }
    }

    fn take(&mut self, lane: &LaneKey) -> Vec<OutboxEntry> {
        let taken = self.lanes.remove(lane).unwrap_or_default();
        self.all = self.all.saturating_sub(taken.len());
        taken
    }

    /// Takes out those that nothing holds back any more, the oldest first.
    pub fn release(&mut self, mut is_held: impl FnMut(&Alert) -> bool) -> Vec<OutboxEntry> {
        let mut released = Vec::new();
        self.lanes.retain(|_, lane| {
            let free = lane.iter().take_while(|entry| !is_held(&entry.alert));
            let free = free.count();
            released.extend(lane.drain(..free));
            !lane.is_empty()
        });
        self.all = self.all.saturating_sub(released.len());
        released.sort_by(|a, b| a.alert.id.cmp(&b.alert.id));
        released
    }
}

/// What is failing of all that targets depend on. Each of them is looked at once, however many depend on it.
#[derive(Debug, Default)]
pub struct FailingDependencies {
    /// Of which the nearest is so many steps away; none where none is failing.
    known: HashMap<TargetName, Option<(u32, TargetName)>>,
}

impl FailingDependencies {
    /// What is failing of all that a target depends on, directly or not; the nearest.
    pub fn nearest(
        &mut self,
        targets: &Targets,
        target: &TargetName,
        is_failing: impl Fn(&TargetName) -> bool,
    ) -> Option<TargetName> {
        let needs = |name: &TargetName| {
            let found = targets.named(name).into_iter();
            found.flat_map(|found| &found.depends_on)
        };
        let (mut open, mut entered) = (vec![target], HashSet::new());
        while let Some(name) = open.last().copied() {
            if !self.known.contains_key(name) && entered.insert(name) {
                // Those first; where they go in a circle, each but once.
                let unknown = |need: &&TargetName| {
                    !is_failing(need) && !self.known.contains_key(*need) && !entered.contains(*need)
                };
                open.extend(needs(name).filter(unknown));
                continue;
            }
            open.pop();
            if self.known.contains_key(name) {
                continue;
            }
            let failing = needs(name).filter_map(|need| {
                if is_failing(need) {
                    return Some((0, need.clone()));
                }
                let (steps, failing) = self.known.get(need)?.clone()?;
                Some((steps.saturating_add(1), failing))
            });
            let nearest = failing.min_by_key(|(steps, _)| *steps);
            self.known.insert(name.clone(), nearest);
        }
        let (_, failing) = self.known.get(target)?.clone()?;
        Some(failing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{AlertId, IdSource},
        name::PluginName,
        severity::Severity,
        spec::{BreakerSpec, DrillSpec, ForeignCommands, TargetSpec},
        time::Timestamp,
    };
    use std::{cell::Cell, time::Duration};

    fn entry(number: u64, key: &str, status: AlertStatus, follows: bool) -> OutboxEntry {
        let at = Timestamp::from_millis(number);
        let alert = Alert {
            id: AlertId::new(IdSource::new(number).next(at)),
            dedup_key: key.to_owned(),
            status,
            severity: Severity::High,
            at,
            kind: "incident.opened".to_owned(),
            title: String::new(),
            body: String::new(),
            target: None,
            operation: None,
            labels: Vec::new(),
        };
        let mut entry = OutboxEntry::new(alert, PluginName::parse("page").unwrap());
        entry.follows = follows;
        entry
    }

    fn why() -> Option<String> {
        Some("redis is failing".to_owned())
    }

    #[test]
    fn what_is_over_while_it_was_held_back_is_told_to_nobody() {
        use AlertStatus::{Firing, Resolved};
        let mut held = HeldAlerts::default();
        let (first, second) = (entry(1, "a", Firing, false), entry(2, "a", Firing, true));
        for one in [&first, &second] {
            let arrived = held.arrive(one.clone(), why());
            assert!(matches!(arrived, Arrived::Held(..)), "{arrived:?}");
        }
        let over = entry(3, "a", Resolved, false);
        let expected = Arrived::Over {
            untold: vec![first, second, over.clone()],
            deliver: None,
        };
        assert_eq!(held.arrive(over.clone(), None), expected);
        let again = held.arrive(over.clone(), None);
        assert_eq!(again, Arrived::Deliver(vec![over]));
    }

    #[test]
    fn what_nothing_holds_back_goes_after_what_was_held_back_of_the_same() {
        use AlertStatus::{Firing, Resolved};
        let mut held = HeldAlerts::default();
        let (first, second) = (entry(1, "a", Firing, false), entry(2, "a", Firing, true));
        let other = entry(3, "b", Firing, false);
        held.arrive(first.clone(), why());
        held.arrive(other.clone(), why());
        let both = Arrived::Deliver(vec![first, second.clone()]);
        assert_eq!(held.arrive(second, None), both);
        // Who was told of it is told of its end.
        let over = entry(4, "a", Resolved, false);
        let arrived = held.arrive(over.clone(), None);
        assert_eq!(arrived, Arrived::Deliver(vec![over]));
        assert_eq!(held.release(|_| false), [other]);
    }

    #[test]
    fn who_was_told_before_is_told_that_it_is_over() {
        use AlertStatus::{Firing, Resolved};
        let mut held = HeldAlerts::default();
        let update = entry(2, "a", Firing, true);
        held.arrive(update.clone(), why());
        let over = entry(3, "a", Resolved, false);
        let expected = Arrived::Over {
            untold: vec![update],
            deliver: Some(Box::new(over.clone())),
        };
        assert_eq!(held.arrive(over, None), expected);
    }

    #[test]
    fn what_its_receiver_may_have_is_not_held_back_and_its_end_is_told() {
        use AlertStatus::{Firing, Resolved};
        let cut = |entry: &mut OutboxEntry| entry.begun = true;
        let tried = |entry: &mut OutboxEntry| entry.attempts = 1;
        for mark in [cut as fn(&mut OutboxEntry), tried] {
            // The daemon ended amid the delivery, and a silence begins before the next one lives.
            let mut held = HeldAlerts::default();
            let mut fired = entry(1, "a", Firing, false);
            mark(&mut fired);
            let arrived = held.arrive(fired.clone(), why());
            assert_eq!(arrived, Arrived::Deliver(vec![fired]));
            let over = entry(2, "a", Resolved, false);
            let arrived = held.arrive(over.clone(), why());
            assert_eq!(arrived, Arrived::Deliver(vec![over]));
        }
    }

    #[test]
    fn what_nothing_holds_back_any_more_comes_out_in_order() {
        use AlertStatus::Firing;
        let mut held = HeldAlerts::default();
        let all = [
            entry(1, "b", Firing, false),
            entry(2, "a", Firing, false),
            entry(3, "b", Firing, true),
        ];
        for one in &all {
            held.arrive(one.clone(), why());
        }
        assert!(held.release(|_| true).is_empty());
        let released = held.release(|alert| alert.dedup_key == "a");
        assert_eq!(released, [all[0].clone(), all[2].clone()]);
        assert_eq!(held.release(|_| false), [all[1].clone()]);
        assert!(held.release(|_| false).is_empty());
    }

    fn name(text: &str) -> TargetName {
        TargetName::parse(text).unwrap()
    }

    fn needing(target: &str, depends_on: &[&str]) -> TargetSpec {
        TargetSpec {
            name: name(target),
            priority: 5,
            depends_on: depends_on.iter().map(|need| name(need)).collect(),
            rto: Duration::from_secs(300),
            process: None,
            commands: ForeignCommands::default(),
            checks: Vec::new(),
            breaker: BreakerSpec {
                open_for: Duration::from_secs(30),
            },
            validation_timeout: Duration::from_secs(60),
            start_period: Duration::ZERO,
            drill: DrillSpec::default(),
        }
    }

    #[test]
    fn the_nearest_that_is_failing_is_told_whoever_was_asked_about_before() {
        let targets = Targets::from(vec![
            needing("far", &[]),
            needing("mid", &["far"]),
            needing("near", &[]),
            needing("well", &[]),
            needing("a", &["well", "mid", "near"]),
            needing("b", &["a"]),
            needing("c", &["well"]),
        ]);
        let expected = [
            ("a", "far near", Some("near")),
            ("b", "far near", Some("near")),
            ("b", "far", Some("far")),
            ("b", "far near a", Some("a")),
            ("mid", "far", Some("far")),
            ("c", "far near a b mid c", None),
            ("gone", "far", None),
        ];
        for (of, failing, expected) in expected {
            let is_failing = |name: &TargetName| failing.split(' ').any(|one| one == name.as_str());
            for others in [&[][..], &["a", "b", "mid"]] {
                let mut dependencies = FailingDependencies::default();
                for other in others {
                    dependencies.nearest(&targets, &name(other), is_failing);
                }
                let found = dependencies.nearest(&targets, &name(of), is_failing);
                assert_eq!(found, expected.map(name), "{of} {failing} {others:?}");
            }
        }
    }

    #[test]
    fn of_many_behind_one_chain_the_chain_is_gone_through_once() {
        const MANY: usize = 300;
        let mut all = vec![needing("c0", &[])];
        for place in 1..MANY {
            all.push(needing(&format!("c{place}"), &[&format!("c{}", place - 1)]));
        }
        let last = format!("c{}", MANY - 1);
        let leaves: Vec<String> = (0..MANY).map(|place| format!("l{place}")).collect();
        all.extend(leaves.iter().map(|leaf| needing(leaf, &[&last])));
        let targets = Targets::from(all);
        let (looks, mut dependencies) = (Cell::new(0), FailingDependencies::default());
        for leaf in &leaves {
            let is_failing = |name: &TargetName| {
                looks.set(looks.get() + 1);
                name.as_str() == "c0"
            };
            let found = dependencies.nearest(&targets, &name(leaf), is_failing);
            assert_eq!(found, Some(name("c0")));
        }
        assert!(looks.get() <= 4 * MANY, "{}", looks.get());
    }
}
