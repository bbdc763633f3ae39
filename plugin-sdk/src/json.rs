//! As much JSON as is needed without a crate for it: a text read into a tree, and a tree written.
//!
//! Invariant: a number stays the text that was read; who takes it says what number it wants.

use std::fmt;
use std::str::Chars;

/// Deeper values are refused: reading calls itself.
const MAX_DEPTH: usize = 64;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, in its order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one value.
    ///
    /// # Errors
    /// What was found, and what is expected there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text };
        let value = reader.value(0)?;
        reader.skip_space();
        if reader.rest.is_empty() {
            Ok(value)
        } else {
            Err(reader.expected("the end"))
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Option<&str>> for Json {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::from)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("null"),
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Number(digits) => formatter.write_str(digits),
            Self::Text(text) => quoted(text, formatter),
            Self::List(items) => {
                formatter.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(formatter, "{comma}{item}")?;
                }
                formatter.write_str("]")
            }
            Self::Object(members) => {
                formatter.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    formatter.write_str(if index == 0 { "" } else { "," })?;
                    quoted(name, formatter)?;
                    write!(formatter, ":{value}")?;
                }
                formatter.write_str("}")
            }
        }
    }
}

fn quoted(text: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    formatter.write_str("\"")?;
    for letter in text.chars() {
        match letter {
            '"' => formatter.write_str("\\\"")?,
            '\\' => formatter.write_str("\\\\")?,
            '\n' => formatter.write_str("\\n")?,
            '\r' => formatter.write_str("\\r")?,
            '\t' => formatter.write_str("\\t")?,
            control if control < ' ' => write!(formatter, "\\u{:04x}", u32::from(control))?,
            other => write!(formatter, "{other}")?,
        }
    }
    formatter.write_str("\"")
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn takes(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expected(&self, what: &str) -> String {
        match self.rest.chars().next() {
            Some(found) => format!("found `{}`, expected {what}", found.escape_debug()),
            None => format!("it ends where {what} is expected"),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.skip_space();
        if self.takes("null") {
            Ok(Json::Null)
        } else if self.takes("true") {
            Ok(Json::Bool(true))
        } else if self.takes("false") {
            Ok(Json::Bool(false))
        } else if self.takes("\"") {
            self.text().map(Json::Text)
        } else if self.takes("[") {
            self.list(depth).map(Json::List)
        } else if self.takes("{") {
            self.object(depth).map(Json::Object)
        } else {
            self.number().map(Json::Number)
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Json>, String> {
        let mut items = Vec::new();
        self.skip_space();
        if self.takes("]") {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.takes("]") {
                return Ok(items);
            }
            if !self.takes(",") {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Vec<(String, Json)>, String> {
        let mut members = Vec::new();
        self.skip_space();
        if self.takes("}") {
            return Ok(members);
        }
        loop {
            self.skip_space();
            if !self.takes("\"") {
                return Err(self.expected("a name in quotes"));
            }
            let name = self.text()?;
            self.skip_space();
            if !self.takes(":") {
                return Err(self.expected("`:`"));
            }
            members.push((name, self.value(depth + 1)?));
            self.skip_space();
            if self.takes("}") {
                return Ok(members);
            }
            if !self.takes(",") {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn number(&mut self) -> Result<String, String> {
        let is_part = |letter: char| letter.is_ascii_digit() || "+-.eE".contains(letter);
        let end = self.rest.find(|letter: char| !is_part(letter));
        let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let begins = number.trim_start_matches('-');
        if !begins.starts_with(|letter: char| letter.is_ascii_digit())
            || number.parse::<f64>().is_err()
        {
            return Err(self.expected("a value"));
        }
        self.rest = rest;
        Ok(number.to_owned())
    }

    /// After the opening quote, to the closing one.
    fn text(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut letters = self.rest.chars();
        loop {
            match letters.next() {
                None => return Err("a text has no closing quote".to_owned()),
                Some('"') => {
                    self.rest = letters.as_str();
                    return Ok(text);
                }
                Some('\\') => text.push(escaped(&mut letters)?),
                Some(letter) => text.push(letter),
            }
        }
    }
}

fn escaped(letters: &mut Chars<'_>) -> Result<char, String> {
    match letters.next() {
        Some('n') => Ok('\n'),
        Some('r') => Ok('\r'),
        Some('t') => Ok('\t'),
        Some('b') => Ok('\u{8}'),
        Some('f') => Ok('\u{c}'),
        Some(letter @ ('"' | '\\' | '/')) => Ok(letter),
        Some('u') => {
            let first = code_unit(letters)?;
            let mut code = first;
            if (0xd800..0xdc00).contains(&first) {
                let follows = letters.next() == Some('\\') && letters.next() == Some('u');
                let second = if follows { code_unit(letters)? } else { 0 };
                if !(0xdc00..0xe000).contains(&second) {
                    return Err("a text has half a surrogate pair".to_owned());
                }
                code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            }
            char::from_u32(code).ok_or_else(|| "a text has half a surrogate pair".to_owned())
        }
        _ => Err("a text has an escape that JSON has not".to_owned()),
    }
}

fn code_unit(letters: &mut Chars<'_>) -> Result<u32, String> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = letters.next().and_then(|letter| letter.to_digit(16));
        unit = unit * 16 + digit.ok_or_else(|| "`\\u` needs four hex digits".to_owned())?;
    }
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        for text in [
            "null",
            "[true,false,-1.5e3,0]",
            r#"{"a":{"b":[]},"c":"x"}"#,
            r#""\"\\\n\t\u0001ü""#,
            "{}",
        ] {
            assert_eq!(Json::parse(text).unwrap().to_string(), text);
        }
        let spaced = Json::parse(" { \"a\" : [ 1 , 2 ] } ").unwrap();
        assert_eq!(spaced.to_string(), r#"{"a":[1,2]}"#);
    }

    #[test]
    fn escapes_are_read() {
        let read = Json::parse(r#""\u00fc\ud83d\ude00\/""#).unwrap();
        assert_eq!(read, Json::from("ü😀/"));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "{",
            "[1",
            "[1 2]",
            "nul",
            "\"a",
            r#""\x""#,
            r#""\ud800""#,
            "{a:1}",
            "1 2",
            "-",
            "+1",
            ".5",
        ] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
        let deep = "[".repeat(1_000);
        assert!(Json::parse(&deep).unwrap_err().contains("nested deeper"));
    }
}
