//! The checksum that a JSON document has of itself [seed 000, `_checksum`]: the SHA-256, in hexadecimal, of the document
//! without that member and with its keys in order.
//!
//! Two ways to write the document count, for they are what programs write without being told: with a space behind each
//! comma and colon and all that is not ASCII escaped (`json.dumps(document, sort_keys=True)` of Python), and without either
//! (`JSON.stringify` of sorted keys). Numbers are taken as they stand, so that no rounding makes a document another one.
//!
//! Invariant: nothing is judged by a document that has no checksum.

use crate::{policy::sha256_hex, text::excerpt};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write};

/// The member that holds it.
const MEMBER: &str = "_checksum";

/// What the checksum of a document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// It is that of the document.
    Good,
    /// It is that of another document.
    Bad {
        /// What the document says, for people.
        stated: String,
        /// What it has.
        found: String,
    },
    /// There is none, or the document is no object.
    None,
}

/// How a document is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Spaced,
    Compact,
}

/// A value, with its numbers and words as they stand.
enum Node<'a> {
    Plain(&'a str),
    Text(String),
    List(Vec<Node<'a>>),
    Table(BTreeMap<String, Node<'a>>),
}

/// What is seen of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement<'a> {
    /// What its checksum says.
    pub checksum: Checksum,
    /// The wanted members that it does not have: what is null is not there, and one that is no object has none.
    pub lacks: Vec<&'a str>,
}

/// What the checksum of a document says, and which of the wanted members it lacks. The error says why it is no JSON.
///
/// ```
/// use mainstay_domain::checksum::{Checksum, judge};
/// let seen = judge(r#"{"cash": 1.50}"#, &[]).unwrap();
/// assert_eq!(seen.checksum, Checksum::None);
/// let digest = "e5e4a5da6ba2c9e32e8a2b0e9f0ccbc0";
/// let wanted = ["cash".to_owned(), "total".to_owned()];
/// let document = format!(r#"{{"cash": 1.50, "total": null, "_checksum": "{digest}"}}"#);
/// let seen = judge(&document, &wanted).unwrap();
/// assert!(matches!(seen.checksum, Checksum::Bad { .. }));
/// assert_eq!(seen.lacks, ["total"]);
/// assert!(judge(r#"{"cash": 1.50"#, &wanted).is_err());
/// ```
pub fn judge<'a>(document: &str, wanted: &'a [String]) -> Result<Judgement<'a>, String> {
    let lacks = {
        let value: Value = serde_json::from_str(document).map_err(|error| error.to_string())?;
        lacking(&value, wanted)
    };
    Ok(Judgement {
        checksum: checksum_of(document),
        lacks,
    })
}

/// What the checksum of a document says that is JSON, of which no value lies too deep in others.
fn checksum_of(document: &str) -> Checksum {
    let Some(Node::Table(mut members)) = Reader(document).value() else {
        return Checksum::None;
    };
    let stated = match members.remove(MEMBER) {
        None => return Checksum::None,
        Some(Node::Text(stated)) => stated,
        Some(other) => written(&other, Style::Compact),
    };
    let rest = Node::Table(members);
    let digest = |style| sha256_hex(written(&rest, style).as_bytes());
    let found = digest(Style::Spaced);
    match stated == found || stated == digest(Style::Compact) {
        true => Checksum::Good,
        false => Checksum::Bad {
            stated: excerpt(&stated),
            found,
        },
    }
}

fn lacking<'a>(document: &Value, wanted: &'a [String]) -> Vec<&'a str> {
    let is_there = |name: &str| document.get(name).is_some_and(|value| !value.is_null());
    let wanted = wanted.iter().map(String::as_str);
    wanted.filter(|name| !is_there(name)).collect()
}

/// What of a document is still to be read, which is JSON.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    /// None at the end of a list, and where it is no JSON.
    fn value(&mut self) -> Option<Node<'a>> {
        self.skip(char::is_whitespace);
        match self.0.chars().next()? {
            '{' => {
                let mut members = BTreeMap::new();
                self.step();
                while let Some(Node::Text(key)) = self.value() {
                    self.skip(|letter| letter.is_whitespace() || letter == ':');
                    // Of two members with one name the last one counts.
                    members.insert(key, self.value()?);
                    self.skip(|letter| letter.is_whitespace() || letter == ',');
                }
                self.step();
                Some(Node::Table(members))
            }
            '[' => {
                let mut items = Vec::new();
                self.step();
                while let Some(item) = self.value() {
                    items.push(item);
                    self.skip(|letter| letter.is_whitespace() || letter == ',');
                }
                self.step();
                Some(Node::List(items))
            }
            '}' | ']' => None,
            '"' => {
                let mut is_escaped = false;
                let end = self.0.char_indices().skip(1).find(|(_, letter)| {
                    let is_end = *letter == '"' && !is_escaped;
                    is_escaped = *letter == '\\' && !is_escaped;
                    is_end
                });
                let (token, rest) = self.0.split_at_checked(end?.0 + 1)?;
                self.0 = rest;
                serde_json::from_str(token).ok().map(Node::Text)
            }
            _ => {
                let is_end = |letter: char| letter.is_whitespace() || ",]}".contains(letter);
                let end = self.0.find(is_end).unwrap_or(self.0.len());
                let (token, rest) = self.0.split_at_checked(end)?;
                self.0 = rest;
                (!token.is_empty()).then_some(Node::Plain(token))
            }
        }
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        self.0 = self.0.trim_start_matches(is_skipped);
    }

    /// Over a bracket.
    fn step(&mut self) {
        self.0 = self.0.get(1..).unwrap_or_default();
    }
}

fn written(node: &Node<'_>, style: Style) -> String {
    let mut text = String::new();
    write_to(&mut text, node, style);
    text
}

fn write_to(text: &mut String, node: &Node<'_>, style: Style) {
    let (comma, colon) = match style {
        Style::Spaced => (", ", ": "),
        Style::Compact => (",", ":"),
    };
    match node {
        Node::Plain(plain) => text.push_str(plain),
        Node::Text(said) => write_text(text, said, style),
        Node::List(items) => {
            text.push('[');
            for (number, item) in items.iter().enumerate() {
                text.push_str(if number > 0 { comma } else { "" });
                write_to(text, item, style);
            }
            text.push(']');
        }
        Node::Table(members) => {
            text.push('{');
            for (number, (key, value)) in members.iter().enumerate() {
                text.push_str(if number > 0 { comma } else { "" });
                write_text(text, key, style);
                text.push_str(colon);
                write_to(text, value, style);
            }
            text.push('}');
        }
    }
}

fn write_text(text: &mut String, said: &str, style: Style) {
    text.push('"');
    for letter in said.chars() {
        let is_plain = match style {
            Style::Spaced => matches!(letter, ' '..='~'),
            Style::Compact => letter >= ' ',
        };
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            letter if is_plain => text.push(letter),
            letter => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Python: `json.dumps(document, sort_keys=True)`, and the same with `separators=(",", ":"), ensure_ascii=False`.
    const SPACED: &str = "8dc35e4d307b9e2981b0be387e81f5e10cae1e23ce723908855c407b81823303";
    const COMPACT: &str = "ef5859b248808547436a40d2fcf25392e23f9f4be4e85d59598739e612914ce8";

    fn verify(document: &str) -> Result<Checksum, String> {
        judge(document, &[]).map(|seen| seen.checksum)
    }

    /// In another order than that of its checksum.
    fn document(checksum: &str) -> String {
        format!(
            r#"{{
 "positions": [{{"symbol": "BTC/USD", "quantity": 1e-05, "entry_price": 64000.1}}, {{"symbol": "\u00c4\"\\\n\t\u0007\u007f\ud83d\ude80", "quantity": 12345678901234567890123}}] ,
  "total_value": -0.0 ,
  "cash_balance": 1e+16 ,
  "_checksum": {checksum} ,
  "open": true ,
  "note": null ,
  "none": [] ,
  "empty": {{}}}}"#
        )
    }

    #[test]
    fn the_checksums_of_python_are_those_of_both_ways_to_write_a_document() {
        for digest in [SPACED, COMPACT] {
            let found = verify(&document(&format!("\"{digest}\"")));
            assert_eq!(found, Ok(Checksum::Good), "{digest}");
        }
        let empty = sha256_hex(b"{}");
        let found = verify(&format!("{{\"_checksum\": \"{empty}\"}}"));
        assert_eq!(found, Ok(Checksum::Good));
    }

    #[test]
    fn a_document_that_was_changed_is_another_one() {
        let good = document(&format!("\"{SPACED}\""));
        for (from, to) in [
            ("1e-05", "1e-5"),
            ("BTC/USD", "BTC/USd"),
            ("true", "false"),
            ("\"none\": []", "\"none\": [{}]"),
            (SPACED, "0"),
        ] {
            let changed = good.replacen(from, to, 1);
            assert_ne!(changed, good, "{from}");
            let found = verify(&changed);
            assert!(
                matches!(found, Ok(Checksum::Bad { .. })),
                "{from}: {found:?}"
            );
        }
        let bad = verify(&document("7")).unwrap();
        let (stated, found) = ("7".to_owned(), SPACED.to_owned());
        assert_eq!(bad, Checksum::Bad { stated, found });
    }

    #[test]
    fn what_has_no_checksum_is_not_judged_and_what_is_no_json_is_told() {
        for document in [
            "{}",
            " [1, 2] ",
            "7",
            "\"_checksum\"",
            "{\"a\": {\"_checksum\": \"0\"}}",
        ] {
            assert_eq!(verify(document), Ok(Checksum::None), "{document}");
        }
        let deep = "[".repeat(100_000);
        for document in [
            "",
            "{",
            "{\"a\": NaN}",
            "{} {}",
            "{\"a\": 1,}",
            deep.as_str(),
        ] {
            assert!(verify(document).is_err(), "{document:.20}");
        }
    }

    #[test]
    fn a_member_that_is_null_or_of_something_inside_is_not_there() {
        let wanted = ["a", "b"].map(str::to_owned);
        for (document, expected) in [
            (r#"{"a": 0, "b": []}"#, vec![]),
            (r#"{"a": null, "b": false}"#, vec!["a"]),
            (r#"{"c": {"a": 1, "b": 2}}"#, vec!["a", "b"]),
            (r#"["a", "b"]"#, vec!["a", "b"]),
            (r#""a""#, vec!["a", "b"]),
        ] {
            let lacks = judge(document, &wanted).unwrap().lacks;
            assert_eq!(lacks, expected, "{document}");
        }
    }
}
