//! Settings without serde: [`plugin_settings!`](crate::plugin_settings) writes the struct, how it is read, and its JSON
//! Schema, and needs no other crate.
//!
//! ```
//! use mainstay_plugin_sdk::plugin_settings;
//! use mainstay_plugin_sdk::settings::{DescribedSettings, FromSettings};
//!
//! plugin_settings! {
//!     /// How to restart.
//!     #[derive(Debug)]
//!     pub struct RestartSettings {
//!         /// So many restarts are tried before a person is asked.
//!         pub restarts: u32 = 3,
//!         /// Whom to ask.
//!         pub contact: String,
//!     }
//! }
//!
//! let settings = RestartSettings::from_settings(r#"{"contact": "ops"}"#)?;
//! assert_eq!((settings.restarts, settings.contact.as_str()), (3, "ops"));
//! assert_eq!(
//!     RestartSettings::check(r#"{"contact": "ops", "restarts": -1}"#).unwrap_err(),
//!     "settings.restarts: found -1, expected a whole number from 0 to 4294967295",
//! );
//! assert!(RestartSettings::schema().contains("before a person is asked"));
//! # Ok::<(), mainstay_plugin_sdk::settings::SettingsError>(())
//! ```
//!
//! Invariant: a field that the struct does not have is refused.

mod types;

pub use types::Setting;

use super::SettingsError;
use crate::json::Json;

/// What was written, while it is read field by field.
#[doc(hidden)]
#[derive(Debug)]
pub struct Fields(Vec<(String, Json)>);

impl Fields {
    /// Of a JSON object.
    ///
    /// # Errors
    /// It is none.
    pub fn of(settings: &str) -> Result<Self, SettingsError> {
        match Json::parse(settings) {
            Ok(Json::Object(members)) => Ok(Self(members)),
            Ok(other) => Err(SettingsError(format!(
                "settings: found {other}, expected an object"
            ))),
            Err(error) => Err(SettingsError(format!("settings: not JSON: {error}"))),
        }
    }

    /// The value of one field.
    ///
    /// # Errors
    /// It is of another type, or has to be there and is not.
    pub fn take<T: Setting>(
        &mut self,
        field: &str,
        default: Option<T>,
    ) -> Result<T, SettingsError> {
        let found = self.0.iter().position(|(name, _)| name == field);
        let expected = T::expected();
        match found.map(|index| self.0.remove(index)) {
            Some((_, value)) => T::read(&value).ok_or_else(|| {
                SettingsError(format!(
                    "settings.{field}: found {value}, expected {expected}"
                ))
            }),
            None => default.or_else(T::absent).ok_or_else(|| {
                SettingsError(format!("settings.{field}: missing, expected {expected}"))
            }),
        }
    }

    /// After the last field.
    ///
    /// # Errors
    /// There is more.
    pub fn end(self, allowed: &[&str]) -> Result<(), SettingsError> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let allowed: Vec<_> = allowed.iter().map(|name| format!("`{name}`")).collect();
                Err(SettingsError(format!(
                    "settings has an unknown field `{name}`; allowed: {}",
                    allowed.join(", ")
                )))
            }
        }
    }
}

/// The schema of a field, and whether it has to be written.
#[doc(hidden)]
pub fn field_schema<T: Setting>(
    field: &str,
    says: &[&str],
    default: &Option<T>,
) -> (String, Json, bool) {
    let mut schema = vec![("description".to_owned(), Json::Text(prose(says)))];
    let members = T::schema().into_iter();
    schema.extend(members.map(|(name, value)| (name.to_owned(), value)));
    let is_required = default.is_none() && T::absent().is_none();
    (field.to_owned(), Json::Object(schema), is_required)
}

/// The JSON Schema of all fields.
#[doc(hidden)]
pub fn schema(title: &str, fields: Vec<(String, Json, bool)>) -> String {
    let required = fields.iter().filter(|(_, _, is_required)| *is_required);
    let required: Vec<Json> = required
        .map(|(name, _, _)| Json::from(name.as_str()))
        .collect();
    let properties = fields.into_iter().map(|(name, schema, _)| (name, schema));
    let members = [
        (
            "$schema",
            Json::from("https://json-schema.org/draft/2020-12/schema"),
        ),
        ("title", Json::from(title)),
        ("type", Json::from("object")),
        ("properties", Json::Object(properties.collect())),
        ("required", Json::List(required)),
        ("additionalProperties", Json::Bool(false)),
    ];
    Json::Object(members.map(|(name, value)| (name.to_owned(), value)).into()).to_string()
}

/// The lines of a doc comment as one text.
fn prose(says: &[&str]) -> String {
    let lines: Vec<&str> = says.iter().map(|line| line.trim()).collect();
    lines.join(" ").trim().to_owned()
}

/// A plugin's settings as a struct, each field with a comment for the operator, its type, and its default; a field
/// without one has to be written, but for an `Option`. See [`settings::plain`](crate::settings::plain).
///
/// Types are whole numbers, `f64`, `bool`, `String`, and `Vec` and `Option` of them. For others derive serde's
/// `Deserialize` and schemars' `JsonSchema`, with this crate's feature `settings`.
#[macro_export]
macro_rules! plugin_settings {
    (
        $(#[$outer:meta])*
        $visibility:vis struct $name:ident {
            $(
                $(#[doc = $says:expr])*
                $field_visibility:vis $field:ident: $type:ty $(= $default:expr)?
            ),+ $(,)?
        }
    ) => {
        $(#[$outer])*
        $visibility struct $name {
            $(
                $(#[doc = $says])*
                $field_visibility $field: $type,
            )+
        }

        impl $crate::settings::FromSettings for $name {
            fn from_settings(
                settings: &str,
            ) -> ::core::result::Result<Self, $crate::settings::SettingsError> {
                let mut fields = $crate::settings::plain::Fields::of(settings)?;
                let read = Self {
                    $($field: fields.take(
                        ::core::stringify!($field),
                        $crate::__default_of!($type $(, $default)?),
                    )?,)+
                };
                fields.end(&[$(::core::stringify!($field)),+])?;
                ::core::result::Result::Ok(read)
            }
        }

        impl $crate::settings::DescribedSettings for $name {
            fn schema() -> ::std::string::String {
                $crate::settings::plain::schema(
                    ::core::stringify!($name),
                    ::std::vec![$($crate::settings::plain::field_schema::<$type>(
                        ::core::stringify!($field),
                        &[$($says),*],
                        &$crate::__default_of!($type $(, $default)?),
                    )),+],
                )
            }

            fn check(settings: &str) -> ::core::result::Result<(), ::std::string::String> {
                match <Self as $crate::settings::FromSettings>::from_settings(settings) {
                    ::core::result::Result::Ok(_) => ::core::result::Result::Ok(()),
                    ::core::result::Result::Err(error) => {
                        ::core::result::Result::Err(::std::string::String::from(error))
                    }
                }
            }
        }
    };
}

/// The default of a field, where it has one.
#[doc(hidden)]
#[macro_export]
macro_rules! __default_of {
    ($type:ty) => {
        ::core::option::Option::<$type>::None
    };
    ($type:ty, $default:expr) => {
        ::core::option::Option::<$type>::Some($default)
    };
}

#[cfg(test)]
mod tests {
    use crate::json::Json;
    use crate::settings::{DescribedSettings, FromSettings};

    crate::plugin_settings! {
        /// Every type.
        #[derive(Debug, PartialEq)]
        struct Sample {
            /// How often,
            /// at most.
            count: u8 = 3,
            share: f64 = 0.5,
            quiet: bool = false,
            /// Whom.
            contact: String,
            others: Vec<String> = vec!["a".to_owned()],
            room: Option<i64>,
        }
    }

    #[test]
    fn what_is_written_is_read_and_the_rest_has_its_default() {
        let read = Sample::from_settings(r#"{"contact": "x"}"#).unwrap();
        let expected = Sample {
            count: 3,
            share: 0.5,
            quiet: false,
            contact: "x".to_owned(),
            others: vec!["a".to_owned()],
            room: None,
        };
        assert_eq!(read, expected);
        let all =
            r#"{"contact": "y", "count": 0, "share": 1, "quiet": true, "others": [], "room": -7}"#;
        let expected = Sample {
            count: 0,
            share: 1.0,
            quiet: true,
            contact: "y".to_owned(),
            others: Vec::new(),
            room: Some(-7),
        };
        assert_eq!(Sample::from_settings(all).unwrap(), expected);
    }

    #[test]
    fn an_error_says_which_field_what_was_found_and_what_is_allowed() {
        for (settings, expected) in [
            ("[]", "settings: found [], expected an object"),
            ("{}", "settings.contact: missing, expected a text"),
            (
                r#"{"contact": "x", "count": 300}"#,
                "settings.count: found 300, expected a whole number from 0 to 255",
            ),
            (
                r#"{"contact": "x", "count": "3"}"#,
                "settings.count: found \"3\", expected a whole number from 0 to 255",
            ),
            (
                r#"{"contact": "x", "others": [1]}"#,
                "settings.others: found [1], expected a list, each of it a text",
            ),
            (
                r#"{"contact": "x", "cuont": 1}"#,
                "settings has an unknown field `cuont`; allowed: `count`, `share`, `quiet`, `contact`, `others`, `room`",
            ),
        ] {
            assert_eq!(Sample::check(settings).unwrap_err(), expected);
        }
        assert!(
            Sample::check("{")
                .unwrap_err()
                .starts_with("settings: not JSON: ")
        );
    }

    #[test]
    fn the_schema_names_every_field_and_which_must_be_there() {
        let Json::Object(schema) = Json::parse(&Sample::schema()).unwrap() else {
            panic!("no object")
        };
        let member = |name: &str| {
            let found = schema.iter().find(|(key, _)| key == name);
            found.unwrap().1.to_string()
        };
        assert_eq!(member("required"), r#"["contact"]"#);
        assert_eq!(member("additionalProperties"), "false");
        let properties = member("properties");
        for part in [
            r#""count":{"description":"How often, at most.","type":"integer","minimum":0,"maximum":255}"#,
            r#""others":{"description":"","type":"array","items":{"type":"string"}}"#,
        ] {
            assert!(properties.contains(part), "{properties}");
        }
    }
}
