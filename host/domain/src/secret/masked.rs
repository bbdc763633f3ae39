//! What a guest said, as it is stored and shown: placeholders in place of handles.

use super::SecretHandles;
use crate::{
    backup::Verdict,
    blob::Blob,
    call::{
        CollectFailure, DeliveryFailure, NextStep, Page, Part, Receipt, RecoveryFailure, Report,
        Seen,
    },
    effect::{Effect, EffectError, HttpRequest, HttpSigning, MailMessage},
};

/// Can be masked: `${secret:NAME}` in place of each handle of the call that it comes from. A handle of another call
/// stays, and is text.
pub trait Masked: Sized {
    /// With placeholders.
    #[must_use]
    fn masked(self, handles: &SecretHandles) -> Self;
}

impl Masked for String {
    fn masked(self, handles: &SecretHandles) -> Self {
        match handles.mask(self.as_bytes()) {
            Some(masked) => String::from_utf8_lossy(&masked).into_owned(),
            None => self,
        }
    }
}

impl Masked for Blob {
    fn masked(self, handles: &SecretHandles) -> Self {
        handles.mask(&self.0).map_or(self, Self)
    }
}

impl<T: Masked> Masked for Option<T> {
    fn masked(self, handles: &SecretHandles) -> Self {
        self.map(|value| value.masked(handles))
    }
}

impl<T: Masked> Masked for Vec<T> {
    fn masked(self, handles: &SecretHandles) -> Self {
        self.into_iter()
            .map(|value| value.masked(handles))
            .collect()
    }
}

impl<A: Masked, B: Masked> Masked for (A, B) {
    fn masked(self, handles: &SecretHandles) -> Self {
        (self.0.masked(handles), self.1.masked(handles))
    }
}

impl<T: Masked, E: Masked> Masked for Result<T, E> {
    fn masked(self, handles: &SecretHandles) -> Self {
        match self {
            Ok(value) => Ok(value.masked(handles)),
            Err(error) => Err(error.masked(handles)),
        }
    }
}

impl Masked for Report {
    fn masked(self, handles: &SecretHandles) -> Self {
        Self {
            actions: self.actions.masked(handles),
            data_loss: self.data_loss.masked(handles),
        }
    }
}

impl Masked for RecoveryFailure {
    fn masked(self, handles: &SecretHandles) -> Self {
        match self {
            Self::Retryable(reason) => Self::Retryable(reason.masked(handles)),
            Self::Permanent(reason) => Self::Permanent(reason.masked(handles)),
            Self::NeedsOperator(steps) => Self::NeedsOperator(steps.masked(handles)),
        }
    }
}

impl Masked for Receipt {
    fn masked(self, handles: &SecretHandles) -> Self {
        Self {
            reference: self.reference.masked(handles),
        }
    }
}

impl Masked for DeliveryFailure {
    fn masked(self, handles: &SecretHandles) -> Self {
        match self {
            Self::RetryAfter { reason, after_ms } => Self::RetryAfter {
                reason: reason.masked(handles),
                after_ms,
            },
            Self::Permanent(reason) => Self::Permanent(reason.masked(handles)),
        }
    }
}

impl Masked for Verdict {
    fn masked(self, handles: &SecretHandles) -> Self {
        Self {
            id: self.id.masked(handles),
            reason: self.reason.masked(handles),
            ..self
        }
    }
}

impl Masked for Seen {
    fn masked(self, handles: &SecretHandles) -> Self {
        Self {
            message: self.message.masked(handles),
            failure: self.failure.masked(handles),
            ..self
        }
    }
}

impl Masked for NextStep {
    fn masked(self, handles: &SecretHandles) -> Self {
        match self {
            Self::AttemptAfter(_) => self,
            Self::Escalate(why) => Self::Escalate(why.masked(handles)),
            Self::GiveUp(why) => Self::GiveUp(why.masked(handles)),
        }
    }
}

impl Masked for Page {
    /// What a backup holds is what its source gave: only keys are shown.
    fn masked(self, handles: &SecretHandles) -> Self {
        let part = |part: Part| Part {
            key: part.key.masked(handles),
            ..part
        };
        Self {
            parts: self.parts.into_iter().map(part).collect(),
            removed: self.removed.masked(handles),
            ..self
        }
    }
}

impl Masked for CollectFailure {
    fn masked(self, handles: &SecretHandles) -> Self {
        match self {
            Self::Retryable(why) => Self::Retryable(why.masked(handles)),
            Self::Permanent(why) => Self::Permanent(why.masked(handles)),
            Self::ChangedUnderneath(why) => Self::ChangedUnderneath(why.masked(handles)),
        }
    }
}

impl Masked for EffectError {
    fn masked(self, handles: &SecretHandles) -> Self {
        match self {
            Self::Denied(why) => Self::Denied(why.masked(handles)),
            Self::Limited(why) => Self::Limited(why.masked(handles)),
            Self::TimedOut(why) => Self::TimedOut(why.masked(handles)),
            Self::Unavailable(why) => Self::Unavailable(why.masked(handles)),
            Self::Failed(why) => Self::Failed(why.masked(handles)),
        }
    }
}

impl Masked for HttpRequest {
    fn masked(self, handles: &SecretHandles) -> Self {
        Self {
            url: self.url.masked(handles),
            headers: self.headers.masked(handles),
            body: self.body.masked(handles),
            signing: self.signing.masked(handles),
            ..self
        }
    }
}

impl Masked for HttpSigning {
    fn masked(self, handles: &SecretHandles) -> Self {
        Self {
            secret: self.secret.masked(handles),
            header: self.header.masked(handles),
        }
    }
}

impl Masked for MailMessage {
    fn masked(self, handles: &SecretHandles) -> Self {
        Self {
            account: self.account.masked(handles),
            to: self.to.masked(handles),
            subject: self.subject.masked(handles),
            text: self.text.masked(handles),
            thread: self.thread.masked(handles),
        }
    }
}

impl Masked for Effect {
    fn masked(self, handles: &SecretHandles) -> Self {
        let text = |text: String| text.masked(handles);
        match self {
            Self::ClockNow | Self::ClockSleep { .. } => self,
            Self::AwaitSignal { name, until } => Self::AwaitSignal {
                name: text(name),
                until,
            },
            Self::TargetStatus { target } => Self::TargetStatus {
                target: text(target),
            },
            Self::TargetStart { target } => Self::TargetStart {
                target: text(target),
            },
            Self::TargetStop { target } => Self::TargetStop {
                target: text(target),
            },
            Self::TargetRestart { target } => Self::TargetRestart {
                target: text(target),
            },
            Self::TargetSend { target, signal } => Self::TargetSend {
                target: text(target),
                signal,
            },
            Self::TargetCheck { target } => Self::TargetCheck {
                target: text(target),
            },
            Self::CommandRun { name, arguments } => Self::CommandRun {
                name: text(name),
                arguments: arguments.masked(handles),
            },
            Self::HttpSend(request) => Self::HttpSend(request.masked(handles)),
            Self::MailSend(message) => Self::MailSend(message.masked(handles)),
            Self::KvGet { key } => Self::KvGet { key: text(key) },
            Self::KvSet { key, value } => Self::KvSet {
                key: text(key),
                value: value.masked(handles),
            },
            Self::KvDelete { key } => Self::KvDelete { key: text(key) },
            Self::KvCompareAndSet {
                key,
                expected,
                value,
            } => Self::KvCompareAndSet {
                key: text(key),
                expected: expected.masked(handles),
                value: value.masked(handles),
            },
            Self::KvKeys { prefix } => Self::KvKeys {
                prefix: text(prefix),
            },
            Self::BackupNewest { job, before } => Self::BackupNewest {
                job: text(job),
                before,
            },
            Self::BackupCreate { job, backup_type } => Self::BackupCreate {
                job: text(job),
                backup_type,
            },
            Self::BackupRestore { job, id } => Self::BackupRestore {
                job: text(job),
                id: text(id),
            },
        }
    }
}
