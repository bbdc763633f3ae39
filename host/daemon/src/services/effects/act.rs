//! The doing itself: one adapter or service for each effect.
//!
//! Invariant: handles of secrets go to the HTTP client, which puts values in their place, and nowhere else.

use super::Effects;
use crate::ports::AnswerBound;
use mainstay_domain::{
    effect::{Answer, Effect, EffectError, EffectResult, MailMessage},
    health::Outcome,
    mail,
    name::{CommandName, JobName, MailAccountName, TargetName},
    secret::Masked,
};
use mainstay_runtime::{Call, Purpose};
use std::time::Duration;

impl Effects {
    /// Does it. `key` is the idempotency key.
    pub(super) async fn act(&self, call: &Call, effect: &Effect, key: String) -> EffectResult {
        let done = |result: Result<(), EffectError>| result.map(|()| Answer::Done);
        let plugin = || call.plugin.name.clone();
        let effect = match effect {
            Effect::HttpSend(_) => effect.clone(),
            other => other.clone().masked(&call.secrets),
        };
        match effect {
            Effect::ClockNow => Ok(Answer::Now(self.shared.clock.now())),
            Effect::ClockSleep { length_ms } => {
                tokio::time::sleep(Duration::from_millis(length_ms)).await;
                Ok(Answer::Done)
            }
            Effect::AwaitSignal { name, .. } => {
                let why = format!("only a durable call of an operation waits for `{name}`");
                Err(EffectError::Unavailable(why))
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
                let (failing, others): (Vec<_>, Vec<_>) =
                    seen.partition(|observation| observation.outcome == Outcome::Failed);
                let unseen = others.into_iter();
                let mut unseen =
                    unseen.filter(|observation| observation.outcome == Outcome::Unknown);
                // That nothing fails is said only where everything was seen.
                if let Some(unseen) = unseen.next().filter(|_| failing.is_empty()) {
                    return Err(EffectError::Unavailable(format!(
                        "{target}: check {} could not look: {}",
                        unseen.check, unseen.evidence.message
                    )));
                }
                Ok(Answer::Evidence(
                    failing
                        .into_iter()
                        .map(|observation| observation.evidence)
                        .collect(),
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
                let granted = call.grants.http.clone();
                let bytes = call.limits.result_bytes;
                let bound = match call.purpose {
                    // What a receiver says beside its status changes nothing of what it did.
                    Purpose::Deliver { .. } => AnswerBound::Cut(bytes),
                    _ => AnswerBound::Whole(bytes),
                };
                let secrets = call.secrets.clone();
                self.http
                    .send(request, granted, secrets, Some(key), timeout, bound)
                    .await
                    .map(Answer::Response)
            }
            Effect::MailSend(message) => done(self.send_mail(message, &key).await),
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
                .create(job_name(&job)?, backup_type, key)
                .await
                .map(|backup| Answer::Backup(Some(backup))),
            Effect::BackupRestore { job, id } => {
                let (documents, bytes) = self.backups.restore(job_name(&job)?, id).await?;
                Ok(Answer::Restored { documents, bytes })
            }
        }
    }

    async fn send_mail(&self, message: MailMessage, key: &str) -> Result<(), EffectError> {
        let name = MailAccountName::parse(&message.account)
            .map_err(|error| EffectError::Failed(error.to_string()))?;
        let account = self.shared.spec.borrow().smtp.get(&name).cloned();
        let account = account.ok_or_else(|| unknown("mail account", &name))?;
        let letter = mail::letter(message, &account, key)?;
        self.mail.send(letter, account).await
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
        let spec = self.shared.spec.borrow().commands.get(&name).cloned();
        let spec = spec.ok_or_else(|| unknown("command", &name))?;
        self.commands
            .run(name, spec, arguments, key, call.limits.result_bytes)
            .await
            .map(Answer::Output)
    }
}

pub(super) fn target_name(text: &str) -> Result<TargetName, EffectError> {
    TargetName::parse(text).map_err(|error| EffectError::Failed(error.to_string()))
}

fn job_name(text: &str) -> Result<JobName, EffectError> {
    JobName::parse(text).map_err(|error| EffectError::Failed(error.to_string()))
}

fn unknown(what: &str, name: &impl std::fmt::Display) -> EffectError {
    EffectError::Failed(format!("there is no {what} `{name}` in the config"))
}
