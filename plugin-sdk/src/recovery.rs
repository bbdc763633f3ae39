//! Everything that a recovery handler needs; made for `use mainstay_plugin_sdk::recovery::*`.
//!
//! ```
//! use mainstay_plugin_sdk::recovery::*;
//! use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, operation};
//!
//! #[derive(Default)]
//! struct FlushCache;
//!
//! impl RecoveryHandler for FlushCache {
//!     fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
//!         let output = host.command("flush-cache", &[("target", &op.target)])?;
//!         if !output.success() {
//!             return Err(RecoveryFailure::Retryable(format!("flush-cache said: {}", output.text())));
//!         }
//!         Ok(Report::action("flushed the cache"))
//!     }
//! }
//!
//! export_recovery_handler!(
//!     FlushCache,
//!     handles = ["memory-overflow"],
//!     capabilities = ["command" => "run flush-cache"],
//! );
//!
//! let mut host = ScriptedHost::new();
//! let report = FlushCache.recover(&operation("redis", "memory-overflow"), &mut host)?;
//! assert_eq!(report.actions, ["flushed the cache"]);
//! assert_eq!(host.effects(), [Effect::command("flush-cache", &[("target", "redis")])]);
//! # Ok::<(), RecoveryFailure>(())
//! ```

pub use crate::bindings::recovery::exports::mainstay::plugin::recovery::{
    Operation, RecoveryFailure, Report,
};
pub use crate::export_recovery_handler;
pub use crate::host::{
    Backup, BackupJob, BackupType, Backups, Clock, Commands, DurationMs, EffectError, Evidence,
    Health, Http, Kv, KvStore, Level, Log, Method, Output, Request, Response, Restored, Settings,
    Severity, Signal, Target, TargetStatus, Targets, Timestamp,
};
pub use crate::plugin_settings;

use std::time::Duration;

/// What evidence of a person who asked for an operation, and of another system that reported a failure, has for a check.
const NO_CHECKS: [&str; 2] = ["operator", "report"];

/// What a recovery handler gives back.
pub type Result<T, E = RecoveryFailure> = core::result::Result<T, E>;

/// All that a recovery handler can ask for, by grant.
pub trait Host: Log + Settings + Clock + Targets + Commands + Http + Kv + Backups {}

impl<H: Log + Settings + Clock + Targets + Commands + Http + Kv + Backups> Host for H {}

/// A plugin that recovers a failed target. Exported with [`export_recovery_handler!`].
pub trait RecoveryHandler {
    /// Recovers the target. After a crash of the host it is called again, from its beginning and with the same attempt:
    /// look before acting, for what it did then may be done. Success means "done what I can"; the host then verifies the target itself.
    ///
    /// # Errors
    /// The failure says whether another attempt may help, none will, or a person has to act.
    fn recover(&self, operation: &Operation, host: &mut impl Host) -> Result<Report>;
}

impl Report {
    /// A report of one action, a past-tense phrase.
    pub fn action(action: impl Into<String>) -> Self {
        Self {
            actions: vec![action.into()],
            data_loss: None,
        }
    }

    /// Adds an action.
    #[must_use]
    pub fn and(mut self, action: impl Into<String>) -> Self {
        self.actions.push(action.into());
        self
    }

    /// Says what may be lost.
    #[must_use]
    pub fn losing(mut self, data: impl Into<String>) -> Self {
        self.data_loss = Some(data.into());
        self
    }
}

impl Default for Report {
    /// A report of nothing done.
    fn default() -> Self {
        Self {
            actions: Vec::new(),
            data_loss: None,
        }
    }
}

impl Operation {
    /// Whether checks of the target, its process among them, saw the failure. Else a person asked for the operation, or
    /// another system reported the failure.
    pub fn is_seen_by_checks(&self) -> bool {
        self.seen_by().next().is_some()
    }

    /// Looks at the checks of the target that saw the failure until they pass or `limit` is over, as [`Target::watch`] does:
    /// what the first of them that does not says, as `check: message`, or none where all pass. Where no check saw it, every
    /// one counts.
    ///
    /// # Errors
    /// As for [`Target::check`].
    pub fn still_seen(
        &self,
        host: &mut (impl Targets + Clock),
        limit: Duration,
    ) -> core::result::Result<Option<String>, EffectError> {
        let counts = |seen: &Evidence| {
            !self.is_seen_by_checks() || self.seen_by().any(|check| check == seen.check)
        };
        let failing = host.target(&self.target).watch(limit, counts)?;
        let first = failing.first();
        Ok(first.map(|first| format!("{}: {}", first.check, first.message)))
    }

    /// The checks that saw the failure.
    fn seen_by(&self) -> impl Iterator<Item = &str> {
        let seen = self.evidence.iter().map(|seen| seen.check.as_str());
        seen.filter(|check| !NO_CHECKS.contains(check))
    }

    /// The parameters of the chain's step as the plugin's own type.
    ///
    /// # Errors
    /// They do not fit; the message says which field, what was found and what is allowed.
    #[cfg(feature = "settings")]
    pub fn params_as<T>(&self) -> core::result::Result<T, crate::settings::SettingsError>
    where
        T: serde::de::DeserializeOwned + schemars::JsonSchema,
    {
        crate::settings::parse_strictly("params", &self.params)
    }
}

impl From<EffectError> for RecoveryFailure {
    /// What may work later is retryable, all else permanent.
    fn from(error: EffectError) -> Self {
        if error.is_temporary() {
            Self::Retryable(error.text().to_owned())
        } else {
            Self::Permanent(error.text().to_owned())
        }
    }
}

impl From<crate::settings::SettingsError> for RecoveryFailure {
    fn from(error: crate::settings::SettingsError) -> Self {
        Self::Permanent(error.to_string())
    }
}

/// What the export macro needs of a type.
#[doc(hidden)]
pub fn __new<P: crate::plugin::Plugin + RecoveryHandler + Default>() -> P {
    P::default()
}

/// Makes a type the recovery handler that this crate's component exports.
///
/// The type implements [`RecoveryHandler`] and [`Default`]. Name, version and summary come from `Cargo.toml`
/// (`name`, `version`, `description`). `handles` are the failure types that it is meant for; `capabilities` are the
/// grants that it asks the operator for, each with a sentence why; `settings` is the type of its settings.
///
/// ```
/// # use mainstay_plugin_sdk::recovery::*;
/// # #[derive(Default)]
/// # struct RestartService;
/// # impl RecoveryHandler for RestartService {
/// #     fn recover(&self, _: &Operation, _: &mut impl Host) -> Result<Report> { Ok(Report::default()) }
/// # }
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct RestartSettings {}
/// export_recovery_handler!(
///     RestartService,
///     handles = ["service-down", "api-gateway-down"],
///     capabilities = ["target" => "restart the failed service"],
///     settings = RestartSettings,
/// );
/// ```
#[macro_export]
macro_rules! export_recovery_handler {
    (
        $plugin:ty,
        handles = [$($failure:expr),* $(,)?]
        $(, capabilities = [$($capability:expr => $why:expr),* $(,)?])?
        $(, settings = $settings:ty)?
        $(,)?
    ) => {
        $crate::__describe!($plugin, [$($failure),*], [$($($capability => $why),*)?] $(, $settings)?);
        $crate::__export!($plugin, recovery);
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ScriptedHost, evidence, operation};

    #[test]
    fn only_the_checks_that_saw_the_failure_count_and_every_one_where_none_did() {
        let failing = |check: &str| Ok(vec![evidence(check, "no")]);
        let mut host = ScriptedHost::new();
        host.on_check("api", failing("disk"));
        let mut op = operation("api", "service-down");
        let at_once = Duration::ZERO;
        assert_eq!(op.still_seen(&mut host, at_once), Ok(None));
        host.on_check("api", failing("http"));
        let told = op.still_seen(&mut host, at_once).unwrap();
        assert_eq!(told.as_deref(), Some("http: no"));
        assert!(op.is_seen_by_checks());
        // A person asked for it, or another system reported it.
        for evidence in [vec![], vec![evidence("operator", "anna asked for it")]] {
            op.evidence = evidence;
            host.on_check("api", failing("disk"));
            let told = op.still_seen(&mut host, at_once).unwrap();
            assert_eq!(told.as_deref(), Some("disk: no"));
            assert!(!op.is_seen_by_checks());
        }
    }
}
