//! Carries out what plugins ask for: journaled, and in a dry run answered by the plan.
//!
//! Invariant: an effect that acts for an operation has its intent in the journal, durable, before it happens, and its
//! result after it; an effect that only looks has its result. A dry run never acts.
//! Invariant: grants and counts were checked before an effect comes here; see `mainstay_runtime`.

use crate::ports::{
    BackupControl, Boxed, Clock, Commands, HttpClient, Journal, Secrets, TargetControl, Values,
    Watch,
};
use mainstay_domain::{
    effect::{Answer, Effect, EffectError, EffectResult},
    event::{Event, EventKind},
    health::Outcome,
    id::OperationId,
    journal::{Change, EffectEntry, EntryKind},
    name::{CommandName, JobName, TargetName},
    plan::{PlanFacts, planned_answer},
    severity::Severity,
    spec::Spec,
};
use mainstay_runtime::{Call, EffectPort, LogLine, Purpose, effects::LogLevel};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// What effects are made of.
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
    /// The number of the last effect of each operation that runs.
    pub numbers: EffectNumbers,
}

/// The number of the last effect of each operation that has not ended. Numbers go on over the attempts and steps of
/// an operation, so that a number is an idempotency key.
#[derive(Debug, Clone, Default)]
pub struct EffectNumbers(Arc<Mutex<HashMap<OperationId, u32>>>);

impl EffectNumbers {
    fn next(&self, operation: &OperationId) -> u32 {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = numbers.entry(operation.clone()).or_default();
        *number = number.saturating_add(1);
        *number
    }

    /// The operation has ended.
    pub fn forget(&self, operation: &OperationId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(operation);
    }
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
                Purpose::Recover { operation, .. } => {
                    self.perform_for(call, operation, effect).await
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
            .map(|(key, value)| format!("{key}={}", clean(value)))
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
        let number = self.numbers.next(operation);
        let entry = |kind, result| EffectEntry {
            operation: operation.clone(),
            number,
            at: self.clock.now(),
            kind,
            effect: effect.clone(),
            result,
        };
        if !effect.only_reads() {
            let intent = self
                .journal
                .commit(vec![Change::Effect(entry(EntryKind::Intent, None))])
                .await;
            intent.map_err(|error| {
                EffectError::Unavailable(format!("{} was not begun: {error}", effect.name()))
            })?;
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
        let number = self.numbers.next(operation);
        let facts = self.plan_facts(call, &effect).await;
        let result = match planned_answer(&effect, &facts) {
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
            effect,
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

    /// The doing itself. `key` is the idempotency key.
    async fn act(&self, call: &Call, effect: &Effect, key: String) -> EffectResult {
        let done = |result: Result<(), EffectError>| result.map(|()| Answer::Done);
        let plugin = || call.plugin.name.clone();
        match effect.clone() {
            Effect::ClockNow => Ok(Answer::Now(self.clock.now())),
            Effect::ClockSleep { length_ms } => {
                tokio::time::sleep(Duration::from_millis(length_ms)).await;
                Ok(Answer::Done)
            }
            Effect::TargetStatus { target } => {
                let target = target_name(&target)?;
                self.targets
                    .status(&target)
                    .map(Answer::Status)
                    .ok_or_else(|| unknown("target", &target))
            }
            Effect::TargetStart { target } => done(self.targets.start(target_name(&target)?).await),
            Effect::TargetStop { target } => done(self.targets.stop(target_name(&target)?).await),
            Effect::TargetRestart { target } => {
                done(self.targets.restart(target_name(&target)?).await)
            }
            Effect::TargetSend { target, signal } => {
                done(self.targets.signal(target_name(&target)?, signal).await)
            }
            Effect::TargetCheck { target } => {
                let seen = self
                    .watch
                    .check_now(target_name(&target)?)
                    .await?
                    .into_iter();
                let failing = seen.filter(|observation| observation.outcome == Outcome::Failed);
                Ok(Answer::Evidence(
                    failing.map(|observation| observation.evidence).collect(),
                ))
            }
            Effect::CommandRun { name, arguments } => {
                self.run_command(call, &name, arguments, key).await
            }
            Effect::HttpSend(request) => {
                let timeout = request
                    .timeout_ms
                    .map_or(call.limits.timeout, Duration::from_millis);
                let timeout = timeout.min(call.limits.timeout);
                let (granted, bound) = (call.grants.http.clone(), call.limits.result_bytes);
                self.http
                    .send(request, granted, Some(key), timeout, bound)
                    .await
                    .map(Answer::Response)
            }
            Effect::KvGet { key } => self
                .values
                .get(plugin(), key)
                .await
                .map(|value| Answer::Value(value.map(Into::into))),
            Effect::KvSet { key, value } => done(
                self.values
                    .set(plugin(), key, Some(value.0), call.grants.kv_bytes)
                    .await,
            ),
            Effect::KvDelete { key } => done(
                self.values
                    .set(plugin(), key, None, call.grants.kv_bytes)
                    .await,
            ),
            Effect::KvCompareAndSet {
                key,
                expected,
                value,
            } => {
                let expected = expected.map(|blob| blob.0);
                let bound = call.grants.kv_bytes;
                self.values
                    .compare_and_set(plugin(), key, expected, value.0, bound)
                    .await
                    .map(Answer::Swapped)
            }
            Effect::KvKeys { prefix } => self.values.keys(plugin(), prefix).await.map(Answer::Keys),
            Effect::BackupNewest { job, before } => self
                .backups
                .newest(job_name(&job)?, before)
                .await
                .map(Answer::Backup),
            Effect::BackupCreate { job, backup_type } => self
                .backups
                .create(job_name(&job)?, backup_type)
                .await
                .map(|backup| Answer::Backup(Some(backup))),
            Effect::BackupRestore { job, id } => {
                let (documents, bytes) = self.backups.restore(job_name(&job)?, id).await?;
                Ok(Answer::Restored { documents, bytes })
            }
        }
    }

    async fn run_command(
        &self,
        call: &Call,
        name: &str,
        arguments: Vec<(String, String)>,
        key: String,
    ) -> EffectResult {
        let name =
            CommandName::parse(name).map_err(|error| EffectError::Failed(error.to_string()))?;
        let spec = self.spec.borrow().commands.get(&name).cloned();
        let spec = spec.ok_or_else(|| unknown("command", &name))?;
        self.commands
            .run(name, spec, arguments, key, call.limits.result_bytes)
            .await
            .map(Answer::Output)
    }
}

fn target_name(text: &str) -> Result<TargetName, EffectError> {
    TargetName::parse(text).map_err(|error| EffectError::Failed(error.to_string()))
}

fn job_name(text: &str) -> Result<JobName, EffectError> {
    JobName::parse(text).map_err(|error| EffectError::Failed(error.to_string()))
}

fn unknown(what: &str, name: &impl std::fmt::Display) -> EffectError {
    EffectError::Failed(format!("there is no {what} `{name}` in the config"))
}
