//! A scenario of a recorded day: what the events of a journal say that checks saw, and what handlers answered.
//!
//! Events tell of changes, so a check goes on seeing what it saw last, as in a scenario that is written. Of an attempt they
//! tell what it came to, and not what each step of a chain answered: that is taken for the answer of every step. What came
//! back to health during an attempt that helped is left out: in the simulation the handler's answer does that, whenever it
//! comes.

mod attempts;

use super::{
    at::{At, Length},
    draft::{CommandWord, Draft, Entry, SeenAs},
};
use crate::{
    event::{Event, EventData, EventKind, PhaseChanged},
    name::{CheckName, FailureType, TargetName},
    pause::MAINTENANCE,
    phase::Phase,
    spec::Spec,
    time::Timestamp,
};
use attempts::{Attempts, Healed};
use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

/// The scenario of these events, which are of one host, oldest first; played on the host of this config. What is about
/// targets or checks that the config does not have is left out; the sentences say how much.
pub fn recorded(events: &[Event], spec: &Spec) -> (Draft, Vec<String>) {
    let mut attempts = Attempts::new(spec);
    for event in events {
        attempts.hear(event);
    }
    let mut day = Day {
        spec,
        healed: attempts.healed,
        failing: HashSet::new(),
        phase: None,
        steps: Vec::new(),
        left_out: BTreeMap::new(),
    };
    for event in events {
        day.hear(event);
    }
    let left_out = day.left_out.into_iter();
    let notes = left_out.map(|(name, count)| {
        format!("{name} is not in this config: {count} of its events are left out")
    });
    let notes = notes.collect();
    let draft = Draft {
        format: None,
        begin: events.first().map(|event| event.at),
        until: None,
        phase: day.phase,
        rules: attempts.rules,
        steps: day.steps,
    };
    (draft, notes)
}

/// What was seen.
struct Day<'a> {
    spec: &'a Spec,
    healed: Vec<Healed>,
    /// The checks that were told to fail.
    failing: HashSet<(TargetName, CheckName)>,
    /// In which phase it began, where an event says so.
    phase: Option<Phase>,
    steps: Vec<Entry>,
    /// How many events of names that the config does not have.
    left_out: BTreeMap<String, u32>,
}

impl Day<'_> {
    fn hear(&mut self, event: &Event) {
        let at = At::Time(event.at);
        if let EventData::PhaseChanged(facts) = &event.data {
            return self.phase(facts, at);
        }
        let Some(target) = &event.target else {
            self.command(event, None, at);
            return;
        };
        let entry = Entry {
            target: Some(target.clone()),
            ..Entry::new(at)
        };
        let Some(known) = self.spec.target(target) else {
            if is_step(event.kind) {
                *self
                    .left_out
                    .entry(format!("the target {target}"))
                    .or_default() += 1;
            }
            return;
        };
        let is_supervised = known.process.is_some();
        match (event.kind, &event.data) {
            (EventKind::CheckFailed, EventData::CheckFailed(facts)) => {
                // A second event is that of the failure that opened the circuit.
                if self.failing.insert((target.clone(), facts.check.clone())) {
                    self.saw(entry, &facts.check, SeenAs::Failed, event);
                }
            }
            (EventKind::CheckDegraded, EventData::CheckDegraded(facts)) => {
                self.failing.remove(&(target.clone(), facts.check.clone()));
                self.saw(entry, &facts.check, SeenAs::Degraded, event);
            }
            (EventKind::CheckRecovered, EventData::CheckRecovered(facts)) => {
                self.failing.remove(&(target.clone(), facts.check.clone()));
                let own = |failure: &FailureType| known.is_seen_by(failure, &facts.check);
                if !self.was_healed(target, event.at, own) {
                    self.saw(entry, &facts.check, SeenAs::Healthy, event);
                }
            }
            (EventKind::ProcessExited, _) if is_supervised => {
                let how = event.message.strip_prefix(target.as_str());
                let how = how
                    .and_then(|how| how.strip_prefix(": "))
                    .unwrap_or(&event.message);
                // One that is done has not failed.
                if !how.contains(", as expected") {
                    self.steps.push(Entry {
                        exit: Some(how.to_owned()),
                        ..entry
                    });
                }
            }
            (EventKind::ProcessStarted, _) if is_supervised => {
                if !self.was_healed(target, event.at, |_| true) {
                    self.steps.push(Entry {
                        started: Some(true),
                        ..entry
                    });
                }
            }
            (EventKind::FailureReported, EventData::FailureReported(facts)) => {
                let lasts = facts.until.map(|until| Length(until.since(event.at)));
                self.steps.push(Entry {
                    failure: Some(facts.failure.clone()),
                    severity: Some(event.severity),
                    lasts,
                    message: Some(event.message.clone()),
                    ..entry
                });
            }
            (EventKind::FailureCleared, EventData::FailureCleared(facts)) => {
                self.steps.push(Entry {
                    failure: Some(facts.failure.clone()),
                    outcome: Some(SeenAs::Healthy),
                    ..entry
                });
            }
            _ => self.command(event, Some(target), at),
        }
    }

    /// A person changed the phase; before the first change the host was in the phase that this says.
    fn phase(&mut self, facts: &PhaseChanged, at: At) {
        self.phase.get_or_insert(facts.from);
        self.steps.push(Entry {
            phase: Some(facts.to),
            ..Entry::new(at)
        });
    }

    fn saw(&mut self, entry: Entry, check: &CheckName, seen: SeenAs, event: &Event) {
        let spec = self.spec;
        let target = event.target.as_ref().and_then(|target| spec.target(target));
        let is_known =
            target.is_some_and(|target| target.checks.iter().any(|one| one.name == *check));
        if is_known {
            self.steps.push(Entry {
                check: Some(check.clone()),
                outcome: Some(seen),
                message: Some(said(event, check).to_owned()),
                ..entry
            });
        } else if *check != CheckName::process() {
            // The life of the process is told by its exits and starts.
            let name = target.map_or_else(String::new, |target| {
                format!("the check {check} of {}", target.name)
            });
            *self.left_out.entry(name).or_default() += 1;
        }
    }

    fn was_healed(
        &self,
        target: &TargetName,
        at: Timestamp,
        own: impl Fn(&FailureType) -> bool,
    ) -> bool {
        let mut healed = self.healed.iter();
        healed
            .any(|one| one.target == *target && one.from <= at && at <= one.to && own(&one.failure))
    }

    /// What people commanded. What a maintenance window did, the config says again.
    fn command(&mut self, event: &Event, target: Option<&TargetName>, at: At) {
        let (command, failure, lasts) = match (event.kind, &event.data) {
            (EventKind::HostPaused, EventData::PausedFor(facts)) if facts.by != MAINTENANCE => {
                let lasts = Length(Duration::from_millis(facts.length_ms));
                (CommandWord::Pause, None, Some(lasts))
            }
            (EventKind::HostPaused, EventData::PausedBy(facts)) if facts.by != MAINTENANCE => {
                (CommandWord::Pause, None, None)
            }
            (EventKind::HostResumed, EventData::PausedBy(facts)) if facts.by != MAINTENANCE => {
                (CommandWord::Resume, None, None)
            }
            (_, EventData::OperationAskedFor(facts)) if !facts.about.dry_run => (
                CommandWord::Recover,
                Some(facts.about.failure.clone()),
                None,
            ),
            (EventKind::OperationApproved, _) => (CommandWord::Approve, None, None),
            (EventKind::OperationCancelling, _) => (CommandWord::Cancel, None, None),
            _ => return,
        };
        self.steps.push(Entry {
            target: target.cloned(),
            command: Some(command),
            failure,
            lasts,
            ..Entry::new(at)
        });
    }
}

/// What the check saw: the event says first of which check it is, and how that is.
fn said<'a>(event: &'a Event, check: &CheckName) -> &'a str {
    let message = event.message.as_str();
    let target = event.target.as_ref().map_or("", TargetName::as_str);
    let behind = message.strip_prefix(&format!("{target}: check {check} "));
    let saw = behind.and_then(|behind| behind.split_once(": "));
    saw.map_or(message, |(_, saw)| saw)
}

/// Whether an event of this kind would be a step.
fn is_step(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::CheckFailed
            | EventKind::CheckDegraded
            | EventKind::CheckRecovered
            | EventKind::ProcessExited
            | EventKind::ProcessStarted
            | EventKind::FailureReported
            | EventKind::FailureCleared
    )
}
