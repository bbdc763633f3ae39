//! Everything that a recovery strategy needs; made for `use mainstay_plugin_sdk::strategy::*`.
//!
//! ```
//! use mainstay_plugin_sdk::strategy::*;
//! use mainstay_plugin_sdk::testing::{ScriptedHost, situation};
//!
//! #[derive(Default)]
//! struct TwiceThenAPerson;
//!
//! impl RecoveryStrategy for TwiceThenAPerson {
//!     fn next(&self, situation: &Situation, _: &mut impl Host) -> Result<NextStep> {
//!         Ok(match situation.failed_attempts() {
//!             0 | 1 => NextStep::AttemptAfter(5_000),
//!             _ => NextStep::Escalate("two attempts did not help".into()),
//!         })
//!     }
//! }
//!
//! export_recovery_strategy!(TwiceThenAPerson);
//!
//! let next = TwiceThenAPerson.next(&situation("api", "service-down"), &mut ScriptedHost::new())?;
//! assert_eq!(next, NextStep::AttemptAfter(5_000));
//! # Ok::<(), String>(())
//! ```

pub use crate::bindings::strategy::exports::mainstay::plugin::strategy::{
    AttemptRecord, NextStep, Situation,
};
pub use crate::export_recovery_strategy;
pub use crate::host::{DurationMs, Level, Log, Settings, Severity, Timestamp, to_duration_ms};
pub use crate::plugin_settings;

/// What a recovery strategy gives back; the error is a message for the operator.
pub type Result<T, E = String> = core::result::Result<T, E>;

/// All that a recovery strategy can ask for.
pub trait Host: Log + Settings {}

impl<H: Log + Settings> Host for H {}

/// A plugin that decides when a recovery is attempted again. Exported with [`export_recovery_strategy!`].
pub trait RecoveryStrategy {
    /// Decides what comes after a failed attempt. A pure function of its arguments and the settings.
    ///
    /// # Errors
    /// A message for the operator; the route's own strategy then decides.
    fn next(&self, situation: &Situation, host: &mut impl Host) -> Result<NextStep>;
}

impl Situation {
    /// How many attempts have failed: the number of the last one.
    pub fn failed_attempts(&self) -> u32 {
        self.attempts.last().map_or(0, |attempt| attempt.number)
    }

    /// The parameters of the strategy as the plugin's own type.
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

/// What the export macro needs of a type.
#[doc(hidden)]
pub fn __new<P: crate::plugin::Plugin + RecoveryStrategy + Default>() -> P {
    P::default()
}

/// Makes a type the recovery strategy that this crate's component exports.
///
/// The type implements [`RecoveryStrategy`] and [`Default`]. Name, version and summary come from `Cargo.toml`;
/// `settings` is the type of its settings.
#[macro_export]
macro_rules! export_recovery_strategy {
    ($plugin:ty $(, settings = $settings:ty)? $(,)?) => {
        $crate::__describe!($plugin, [], [] $(, $settings)?);
        $crate::__export!($plugin, strategy);
    };
}
