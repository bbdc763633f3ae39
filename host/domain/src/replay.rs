//! What a call that is made again does at each of its effects: what the journal has is fed to the guest, and what was begun
//! and has no result is looked at, done again, or left to a person.
//!
//! Invariant: an effect whose repetition could do harm is never repeated: where nobody can say whether it happened, it is
//! in doubt.
//! Invariant: a guest that asks for something else than it asked for then is not fed, and nothing acts for it.

mod halt;
mod tries;

pub use halt::{Divergence, Halt};
pub use tries::{MAX_REPLAYS, next_try};

use crate::{
    doubt::request_words,
    effect::{Answer, Effect, EffectResult, HttpMethod, Signal},
    record::{EffectEntry, EntryKind, TargetIdentity},
    time::Timestamp,
};
use std::{collections::BTreeMap, time::Duration};

/// A sleep that is longer is not held: its call ends, and is made again when the sleep is over.
pub const LONGEST_HELD_SLEEP: Duration = Duration::from_secs(5);

/// What the journal has of one effect.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecordedEffect {
    /// Its intent, where it has one.
    pub intent: Option<EffectEntry>,
    /// Its result, where it has one.
    pub result: Option<EffectEntry>,
}

/// What the journal has of one call, by the numbers of its effects.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recorded {
    effects: BTreeMap<u32, RecordedEffect>,
    /// What all entries of the operation take.
    bytes: u64,
}

impl Recorded {
    /// Of these entries those of this call, from this number on.
    pub fn of(entries: &[EffectEntry], call: u32, first_number: u32) -> Self {
        let mut effects: BTreeMap<u32, RecordedEffect> = BTreeMap::new();
        let mut did_not = Vec::new();
        let own = |entry: &&EffectEntry| entry.call == Some(call) && entry.number >= first_number;
        for entry in entries.iter().filter(own) {
            let effect = effects.entry(entry.number).or_default();
            match entry.kind {
                EntryKind::Intent => effect.intent = Some(entry.clone()),
                EntryKind::Result => effect.result = Some(entry.clone()),
                EntryKind::DidNot => did_not.push(entry),
                EntryKind::Planned => {}
            }
        }
        for said in did_not {
            // What was begun before that was said did not happen; what a later daemon began is another matter.
            if let Some(effect) = effects.get_mut(&said.number) {
                let before = |intent: &EffectEntry| intent.fencing < said.fencing;
                effect.intent = effect.intent.take().filter(|intent| !before(intent));
            }
        }
        let bytes = entries.iter().map(EffectEntry::bytes).sum();
        Self { effects, bytes }
    }

    /// What the entries of its operation take, those of other calls too.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What there is of the effect with this number.
    pub fn get(&self, number: u32) -> Option<&RecordedEffect> {
        self.effects.get(&number)
    }

    /// The greatest number; none where nothing is recorded.
    pub fn last_number(&self) -> Option<u32> {
        self.effects.keys().next_back().copied()
    }

    /// Whether nothing is recorded of this one, and something of a later one: it was refused, and nothing of it was begun.
    pub fn lacks(&self, number: u32) -> bool {
        let is_before = self.last_number().is_some_and(|last| number < last);
        is_before && !self.effects.contains_key(&number)
    }

    /// How much of its time a call that began then had used up when the last of it was written: sleeps that nobody held
    /// are no time of it.
    pub fn spent(&self, began_at: Timestamp) -> Duration {
        let slept = |effect: &RecordedEffect| match (&effect.intent, &effect.result) {
            (Some(intent), Some(result)) if is_not_held(intent) => result.at.since(intent.at),
            _ => Duration::ZERO,
        };
        let slept: Duration = self.effects.values().map(slept).sum();
        let last = self.last_at().unwrap_or(began_at);
        last.since(began_at).saturating_sub(slept)
    }

    /// Whether the daemon with this fencing number wrote any of it.
    pub fn has_of(&self, fencing: u64) -> bool {
        self.entries().any(|entry| entry.fencing == fencing)
    }

    /// When the last of it was written.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.entries().map(|entry| entry.at).max()
    }

    fn entries(&self) -> impl Iterator<Item = &EffectEntry> {
        let entries = self.effects.values();
        let entries = entries.flat_map(|effect| [&effect.intent, &effect.result]);
        entries.flatten()
    }
}

/// Whether it is a wait that nobody holds.
fn is_not_held(intent: &EffectEntry) -> bool {
    let length = match &intent.effect {
        Effect::ClockSleep { length_ms } => Duration::from_millis(*length_ms),
        Effect::AwaitSignal { until, .. } => until.since(intent.at),
        _ => Duration::ZERO,
    };
    length > LONGEST_HELD_SLEEP
}

/// What is seen now of what an effect was about.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// The time.
    pub now: Timestamp,
    /// Of a target: whether the host supervises its process, and which one runs.
    pub target: Option<TargetSeen>,
    /// The operator says that it can be repeated with its key.
    pub is_idempotent: bool,
}

/// What is seen of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetSeen {
    /// Its process runs.
    Runs(TargetIdentity),
    /// It has none that runs.
    Down,
    /// The host does not supervise it: commands start and stop it.
    Foreign,
}

/// What is done at one effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// Nothing is recorded of it: it is performed as ever.
    Perform,
    /// It has its result.
    Feed(EffectResult),
    /// It was done: what is seen says so.
    Done(Answer),
    /// It is done once more, with the key that it had.
    Again,
    /// Of a restart the stop was done: what is left is the start.
    Start,
    /// What is left of a sleep, or of the wait for a signal.
    Wait(Duration),
    /// Nobody knows whether it happened, and to repeat it may do harm.
    InDoubt,
    /// Something else was asked then.
    Diverged(Divergence),
}

/// What is done at the effect with this number, of which the journal has `recorded`. `asked` is masked.
pub fn turn(number: u32, asked: &Effect, recorded: Option<&RecordedEffect>, seen: &Seen) -> Turn {
    let Some(RecordedEffect { intent, result }) = recorded else {
        return Turn::Perform;
    };
    let Some(entry) = result.as_ref().or(intent.as_ref()) else {
        return Turn::Perform;
    };
    // Of entries of the same request also a version that wrote no hashes has the same.
    let hash = entry
        .request_hash
        .clone()
        .unwrap_or_else(|| entry.effect.request_hash());
    if entry.effect.name() != asked.name() || hash != asked.request_hash() {
        return Turn::Diverged(Divergence {
            number,
            recorded: request_words(&entry.effect),
            asked: request_words(asked),
        });
    }
    match entry.result.clone() {
        Some(result) => Turn::Feed(result),
        None => begun(asked, entry, seen),
    }
}

/// What becomes of what was begun and has no result.
fn begun(asked: &Effect, intent: &EffectEntry, seen: &Seen) -> Turn {
    use TargetSeen::{Down, Foreign, Runs};
    match asked {
        Effect::ClockSleep { length_ms } => {
            let length = Duration::from_millis(*length_ms);
            let until = intent.until.unwrap_or(intent.at + length);
            // A clock that was set back makes it no longer than it was.
            Turn::Wait(until.since(seen.now).min(length))
        }
        Effect::AwaitSignal { until, .. } => {
            Turn::Wait(until.since(seen.now).min(until.since(intent.at)))
        }
        Effect::TargetStart { .. } => match &seen.target {
            Some(Runs(_)) => Turn::Done(Answer::Done),
            Some(Down) => Turn::Again,
            Some(Foreign) | None => Turn::InDoubt,
        },
        Effect::TargetStop { .. } => match &seen.target {
            Some(Down) => Turn::Done(Answer::Done),
            Some(Runs(_)) => Turn::Again,
            Some(Foreign) | None => Turn::InDoubt,
        },
        Effect::TargetRestart { .. } => match &seen.target {
            Some(Runs(now)) if intent.before.as_ref() == Some(now) => Turn::Again,
            Some(Runs(_)) => Turn::Done(Answer::Done),
            Some(Down) => Turn::Start,
            Some(Foreign) | None => Turn::InDoubt,
        },
        Effect::TargetSend { signal, .. } => match signal {
            Signal::Term | Signal::Kill | Signal::Int | Signal::Quit => match &seen.target {
                Some(Runs(now)) if intent.before.as_ref() == Some(now) => Turn::Again,
                Some(Runs(_) | Down) => Turn::Done(Answer::Done),
                Some(Foreign) | None => Turn::InDoubt,
            },
            Signal::Hup | Signal::Usr1 | Signal::Usr2 => Turn::InDoubt,
        },
        Effect::HttpSend(request) => match request.method {
            HttpMethod::Post | HttpMethod::Patch if !seen.is_idempotent => Turn::InDoubt,
            _ => Turn::Again,
        },
        Effect::CommandRun { .. } if seen.is_idempotent => Turn::Again,
        Effect::CommandRun { .. } => Turn::InDoubt,
        // The server may have taken it.
        Effect::MailSend(_) => Turn::InDoubt,
        // A value is written with its result, so it was not; a backup is found by its key, and restoring does no harm twice.
        Effect::KvSet { .. }
        | Effect::KvDelete { .. }
        | Effect::KvCompareAndSet { .. }
        | Effect::BackupCreate { .. }
        | Effect::BackupRestore { .. }
        // These have no intents, and do no harm.
        | Effect::ClockNow
        | Effect::TargetStatus { .. }
        | Effect::TargetCheck { .. }
        | Effect::KvGet { .. }
        | Effect::KvKeys { .. }
        | Effect::BackupNewest { .. } => Turn::Again,
    }
}

#[cfg(test)]
mod tests;
