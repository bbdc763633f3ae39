//! What nobody knows after a crash: whether an effect happened that was begun and has no result.

use crate::{effect::Effect, time::Timestamp};
use serde::{Deserialize, Serialize};

/// An effect of which nobody knows whether it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The call that asked for it.
    pub call: u32,
    /// Its number.
    pub number: u32,
    /// What was asked, secrets by name.
    pub effect: Effect,
    /// Its idempotency key.
    pub key: String,
    /// When it was begun.
    pub begun_at: Timestamp,
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "effect {}, {}, was begun at {} with the key {}, and the daemon ended before it had a result: nobody knows \
             whether it happened",
            self.number,
            request_words(&self.effect),
            self.begun_at,
            self.key
        )
    }
}

/// The request in a few words: its name and what it is about.
pub fn request_words(effect: &Effect) -> String {
    let name = effect.name();
    match effect {
        Effect::TargetStatus { target }
        | Effect::TargetStart { target }
        | Effect::TargetStop { target }
        | Effect::TargetRestart { target }
        | Effect::TargetSend { target, .. }
        | Effect::TargetCheck { target } => format!("{name} of {target}"),
        Effect::CommandRun { name: command, .. } => format!("{name} of `{command}`"),
        Effect::HttpSend(request) => {
            format!("{name} {} {}", request.method.as_str(), request.url)
        }
        Effect::MailSend(message) => format!("{name} through {}", message.account),
        Effect::KvGet { key }
        | Effect::KvSet { key, .. }
        | Effect::KvDelete { key }
        | Effect::KvCompareAndSet { key, .. } => format!("{name} of `{key}`"),
        Effect::BackupNewest { job, .. }
        | Effect::BackupCreate { job, .. }
        | Effect::BackupRestore { job, .. } => format!("{name} of {job}"),
        Effect::AwaitSignal { name: signal, .. } => format!("{name} of `{signal}`"),
        Effect::ClockNow | Effect::ClockSleep { .. } | Effect::KvKeys { .. } => name.to_owned(),
    }
}
