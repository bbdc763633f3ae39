//! Everything that a retention policy needs; made for `use mainstay_plugin_sdk::retention::*`.
//!
//! ```
//! use mainstay_plugin_sdk::retention::*;
//! use mainstay_plugin_sdk::testing::{ScriptedHost, backup};
//!
//! #[derive(Default)]
//! struct KeepVerified;
//!
//! impl RetentionPolicy for KeepVerified {
//!     fn judge(&self, _: Timestamp, backups: &[Backup], _: &mut impl Host) -> Result<Vec<Verdict>> {
//!         Ok(backups.iter().map(|backup| match backup.verified_at {
//!             Some(_) => Verdict::keep(backup, "verified"),
//!             None => Verdict::expire(backup, "not verified"),
//!         }).collect())
//!     }
//! }
//!
//! export_retention_policy!(KeepVerified);
//!
//! let backups = [backup("ful-1", BackupType::Full, 0)];
//! let verdicts = KeepVerified.judge(1_000, &backups, &mut ScriptedHost::new())?;
//! assert!(verdicts[0].keep);
//! # Ok::<(), String>(())
//! ```

pub use crate::bindings::retention::exports::mainstay::plugin::retention::Verdict;
pub use crate::export_retention_policy;
pub use crate::host::{Backup, BackupType, Level, Log, Settings, Timestamp};
pub use crate::plugin_settings;

/// What a retention policy gives back; the error is a message for the operator.
pub type Result<T, E = String> = core::result::Result<T, E>;

/// All that a retention policy can ask for.
pub trait Host: Log + Settings {}

impl<H: Log + Settings> Host for H {}

/// A plugin that decides which backups are kept. Exported with [`export_retention_policy!`].
pub trait RetentionPolicy {
    /// Judges the backups of one job: one verdict for each, in any order; what has none is kept. A pure function of
    /// its arguments and the settings.
    ///
    /// # Errors
    /// A message for the operator; everything is kept.
    fn judge(
        &self,
        now: Timestamp,
        backups: &[Backup],
        host: &mut impl Host,
    ) -> Result<Vec<Verdict>>;
}

impl Verdict {
    /// Keep this backup.
    pub fn keep(backup: &Backup, reason: impl Into<String>) -> Self {
        Self {
            id: backup.id.clone(),
            keep: true,
            reason: reason.into(),
            expires: None,
        }
    }

    /// Let this backup go.
    pub fn expire(backup: &Backup, reason: impl Into<String>) -> Self {
        Self {
            id: backup.id.clone(),
            keep: false,
            reason: reason.into(),
            expires: None,
        }
    }

    /// Says when the policy expects to let it go.
    #[must_use]
    pub fn expires_at(mut self, time: Timestamp) -> Self {
        self.expires = Some(time);
        self
    }
}

/// What the export macro needs of a type.
#[doc(hidden)]
pub fn __new<P: crate::plugin::Plugin + RetentionPolicy + Default>() -> P {
    P::default()
}

/// Makes a type the retention policy that this crate's component exports.
///
/// The type implements [`RetentionPolicy`] and [`Default`]. Name, version and summary come from `Cargo.toml`;
/// `settings` is the type of its settings.
#[macro_export]
macro_rules! export_retention_policy {
    ($plugin:ty $(, settings = $settings:ty)? $(,)?) => {
        $crate::__describe!($plugin, [], [] $(, $settings)?);
        $crate::__export!($plugin, retention);
    };
}
