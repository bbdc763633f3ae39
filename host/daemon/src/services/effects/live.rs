//! The session of a call that recovers: the journal around each effect.
//!
//! Invariant: each acting effect runs in a task of its own, so the end of the call does not cancel it.
//! Invariant: of a call that is made again nothing acts before the record is used up, but what was begun and has no result;
//! see [`mainstay_domain::replay`].

mod signals;

use super::OperationCall;
use crate::ports::{Batch, Boxed};
use futures_util::FutureExt;
use mainstay_domain::{
    effect::{Answer, Effect, EffectError, EffectResult},
    record::{Change, EntryKind},
    replay::{Halt, LONGEST_HELD_SLEEP, Recorded, Turn},
    secret::Masked,
    time::Timestamp,
};
use mainstay_runtime::{EffectSession, Settling};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;

pub(super) struct LiveSession {
    of: OperationCall,
    /// The number of the operation's last effect.
    last: u32,
    /// What acts and has no result yet.
    acting: Option<JoinHandle<EffectResult>>,
    /// What the journal has of the call, where it is made again.
    recorded: Option<Arc<Recorded>>,
    halted: Option<Halt>,
}

/// How an effect comes to its result.
enum Way {
    /// It is performed, after its intent.
    Perform,
    /// It was begun before, and is performed once more.
    Again,
    /// It was begun before, and what is left of it is this.
    Rest(Effect),
    /// It was begun before, and this long is left of it.
    Wait(Duration),
    /// It was begun before, and this is what it came to.
    Known(EffectResult),
    /// It has its result, and nothing is written.
    Fed(EffectResult),
}

impl LiveSession {
    /// Goes on from the number of the operation's last effect.
    pub(super) fn new(of: OperationCall, last: u32) -> Self {
        let recorded = of.call.replay.clone();
        if let Some(recorded) = &recorded {
            of.is_on_record();
            of.sizes.set(&of.operation, recorded.bytes());
        }
        Self {
            of,
            last,
            acting: None,
            recorded,
            halted: None,
        }
    }

    /// Waits until nothing acts; what it came to is in the journal. May be dropped and called again.
    async fn wait_until_idle(&mut self) {
        if let Some(acting) = &mut self.acting {
            let _ = acting.await;
            self.acting = None;
        }
    }

    /// How this effect comes to its result; from a halt on nothing acts.
    async fn way(&mut self, number: u32, effect: &Effect) -> Way {
        let all = self.recorded.as_ref();
        let Some(recorded) = all.and_then(|all| all.get(number)).cloned() else {
            let was_refused = all.is_some_and(|all| all.lacks(number));
            return match was_refused && !effect.only_reads() {
                // Also where the journal would have room for it by now: what came after it is done.
                true => Way::Fed(Err(EffectError::Limited(format!(
                    "{} was not begun: the journal had no room for it",
                    effect.name()
                )))),
                false => Way::Perform,
            };
        };
        let turn = match self.of.turn(number, effect, &recorded).await {
            Turn::Wait(left) => Turn::Wait(self.of.sleeps(number, left)),
            turn => turn,
        };
        let halt = match turn {
            Turn::Perform => return Way::Perform,
            Turn::Again => return Way::Again,
            Turn::Wait(left) if left > LONGEST_HELD_SLEEP && self.of.may_suspend() => {
                let until = self.of.effects.shared.clock.now() + left;
                Halt::Suspended { until, left }
            }
            Turn::Wait(left) => return Way::Wait(left),
            Turn::Done(answer) => return Way::Known(Ok(answer)),
            Turn::Start => {
                return Way::Rest(match effect.clone() {
                    Effect::TargetRestart { target } => Effect::TargetStart { target },
                    other => other,
                });
            }
            Turn::Feed(result) => {
                if let Ok(Answer::Now(now)) = &result {
                    self.of.clocks.tell(&self.of.operation, *now);
                }
                return Way::Fed(result);
            }
            Turn::Diverged(divergence) => Halt::Diverged(divergence),
            Turn::InDoubt if self.of.is_told() => {
                let told = format!("{} is in doubt after a crash", effect.name());
                return Way::Known(Err(EffectError::TimedOut(told)));
            }
            Turn::InDoubt => Halt::InDoubt(Box::new(self.of.doubt(number, effect, &recorded))),
        };
        let why = halt.to_string();
        self.halted = Some(halt);
        Way::Fed(Err(EffectError::Unavailable(why)))
    }
}

impl EffectSession for LiveSession {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        Box::pin(async move {
            self.wait_until_idle().await;
            self.last = self.last.saturating_add(1);
            let number = self.last;
            let way = match self.way(number, &effect).await {
                Way::Fed(result) => return result,
                way => way,
            };
            if let (Way::Perform, Some(length)) = (&way, self.of.suspends(&effect))
                && let Some(halt) = begin_sleep(&self.of, number, &effect, length).await
            {
                let why = halt.to_string();
                self.halted = Some(halt);
                return Err(EffectError::Unavailable(why));
            }
            if effect.only_reads() {
                return journaled(&self.of, number, effect, way).await;
            }
            let (of, name) = (self.of.clone(), effect.name());
            let work = async move { journaled(&of, number, effect, way).await };
            let acting = self.acting.insert(tokio::spawn(work));
            let ended = acting.await;
            self.acting = None;
            ended.unwrap_or_else(|error| {
                let interrupted = format!("{name} was interrupted: {error}");
                Err(EffectError::TimedOut(interrupted))
            })
        })
    }

    fn is_replaying(&self) -> bool {
        let next = self.last.saturating_add(1);
        let recorded = self.recorded.as_ref();
        recorded.is_some_and(|all| all.get(next).is_some() || all.lacks(next))
    }

    fn halted(&self) -> Option<Halt> {
        self.halted.clone()
    }

    fn await_signal(
        &mut self,
        name: String,
        until: Timestamp,
    ) -> Boxed<'_, Result<String, EffectError>> {
        Box::pin(self.signal(name, until))
    }

    fn settle(self: Box<Self>) -> Settling {
        let last = self.last;
        match self.acting {
            None => Settling::Done(last),
            Some(acting) => Settling::Waits(Box::pin(async move {
                // What it came to is in the journal.
                let _ = acting.await;
                last
            })),
        }
    }
}

/// Writes that a sleep has begun that nobody holds; none where that is not durable, so that it is held after all.
async fn begin_sleep(
    of: &OperationCall,
    number: u32,
    effect: &Effect,
    length: Duration,
) -> Option<Halt> {
    let intent = of.intent(number, effect).await;
    let until = intent.until.unwrap_or(intent.at + length);
    let changes = of.with_record([Change::Effect(intent)]);
    let written = of.effects.shared.journal.commit(changes.into()).await;
    let length = of.sleeps(number, length);
    let is_durable = written.is_ok_and(|written| written.is_durable());
    is_durable.then_some(Halt::Suspended {
        until,
        left: length,
    })
}

/// Does it, with the journal around it.
async fn journaled(of: &OperationCall, number: u32, effect: Effect, way: Way) -> EffectResult {
    let journal = &of.effects.shared.journal;
    let masked = effect.clone().masked(&of.call.secrets);
    let is_new = matches!(way, Way::Perform);
    if is_new {
        // Not on record, for there is no room: a replay finds none either.
        of.must_have_room(number, &masked)?;
    }
    if is_new && of.has_intent(&effect) {
        let intent = of.intent(number, &masked).await;
        of.sizes.add(&of.operation, intent.bytes());
        let changes = of.with_record([Change::Effect(intent)]);
        let batch = match effect.ends_with_the_machine(|target| of.supervises(target)) {
            true => Batch::written(changes),
            false => changes.into(),
        };
        let intent = journal.commit(batch).await;
        let not_begun =
            |why: &str| EffectError::Unavailable(format!("{} was not begun: {why}", effect.name()));
        let intent = intent.map_err(|error| not_begun(&error.to_string()))?;
        of.is_on_record();
        if !intent.outlives_the_daemon() && !effect.may_begin_unrecorded() {
            let why = not_begun(
                "the journal cannot be written now, as the alert `journal.full` says, and a daemon that forgets it would do \
                 it again",
            );
            let refused = of.entry(number, EntryKind::Result, &masked, Some(Err(why.clone())));
            drop(journal.commit(Batch::soon(vec![Change::Effect(refused)])));
            return Err(why);
        }
    }
    let result = match way {
        Way::Perform | Way::Again => of.act(number, &effect).await,
        Way::Rest(rest) => of.act(number, &rest).await,
        Way::Known(result) | Way::Fed(result) => result,
        Way::Wait(left) => {
            tokio::time::sleep(left).await;
            Ok(Answer::Done)
        }
    };
    let entry = of.entry(number, EntryKind::Result, &masked, Some(result.clone()));
    of.sizes.add(&of.operation, entry.bytes());
    let mut changes = vec![Change::Effect(entry)];
    if !matches!(effect, Effect::ClockNow) {
        changes.push(Change::Event(of.event(&effect, &result, "performed")));
    }
    // Written in order, so durable before the next intent; the end of the operation waits for it.
    let written = journal.commit(of.with_record(changes).into());
    // What is refused is refused in the call.
    if !matches!(written.now_or_never(), Some(Err(_))) {
        of.is_on_record();
    }
    result
}
