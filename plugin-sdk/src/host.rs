//! What a plugin can ask its host for: one trait for each interface of the contract.
//!
//! A plugin kind's `Host` is the sum of the traits that its world imports, so a capability that the kind does not
//! have does not compile. An implementation has the plain functions (named as in the contract); plugins use what
//! is built on them: [`Targets::target`], [`Kv::kv`] and so on.
//!
//! Invariant: the plain functions map one to one to the contract's.

mod backups;
#[cfg(feature = "contract-1-1")]
mod durable;
#[cfg(feature = "contract-1-2")]
mod egress;
mod http;
mod kv;
mod targets;

pub use backups::{BackupJob, Backups};
#[cfg(feature = "contract-1-1")]
pub use durable::{Durable, Random};
#[cfg(feature = "contract-1-2")]
pub use egress::{Mail, MailMessage, SignedHttp, Signing};
pub use http::Http;
pub use kv::{Kv, KvStore};
pub use targets::{Target, Targets};

pub use crate::bindings::effects::mainstay::plugin::backups::Restored;
pub use crate::bindings::effects::mainstay::plugin::commands::Output;
pub use crate::bindings::effects::mainstay::plugin::http::{Method, Request, Response};
pub use crate::bindings::effects::mainstay::plugin::log::Level;
pub use crate::bindings::effects::mainstay::plugin::targets::{Health, Signal, TargetStatus};
pub use crate::bindings::effects::mainstay::plugin::types::{
    Backup, BackupType, DurationMs, EffectError, Evidence, Severity, Timestamp,
};

use std::time::Duration;

/// Structured log lines. Always granted.
pub trait Log {
    /// Writes one line with named fields.
    fn log(&mut self, level: Level, message: &str, fields: &[(&str, &str)]);
}

/// The operator's settings. Always granted.
pub trait Settings {
    /// The settings as a JSON object, `{}` where there are none. A handle of the call stands in them for each secret.
    fn settings_json(&mut self) -> String;

    /// The settings as the plugin's own type.
    ///
    /// # Errors
    /// The settings do not fit the type. The host has checked them with the plugin's own `configure` before, so
    /// this happens only where the two disagree.
    fn settings<T>(&mut self) -> Result<T, crate::settings::SettingsError>
    where
        T: crate::settings::FromSettings,
        Self: Sized,
    {
        T::from_settings(&self.settings_json())
    }
}

/// Time that is part of the record. Always granted.
pub trait Clock {
    /// The time of day, in milliseconds since the Unix epoch. Never goes back within one operation.
    fn now(&mut self) -> Timestamp;

    /// Waits. A restart of the host cuts it off with its call, which is then made again from the beginning.
    fn sleep(&mut self, length: Duration);
}

/// Commands that the operator named: `command = ["flush-cache"]`.
pub trait Commands {
    /// Runs a command to its end; `arguments` fill its declared placeholders. An exit status other than 0 is an
    /// output, not an error.
    ///
    /// # Errors
    /// The command is not granted, could not be started, or was killed at its timeout.
    fn command(&mut self, name: &str, arguments: &[(&str, &str)]) -> Result<Output, EffectError>;
}

impl EffectError {
    /// What happened, for people, without its class.
    pub fn text(&self) -> &str {
        match self {
            Self::Denied(text)
            | Self::Limited(text)
            | Self::TimedOut(text)
            | Self::Unavailable(text)
            | Self::Failed(text) => text,
        }
    }

    /// Whether the same effect may work later: true for `TimedOut` and `Unavailable`.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Unavailable(_))
    }
}

impl From<EffectError> for String {
    /// Its text, for kinds of plugins whose errors are messages for people.
    fn from(error: EffectError) -> Self {
        error.text().to_owned()
    }
}

impl Output {
    /// Whether the command ended with status 0.
    pub fn success(&self) -> bool {
        self.exit_code == 0
    }

    /// Standard output as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A length of time in the contract's unit, rounded up; as long as can be said where it is longer.
pub fn to_duration_ms(length: Duration) -> DurationMs {
    DurationMs::try_from(length.as_nanos().div_ceil(1_000_000)).unwrap_or(DurationMs::MAX)
}
