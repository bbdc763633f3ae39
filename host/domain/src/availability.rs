//! For how long targets were watched, and failed meanwhile, by what the events say.
//!
//! Invariant: a target is down from when a failure of it was detected until it was verified healthy: a relapse window in
//! which it stays healthy is none of it, and each return counts by itself.
//! Invariant: only what is known counts: nothing before the first event, nothing while the host was stopped, and nothing
//! before the config in which the target is heard of first.

use crate::{
    event::{Event, EventData, EventKind},
    name::{FailureType, TargetName},
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The events that say when targets were watched, and failed.
pub const KINDS: &[EventKind] = &[
    EventKind::HostStarted,
    EventKind::HostStopping,
    EventKind::ConfigApplied,
    EventKind::ProcessStarted,
    EventKind::ProcessAdopted,
    EventKind::TargetRenamed,
    EventKind::CircuitOpened,
    EventKind::CircuitClosed,
    EventKind::IncidentOpened,
    EventKind::IncidentReopened,
    EventKind::IncidentClosed,
    EventKind::OperationSucceeded,
];

/// What is known of one target within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watched {
    /// For how long it was watched.
    pub known: Duration,
    /// For how long of that at least one failure of it held.
    pub down: Duration,
    /// How often a failure came back within the relapse window of its recovery.
    pub relapses: u64,
}

/// All targets within a window. It is given every event of [`KINDS`], in their order; those before the window too, for
/// they say what held when it began.
#[derive(Debug, Clone)]
pub struct Availability {
    since: Timestamp,
    until: Timestamp,
    /// What was watched before it is watched now.
    watched: Duration,
    /// Since when the host watches; none where it does not.
    watching: Option<Timestamp>,
    /// It was stopped: what comes to its end then still tells of it.
    is_stopped: bool,
    /// How much was watched when the config was applied that is in force.
    config: Duration,
    targets: BTreeMap<TargetName, OneTarget>,
}

#[derive(Debug, Clone, Default)]
struct OneTarget {
    /// How much was watched when it was heard of first.
    began: Duration,
    failing: BTreeSet<FailureType>,
    /// How much was watched when it began to fail; none where it does not.
    fails_since: Option<Duration>,
    down: Duration,
    relapses: u64,
}

impl OneTarget {
    fn fails(&mut self, failure: &FailureType, watched: Duration) {
        self.failing.insert(failure.clone());
        self.fails_since.get_or_insert(watched);
    }

    fn ends(&mut self, failure: Option<&FailureType>, watched: Duration) {
        self.failing
            .retain(|holds| failure.is_some_and(|failure| failure != holds));
        if self.failing.is_empty()
            && let Some(since) = self.fails_since.take()
        {
            self.down = self.down.saturating_add(watched.saturating_sub(since));
        }
    }
}

impl Availability {
    /// Nothing is known yet, of a window from `since` until `until`.
    pub fn within(since: Timestamp, until: Timestamp) -> Self {
        Self {
            since,
            until,
            watched: Duration::ZERO,
            watching: None,
            is_stopped: false,
            config: Duration::ZERO,
            targets: BTreeMap::new(),
        }
    }

    /// A failure held when the first event was written: what told of its beginning is forgotten.
    pub fn held_before(&mut self, target: &TargetName, failure: &FailureType) {
        self.target(target).fails(failure, Duration::ZERO);
    }

    /// The next event.
    pub fn add(&mut self, event: &Event) {
        let at = event.at;
        if event.kind == EventKind::HostStopping {
            self.watched = self.watched_at(at);
            self.watching = None;
            self.is_stopped = true;
            // What is heard of before the host has started is of another config.
            self.config = self.watched;
            return;
        }
        self.is_stopped &= event.kind != EventKind::HostStarted;
        if !self.is_stopped {
            self.watching.get_or_insert(at);
        }
        let is_within = at >= self.since && at <= self.until;
        let watched = self.watched_at(at);
        if matches!(
            event.kind,
            EventKind::HostStarted | EventKind::ConfigApplied
        ) {
            self.config = watched;
        }
        if let EventData::TargetRenamed(facts) = &event.data
            && let Some(known) = self.targets.remove(&facts.from)
        {
            self.targets.insert(facts.to.clone(), known);
        }
        let (Some(target), true) = (&event.target, event.kind != EventKind::TargetRenamed) else {
            return;
        };
        let target = self.target(target);
        match &event.data {
            EventData::CircuitOpened(facts) => {
                if let Some(failure) = &facts.failure {
                    target.fails(failure, watched);
                }
            }
            // No check sees what a person asks for.
            EventData::IncidentOpened(facts) if !facts.asked_for => {
                target.fails(&facts.about.failure, watched);
            }
            EventData::IncidentReopened(facts) => {
                target.fails(&facts.about.failure, watched);
                target.relapses += u64::from(is_within);
            }
            EventData::IncidentClosed(facts) => target.ends(Some(&facts.about.failure), watched),
            EventData::OperationEnded(facts)
                if event.kind == EventKind::OperationSucceeded && !facts.about.dry_run =>
            {
                target.ends(Some(&facts.about.failure), watched);
            }
            _ if event.kind == EventKind::CircuitClosed => target.ends(None, watched),
            _ => {}
        }
    }

    /// What is known of this target.
    pub fn of(&self, target: &TargetName) -> Watched {
        let now = self.watched_at(self.until);
        let Some(target) = self.targets.get(target) else {
            // Nothing ever happened to it: it is at least in the present config.
            return Watched {
                known: now.saturating_sub(self.config),
                ..Watched::default()
            };
        };
        let mut target = target.clone();
        target.ends(None, now);
        Watched {
            known: now.saturating_sub(target.began),
            down: target.down,
            relapses: target.relapses,
        }
    }

    fn target(&mut self, name: &TargetName) -> &mut OneTarget {
        let began = self.config;
        self.targets
            .entry(name.clone())
            .or_insert_with(|| OneTarget {
                began,
                ..OneTarget::default()
            })
    }

    /// How much of the window was watched until then.
    fn watched_at(&self, at: Timestamp) -> Duration {
        let within = |time: Timestamp| time.clamp(self.since, self.until.max(self.since));
        let now = self
            .watching
            .map_or(Duration::ZERO, |since| within(at).since(within(since)));
        self.watched.saturating_add(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{
            CircuitOpened, IncidentClosed, IncidentEnd, IncidentFacts, IncidentReopened,
            TargetRenamed,
        },
        id::{IdSource, IncidentId},
        severity::Severity,
    };
    use EventKind as K;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn web() -> TargetName {
        TargetName::parse("web").unwrap()
    }

    fn failure() -> FailureType {
        FailureType::parse("down").unwrap()
    }

    fn about() -> IncidentFacts {
        IncidentFacts {
            incident: IncidentId::new(IdSource::new(1).next(at(0))),
            failure: failure(),
        }
    }

    /// An event of this kind, about the target where it is about one.
    fn event(seconds: u64, kind: EventKind) -> Event {
        let event = Event::new(kind, Severity::Low, at(seconds), "");
        match kind {
            K::HostStarted | K::HostStopping | K::ConfigApplied => event,
            K::CircuitOpened => event.with_target(&web()).with_data(CircuitOpened {
                failure: Some(failure()),
            }),
            K::IncidentReopened => event.with_target(&web()).with_data(IncidentReopened {
                about: about(),
                relapses: 1,
                attempts: 1,
            }),
            K::IncidentClosed => event.with_target(&web()).with_data(IncidentClosed {
                about: about(),
                open_ms: 0,
                relapses: 0,
                attempts: 0,
                how: IncidentEnd::Lasting,
                stopped: None,
            }),
            _ => event.with_target(&web()),
        }
    }

    /// What is known of the target of these events in the window from 100 to 1000, in seconds: known, down, relapses.
    fn check(events: &[(u64, EventKind)]) -> (u64, u64, u64) {
        let mut found = Availability::within(at(100), at(1_000));
        for (seconds, kind) in events {
            assert!(KINDS.contains(kind), "{kind}");
            found.add(&event(*seconds, *kind));
        }
        let Watched {
            known,
            down,
            relapses,
        } = found.of(&web());
        (known.as_secs(), down.as_secs(), relapses)
    }

    #[test]
    fn the_healthy_time_of_a_relapse_window_is_no_outage() {
        let events = [
            (0, K::HostStarted),
            (200, K::CircuitOpened),
            (203, K::CircuitClosed),
            (300, K::CircuitOpened),
            (300, K::IncidentReopened),
            (304, K::CircuitClosed),
            // It closes when it has lasted.
            (600, K::IncidentClosed),
        ];
        assert_eq!(check(&events), (900, 7, 1));
    }

    #[test]
    fn what_nobody_watched_is_not_known() {
        for (events, expected) in [
            (vec![], (0, 0, 0)),
            // The host is new.
            (vec![(880, K::HostStarted)], (120, 0, 0)),
            // The target is, or its config at least.
            (
                vec![
                    (0, K::HostStarted),
                    (880, K::ConfigApplied),
                    (881, K::ProcessStarted),
                ],
                (120, 0, 0),
            ),
            (
                vec![
                    (0, K::HostStarted),
                    (10, K::ProcessStarted),
                    (880, K::ConfigApplied),
                ],
                (900, 0, 0),
            ),
            // The host was stopped, and the failure held before and after it.
            (
                vec![
                    (0, K::HostStarted),
                    (400, K::CircuitOpened),
                    (410, K::HostStopping),
                    (411, K::ProcessStarted),
                    (510, K::HostStarted),
                    (520, K::CircuitClosed),
                ],
                (800, 20, 0),
            ),
            // It fails since before the window, and until now.
            (
                vec![(0, K::HostStarted), (50, K::CircuitOpened)],
                (900, 900, 0),
            ),
        ] {
            assert_eq!(check(&events), expected, "{events:?}");
        }
    }

    #[test]
    fn what_held_before_the_first_event_holds_on() {
        let mut found = Availability::within(at(100), at(1_000));
        found.held_before(&web(), &failure());
        found.add(&event(500, K::ConfigApplied));
        found.add(&event(600, K::IncidentClosed));
        let watched = found.of(&web());
        assert_eq!(watched.known, Duration::from_secs(500));
        assert_eq!(watched.down, Duration::from_secs(100));
    }

    #[test]
    fn a_target_keeps_what_is_known_of_it_with_its_new_name() {
        let mut found = Availability::within(at(100), at(1_000));
        found.add(&event(0, K::HostStarted));
        found.add(&event(200, K::CircuitOpened));
        let to = TargetName::parse("site").unwrap();
        let renamed = event(300, K::TargetRenamed).with_data(TargetRenamed {
            from: web(),
            to: to.clone(),
        });
        found.add(&renamed);
        assert_eq!(found.of(&to).down, Duration::from_secs(800));
        assert_eq!(found.of(&web()).down, Duration::ZERO);
    }
}
