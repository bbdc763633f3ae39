//! From JSON to a settings type, strictly.
//!
//! Invariant: [`check`] refuses a top-level key that the type's schema does not name, whether or not the type itself
//! does; below the top it is the type's `deny_unknown_fields` that does.

use super::{DescribedSettings, FromSettings, SettingsError};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

impl<T: DeserializeOwned> FromSettings for T {
    fn from_settings(settings: &str) -> Result<Self, SettingsError> {
        parse(settings)
    }
}

impl<T: DeserializeOwned + JsonSchema> DescribedSettings for T {
    fn schema() -> String {
        schema_of::<T>()
    }

    fn check(settings: &str) -> Result<(), String> {
        check::<T>(settings)
    }
}

/// The JSON Schema of a settings type.
pub fn schema_of<T: JsonSchema>() -> String {
    schemars::schema_for!(T).to_value().to_string()
}

/// Settings as the plugin's own type, after the host has had them checked with [`check`]: this is called in every
/// run, and does not look for unknown keys again.
///
/// # Errors
/// They do not fit.
pub fn parse<T: DeserializeOwned>(settings: &str) -> Result<T, SettingsError> {
    typed("settings", object("settings", settings)?)
}

/// Whether settings fit the plugin's own type: what `configure` answers.
///
/// # Errors
/// A message for the operator.
pub fn check<T: DeserializeOwned + JsonSchema>(settings: &str) -> Result<(), String> {
    parse_strictly::<T>("settings", settings)
        .map(|_| ())
        .map_err(String::from)
}

/// Like [`parse`], for any JSON object, with unknown keys refused; `name` is what messages call it.
///
/// # Errors
/// It does not fit.
pub fn parse_strictly<T: DeserializeOwned + JsonSchema>(
    name: &str,
    json: &str,
) -> Result<T, SettingsError> {
    let value = object(name, json)?;
    refuse_unknown_keys::<T>(name, &value)?;
    typed(name, value)
}

fn object(name: &str, json: &str) -> Result<Value, SettingsError> {
    let value: Value = serde_json::from_str(json)
        .map_err(|error| SettingsError(format!("{name}: not JSON: {error}")))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(SettingsError(format!(
            "{name}: found {value}, expected an object"
        )))
    }
}

fn typed<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, SettingsError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        SettingsError(match path.as_str() {
            "." => format!("{name}: {inner}"),
            path => format!("{name}.{path}: {inner}"),
        })
    })
}

/// Serde ignores unknown keys unless the type's author thought of it, and a key without effect is a trap for the
/// operator.
fn refuse_unknown_keys<T: JsonSchema>(name: &str, value: &Value) -> Result<(), SettingsError> {
    let schema = schemars::schema_for!(T).to_value();
    let accepts_any = match schema.get("additionalProperties") {
        None | Some(Value::Bool(false)) => false,
        Some(_) => true,
    };
    // A type that is not a plain struct (an enum, a flattened map) says for itself what it takes.
    let plain = schema.get("type").is_some_and(|kind| kind == "object")
        && schema.get("oneOf").is_none()
        && schema.get("anyOf").is_none()
        && schema.get("allOf").is_none();
    if accepts_any || !plain {
        return Ok(());
    }
    let allowed = schema.get("properties").and_then(Value::as_object);
    let is_known = |key: &String| allowed.is_some_and(|allowed| allowed.contains_key(key));
    match value
        .as_object()
        .and_then(|found| found.keys().find(|key| !is_known(key)))
    {
        None => Ok(()),
        Some(key) => {
            let names: Vec<_> = allowed
                .into_iter()
                .flat_map(|map| map.keys())
                .map(|key| format!("`{key}`"))
                .collect();
            let allowed = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            Err(SettingsError(format!(
                "{name} has an unknown field `{key}`; allowed: {allowed}"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::DurationText;
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Sample {
        #[serde(default)]
        grace: Option<DurationText>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        count: Option<u8>,
    }

    #[test]
    fn an_error_says_which_field_what_was_found_and_what_is_allowed() {
        fn check_error(json: &str, expected: &str) {
            assert_eq!(check::<Sample>(json).unwrap_err(), expected);
        }
        check_error("[]", "settings: found [], expected an object");
        check_error(
            r#"{"grase": 1}"#,
            "settings has an unknown field `grase`; allowed: `count`, `grace`, `headers`",
        );
        check_error(
            r#"{"grace": 5}"#,
            "settings.grace: invalid type: integer `5`, expected a duration such as \"500ms\", \"2s\", \"5m\", \
             \"24h\" or \"7d\"",
        );
        check_error(
            r#"{"headers": {"x": 1}}"#,
            "settings.headers.x: invalid type: integer `1`, expected a string",
        );
        check_error(
            r#"{"count": 300}"#,
            "settings.count: invalid value: integer `300`, expected u8",
        );
        assert!(
            check::<Sample>("{")
                .unwrap_err()
                .starts_with("settings: not JSON: ")
        );
    }

    #[test]
    fn what_fits_is_given() {
        let sample: Sample =
            parse(r#"{"grace": "2s", "headers": {"a": "b"}, "count": 3}"#).unwrap();
        assert_eq!(
            sample.grace.map(DurationText::get),
            Some(std::time::Duration::from_secs(2))
        );
        assert_eq!(sample.headers["a"], "b");
        assert_eq!(sample.count, Some(3));
    }

    #[test]
    fn a_type_without_fields_allows_none() {
        #[derive(Deserialize, JsonSchema)]
        struct Nothing {}
        let message = check::<Nothing>(r#"{"a": 1}"#).unwrap_err();
        assert_eq!(message, "settings has an unknown field `a`; allowed: none");
    }
}
