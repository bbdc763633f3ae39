//! What one alerter may be given, and what is under way to all.

use super::{Outbox, lane::Place};
use crate::{alert::delivery::LONGEST_WAIT, name::PluginName, severity::Severity, time::Timestamp};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The order of what is due.
pub(super) type Rank = (Reverse<Severity>, Place);

/// The first of each lane to one alerter, where it is not under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Heads {
    waiting: BTreeSet<(Timestamp, Place)>,
    /// Due.
    ready: BTreeSet<Rank>,
}

impl Heads {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.ready.is_empty()
    }

    pub(super) fn wait(&mut self, due: Timestamp, place: Place) {
        self.waiting.insert((due, place));
    }

    /// Whether it was there.
    pub(super) fn forget(&mut self, due: Timestamp, place: Place, urgency: Severity) -> bool {
        self.waiting.remove(&(due, place)) | self.ready.remove(&(Reverse(urgency), place))
    }

    pub(super) fn rank_anew(&mut self, head: Place, before: Severity, urgency: Severity) {
        if self.ready.remove(&(Reverse(before), head)) {
            self.ready.insert((Reverse(urgency), head));
        }
    }

    /// What is due is ready. Nothing waits for longer than the longest wait: the clock has gone back.
    pub(super) fn wake(&mut self, now: Timestamp, urgency: &impl Fn(Place) -> Severity) {
        while let Some((due, place)) = self.waiting.first().copied()
            && due <= now
        {
            self.waiting.pop_first();
            self.ready.insert((Reverse(urgency(place)), place));
        }
        while let Some((due, place)) = self.waiting.last().copied()
            && due.since(now) > LONGEST_WAIT
        {
            self.waiting.pop_last();
            self.ready.insert((Reverse(urgency(place)), place));
        }
    }

    /// What comes next of what is due.
    pub(super) fn first(&self) -> Option<Rank> {
        self.ready.first().copied()
    }

    pub(super) fn take(&mut self, rank: Rank) -> Place {
        self.ready.remove(&rank);
        let (_, place) = rank;
        place
    }

    /// When the next is due that is not.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// What is due later is due now; gives it.
    pub(super) fn retry_now(&mut self, now: Timestamp) -> Vec<Place> {
        let mut later = Vec::new();
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        self.waiting = waiting
            .map(|(due, place)| {
                if due > now {
                    later.push(place);
                }
                (due.min(now), place)
            })
            .collect();
        later
    }

    pub(super) fn clock_was_set_back(&mut self, by: Duration) {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        self.waiting = waiting.map(|(due, place)| (due - by, place)).collect();
    }
}

/// The deliveries that are under way.
#[derive(Debug, Clone, Default)]
pub(super) struct UnderWay {
    /// Those of which nobody has said yet what came of them.
    given: BTreeSet<Place>,
    by_alerter: BTreeMap<PluginName, usize>,
}

impl UnderWay {
    /// Whether another delivery to this alerter may begin, which takes so many at one time.
    pub(super) fn has_room(&self, alerter: &PluginName, most: usize) -> bool {
        let own = self.by_alerter.get(alerter).copied().unwrap_or_default();
        let all: usize = self.by_alerter.values().sum();
        own < most.min(Outbox::MOST_OF_ONE) && (own == 0 || all < Outbox::MOST_AT_ONCE)
    }

    pub(super) fn begin(&mut self, alerter: &PluginName, place: Place) {
        self.given.insert(place);
        let own = self.by_alerter.entry(alerter.clone()).or_default();
        *own += 1;
    }

    pub(super) fn end(&mut self, alerter: &PluginName) {
        if let Some(own) = self.by_alerter.get_mut(alerter) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.by_alerter.remove(alerter);
            }
        }
    }

    pub(super) fn is_given(&self, place: Place) -> bool {
        self.given.contains(&place)
    }

    /// It is known what came of it; whether it was under way.
    pub(super) fn forget(&mut self, place: Place) -> bool {
        self.given.remove(&place)
    }
}
