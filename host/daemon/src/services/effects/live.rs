//! The session of a call that recovers: the journal around each effect.
//!
//! Invariant: each acting effect runs in a task of its own, so the end of the call does not cancel it.

use super::OperationCall;
use crate::ports::Boxed;
use futures_util::FutureExt;
use mainstay_domain::{
    effect::{Effect, EffectError, EffectResult},
    record::{Change, EntryKind},
    secret::Masked,
};
use mainstay_runtime::{EffectSession, Settling};
use tokio::task::JoinHandle;

pub(super) struct LiveSession {
    of: OperationCall,
    /// The number of the operation's last effect.
    last: u32,
    /// What acts and has no result yet.
    acting: Option<JoinHandle<EffectResult>>,
}

impl LiveSession {
    /// Goes on from the number of the operation's last effect.
    pub(super) fn new(of: OperationCall, last: u32) -> Self {
        Self {
            of,
            last,
            acting: None,
        }
    }

    /// Waits until nothing acts; what it came to is in the journal. May be dropped and called again.
    async fn wait_until_idle(&mut self) {
        if let Some(acting) = &mut self.acting {
            let _ = acting.await;
            self.acting = None;
        }
    }
}

impl EffectSession for LiveSession {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        Box::pin(async move {
            self.wait_until_idle().await;
            self.last = self.last.saturating_add(1);
            let number = self.last;
            if effect.only_reads() {
                return journaled(&self.of, number, effect).await;
            }
            let (of, name) = (self.of.clone(), effect.name());
            let work = async move { journaled(&of, number, effect).await };
            let acting = self.acting.insert(tokio::spawn(work));
            let ended = acting.await;
            self.acting = None;
            ended.unwrap_or_else(|error| {
                let interrupted = format!("{name} was interrupted: {error}");
                Err(EffectError::TimedOut(interrupted))
            })
        })
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

/// Does it, with the journal around it.
async fn journaled(of: &OperationCall, number: u32, effect: Effect) -> EffectResult {
    let journal = &of.effects.shared.journal;
    let masked = effect.clone().masked(&of.call.secrets);
    if !effect.only_reads() {
        let intent = of.entry(number, EntryKind::Intent, &masked, None);
        let intent = journal.commit(of.with_record([Change::Effect(intent)]).into());
        let intent = intent.await;
        let not_begun =
            |why: &str| EffectError::Unavailable(format!("{} was not begun: {why}", effect.name()));
        let intent = intent.map_err(|error| not_begun(&error.to_string()))?;
        of.is_on_record();
        if !intent.is_durable() && !effect.may_begin_unrecorded() {
            let why = not_begun(
                "the disk of the journal is full, and a daemon that forgets it would do it again; free some space",
            );
            let refused = of.entry(number, EntryKind::Result, &masked, Some(Err(why.clone())));
            drop(journal.commit(vec![Change::Effect(refused)].into()));
            return Err(why);
        }
    }
    let result = of.act(number, &effect).await;
    let entry = of.entry(number, EntryKind::Result, &masked, Some(result.clone()));
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
