//! What a guest said, as it is kept and shown: placeholders in place of handles.

use super::SecretHandles;
use crate::{
    backup::Verdict,
    blob::Blob,
    call::{DeliveryFailure, Receipt, RecoveryFailure, Report},
    effect::{Effect, EffectError, HttpRequest},
};

/// Can be shown with `${secret:NAME}` in place of each handle of the call that it comes from. A handle of another call
/// stays, and is text.
pub trait Shown: Sized {
    /// With placeholders.
    #[must_use]
    fn shown(self, handles: &SecretHandles) -> Self;
}

impl Shown for String {
    fn shown(self, handles: &SecretHandles) -> Self {
        match handles.show(self.as_bytes()) {
            Some(shown) => String::from_utf8_lossy(&shown).into_owned(),
            None => self,
        }
    }
}

impl Shown for Blob {
    fn shown(self, handles: &SecretHandles) -> Self {
        handles.show(&self.0).map_or(self, Self)
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(self, handles: &SecretHandles) -> Self {
        self.map(|value| value.shown(handles))
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(self, handles: &SecretHandles) -> Self {
        self.into_iter().map(|value| value.shown(handles)).collect()
    }
}

impl<A: Shown, B: Shown> Shown for (A, B) {
    fn shown(self, handles: &SecretHandles) -> Self {
        (self.0.shown(handles), self.1.shown(handles))
    }
}

impl<T: Shown, E: Shown> Shown for Result<T, E> {
    fn shown(self, handles: &SecretHandles) -> Self {
        match self {
            Ok(value) => Ok(value.shown(handles)),
            Err(error) => Err(error.shown(handles)),
        }
    }
}

impl Shown for Report {
    fn shown(self, handles: &SecretHandles) -> Self {
        Self {
            actions: self.actions.shown(handles),
            data_loss: self.data_loss.shown(handles),
        }
    }
}

impl Shown for RecoveryFailure {
    fn shown(self, handles: &SecretHandles) -> Self {
        match self {
            Self::Retryable(reason) => Self::Retryable(reason.shown(handles)),
            Self::Permanent(reason) => Self::Permanent(reason.shown(handles)),
            Self::NeedsOperator(steps) => Self::NeedsOperator(steps.shown(handles)),
        }
    }
}

impl Shown for Receipt {
    fn shown(self, handles: &SecretHandles) -> Self {
        Self {
            reference: self.reference.shown(handles),
        }
    }
}

impl Shown for DeliveryFailure {
    fn shown(self, handles: &SecretHandles) -> Self {
        match self {
            Self::RetryAfter { reason, after_ms } => Self::RetryAfter {
                reason: reason.shown(handles),
                after_ms,
            },
            Self::Permanent(reason) => Self::Permanent(reason.shown(handles)),
        }
    }
}

impl Shown for Verdict {
    fn shown(self, handles: &SecretHandles) -> Self {
        Self {
            id: self.id.shown(handles),
            reason: self.reason.shown(handles),
            ..self
        }
    }
}

impl Shown for EffectError {
    fn shown(self, handles: &SecretHandles) -> Self {
        match self {
            Self::Denied(why) => Self::Denied(why.shown(handles)),
            Self::Limited(why) => Self::Limited(why.shown(handles)),
            Self::TimedOut(why) => Self::TimedOut(why.shown(handles)),
            Self::Unavailable(why) => Self::Unavailable(why.shown(handles)),
            Self::Failed(why) => Self::Failed(why.shown(handles)),
        }
    }
}

impl Shown for HttpRequest {
    fn shown(self, handles: &SecretHandles) -> Self {
        Self {
            url: self.url.shown(handles),
            headers: self.headers.shown(handles),
            body: self.body.shown(handles),
            ..self
        }
    }
}

impl Shown for Effect {
    fn shown(self, handles: &SecretHandles) -> Self {
        let text = |text: String| text.shown(handles);
        match self {
            Self::ClockNow | Self::ClockSleep { .. } => self,
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
                arguments: arguments.shown(handles),
            },
            Self::HttpSend(request) => Self::HttpSend(request.shown(handles)),
            Self::KvGet { key } => Self::KvGet { key: text(key) },
            Self::KvSet { key, value } => Self::KvSet {
                key: text(key),
                value: value.shown(handles),
            },
            Self::KvDelete { key } => Self::KvDelete { key: text(key) },
            Self::KvCompareAndSet {
                key,
                expected,
                value,
            } => Self::KvCompareAndSet {
                key: text(key),
                expected: expected.shown(handles),
                value: value.shown(handles),
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
