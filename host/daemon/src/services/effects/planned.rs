//! The session of a dry run: looks where an effect only looks, and answers from the plan where it would act.

use super::OperationCall;
use crate::ports::{Batch, Boxed};
use mainstay_domain::{
    dry_run_answer::{DryRunFacts, dry_run_answer},
    effect::{Answer, Effect, EffectError, EffectResult},
    record::{Change, EntryKind},
    secret::Masked,
    time::Timestamp,
};
use mainstay_runtime::{EffectSession, Settling};

pub(super) struct DryRunSession {
    of: OperationCall,
    /// The number of the operation's last effect.
    last: u32,
}

impl DryRunSession {
    /// Goes on from the number of the operation's last effect.
    pub(super) fn new(of: OperationCall, last: u32) -> Self {
        Self { of, last }
    }
}

impl EffectSession for DryRunSession {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        self.last = self.last.saturating_add(1);
        Box::pin(plan(&self.of, self.last, effect))
    }

    /// As if it had come.
    fn await_signal(
        &mut self,
        name: String,
        until: Timestamp,
    ) -> Boxed<'_, Result<String, EffectError>> {
        let planned = self.perform(Effect::AwaitSignal { name, until });
        Box::pin(async move {
            Ok(match planned.await? {
                Answer::Signal { text, .. } => text,
                _ => String::new(),
            })
        })
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(self.last)
    }
}

async fn plan(of: &OperationCall, number: u32, effect: Effect) -> EffectResult {
    let masked = effect.clone().masked(&of.call.secrets);
    let facts = dry_run_facts(of, &masked).await;
    let result = match dry_run_answer(&masked, &facts) {
        Some(planned) => planned,
        None => of.act(number, &effect).await,
    };
    let event = of.event(&effect, &result, "planned");
    let entry = of.entry(number, EntryKind::Planned, &masked, Some(result.clone()));
    let changes = vec![Change::Effect(entry), Change::Event(event)];
    drop(of.effects.shared.journal.commit(Batch::soon(changes)));
    result
}

/// What the plan's answers are made of, so that they are what would be answered.
async fn dry_run_facts(of: &OperationCall, effect: &Effect) -> DryRunFacts {
    let effects = &of.effects;
    let value = match effect {
        Effect::KvCompareAndSet { key, .. } => effects
            .values
            .get(of.call.plugin.name.clone(), key.clone())
            .await
            .ok()
            .flatten()
            .map(Into::into),
        _ => None,
    };
    let restorable = match effect {
        Effect::BackupRestore { id, .. } => effects.backups.restorable(id),
        _ => (0, 0),
    };
    DryRunFacts {
        now: effects.shared.clock.now(),
        value,
        restorable,
    }
}
