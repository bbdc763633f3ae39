//! The session of a dry run: looks where an effect only looks, and answers from the plan where it would act.

use super::OperationCall;
use crate::ports::Boxed;
use mainstay_domain::{
    effect::{Effect, EffectResult},
    journal::{Change, EntryKind},
    plan::{PlanFacts, planned_answer},
    secret::Shown,
};
use mainstay_runtime::{EffectSession, Settling};

pub(super) struct Planned {
    of: OperationCall,
    /// The number of the operation's last effect.
    last: u32,
}

impl Planned {
    /// Goes on from the number of the operation's last effect.
    pub(super) fn new(of: OperationCall, last: u32) -> Self {
        Self { of, last }
    }
}

impl EffectSession for Planned {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        self.last = self.last.saturating_add(1);
        Box::pin(plan(&self.of, self.last, effect))
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(self.last)
    }
}

async fn plan(of: &OperationCall, number: u32, effect: Effect) -> EffectResult {
    let shown = effect.clone().shown(&of.call.secrets);
    let facts = plan_facts(of, &shown).await;
    let result = match planned_answer(&shown, &facts) {
        Some(planned) => planned,
        None => of.act(number, &effect).await,
    };
    let event = of.event(&effect, &result, "planned");
    let entry = of.entry(number, EntryKind::Planned, &shown, Some(result.clone()));
    let changes = vec![Change::Effect(entry), Change::Event(event)];
    drop(of.effects.shared.journal.commit(changes.into()));
    result
}

/// What the plan's answers are made of, so that they are what would be answered.
async fn plan_facts(of: &OperationCall, effect: &Effect) -> PlanFacts {
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
    PlanFacts {
        now: effects.shared.clock.now(),
        value,
        restorable,
    }
}
