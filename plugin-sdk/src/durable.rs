//! Everything that a durable recovery handler needs; made for `use mainstay_plugin_sdk::durable::*`.
//!
//! It is a recovery handler that may also ask for random numbers, wait until a moment and for a signal, and have a key
//! that is the same in every attempt.
//!
//! ```
//! use mainstay_plugin_sdk::durable::*;
//! use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, operation};
//!
//! #[derive(Default)]
//! struct RestartAtNight;
//!
//! impl DurableRecoveryHandler for RestartAtNight {
//!     fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
//!         let text = host.await_signal("go", op.detected_at + 3_600_000)?;
//!         host.target(&op.target).restart()?;
//!         Ok(Report::action(format!("restarted, for {text}")))
//!     }
//! }
//!
//! export_durable_recovery_handler!(
//!     RestartAtNight,
//!     handles = ["service-down"],
//!     capabilities = ["target" => "restart the failed service"],
//! );
//!
//! let mut host = ScriptedHost::new();
//! host.on_await_signal("go", Ok("the night".into()));
//! let report = RestartAtNight.recover(&operation("api", "service-down"), &mut host)?;
//! assert_eq!(report.actions, ["restarted, for the night"]);
//! assert!(matches!(host.effects(), [Effect::AwaitSignal { .. }, Effect::Restart(_)]));
//! # Ok::<(), RecoveryFailure>(())
//! ```

pub use crate::export_durable_recovery_handler;
pub use crate::host::{
    Backup, BackupJob, BackupType, Backups, Clock, Commands, Durable, DurationMs, EffectError,
    Evidence, Health, Http, Kv, KvStore, Level, Log, Method, Output, Random, Request, Response,
    Restored, Settings, Severity, Signal, Target, TargetStatus, Targets, Timestamp, to_duration_ms,
};
pub use crate::plugin_settings;
pub use crate::recovery::{Operation, RecoveryFailure, Report, Result};

/// All that a durable recovery handler can ask for: what a recovery handler can, and more.
pub trait Host: crate::recovery::Host + Random + Durable {}

impl<H: crate::recovery::Host + Random + Durable> Host for H {}

/// A plugin that recovers a failed target, and goes on where it was after a crash of the host. Exported with
/// [`export_durable_recovery_handler!`].
pub trait DurableRecoveryHandler {
    /// Recovers the target. It must be deterministic but for what it asks the host: after a crash it may be run again with
    /// the answers that were recorded. Success means "done what I can"; the host then verifies the target itself.
    ///
    /// # Errors
    /// The failure says whether another attempt may help, none will, or a person has to act.
    fn recover(&self, operation: &Operation, host: &mut impl Host) -> Result<Report>;
}

/// What the export macro needs of a type.
#[doc(hidden)]
pub fn __new<P: crate::plugin::Plugin + DurableRecoveryHandler + Default>() -> P {
    P::default()
}

/// Makes a type the durable recovery handler that this crate's component exports.
///
/// The type implements [`DurableRecoveryHandler`] and [`Default`]. Name, version and summary come from `Cargo.toml`;
/// `handles` are the failure types that it is meant for; `capabilities` are the grants that it asks the operator for, each
/// with a sentence why; `settings` is the type of its settings.
#[macro_export]
macro_rules! export_durable_recovery_handler {
    (
        $plugin:ty,
        handles = [$($failure:expr),* $(,)?]
        $(, capabilities = [$($capability:expr => $why:expr),* $(,)?])?
        $(, settings = $settings:ty)?
        $(,)?
    ) => {
        $crate::__describe!($plugin, [$($failure),*], [$($($capability => $why),*)?] $(, $settings)?);
        #[cfg(target_family = "wasm")]
        $crate::__export_durable_component!($plugin);
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $plugin = $crate::durable::__new::<$plugin>;
    };
}
