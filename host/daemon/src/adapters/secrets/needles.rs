//! Finding secrets in bytes: as they are, and as servers and programs like to print them.
//!
//! Looked for are the value itself and, of values long enough not to be met by chance, its forms in JSON strings,
//! in URLs and forms (percent-encoded), in hexadecimal and in base64 at each of the three alignments that a longer
//! text such as `user:value` gives it.
//! Invariant: one pass, longest form first, so that what stands for a secret is never searched itself.
//! Invariant: what stands for a secret is no `${secret:NAME}`: who pastes it into a config names no secret by that.

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};
use std::{collections::BTreeMap, fmt::Write};

/// Shorter values are looked for as they are only.
const MIN_ENCODED_BYTES: usize = 6;

/// Every form of every secret.
pub(super) struct Needles {
    forms: AhoCorasick,
    /// For each form, by its number, what is shown in its place.
    instead: Vec<Vec<u8>>,
}

impl Needles {
    /// The error is that they are too long for one search, with billions of bytes.
    pub(super) fn of<'a>(
        secrets: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, BuildError> {
        let mut names = BTreeMap::new();
        for (name, value) in secrets {
            for form in forms(value) {
                names.entry(form).or_insert(name);
            }
        }
        // An empty one would be met everywhere.
        names.remove(b"".as_slice());
        // The automaton that is faster takes over ten times the memory, which grows with the length of the secrets.
        let forms = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(names.keys())?;
        let instead = names.values();
        let instead = instead.map(|name| format!("[secret:{name}]").into_bytes());
        Ok(Self {
            forms,
            instead: instead.collect(),
        })
    }

    pub(super) fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mut concealed = Vec::new();
        // What lies before `kept` is in `concealed` already.
        let mut kept = 0;
        for found in self.forms.find_iter(&bytes) {
            concealed.extend_from_slice(bytes.get(kept..found.start()).unwrap_or_default());
            let instead = self.instead.get(found.pattern().as_usize());
            concealed.extend_from_slice(instead.map(Vec::as_slice).unwrap_or_default());
            kept = found.end();
        }
        if kept == 0 {
            return bytes;
        }
        concealed.extend_from_slice(bytes.get(kept..).unwrap_or_default());
        concealed
    }
}

fn forms(value: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![value.as_bytes().to_vec()];
    if value.len() >= MIN_ENCODED_BYTES {
        let json = serde_json::Value::from(value).to_string();
        let json = json.trim_start_matches('"');
        let json = json.strip_suffix('"').unwrap_or(json).to_owned();
        forms.push(json.replace('/', "\\/").into_bytes());
        forms.push(json.into_bytes());
        forms.extend(percent_encoded(value));
        let hex: String = value.bytes().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        forms.push(hex.to_uppercase().into_bytes());
        forms.push(hex.into_bytes());
        for alphabet in [BASE64, BASE64_URL] {
            forms.extend((0..3).map(|offset| base64_within(value.as_bytes(), offset, alphabet)));
        }
        forms.sort();
        forms.dedup();
    }
    forms
}

/// In the strictest form (all but unreserved characters), in that of URL paths, and in that of forms, with upper and
/// lower case digits.
fn percent_encoded(value: &str) -> Vec<Vec<u8>> {
    let encode = |kept: &str, space: &str| {
        value.bytes().fold(String::new(), |mut text, byte| {
            match byte {
                b' ' if !space.is_empty() => text.push_str(space),
                _ if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => {
                    text.push(char::from(byte));
                }
                _ => drop(write!(text, "%{byte:02X}")),
            }
            text
        })
    };
    // The two digits after a percent sign, and nothing else.
    let lower = |text: &str| {
        let mut digits = 0_u8;
        let lowered = text.chars().map(|c| match (c, digits) {
            ('%', _) => {
                digits = 2;
                c
            }
            (_, 0) => c,
            _ => {
                digits -= 1;
                c.to_ascii_lowercase()
            }
        });
        lowered.collect::<String>()
    };
    let upper = [
        encode("-._~", ""),
        encode("-._~!$&'()*+,;=:@/", ""),
        encode("-._*", "+"),
    ];
    let lower = upper.each_ref().map(|text| lower(text));
    upper
        .into_iter()
        .chain(lower)
        .map(String::into_bytes)
        .collect()
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The characters of base64 that depend on `value` alone where `offset` bytes (modulo 3) stand before it, whatever
/// these are and whatever follows.
fn base64_within(value: &[u8], offset: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let bits = |index: usize| {
        // Bit `index` of the value, as if `offset` bytes stood before it.
        let index = index.checked_sub(offset * 8)?;
        let byte = value.get(index / 8)?;
        Some(byte >> (7 - index % 8) & 1)
    };
    let first = (offset * 8).div_ceil(6);
    let last = (offset + value.len()) * 8 / 6;
    (first..last)
        .filter_map(|character| {
            let digit = (0..6).try_fold(0_usize, |digit, bit| {
                Some(digit << 1 | usize::from(bits(character * 6 + bit)?))
            })?;
            alphabet.get(digit).copied()
        })
        .collect()
}
