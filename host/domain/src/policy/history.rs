//! What the gate has to know of the daemons before: the phase, and what began of late.
//!
//! Invariant: it is known from the events that say so, and from nothing else, so it is as durable as what it bounds: a
//! beginning is written with the attempt that it counts.

use super::{Phase, TargetPolicy, WINDOW};
use crate::{
    event::{Event, EventData, EventKind},
    name::{PluginName, TargetName},
    time::Timestamp,
};
use std::collections::BTreeMap;

/// What the events of the journal say of the gate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PolicyHistory {
    /// Which was set last.
    phase: Option<Phase>,
    /// What holds of which targets, and the event that says so.
    set: BTreeMap<TargetName, (TargetPolicy, u64)>,
    /// When which handler recovered which target last, and the event that says so.
    recovered: BTreeMap<(TargetName, PluginName), (Timestamp, u64)>,
    /// When recoveries began, and of which targets, in the order of their events.
    begun: Vec<(Timestamp, TargetName)>,
}

impl PolicyHistory {
    /// What the daemons before left, by the events that they wrote, the oldest first. May be called for page after page.
    pub fn replay(&mut self, events: &[Event]) {
        for event in events.iter().filter(|event| Self::is_changed_by(event)) {
            match (&event.data, &event.target) {
                (EventData::PhaseChanged(facts), _) => self.phase = Some(facts.to),
                (EventData::PolicyChanged(facts), Some(target)) => {
                    let set = (facts.policy.clone(), event.seq);
                    self.set.insert(target.clone(), set);
                }
                (EventData::OperationEnded(_), Some(_)) => {
                    if let Some(key) = recovery_of(event) {
                        self.recovered.insert(key, (event.at, event.seq));
                    }
                }
                (EventData::OperationStarted(_), Some(target)) => {
                    self.begun.push((event.at, target.clone()));
                }
                _ => {}
            }
        }
    }

    /// Of a host that is in this phase, and where nothing began of late.
    pub fn in_phase(phase: Phase) -> Self {
        Self {
            phase: Some(phase),
            ..Self::default()
        }
    }

    /// The kinds of events that it is known from.
    pub const KINDS: [EventKind; 4] = [
        EventKind::PhaseChanged,
        EventKind::PolicyChanged,
        EventKind::OperationStarted,
        EventKind::OperationSucceeded,
    ];

    /// Whether an event makes a difference, so that it is looked for when that is replayed.
    pub fn is_changed_by(event: &Event) -> bool {
        Self::KINDS.contains(&event.kind) && !event.data.is_dry_run()
    }

    /// Whether this event is still of use, where that was replayed over it: each change of the phase, which are few and are
    /// shown, and what began within the hour.
    pub fn needs(&self, event: &Event) -> bool {
        match event.kind {
            EventKind::PhaseChanged => true,
            EventKind::OperationSucceeded => {
                let newest = recovery_of(event).and_then(|key| self.recovered.get(&key));
                newest.is_some_and(|(_, seq)| *seq == event.seq)
            }
            EventKind::PolicyChanged => {
                let set = event
                    .target
                    .as_ref()
                    .and_then(|target| self.set.get(target));
                set.is_some_and(|(set, seq)| *seq == event.seq && !set.is_empty())
            }
            EventKind::OperationStarted => {
                // By the newest: what was long before that was so for every later look too.
                let newest = self.begun.last().map(|(at, _)| *at);
                let is_old = newest.is_some_and(|newest| newest.since(event.at) >= WINDOW);
                Self::is_changed_by(event) && !is_old
            }
            _ => false,
        }
    }

    /// The phase that was set last.
    pub fn phase(&self) -> Phase {
        self.phase.unwrap_or_default()
    }

    /// What people set of targets.
    pub fn set(&self) -> impl Iterator<Item = (&TargetName, &TargetPolicy)> {
        self.set.iter().map(|(target, (set, _))| (target, set))
    }

    /// When which handler recovered which target last.
    pub fn recovered(&self) -> impl Iterator<Item = (&(TargetName, PluginName), Timestamp)> {
        self.recovered.iter().map(|(of, (at, _))| (of, *at))
    }

    /// When recoveries began, and of which targets.
    pub fn begun(&self) -> impl Iterator<Item = (Timestamp, &TargetName)> {
        self.begun.iter().map(|(at, target)| (*at, target))
    }
}

/// What was recovered by which handler, as the event of a success says it.
fn recovery_of(event: &Event) -> Option<(TargetName, PluginName)> {
    let EventData::OperationEnded(facts) = &event.data else {
        return None;
    };
    let outcome = &facts.outcome;
    let by = outcome.acted_by.as_ref().or(outcome.handler.as_ref())?;
    Some((event.target.clone()?, by.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{OperationEnded, OperationFacts, OperationStarted, PhaseChanged},
        id::OperationId,
        name::FailureType,
        operation::{Mode, Operation},
        severity::Severity,
    };
    use std::time::Duration;

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn event(seq: u64, minute: u64, data: impl Into<EventData>) -> Event {
        let data = data.into();
        let kind = match data {
            EventData::PhaseChanged(_) => EventKind::PhaseChanged,
            EventData::OperationEnded(_) => EventKind::OperationSucceeded,
            _ => EventKind::OperationStarted,
        };
        let at = AT + Duration::from_secs(60 * minute);
        let mut event = Event::new(kind, Severity::Low, at, "x").with_data(data);
        event.seq = seq;
        event.target = Some(TargetName::parse("api").unwrap());
        event
    }

    fn changed(to: Phase) -> PhaseChanged {
        PhaseChanged {
            from: Phase::Normal,
            to,
            by: "ann".to_owned(),
            note: None,
            reason: String::new(),
        }
    }

    fn started(dry_run: bool) -> OperationStarted {
        OperationStarted {
            about: OperationFacts {
                failure: FailureType::parse("down").unwrap(),
                dry_run,
                revision: 1,
            },
            attempt: 1,
            handler: None,
        }
    }

    #[test]
    fn the_last_change_of_the_phase_holds_and_all_are_kept() {
        let events = [
            event(1, 0, changed(Phase::Safe)),
            event(2, 1, changed(Phase::Launch)),
        ];
        let mut history = PolicyHistory::default();
        assert_eq!(history.phase(), Phase::Normal);
        history.replay(&events);
        assert_eq!(history.phase(), Phase::Launch);
        let needed = events.each_ref().map(|event| history.needs(event));
        assert_eq!(needed, [true, true]);
    }

    #[test]
    fn beginnings_of_the_last_hour_are_needed_and_dry_runs_are_none() {
        let events = [
            event(1, 0, started(false)),
            event(2, 10, started(true)),
            event(3, 30, started(false)),
            event(4, 60, started(false)),
        ];
        let mut history = PolicyHistory::default();
        history.replay(&events);
        let begun: Vec<_> = history
            .begun()
            .map(|(at, _)| at.since(AT).as_secs())
            .collect();
        assert_eq!(begun, [0, 1_800, 3_600]);
        let needed = events.each_ref().map(|event| history.needs(event));
        assert_eq!(needed, [false, false, true, true]);
    }

    #[test]
    fn of_the_successes_of_a_handler_at_a_target_the_newest_is_needed() {
        let succeeded = |seq: u64, target: &str, handler: &str| {
            let id = OperationId::new(ulid::Ulid::from_parts(seq, 0));
            let (target, failure) = (
                TargetName::parse(target).unwrap(),
                FailureType::parse("down").unwrap(),
            );
            let severity = Severity::High;
            let mut operation =
                Operation::scheduled(id, target.clone(), failure, severity, Mode::Automatic, AT);
            operation.handler = Some(PluginName::parse(handler).unwrap());
            let ended = OperationEnded::of(&operation, false, false);
            let mut event = event(seq, seq, ended);
            event.target = Some(target);
            event
        };
        let events = [
            succeeded(1, "api", "fix"),
            succeeded(2, "api", "other"),
            succeeded(3, "db", "fix"),
            succeeded(4, "api", "fix"),
        ];
        let mut history = PolicyHistory::default();
        history.replay(&events);
        let needed = events.each_ref().map(|event| history.needs(event));
        assert_eq!(needed, [false, true, true, true]);
    }
}
