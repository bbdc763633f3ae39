//! Typed settings: a struct, its JSON Schema, and errors that an operator can act on. The struct is one of serde, as
//! here, or one without any other crate: see [`plain`].
//!
//! ```
//! use mainstay_plugin_sdk::settings::{DurationText, check, schema_of};
//!
//! /// How to restart.
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct RestartSettings {
//!     /// How long to wait for the checks to pass.
//!     #[serde(default)]
//!     wait: Option<DurationText>,
//! }
//!
//! assert!(check::<RestartSettings>(r#"{"wait": "20s"}"#).is_ok());
//! assert_eq!(
//!     check::<RestartSettings>(r#"{"wiat": "20s"}"#).unwrap_err(),
//!     "settings has an unknown field `wiat`; allowed: `wait`",
//! );
//! assert!(schema_of::<RestartSettings>().contains("How long to wait"));
//! ```
//!
//! Invariant: what [`check`] accepts, [`parse`] gives.

#[cfg(feature = "settings")]
mod duration;
pub mod plain;
#[cfg(feature = "settings")]
mod typed;
#[cfg(feature = "settings")]
mod url;

#[cfg(feature = "settings")]
pub use duration::{DurationText, DurationTextError};
#[cfg(feature = "settings")]
pub use typed::{check, parse, parse_strictly, schema_of};
#[cfg(feature = "settings")]
pub use url::UrlText;

/// Settings that do not fit their type. The text says which field, what was found and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(String);

impl std::fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

impl From<SettingsError> for String {
    fn from(error: SettingsError) -> Self {
        error.0
    }
}

/// A type that settings are read into: a struct of [`plugin_settings!`](crate::plugin_settings), and with the feature
/// `settings` all that serde deserializes.
pub trait FromSettings: Sized {
    /// The settings, a JSON object, as this type.
    ///
    /// # Errors
    /// They do not fit.
    fn from_settings(settings: &str) -> Result<Self, SettingsError>;
}

/// A type of settings that can say what it takes, as the export macros need it.
pub trait DescribedSettings: FromSettings {
    /// Its JSON Schema.
    fn schema() -> String;

    /// Whether settings fit: what `configure` answers.
    ///
    /// # Errors
    /// A message for the operator.
    fn check(settings: &str) -> Result<(), String>;
}

/// Checks the settings of a plugin that has none.
///
/// # Errors
/// There are some.
pub fn check_none(settings: &str) -> Result<(), String> {
    let bare: String = settings.split_whitespace().collect();
    if bare.is_empty() || bare == "{}" {
        Ok(())
    } else {
        Err(format!(
            "this plugin has no settings, and was given {settings}; remove them"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::check_none;

    #[test]
    fn a_plugin_without_settings_accepts_none() {
        assert_eq!(check_none(" { } "), Ok(()));
        let message = check_none(r#"{"grace": "2s"}"#).unwrap_err();
        assert!(message.contains(r#"{"grace": "2s"}"#), "{message}");
    }
}
