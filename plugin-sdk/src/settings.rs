//! Typed settings: a serde struct, its JSON Schema, and errors that an operator can act on.
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
#[cfg(feature = "settings")]
mod typed;

#[cfg(feature = "settings")]
pub use duration::{DurationText, DurationTextError};
#[cfg(feature = "settings")]
pub use typed::{SettingsError, check, parse, parse_strictly, schema_of};

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
