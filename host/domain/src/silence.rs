//! Silences: alerts of which people do not want to hear for a while.
//!
//! Invariant: a silence lasts for as long as was asked for, by the time that is lived; of the time without a daemon only the
//! wall clock knows.
//! Invariant: what holds is known from the events that say so, and from nothing else.

use crate::{
    actor::Actor,
    alert::Alert,
    event::{Event, EventData, EventKind},
    id::SilenceId,
    name::TargetName,
    time::{Monotonic, Timestamp},
};
use std::{collections::BTreeMap, time::Duration};

/// So long a silence may be at most.
pub const LONGEST_SILENCE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Alerts of which nobody wants to hear for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its identifier.
    pub id: SilenceId,
    /// Which alerts.
    pub of: Silenced,
    /// When it began, by the wall clock of then.
    pub since: Timestamp,
    /// How long it lasts.
    pub length: Duration,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub by: Actor,
}

/// Which alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silenced {
    /// All about a target.
    Target(TargetName),
    /// Those with a key.
    Key(String),
}

impl Silence {
    /// Whether it is of this alert.
    fn is_of(&self, alert: &Alert) -> bool {
        match &self.of {
            Silenced::Target(target) => alert.target.as_ref() == Some(target),
            Silenced::Key(key) => alert.dedup_key == *key,
        }
    }
}

impl std::fmt::Display for Silenced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Silenced::Target(target) => write!(f, "{target}"),
            Silenced::Key(key) => write!(f, "the alerts with the key {key}"),
        }
    }
}

/// The silences that hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Silences(BTreeMap<SilenceId, Held>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    silence: Silence,
    /// By the time that is lived; none of what a daemon before left, until [`Silences::resume`].
    ends: Option<Monotonic>,
    /// By the wall clock, as that stood when this was known.
    until: Timestamp,
}

/// A silence that was ended by hand.
#[derive(Debug)]
pub struct EndedSilence(Held);

impl EndedSilence {
    /// Which.
    pub fn silence(&self) -> &Silence {
        &self.0.silence
    }
}

impl Silences {
    /// So many hold at one time at most.
    pub const MOST: usize = 1_000;

    /// What the daemons before left, by the events that they wrote, the oldest first. May be called for page after page.
    pub fn replay(&mut self, events: &[Event]) {
        for event in events {
            match &event.data {
                EventData::SilenceBegan(facts) => {
                    let of = match (&facts.key, &event.target) {
                        (Some(key), _) => Silenced::Key(key.clone()),
                        (None, Some(target)) => Silenced::Target(target.clone()),
                        (None, None) => continue,
                    };
                    let silence = Silence {
                        id: facts.silence.clone(),
                        of,
                        since: event.at,
                        length: Duration::from_millis(facts.length_ms),
                        reason: facts.reason.clone(),
                        by: Actor {
                            name: facts.by.clone(),
                            note: facts.note.clone(),
                        },
                    };
                    self.put(silence, None);
                }
                EventData::SilenceEnded(facts) => drop(self.0.remove(&facts.silence)),
                _ => {}
            }
        }
    }

    /// Whether an event makes a difference to what is silenced, so that it is looked for when that is replayed.
    pub fn are_changed_by(event: &Event) -> bool {
        matches!(
            event.kind,
            EventKind::SilenceBegan | EventKind::SilenceEnded
        )
    }

    /// Whether this event makes a difference to what is silenced now, where that was replayed over it.
    pub fn need(&self, event: &Event) -> bool {
        matches!(&event.data, EventData::SilenceBegan(facts) if self.0.contains_key(&facts.silence))
    }

    /// From now on time passes for what was replayed.
    pub fn resume(&mut self, now: Timestamp, monotonic: Monotonic) {
        for held in self.0.values_mut().filter(|held| held.ends.is_none()) {
            let silence = &held.silence;
            let rest = silence.length.saturating_sub(now.since(silence.since));
            held.ends = Some(monotonic + rest);
            held.until = now + rest;
        }
    }

    /// One begins; whether there is room for it.
    pub fn begin(&mut self, silence: Silence, monotonic: Monotonic) -> bool {
        let has_room = self.0.len() < Self::MOST;
        if has_room {
            let ends = monotonic + silence.length;
            self.put(silence, Some(ends));
        }
        has_room
    }

    /// One ends by hand, if it holds.
    pub fn end(&mut self, id: &SilenceId) -> Option<EndedSilence> {
        self.0.remove(id).map(EndedSilence)
    }

    /// That it ended could not be written down, so it goes on.
    pub fn go_on(&mut self, ended: EndedSilence) {
        let EndedSilence(held) = ended;
        self.0.insert(held.silence.id.clone(), held);
    }

    /// Takes out those whose time is over.
    pub fn end_due(&mut self, monotonic: Monotonic) -> Vec<Silence> {
        let mut over = Vec::new();
        self.0.retain(|_, held| {
            let is_over = held.ends.is_some_and(|ends| ends <= monotonic);
            if is_over {
                over.push(held.silence.clone());
            }
            !is_over
        });
        over
    }

    /// When the next ends by itself.
    pub fn next_end(&self) -> Option<Monotonic> {
        self.0.values().filter_map(|held| held.ends).min()
    }

    /// One that is of this alert.
    pub fn of(&self, alert: &Alert) -> Option<(&Silence, Timestamp)> {
        let mut all = self.0.values();
        let found = all.find(|held| held.silence.is_of(alert))?;
        Some((&found.silence, found.until))
    }

    /// Each, the oldest first, with until when it lasts.
    pub fn all(&self) -> impl Iterator<Item = (&Silence, Timestamp)> {
        self.0.values().map(|held| (&held.silence, held.until))
    }

    fn put(&mut self, silence: Silence, ends: Option<Monotonic>) {
        let until = silence.since + silence.length;
        let id = silence.id.clone();
        let held = Held {
            silence,
            ends,
            until,
        };
        self.0.insert(id, held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{EventKind, SilenceBegan, SilenceEnded},
        id::IdSource,
        severity::Severity,
    };

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn id(number: u64) -> SilenceId {
        SilenceId::new(IdSource::new(number).next(AT))
    }

    fn monotonic(length: Duration) -> Monotonic {
        Monotonic::from_start(length)
    }

    fn began(number: u64, target: &str) -> Event {
        let facts = SilenceBegan {
            silence: id(number),
            key: None,
            by: "ann".to_owned(),
            note: None,
            reason: "new disks".to_owned(),
            length_ms: 3_600_000,
        };
        Event::new(EventKind::SilenceBegan, Severity::Low, AT, "x")
            .with_target(&TargetName::parse(target).unwrap())
            .with_data(facts)
    }

    fn targets(silences: &Silences) -> Vec<String> {
        silences.all().map(|(one, _)| one.of.to_string()).collect()
    }

    #[test]
    fn what_a_daemon_before_left_lasts_for_what_remains_of_it() {
        let mut silences = Silences::default();
        silences.replay(&[began(1, "api"), began(2, "web")]);
        let ended = SilenceEnded {
            silence: id(1),
            by: None,
            note: None,
        };
        let ended = Event::new(EventKind::SilenceEnded, Severity::Low, AT, "x").with_data(ended);
        silences.replay(&[ended]);
        assert_eq!(targets(&silences), ["web"]);
        silences.resume(AT + HOUR / 4, monotonic(HOUR));
        let last = monotonic(HOUR + HOUR * 3 / 4);
        assert_eq!(silences.next_end(), Some(last));
        assert!(silences.end_due(monotonic(HOUR)).is_empty());
        assert_eq!(silences.end_due(last).len(), 1);
        assert!(targets(&silences).is_empty());
    }

    #[test]
    fn one_of_which_the_end_could_not_be_written_down_goes_on_to_its_end() {
        let mut silences = Silences::default();
        silences.replay(&[began(1, "api")]);
        silences.resume(AT, monotonic(Duration::ZERO));
        let before = silences.clone();
        let ended = silences.end(&id(1)).unwrap();
        assert_eq!(ended.silence().id, id(1));
        assert_eq!(silences.next_end(), None);
        silences.go_on(ended);
        assert_eq!(silences, before);
    }

    #[test]
    fn a_clock_that_went_back_prolongs_no_silence_beyond_its_length() {
        let mut silences = Silences::default();
        silences.replay(&[began(1, "api")]);
        silences.resume(AT - HOUR, monotonic(Duration::ZERO));
        assert_eq!(silences.next_end(), Some(monotonic(HOUR)));
    }
}
