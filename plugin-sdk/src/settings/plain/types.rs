//! The types that a field of settings may have.

use crate::json::Json;

/// The type of one field.
pub trait Setting: Sized {
    /// What is allowed, as a message says it.
    fn expected() -> String;

    /// The members of its JSON Schema.
    fn schema() -> Vec<(&'static str, Json)>;

    /// The value, if it is one of this type.
    fn read(value: &Json) -> Option<Self>;

    /// What it is where nothing is written and there is no default; nothing: it has to be written.
    fn absent() -> Option<Self> {
        None
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl Setting for $number {
            fn expected() -> String {
                format!("a whole number from {} to {}", <$number>::MIN, <$number>::MAX)
            }

            fn schema() -> Vec<(&'static str, Json)> {
                vec![
                    ("type", "integer".into()),
                    ("minimum", Json::Number(<$number>::MIN.to_string())),
                    ("maximum", Json::Number(<$number>::MAX.to_string())),
                ]
            }

            fn read(value: &Json) -> Option<Self> {
                match value {
                    Json::Number(digits) => digits.parse().ok(),
                    _ => None,
                }
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, u64, i32, i64);

impl Setting for f64 {
    fn expected() -> String {
        "a number".to_owned()
    }

    fn schema() -> Vec<(&'static str, Json)> {
        vec![("type", "number".into())]
    }

    fn read(value: &Json) -> Option<Self> {
        match value {
            Json::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }
}

impl Setting for bool {
    fn expected() -> String {
        "true or false".to_owned()
    }

    fn schema() -> Vec<(&'static str, Json)> {
        vec![("type", "boolean".into())]
    }

    fn read(value: &Json) -> Option<Self> {
        match value {
            Json::Bool(value) => Some(*value),
            _ => None,
        }
    }
}

impl Setting for String {
    fn expected() -> String {
        "a text".to_owned()
    }

    fn schema() -> Vec<(&'static str, Json)> {
        vec![("type", "string".into())]
    }

    fn read(value: &Json) -> Option<Self> {
        match value {
            Json::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn expected() -> String {
        format!("a list, each of it {}", T::expected())
    }

    fn schema() -> Vec<(&'static str, Json)> {
        let items = T::schema().into_iter();
        let items = items.map(|(name, value)| (name.to_owned(), value));
        vec![
            ("type", "array".into()),
            ("items", Json::Object(items.collect())),
        ]
    }

    fn read(value: &Json) -> Option<Self> {
        match value {
            Json::List(items) => items.iter().map(T::read).collect(),
            _ => None,
        }
    }
}

impl<T: Setting> Setting for Option<T> {
    fn expected() -> String {
        T::expected()
    }

    fn schema() -> Vec<(&'static str, Json)> {
        T::schema()
    }

    fn read(value: &Json) -> Option<Self> {
        T::read(value).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}
