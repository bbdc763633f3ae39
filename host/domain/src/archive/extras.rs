//! What few documents have beside the rest of their metadata: extended attributes, a hard link, holes.
//!
//! Invariant: of an entry without any of these nothing is kept and nothing is written.

use super::{
    DocumentKey,
    key::{escape, unescape},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of an extended attribute: bytes without NUL, written as those of a [`DocumentKey`] are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct XattrName(String);

impl XattrName {
    /// The name with these bytes; none where it is empty or holds a NUL.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let is_name = !bytes.is_empty() && !bytes.contains(&0);
        is_name.then(|| Self(escape(bytes)))
    }

    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes that it stands for.
    pub fn to_bytes(&self) -> Vec<u8> {
        unescape(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Display for XattrName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for XattrName {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let name = unescape(&text).and_then(|bytes| Self::from_bytes(&bytes));
        name.filter(|name| name.0 == text).ok_or(
            "the name of an attribute is not empty, and only bytes that are not UTF-8 and `%` are written `%XX`",
        )
    }
}

impl From<XattrName> for String {
    fn from(name: XattrName) -> String {
        name.0
    }
}

/// The value of an extended attribute; base64 (RFC 4648, with padding) where it is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct XattrValue(Vec<u8>);

impl XattrValue {
    /// The value with these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<String> for XattrValue {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = STANDARD.decode(text);
        bytes
            .map(Self)
            .map_err(|_| "the value of an attribute is base64, with padding")
    }
}

impl From<XattrValue> for String {
    fn from(value: XattrValue) -> String {
        STANDARD.encode(value.0)
    }
}

/// Extended attributes, by name.
pub type Xattrs = BTreeMap<XattrName, XattrValue>;

/// Bytes of a file that read as zeros and take no room; `[offset, length]` where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Hole {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its bytes, at least one.
    pub length: u64,
}

impl Hole {
    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

impl From<(u64, u64)> for Hole {
    fn from((offset, length): (u64, u64)) -> Self {
        Self { offset, length }
    }
}

impl From<Hole> for (u64, u64) {
    fn from(hole: Hole) -> Self {
        (hole.offset, hole.length)
    }
}

/// What few documents have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extras {
    /// Extended attributes, with them ACLs and file capabilities.
    pub xattrs: Xattrs,
    /// The document that is the same file by another name, and holds the content.
    pub link: Option<DocumentKey>,
    /// In the order of their offsets, apart from each other, within the size.
    pub holes: Vec<Hole>,
}

impl Extras {
    /// As an entry holds it: nothing where there is none of it.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// The bytes that are in no hole, of a content of so many.
pub fn data_bytes(holes: &[Hole], size: u64) -> u64 {
    holes
        .iter()
        .fold(size, |left, hole| left.saturating_sub(hole.length))
}

/// Whether holes follow each other within a content of so many bytes.
pub fn are_holes_sound(holes: &[Hole], size: u64) -> bool {
    let mut end = 0;
    holes.iter().all(|hole| {
        let is_sound = hole.length > 0
            && hole.offset >= end
            && hole
                .offset
                .checked_add(hole.length)
                .is_some_and(|end| end <= size);
        end = hole.end();
        is_sound
    })
}

/// Where the data between holes is, in a content of so many bytes: beginnings and ends, in their order.
pub fn data_between(holes: &[Hole], size: u64) -> impl Iterator<Item = (u64, u64)> {
    let begins = std::iter::once(0).chain(holes.iter().map(Hole::end));
    let ends = holes.iter().map(|hole| hole.offset).chain([size]);
    begins.zip(ends).filter(|(begin, end)| begin < end)
}

/// The holes and the size of a content of which only so many bytes of data could be read.
pub fn cut_to_data(holes: &[Hole], data: u64) -> (Vec<Hole>, u64) {
    let (mut kept, mut skipped) = (Vec::new(), 0_u64);
    for hole in holes {
        if hole.offset.saturating_sub(skipped) > data {
            break;
        }
        skipped = skipped.saturating_add(hole.length);
        kept.push(*hole);
    }
    (kept, data.saturating_add(skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holes(of: &[(u64, u64)]) -> Vec<Hole> {
        of.iter().copied().map(Hole::from).collect()
    }

    #[test]
    fn names_of_any_bytes_and_values_are_written_and_read() {
        for bytes in [&b"user.a"[..], b"user.\xff\x80%", b"user.\xc3\xbc", b"%"] {
            let name = XattrName::from_bytes(bytes).unwrap();
            assert_eq!(name.to_bytes(), bytes);
            let xattrs = Xattrs::from([(name, XattrValue::new(bytes.to_vec()))]);
            let text = serde_json::to_string(&xattrs).unwrap();
            assert_eq!(serde_json::from_str::<Xattrs>(&text).unwrap(), xattrs);
        }
        assert_eq!(XattrName::from_bytes(b""), None);
        assert_eq!(XattrName::from_bytes(b"user.a\0b"), None);
        for refused in ["", "user.%41", "user.%", "user.%00", "user.%ff"] {
            XattrName::try_from(refused.to_owned()).unwrap_err();
        }
        XattrValue::try_from("AP8".to_owned()).unwrap_err();
    }

    #[test]
    fn holes_are_within_the_size_and_follow_each_other() {
        for (of, size, sound) in [
            (vec![], 0, true),
            (vec![(0, 10)], 10, true),
            (vec![(0, 4), (4, 2), (8, 2)], 10, true),
            (vec![(0, 0)], 10, false),
            (vec![(0, 11)], 10, false),
            (vec![(4, 2), (0, 2)], 10, false),
            (vec![(0, 5), (4, 2)], 10, false),
            (vec![(u64::MAX, 2)], u64::MAX, false),
        ] {
            assert_eq!(are_holes_sound(&holes(&of), size), sound, "{of:?}");
        }
    }

    #[test]
    fn data_is_what_is_between_holes() {
        for (of, size, data) in [
            (vec![], 10, vec![(0, 10)]),
            (vec![], 0, vec![]),
            (vec![(0, 10)], 10, vec![]),
            (vec![(0, 4), (6, 2)], 10, vec![(4, 6), (8, 10)]),
            (vec![(4, 2), (6, 4)], 10, vec![(0, 4)]),
        ] {
            let found: Vec<(u64, u64)> = data_between(&holes(&of), size).collect();
            assert_eq!(found, data, "{of:?}");
            let bytes: u64 = found.iter().map(|(begin, end)| end - begin).sum();
            assert_eq!(data_bytes(&holes(&of), size), bytes, "{of:?}");
        }
    }

    #[test]
    fn what_was_cut_off_ends_where_its_data_ends_or_after_the_hole_there() {
        let of = holes(&[(0, 4), (6, 2), (9, 1)]);
        for (data, count, size) in [(0, 1, 4), (1, 1, 5), (2, 2, 8), (3, 3, 10)] {
            assert_eq!(cut_to_data(&of, data), (of[..count].to_vec(), size));
        }
        assert_eq!(cut_to_data(&[], 7), (Vec::new(), 7));
    }
}
