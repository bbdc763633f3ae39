//! Carries out what plugins ask for: journaled, and in a dry run answered by the plan.
//!
//! Invariant: an effect that acts for an operation has its intent in the journal, durable, before it happens, and its
//! result after it, even where the call that asked for it has timed out by then; an effect that only looks has its
//! result. A dry run never acts. On a full disk an intent is held in memory: what does no harm when it is done twice
//! begins all the same, see [`Effect::may_begin_unrecorded`]; anything else is refused.
//! Invariant: what is written shows secrets by name, never by a handle.
//! Invariant: grants and counts were checked before an effect comes here; see `mainstay_runtime`.

mod act;
mod under_way;

pub use under_way::EffectsUnderWay;

use crate::ports::{
    BackupControl, Boxed, Clock, Commands, HttpClient, Journal, Secrets, TargetControl, Values,
    Watch,
};
use mainstay_domain::{
    effect::{Effect, EffectError, EffectResult},
    event::{Event, EventKind},
    id::OperationId,
    journal::{Change, EffectEntry, EntryKind},
    plan::{PlanFacts, planned_answer},
    secret::Shown,
    severity::Severity,
    spec::Spec,
};
use mainstay_runtime::{Call, EffectPort, LogLine, Purpose, effects::LogLevel};
use std::sync::Arc;
use tokio::sync::watch;

/// What effects are made of.
#[derive(Clone)]
pub struct Effects {
    /// Intents and results.
    pub journal: Arc<dyn Journal>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// `targets`.
    pub targets: Arc<dyn TargetControl>,
    /// `targets.check`.
    pub watch: Arc<dyn Watch>,
    /// `commands`.
    pub commands: Arc<dyn Commands>,
    /// `http`.
    pub http: Arc<dyn HttpClient>,
    /// `kv`.
    pub values: Arc<dyn Values>,
    /// `backups`.
    pub backups: Arc<dyn BackupControl>,
    /// Keeps secrets out of what guests log.
    pub secrets: Arc<dyn Secrets>,
    /// For the commands that are configured.
    pub spec: watch::Receiver<Arc<Spec>>,
    /// What operations have asked for.
    pub under_way: EffectsUnderWay,
}

impl EffectPort for Effects {
    fn perform<'a>(&'a self, call: &'a Call, effect: Effect) -> Boxed<'a, EffectResult> {
        Box::pin(async move {
            match &call.purpose {
                Purpose::Recover {
                    operation,
                    dry_run: true,
                    ..
                } => self.plan(call, operation, effect).await,
                Purpose::Recover { operation, .. } if effect.only_reads() => {
                    self.perform_for(call, operation, effect).await
                }
                Purpose::Recover { operation, .. } => {
                    // In a task of its own: the caller goes away at its timeout, and what was begun has a result.
                    let (this, call, operation) = (self.clone(), call.clone(), operation.clone());
                    let name = effect.name();
                    let acting = self.under_way.acting(&operation);
                    let work = async move { this.perform_for(&call, &operation, effect).await };
                    acting.spawn(work).await.unwrap_or_else(|error| {
                        Err(EffectError::TimedOut(format!(
                            "{name} was interrupted: {error}"
                        )))
                    })
                }
                Purpose::Deliver { alert } => self.act(call, &effect, alert.to_string()).await,
                Purpose::Describe | Purpose::Configure | Purpose::Judge { .. } => Err(
                    EffectError::Denied(format!("{} is not there for this call", effect.name())),
                ),
            }
        })
    }

    fn log(&self, call: &Call, line: LogLine) {
        let clean = |text: &str| {
            String::from_utf8_lossy(&self.secrets.conceal(text.as_bytes().to_vec())).into_owned()
        };
        let (plugin, message) = (call.plugin.to_string(), clean(&line.message));
        let fields: Vec<String> = line
            .fields
            .iter()
            .map(|(key, value)| format!("{}={}", clean(key), clean(value)))
            .collect();
        let fields = fields.join(" ");
        match line.level {
            LogLevel::Trace => tracing::trace!(plugin, fields, "{message}"),
            LogLevel::Debug => tracing::debug!(plugin, fields, "{message}"),
            LogLevel::Info => tracing::info!(plugin, fields, "{message}"),
            LogLevel::Warn => tracing::warn!(plugin, fields, "{message}"),
            LogLevel::Error => tracing::error!(plugin, fields, "{message}"),
        }
    }
}

impl Effects {
    /// Does it for an operation, with the journal around it.
    async fn perform_for(
        &self,
        call: &Call,
        operation: &OperationId,
        effect: Effect,
    ) -> EffectResult {
        let number = self.under_way.next_number(operation);
        let shown = effect.clone().shown(&call.secrets);
        let entry = |kind, result| EffectEntry {
            operation: operation.clone(),
            number,
            at: self.clock.now(),
            kind,
            effect: shown.clone(),
            result,
        };
        if !effect.only_reads() {
            let intent = self
                .journal
                .commit(vec![Change::Effect(entry(EntryKind::Intent, None))])
                .await;
            let not_begun = |why: &str| {
                EffectError::Unavailable(format!("{} was not begun: {why}", effect.name()))
            };
            let intent = intent.map_err(|error| not_begun(&error.to_string()))?;
            if !intent.is_durable() && !effect.may_begin_unrecorded() {
                let why = not_begun(
                    "the disk of the journal is full, and a daemon that forgets it would do it again; free some space",
                );
                let refused = entry(EntryKind::Result, Some(Err(why.clone())));
                drop(self.journal.commit(vec![Change::Effect(refused)]));
                return Err(why);
            }
        }
        let result = self
            .act(call, &effect, format!("{operation}-{number}"))
            .await;
        let mut changes = vec![Change::Effect(entry(
            EntryKind::Result,
            Some(result.clone()),
        ))];
        if !matches!(effect, Effect::ClockNow) {
            changes.push(Change::Event(self.performed(
                call,
                operation,
                &effect,
                &result,
                "performed",
            )));
        }
        // Written in order, so durable before the next intent; the end of the operation waits for it.
        drop(self.journal.commit(changes));
        result
    }

    /// Looks where the effect only looks, and answers from the plan where it would act.
    async fn plan(&self, call: &Call, operation: &OperationId, effect: Effect) -> EffectResult {
        let number = self.under_way.next_number(operation);
        let shown = effect.clone().shown(&call.secrets);
        let facts = self.plan_facts(call, &shown).await;
        let result = match planned_answer(&shown, &facts) {
            Some(planned) => planned,
            None => {
                self.act(call, &effect, format!("{operation}-{number}"))
                    .await
            }
        };
        let event = self.performed(call, operation, &effect, &result, "planned");
        let entry = EffectEntry {
            operation: operation.clone(),
            number,
            at: self.clock.now(),
            kind: EntryKind::Planned,
            effect: shown,
            result: Some(result.clone()),
        };
        drop(
            self.journal
                .commit(vec![Change::Effect(entry), Change::Event(event)]),
        );
        result
    }

    /// What the plan's answers are made of, so that they are what would be answered.
    async fn plan_facts(&self, call: &Call, effect: &Effect) -> PlanFacts {
        let value = match effect {
            Effect::KvCompareAndSet { key, .. } => self
                .values
                .get(call.plugin.name.clone(), key.clone())
                .await
                .ok()
                .flatten()
                .map(Into::into),
            _ => None,
        };
        let restorable = match effect {
            Effect::BackupRestore { id, .. } => self.backups.restorable(id),
            _ => (0, 0),
        };
        PlanFacts {
            now: self.clock.now(),
            value,
            restorable,
        }
    }

    fn performed(
        &self,
        call: &Call,
        operation: &OperationId,
        effect: &Effect,
        result: &EffectResult,
        how: &str,
    ) -> Event {
        let (severity, outcome) = match result {
            Ok(_) => (Severity::Low, "done".to_owned()),
            Err(error) => (Severity::Medium, error.to_string()),
        };
        let message = format!("{} {how} for {}: {outcome}", effect.name(), call.plugin);
        let data = serde_json::json!({ "effect": effect.name(), "outcome": outcome, "planned": how == "planned" });
        let event = Event::new(
            EventKind::EffectPerformed,
            severity,
            self.clock.now(),
            message,
        );
        let event = event
            .with_plugin(&call.plugin)
            .with_operation(operation)
            .with_data(data);
        match &call.purpose {
            Purpose::Recover { target, .. } => event.with_target(target),
            _ => event,
        }
    }
}

#[cfg(test)]
mod tests;
