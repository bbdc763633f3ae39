//! Everything that a backup source needs; made for `use mainstay_plugin_sdk::collection::*`.
//!
//! ```
//! use mainstay_plugin_sdk::collection::*;
//! use mainstay_plugin_sdk::testing::{ScriptedHost, collect};
//!
//! #[derive(Default)]
//! struct OneDump;
//!
//! impl BackupSource for OneDump {
//!     fn collect(&self, request: &CollectRequest, host: &mut impl Host) -> Result<Page> {
//!         let output = host.command("dump", &[])?;
//!         Ok(Page::of(vec![Part::whole("dump.sql", output.stdout)]))
//!     }
//! }
//!
//! export_backup_source!(OneDump, capabilities = ["command" => "dump the database"]);
//!
//! let page = OneDump.collect(&collect("state"), &mut ScriptedHost::new())?;
//! assert!(page.next.is_none() && page.parts[0].last);
//! # Ok::<(), CollectFailure>(())
//! ```

pub use crate::bindings::collection::exports::mainstay::plugin::collection::{
    CollectFailure, CollectRequest, Cursor, Page, Part,
};
pub use crate::export_backup_source;
pub use crate::host::{
    BackupType, Clock, Commands, DurationMs, EffectError, Http, Level, Log, Method, Output,
    Request, Response, Settings, Timestamp,
};
pub use crate::plugin_settings;

/// What a backup source gives back.
pub type Result<T, E = CollectFailure> = core::result::Result<T, E>;

/// All that a backup source can ask for, by grant.
pub trait Host: Log + Settings + Clock + Http + Commands {}

impl<H: Log + Settings + Clock + Http + Commands> Host for H {}

/// A plugin that gives the documents that a job backs up. Exported with [`export_backup_source!`].
pub trait BackupSource {
    /// Gives one page. Called with each page's `next` until there is none.
    ///
    /// # Errors
    /// The failure says whether another attempt may help, none will, or the run has to begin anew.
    fn collect(&self, request: &CollectRequest, host: &mut impl Host) -> Result<Page>;
}

impl Part {
    /// A whole document.
    pub fn whole(key: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            key: key.into(),
            offset: 0,
            bytes: bytes.into(),
            last: true,
        }
    }
}

impl Page {
    /// The last page.
    pub fn of(parts: Vec<Part>) -> Self {
        Self {
            parts,
            removed: Vec::new(),
            next: None,
            watermark: None,
        }
    }

    /// With another page after it, which begins at this position of the same run.
    #[must_use]
    pub fn followed_by(mut self, request: &CollectRequest, position: impl Into<Vec<u8>>) -> Self {
        self.next = Some(Cursor {
            run: request.at.run.clone(),
            position: position.into(),
        });
        self
    }

    /// With the watermark of the run; only in its last page, and at most 64 KiB.
    #[must_use]
    pub fn up_to(mut self, watermark: impl Into<Vec<u8>>) -> Self {
        self.watermark = Some(watermark.into());
        self
    }
}

impl From<EffectError> for CollectFailure {
    /// What may work later is retryable, all else permanent.
    fn from(error: EffectError) -> Self {
        if error.is_temporary() {
            Self::Retryable(error.text().to_owned())
        } else {
            Self::Permanent(error.text().to_owned())
        }
    }
}

impl From<crate::settings::SettingsError> for CollectFailure {
    fn from(error: crate::settings::SettingsError) -> Self {
        Self::Permanent(error.to_string())
    }
}

/// What the export macro needs of a type.
#[doc(hidden)]
pub fn __new<P: crate::plugin::Plugin + BackupSource + Default>() -> P {
    P::default()
}

/// Makes a type the backup source that this crate's component exports.
///
/// The type implements [`BackupSource`] and [`Default`]. Name, version and summary come from `Cargo.toml`;
/// `capabilities` are the grants that it asks the operator for, each with a sentence why; `settings` is the type of its
/// settings.
#[macro_export]
macro_rules! export_backup_source {
    (
        $plugin:ty
        $(, capabilities = [$($capability:expr => $why:expr),* $(,)?])?
        $(, settings = $settings:ty)?
        $(,)?
    ) => {
        $crate::__describe!($plugin, [], [$($($capability => $why),*)?] $(, $settings)?);
        $crate::__export!($plugin, collection);
    };
}
