//! The wait for a signal, as an effect that has its place in the journal: until when it lasts before it, and which signal
//! it was after it.
//!
//! Invariant: a signal is taken from the inbox and its result is given to the journal with nothing to wait for between.

use super::LiveSession;
use futures_util::FutureExt;
use mainstay_domain::{
    effect::{Answer, Effect, EffectError, EffectResult},
    name::SignalName,
    operation::AwaitedSignal,
    record::{Change, EntryKind},
    replay::{Halt, LONGEST_HELD_SLEEP, Turn},
    secret::Masked,
    time::Timestamp,
};
use std::time::Duration;

/// A wait for a signal.
struct Wait {
    /// The number of the effect.
    number: u32,
    name: SignalName,
    until: Timestamp,
    effect: Effect,
    /// It was begun before, and this long is left of it.
    left: Option<Duration>,
}

impl LiveSession {
    /// Waits for a signal.
    pub(super) async fn signal(
        &mut self,
        name: String,
        until: Timestamp,
    ) -> Result<String, EffectError> {
        self.wait_until_idle().await;
        self.last = self.last.saturating_add(1);
        let number = self.last;
        let effect = Effect::AwaitSignal {
            name: name.clone(),
            until,
        };
        let recorded = self.recorded.as_ref();
        let left = match recorded.and_then(|all| all.get(number)).cloned() {
            None => None,
            Some(recorded) => match self.of.turn(number, &effect, &recorded).await {
                Turn::Feed(result) => return text_of(result),
                Turn::Diverged(divergence) => return self.halt(Halt::Diverged(divergence)),
                Turn::Wait(left) => Some(left),
                // It was not begun.
                _ => None,
            },
        };
        let name =
            SignalName::parse(&name).map_err(|error| EffectError::Failed(error.to_string()))?;
        let wait = Wait {
            number,
            name,
            until,
            effect: effect.masked(&self.of.call.secrets),
            left,
        };
        self.wait_for(wait).await
    }

    async fn wait_for(&mut self, wait: Wait) -> Result<String, EffectError> {
        let now = self.of.effects.shared.clock.now();
        let left = wait.left.unwrap_or_else(|| wait.until.since(now));
        let is_begun = wait.left.is_some();
        if !is_begun {
            // Not on record, for there is no room: a replay finds none either.
            self.of.must_have_room(wait.number, &wait.effect)?;
        }
        // Before the first look, so that none is missed.
        let mut arrivals = self.of.effects.inbox.arrivals();
        let seen = match self.take(&wait) {
            Ok(text) => return Ok(text),
            Err(seen) => seen,
        };
        if left.is_zero() {
            return self.nothing_came(&wait);
        }
        let is_held = match is_begun {
            true => left <= LONGEST_HELD_SLEEP || !self.of.may_suspend(),
            false => !(self.begin_wait(&wait).await && self.of.suspends_for(left)),
        };
        if !is_held {
            return self.halt(Halt::Awaits(AwaitedSignal {
                name: wait.name,
                seen,
                until: now + left,
                left,
            }));
        }
        let end = tokio::time::sleep(left);
        tokio::pin!(end);
        loop {
            tokio::select! { biased;
                Ok(()) = arrivals.changed() => {
                    if let Ok(text) = self.take(&wait) {
                        return Ok(text);
                    }
                }
                () = &mut end => return self.nothing_came(&wait),
            }
        }
    }

    /// Takes the signal, where it is there; the error is how many signals the operation has.
    fn take(&self, wait: &Wait) -> Result<String, usize> {
        let of = &self.of;
        let signal = of.effects.inbox.take(&of.operation, &wait.name)?;
        let answer = Answer::Signal {
            number: signal.number,
            text: signal.text.clone(),
        };
        self.write_result(wait, Ok(answer));
        Ok(signal.text)
    }

    fn nothing_came(&self, wait: &Wait) -> Result<String, EffectError> {
        let why = format!("no signal `{}` came until {}", wait.name, wait.until);
        let late = EffectError::TimedOut(why);
        self.write_result(wait, Err(late.clone()));
        Err(late)
    }

    /// Writes until when it waits; whether that is durable, so that another daemon goes on with it.
    async fn begin_wait(&self, wait: &Wait) -> bool {
        let of = &self.of;
        if of.call.record.is_none() {
            return false;
        }
        let intent = of.intent(wait.number, &wait.effect).await;
        of.sizes.add(&of.operation, intent.bytes());
        let changes = of.with_record([Change::Effect(intent)]);
        let written = of.effects.shared.journal.commit(changes.into()).await;
        if written.is_ok() {
            of.is_on_record();
        }
        written.is_ok_and(|written| written.is_durable())
    }

    /// In order, so durable before the next intent; the end of the operation waits for it.
    fn write_result(&self, wait: &Wait, result: EffectResult) {
        let of = &self.of;
        let event = of.event(&wait.effect, &result, "performed");
        let entry = of.entry(wait.number, EntryKind::Result, &wait.effect, Some(result));
        of.sizes.add(&of.operation, entry.bytes());
        let changes = of.with_record([Change::Effect(entry), Change::Event(event)]);
        let written = of.effects.shared.journal.commit(changes.into());
        // What is refused is refused in the call.
        if !matches!(written.now_or_never(), Some(Err(_))) {
            of.is_on_record();
        }
    }

    /// The call is not gone on with: the guest does not hear of it.
    fn halt(&mut self, halt: Halt) -> Result<String, EffectError> {
        let why = halt.to_string();
        self.halted = Some(halt);
        Err(EffectError::Unavailable(why))
    }
}

fn text_of(result: EffectResult) -> Result<String, EffectError> {
    match result? {
        Answer::Signal { text, .. } => Ok(text),
        _ => Err(EffectError::Failed(
            "the journal has something else than a signal; report this as a defect".to_owned(),
        )),
    }
}
