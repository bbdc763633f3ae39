//! Pauses that end by themselves.
//!
//! Invariant: a pause lasts for as long as was asked for, by the time that is lived: a wall clock that jumps ends none early
//! and prolongs none. Of the time without a daemon only the wall clock knows.
//! Invariant: that a target is paused is a record of its own, and until when is in the event that says so: where that
//! cannot be read any more, the pause has no end.

use crate::{
    actor::Actor,
    event::{Event, EventData, EventKind},
    name::TargetName,
    time::Timestamp,
};
use std::{collections::BTreeMap, time::Duration};

/// So long a pause may be at most; who wants more pauses without an end.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Who asks for the pauses of maintenance windows, on the record.
pub const MAINTENANCE: &str = "maintenance";

/// A pause with an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedPause {
    /// When it began, by the wall clock of then.
    pub since: Timestamp,
    /// How long it lasts.
    pub length: Duration,
    /// Who asked for it.
    pub by: Actor,
}

/// The pauses with an end, by target; that of the host has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimedPauses {
    pauses: BTreeMap<Option<TargetName>, TimedPause>,
    /// Who asked for those without an end.
    asked: BTreeMap<Option<TargetName>, Actor>,
    /// When a person resumed each last, and which event says so.
    resumed: BTreeMap<Option<TargetName>, (Timestamp, u64)>,
}

impl TimedPauses {
    /// What the daemons before left, by the events that they wrote, the oldest first. May be called for page after page.
    pub fn replay(&mut self, events: &[Event]) {
        for event in events {
            self.replay_asked(event);
            let paused = match (&event.kind, &event.data) {
                (EventKind::HostPaused, EventData::PausedFor(facts)) => Some(TimedPause {
                    since: event.at,
                    length: Duration::from_millis(facts.length_ms),
                    by: Actor {
                        name: facts.by.clone(),
                        note: facts.note.clone(),
                    },
                }),
                (EventKind::HostPaused, _) => None,
                (EventKind::HostResumed, data) => {
                    let is_by_window =
                        matches!(data, EventData::PausedBy(facts) if facts.by == MAINTENANCE);
                    if !is_by_window {
                        let when = (event.at, event.seq);
                        self.resumed.insert(event.target.clone(), when);
                    }
                    None
                }
                _ => continue,
            };
            match paused {
                Some(pause) => drop(self.pauses.insert(event.target.clone(), pause)),
                None => drop(self.pauses.remove(&event.target)),
            }
        }
    }

    fn replay_asked(&mut self, event: &Event) {
        match (&event.kind, &event.data) {
            (EventKind::HostPaused, EventData::PausedBy(facts)) => {
                let by = Actor {
                    name: facts.by.clone(),
                    note: facts.note.clone(),
                };
                self.asked.insert(event.target.clone(), by);
            }
            (EventKind::HostPaused | EventKind::HostResumed, _) => {
                self.asked.remove(&event.target);
            }
            _ => {}
        }
    }

    /// Who asked for the pauses without an end, where an event still says so.
    pub fn asked(&self) -> impl Iterator<Item = (&Option<TargetName>, &Actor)> {
        self.asked.iter()
    }

    /// Whether this event says when a person resumed last, where this was replayed over it. What is paused is for what is
    /// open to say.
    pub fn need(&self, event: &Event) -> bool {
        let resumed = self.resumed.get(&event.target);
        let is_it = resumed.is_some_and(|(_, seq)| *seq == event.seq);
        event.kind == EventKind::HostResumed && is_it
    }

    /// Each with whose it is.
    pub fn iter(&self) -> impl Iterator<Item = (&Option<TargetName>, &TimedPause)> {
        self.pauses.iter()
    }

    /// When a person resumed each last.
    pub fn resumed(&self) -> impl Iterator<Item = (&Option<TargetName>, Timestamp)> {
        let resumed = self.resumed.iter();
        resumed.map(|(target, (when, _))| (target, *when))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{PausedBy, PausedFor},
        severity::Severity,
    };

    fn event(kind: EventKind, target: Option<&str>, minutes: Option<u64>) -> Event {
        let at = Timestamp::from_millis(1_000);
        let mut event = Event::new(kind, Severity::Low, at, "x");
        event.target = target.map(|name| TargetName::parse(name).unwrap());
        match minutes {
            Some(minutes) => event.with_data(PausedFor {
                by: "ann".to_owned(),
                note: None,
                reason: String::new(),
                length_ms: minutes * 60_000,
            }),
            None => event.with_data(PausedBy {
                by: "ann".to_owned(),
                note: None,
            }),
        }
    }

    #[test]
    fn the_last_word_about_each_is_what_holds() {
        use EventKind::{HostPaused, HostResumed};
        let mut pauses = TimedPauses::default();
        pauses.replay(&[
            event(HostPaused, None, Some(5)),
            event(HostPaused, Some("api"), Some(5)),
            event(HostPaused, Some("web"), Some(5)),
            event(HostPaused, Some("db"), None),
        ]);
        pauses.replay(&[
            event(HostResumed, None, None),
            event(HostPaused, Some("web"), None),
            event(HostPaused, Some("api"), Some(9)),
        ]);
        let left: Vec<_> = pauses.iter().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        let (target, pause) = left[0];
        assert_eq!(target.as_ref().map(TargetName::as_str), Some("api"));
        assert_eq!(pause.length, Duration::from_secs(9 * 60));
    }

    #[test]
    fn when_a_person_resumed_last_is_known_and_what_says_so_is_needed() {
        let mut pauses = TimedPauses::default();
        let mut events: Vec<Event> = ["ann", "ben", MAINTENANCE]
            .into_iter()
            .zip(1..)
            .map(|(by, number)| {
                let at = Timestamp::from_millis(number);
                let facts = PausedBy {
                    by: by.to_owned(),
                    note: None,
                };
                let event = Event::new(EventKind::HostResumed, Severity::Low, at, "x");
                event.with_data(facts)
            })
            .collect();
        for (event, seq) in events.iter_mut().zip(1..) {
            event.seq = seq;
        }
        pauses.replay(&events);
        let resumed: Vec<_> = pauses.resumed().collect();
        assert_eq!(resumed, [(&None, Timestamp::from_millis(2))]);
        let needed: Vec<bool> = events.iter().map(|event| pauses.need(event)).collect();
        assert_eq!(needed, [false, true, false]);
    }
}
