//! How a secret's value is written in the place that it is put into, so that who reads that place finds the value.
//!
//! Invariant: a value changes nothing around it: it adds no parameter to a URL or a form, no field to JSON, and no
//! header.

use std::fmt::Write;

/// What a handle stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A URL. A secret that it begins with is the address itself, and stands as it is; any other is a part of one.
    Url,
    /// The value of a header.
    Header,
    /// A body, by what its sender says that it is.
    Body(BodyKind),
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyKind {
    /// JSON, in whose texts values are escaped.
    Json,
    /// An HTML form, whose values are percent-encoded.
    Form,
    /// Anything else: values stand as they are.
    Other,
}

impl BodyKind {
    /// By the value of `Content-Type`.
    pub(super) fn of(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default();
        let kind = kind.trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/x-www-form-urlencoded" => Self::Form,
            kind if kind.contains("json") => Self::Json,
            _ => Self::Other,
        }
    }
}

/// A value that cannot be in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoPlace;

/// Writes the values of one text, in order.
pub(super) struct PlaceWriter {
    place: Place,
    /// Something was written or read before.
    has_begun: bool,
    json: JsonPosition,
}

impl PlaceWriter {
    /// At the beginning of a text.
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            has_begun: false,
            json: JsonPosition::default(),
        }
    }

    /// The value as it is written behind `between`, which is what the text has since the value before.
    pub(super) fn write(&mut self, value: String, between: &[u8]) -> Result<String, NoPlace> {
        let is_first = !self.has_begun && between.is_empty();
        self.has_begun = true;
        match self.place {
            Place::Url if is_first => Ok(value),
            Place::Url | Place::Body(BodyKind::Form) => Ok(percent_encoded(&value)),
            // The client would refuse most of them too, in words that name no secret.
            Place::Header if value.contains(char::is_control) => Err(NoPlace),
            Place::Body(BodyKind::Json) => {
                self.json.read(between);
                match self.json.in_text {
                    true => Ok(json_escaped(value)),
                    false => Ok(value),
                }
            }
            Place::Header | Place::Body(BodyKind::Other) => Ok(value),
        }
    }
}

/// Where in JSON one is.
#[derive(Default)]
struct JsonPosition {
    in_text: bool,
    behind_backslash: bool,
}

impl JsonPosition {
    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                _ if self.behind_backslash => self.behind_backslash = false,
                b'\\' => self.behind_backslash = self.in_text,
                b'"' => self.in_text = !self.in_text,
                _ => {}
            }
        }
    }
}

/// As it stands between the quotes of a text.
fn json_escaped(value: String) -> String {
    let quoted = serde_json::Value::String(value).to_string();
    let inside = quoted.get(1..quoted.len().saturating_sub(1));
    inside.unwrap_or_default().to_owned()
}

/// All but the unreserved characters of RFC 3986, section 2.3: in every part of a URL these stand for themselves alone.
fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                encoded.push(char::from(byte));
            }
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `value`, put in behind each of these texts.
    fn written(place: Place, value: &str, between: &[&str]) -> Vec<Result<String, NoPlace>> {
        let mut writer = PlaceWriter::new(place);
        let write = |between: &&str| writer.write(value.to_owned(), between.as_bytes());
        between.iter().map(write).collect()
    }

    fn check(place: Place, value: &str, between: &str, expected: &str) {
        let written = written(place, value, &[between]);
        assert_eq!(written, [Ok(expected.to_owned())], "{place:?}: {value}");
    }

    #[test]
    fn in_a_url_a_value_is_one_part_and_nothing_more() {
        let value = "a b&c=d/e?f#g%41+ü";
        let encoded = "a%20b%26c%3Dd%2Fe%3Ff%23g%2541%2B%C3%BC";
        for before in ["https://x.example/", "https://x.example/?t=", "https://u:"] {
            check(Place::Url, value, before, encoded);
        }
        check(Place::Url, "-._~aZ09", "https://x.example/?t=", "-._~aZ09");
        // The address itself is the secret, and a second is a part of it.
        let address = "https://x.example/?u=";
        let both = written(Place::Url, address, &["", ""]);
        let part = "https%3A%2F%2Fx.example%2F%3Fu%3D".to_owned();
        assert_eq!(both, [Ok(address.to_owned()), Ok(part)]);
    }

    #[test]
    fn a_body_is_written_as_its_sender_says_that_it_is() {
        let value = "a\"b\\c\n&d e";
        let body = |content_type| Place::Body(BodyKind::of(content_type));
        let escaped = r#"a\"b\\c\n&d e"#;
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/vnd.x+json",
            "application/x-ndjson",
        ] {
            check(body(json), value, r#"{"a":""#, escaped);
            check(body(json), value, r#"{"a\"b":"\\\"x"#, escaped);
            // Not in a text: the secret is JSON itself.
            check(body(json), value, r#"{"a\\":"#, value);
            check(body(json), value, "", value);
        }
        let form = body("application/x-www-form-urlencoded");
        check(form, value, "a=", "a%22b%5Cc%0A%26d%20e");
        check(form, value, "", "a%22b%5Cc%0A%26d%20e");
        check(body("text/plain"), value, "\"", value);
        check(body(""), value, "\"", value);
    }

    #[test]
    fn where_in_json_one_is_is_known_over_several_values() {
        let json = Place::Body(BodyKind::Json);
        let between = [r#"{"a":""#, r#"","b":"#, r#","c":""#];
        let written = written(json, "\"", &between);
        let expected = ["\\\"", "\"", "\\\""].map(|text| Ok(text.to_owned()));
        assert_eq!(written, expected);
    }

    #[test]
    fn no_header_holds_a_control_character() {
        for value in ["a\nb", "a\r\nb: c", "a\0", "a\tb", "a\u{85}"] {
            let written = written(Place::Header, value, &["Bearer "]);
            assert_eq!(written, [Err(NoPlace)], "{value:?}");
        }
        check(Place::Header, "a b%c\"", "Bearer ", "a b%c\"");
    }
}
