//! A build that is rehearsed on a recorded call: what it is answered, and how what it does differs from what was done.
//!
//! Invariant: nothing acts: what has no recorded answer is answered by the plan of a dry run.

use crate::{
    blob::Blob,
    call::RecoveryFailure,
    call_record::{CallOutcome, CallRecord},
    doubt::request_words,
    dry_run_answer::{DryRunFacts, dry_run_answer},
    effect::{Answer, Effect, EffectError, EffectResult, HttpResponse},
    record::{EffectEntry, EntryKind},
    time::Timestamp,
};
use std::mem::discriminant;

/// How much a build differs; the later is the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// In nothing.
    Identical,
    /// In the texts of its report.
    Cosmetic,
    /// In what it looks at.
    ReadsDiffer,
    /// In what it does.
    EffectsDiffer,
    /// In how it ends.
    OutcomeDiffers,
    /// It gives no answer.
    Fault,
}

/// Where the answer to an effect came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// It is the next recorded one.
    Next,
    /// It is a recorded one that comes later, with nothing between that acts.
    Later,
    /// None like it is recorded: the plan answers.
    Speculative,
}

/// One effect that the build asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct RehearsedEffect {
    /// Its number within the operation.
    pub number: u32,
    /// What it asked for, secrets by name.
    pub request: Effect,
    /// Where the answer came from.
    pub matched: Matched,
    /// What was asked for in its place then; none where the record was used up.
    pub recorded: Option<Effect>,
}

/// Where a build first did something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstDifference {
    /// The number of the effect.
    pub number: u32,
    /// What was asked for then; none where nothing more was.
    pub recorded: Option<String>,
    /// What it asks for; none where it asks for nothing more.
    pub asked: Option<String>,
}

/// What a rehearsal came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// How much it differs.
    pub class: Class,
    /// Where first, among its effects.
    pub first: Option<FirstDifference>,
    /// What it asked for, in order.
    pub effects: Vec<RehearsedEffect>,
}

/// One recorded effect.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    number: u32,
    effect: Effect,
    result: Option<EffectResult>,
    is_consumed: bool,
}

/// A rehearsal under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsal {
    recorded: Vec<Step>,
    first_number: u32,
    asked: Vec<RehearsedEffect>,
    /// What the guest was told of the time last.
    now: Timestamp,
}

impl Rehearsal {
    /// Of a call, and of the journal of its operation.
    pub fn new(record: &CallRecord, entries: &[EffectEntry]) -> Self {
        let mut recorded: Vec<Step> = Vec::new();
        let own = |entry: &&EffectEntry| {
            entry.call == Some(record.call) && entry.number >= record.first_number
        };
        for entry in entries.iter().filter(own) {
            let is_result = entry.kind == EntryKind::Result;
            match recorded.iter_mut().find(|step| step.number == entry.number) {
                Some(step) if is_result => step.result.clone_from(&entry.result),
                Some(_) => {}
                None => recorded.push(Step {
                    number: entry.number,
                    effect: entry.effect.clone(),
                    result: entry.result.clone(),
                    is_consumed: false,
                }),
            }
        }
        recorded.sort_by_key(|step| step.number);
        Self {
            recorded,
            first_number: record.first_number,
            asked: Vec::new(),
            now: record.began_at,
        }
    }

    /// What the build is answered; the effect is masked.
    pub fn answer(&mut self, effect: &Effect) -> EffectResult {
        let next = self.recorded.iter().position(|step| !step.is_consumed);
        let found = next.and_then(|next| self.found(next, effect));
        let asked = u32::try_from(self.asked.len()).unwrap_or(u32::MAX);
        self.asked.push(RehearsedEffect {
            number: self.first_number.saturating_add(asked),
            request: effect.clone(),
            matched: match (found, next) {
                (None, _) => Matched::Speculative,
                (Some(found), Some(next)) if found == next => Matched::Next,
                (Some(_), _) => Matched::Later,
            },
            recorded: next
                .and_then(|next| self.recorded.get(next))
                .map(|step| step.effect.clone()),
        });
        let step = found.and_then(|found| self.recorded.get_mut(found));
        let known = step.and_then(|step| {
            step.is_consumed = true;
            step.result.clone()
        });
        let answer = known.unwrap_or_else(|| self.planned(effect));
        if let Ok(Answer::Now(now)) = &answer {
            self.now = self.now.max(*now);
        }
        answer
    }

    /// The recorded effect that it is.
    fn found(&self, next: usize, effect: &Effect) -> Option<usize> {
        for (place, step) in self.recorded.iter().enumerate().skip(next) {
            if !step.is_consumed && step.effect == *effect {
                return Some(place);
            }
            let goes_on = effect.only_reads() && (step.is_consumed || step.effect.only_reads());
            if !goes_on {
                return None;
            }
        }
        None
    }

    fn planned(&self, effect: &Effect) -> EffectResult {
        let facts = DryRunFacts {
            now: self.now,
            value: None,
            restorable: (0, 0),
        };
        if let Some(planned) = dry_run_answer(effect, &facts) {
            return planned;
        }
        Ok(match effect {
            Effect::ClockNow => Answer::Now(self.now),
            Effect::TargetCheck { .. } => Answer::Evidence(Vec::new()),
            Effect::KvGet { .. } => Answer::Value(None),
            Effect::KvKeys { .. } => Answer::Keys(Vec::new()),
            Effect::BackupNewest { .. } => Answer::Backup(None),
            Effect::HttpSend(_) => Answer::Response(HttpResponse {
                status: 200,
                headers: Vec::new(),
                body: Blob::default(),
            }),
            _ => {
                let why = format!("nothing is recorded of {}", request_words(effect));
                return Err(EffectError::Unavailable(why));
            }
        })
    }

    /// What it came to, of the end of the call then, where it had one, and now; none where it gave no answer.
    pub fn end(self, then: Option<&CallOutcome>, now: Option<&CallOutcome>) -> Difference {
        Difference {
            class: self.class(then, now),
            first: self.first_difference(),
            effects: self.asked,
        }
    }

    fn class(&self, then: Option<&CallOutcome>, now: Option<&CallOutcome>) -> Class {
        let Some(now) = now else {
            return Class::Fault;
        };
        let asked = self.asked.iter().map(|asked| &asked.request);
        let acts = asked.filter(|effect| !effect.only_reads());
        let did = self.recorded.iter().map(|step| &step.effect);
        let did = did.filter(|effect| !effect.only_reads());
        let acts_alike = acts.eq(did);
        let looks_alike = self.recorded.iter().all(|step| step.is_consumed)
            && self
                .asked
                .iter()
                .all(|asked| asked.matched == Matched::Next);
        match then {
            Some(then) if !ends_alike(then, now) => Class::OutcomeDiffers,
            _ if !acts_alike => Class::EffectsDiffer,
            _ if !looks_alike => Class::ReadsDiffer,
            Some(then) if then != now => Class::Cosmetic,
            _ => Class::Identical,
        }
    }

    fn first_difference(&self) -> Option<FirstDifference> {
        let other = self
            .asked
            .iter()
            .find(|asked| asked.matched != Matched::Next);
        if let Some(other) = other {
            return Some(FirstDifference {
                number: other.number,
                recorded: other.recorded.as_ref().map(request_words),
                asked: Some(request_words(&other.request)),
            });
        }
        let left = self.recorded.iter().find(|step| !step.is_consumed)?;
        Some(FirstDifference {
            number: left.number,
            recorded: Some(request_words(&left.effect)),
            asked: None,
        })
    }
}

/// Whether two ends are the same but for their texts.
fn ends_alike(then: &CallOutcome, now: &CallOutcome) -> bool {
    let failure = |outcome: &CallOutcome| match outcome {
        CallOutcome::Failed(failure) => Some(discriminant::<RecoveryFailure>(failure)),
        CallOutcome::Done(_) | CallOutcome::GivenUp(_) => None,
    };
    discriminant(then) == discriminant(now) && failure(then) == failure(now)
}

#[cfg(test)]
mod tests;
