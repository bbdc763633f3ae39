//! Finding secrets in bytes: as they are, and as servers and programs like to print them.
//!
//! Looked for are the value itself and, of values long enough not to be met by chance, its forms in hexadecimal and in
//! base64, at each of the three alignments that a longer text such as `user:value` gives it. All of these are looked for
//! in the bytes as they came, and in what is left when an encoding of texts is undone, or one around another: the escapes
//! of JSON and of languages, percent-encoding, forms, references of HTML; whoever encoded, and however much of the text.
//! Bytes that may be a piece of something longer are looked through for pieces of these too: one that is begun at their
//! end or ends at their begin, nearly all of one, for who printed it may have died in it, and a line of one that has lines.
//! Invariant: a pass for each, in time in proportion to the bytes; what stands for a secret is never searched itself.
//! Invariant: what stands for a secret is no `${secret:NAME}`: who pastes it into a config names no secret by that.

use super::{
    search::{Form, Forms, Found, Search},
    undress::{self, Undressed},
};
use aho_corasick::BuildError;
use mainstay_domain::hex;
use std::{cmp::Reverse, ops::Range};

/// Shorter values are looked for without base64 and hexadecimal.
const MIN_ENCODED_BYTES: usize = 4;

/// So many encodings around one another are undone: JSON in a text of JSON has two.
const MAX_DRESSES: u32 = 2;

/// So much of a value at the end or the begin of a piece is taken out: less is met by chance.
const MIN_CUT_BYTES: usize = 4;
/// As many characters of a form in base64 say as much.
const MIN_CUT_ENCODED: usize = 6;
/// So much has a line of a value, or nearly all of one, that is looked for within a piece.
const MIN_TORN_BYTES: usize = 8;
/// Nearly all of a value is all but such a part.
const TORN_PART: usize = 8;

/// Every form of every secret.
pub(super) struct Needles {
    /// The values, and their forms.
    all: Search,
    /// Their forms alone, which printers break into lines and groups.
    encoded: Search,
    /// The beginnings that are nearly all of a value, and the lines of those that have some: for pieces alone.
    torn: Search,
    /// Some value has a space, which forms write as `+`.
    has_space: bool,
}

impl Needles {
    /// The error is that they are too long for one search, with billions of bytes.
    pub(super) fn of<'a>(
        secrets: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, BuildError> {
        let (mut all, mut encoded, mut torn) = (Forms::new(), Forms::new(), Forms::new());
        let mut has_space = false;
        for (name, value) in secrets {
            has_space |= value.contains(' ');
            let encoded_form = |form: &[u8]| Form::of(name, form, MIN_CUT_ENCODED);
            let plain_form = |form: &[u8]| Form::of(name, form, MIN_CUT_BYTES);
            for form in encoded_forms(value) {
                all.entry(form.clone())
                    .or_insert_with_key(|form| encoded_form(form));
                encoded
                    .entry(form)
                    .or_insert_with_key(|form| encoded_form(form));
            }
            // As it is left of a value that has such escapes itself, where who encoded the rest passed these on.
            if let Some(bare) = undress::percents(value.as_bytes())
                && bare.bytes.len() >= MIN_ENCODED_BYTES
            {
                all.entry(bare.bytes)
                    .or_insert_with_key(|form| plain_form(form));
            }
            let value = value.as_bytes();
            all.entry(value.to_vec())
                .or_insert_with_key(|form| plain_form(form));
            for (form, whole) in torn_forms(value) {
                torn.entry(form).or_insert_with(|| plain_form(whole));
            }
        }
        Ok(Self {
            all: Search::of(all)?,
            encoded: Search::of(encoded)?,
            torn: Search::of(torn)?,
            has_space,
        })
    }

    pub(super) fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.without(bytes, Extent::Whole)
    }

    /// The same, of bytes that may begin or end within a secret.
    pub(super) fn conceal_piece(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.without(bytes, Extent::Piece)
    }

    fn without(&self, bytes: Vec<u8>, extent: Extent) -> Vec<u8> {
        let mut found = Vec::new();
        self.look_through(&bytes, extent, MAX_DRESSES, &|range| range, &mut found);
        if found.is_empty() {
            return bytes;
        }
        // Of those that begin together the longest first.
        found.sort_by_key(|found| (found.range.start, Reverse(found.range.end)));
        let mut concealed = Vec::with_capacity(bytes.len());
        // What lies before `kept` is in `concealed` already, or concealed.
        let mut kept = 0;
        for Found { range, instead } in found {
            if let Some(between) = bytes.get(kept..range.start) {
                concealed.extend_from_slice(between);
                concealed.extend_from_slice(instead);
            }
            kept = kept.max(range.end);
        }
        concealed.extend_from_slice(bytes.get(kept..).unwrap_or_default());
        concealed
    }

    /// `source` gives what a range of `text` is in the bytes as they came.
    fn look_through<'a>(
        &'a self,
        text: &[u8],
        extent: Extent,
        dresses: u32,
        source: &dyn Fn(Range<usize>) -> Range<usize>,
        found: &mut Vec<Found<'a>>,
    ) {
        self.all.find(text, source, found);
        if extent == Extent::Piece {
            self.all.find_cut(text, source, found);
            self.torn.find(text, source, found);
        }
        if let Some(joined) = undress::breaks(text) {
            let source = |range| source(joined.source(range));
            self.encoded.find(&joined.bytes, &source, found);
            if extent == Extent::Piece {
                self.encoded.find_cut(&joined.bytes, &source, found);
            }
        }
        let Some(dresses) = dresses.checked_sub(1) else {
            return;
        };
        let forms = self.has_space.then(|| undress::forms(text)).flatten();
        let undressed: [Option<Undressed>; 4] = [
            undress::backslashes(text),
            undress::percents(text),
            undress::references(text),
            forms,
        ];
        for inner in undressed.into_iter().flatten() {
            let source = |range| source(inner.source(range));
            self.look_through(&inner.bytes, extent, dresses, &source, found);
        }
    }
}

/// Whether bytes are all of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Piece,
}

/// What is looked for within a piece, with all that belongs to it: nearly all of a value, and each line of one with lines.
fn torn_forms(value: &[u8]) -> Vec<(Vec<u8>, &[u8])> {
    let missing = (value.len() / TORN_PART).max(1);
    let nearly = value.get(..value.len().saturating_sub(missing));
    let mut forms: Vec<(Vec<u8>, &[u8])> = nearly
        .map(|nearly| (nearly.to_vec(), value))
        .into_iter()
        .collect();
    if value.contains(&b'\n') {
        let lines = value.split(|byte| *byte == b'\n');
        forms.extend(lines.map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            (line.to_vec(), line)
        }));
    }
    forms.retain(|(form, _)| form.len() >= MIN_TORN_BYTES);
    forms
}

/// In hexadecimal and base64.
fn encoded_forms(value: &str) -> Vec<Vec<u8>> {
    if value.len() < MIN_ENCODED_BYTES {
        return Vec::new();
    }
    let hex = hex::encode(value);
    let mut forms = vec![hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for alphabet in [BASE64, BASE64_URL] {
        forms.extend((0..3).map(|offset| base64_within(value.as_bytes(), offset, alphabet)));
    }
    forms
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
