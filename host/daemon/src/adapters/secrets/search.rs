//! A search for many forms of secrets at once, whole ones and those that a cut has left a part of.

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};
use std::{collections::BTreeMap, ops::Range};

/// The longest escape: two units of JSON. One that is cut is shorter.
const LONGEST_ESCAPE: usize = 12;

/// One form of a secret.
pub(super) struct Form<'a> {
    /// The secret's name.
    name: &'a str,
    /// All of the form, where less of it is looked for; what follows of it is found with it.
    whole: Vec<u8>,
    /// So much of it is taken out at the end and the begin of a piece.
    shortest: usize,
}

impl<'a> Form<'a> {
    pub(super) fn of(name: &'a str, whole: &[u8], shortest: usize) -> Self {
        Self {
            name,
            whole: whole.to_vec(),
            shortest,
        }
    }
}

/// By what is looked for of each.
pub(super) type Forms<'a> = BTreeMap<Vec<u8>, Form<'a>>;

/// What was found.
pub(super) struct Found<'a> {
    pub(super) range: Range<usize>,
    /// What is shown in its place.
    pub(super) instead: &'a [u8],
}

/// A search for many forms at once.
pub(super) struct Search {
    forms: AhoCorasick,
    /// For each form, by its number, all of it, and how much of it at the end or the begin of a piece is taken out.
    wholes: Vec<(Vec<u8>, usize)>,
    /// For each form, by its number, what is shown in its place.
    instead: Vec<Vec<u8>>,
}

impl Search {
    pub(super) fn of(mut forms: Forms<'_>) -> Result<Self, BuildError> {
        // An empty one would be met everywhere.
        forms.remove(b"".as_slice());
        // The automaton that is faster takes over ten times the memory, which grows with the length of the secrets.
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(forms.keys())?;
        let (mut wholes, mut instead) = (Vec::new(), Vec::new());
        for form in forms.into_values() {
            instead.push(format!("[secret:{}]", form.name).into_bytes());
            wholes.push((form.whole, form.shortest));
        }
        Ok(Self {
            forms: search,
            wholes,
            instead,
        })
    }

    pub(super) fn find<'a>(
        &'a self,
        text: &[u8],
        source: &dyn Fn(Range<usize>) -> Range<usize>,
        found: &mut Vec<Found<'a>>,
    ) {
        for one in self.forms.find_iter(text) {
            let number = one.pattern().as_usize();
            let whole = self.wholes.get(number);
            let ahead = text.get(one.start()..).unwrap_or_default();
            let common = whole.map_or(0, |(whole, _)| common_beginning(ahead, whole));
            let range = one.start()..one.end().max(one.start() + common);
            let instead = self.instead.get(number);
            found.push(Found {
                range: source(range),
                instead: instead.map(Vec::as_slice).unwrap_or_default(),
            });
        }
    }

    /// What of a form is begun at the end of the text, or ends at its begin.
    pub(super) fn find_cut<'a>(
        &'a self,
        text: &[u8],
        source: &dyn Fn(Range<usize>) -> Range<usize>,
        found: &mut Vec<Found<'a>>,
    ) {
        let ends: Vec<&[u8]> = ends_of_piece(text).collect();
        for ((whole, shortest), instead) in self.wholes.iter().zip(&self.instead) {
            let parts = || (*shortest..whole.len()).rev();
            let begun = ends.iter().find_map(|text| {
                let length = parts().find(|length| {
                    let part = whole.get(..*length);
                    part.is_some_and(|part| text.ends_with(part))
                })?;
                text.len().checked_sub(length)
            });
            let ended = parts().find(|length| {
                let from = whole.len() - length;
                whole.get(from..).is_some_and(|part| text.starts_with(part))
            });
            let begun = begun.map(|begun| begun..text.len());
            for range in begun.into_iter().chain(ended.map(|length| 0..length)) {
                found.push(Found {
                    range: source(range),
                    instead,
                });
            }
        }
    }
}

/// The text, and what is left of it without an escape at its end that may not be whole.
fn ends_of_piece(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let from = text.len().saturating_sub(LONGEST_ESCAPE);
    let marks = (from..text.len()).rev().filter(move |at| {
        let rest = text.get(*at..).unwrap_or_default();
        let is_mark = rest.first().is_some_and(|byte| b"\\%&".contains(byte));
        let is_of_escape = |byte: &u8| byte.is_ascii_alphanumeric() || b"\\%&#{".contains(byte);
        is_mark && rest.iter().all(is_of_escape)
    });
    let shorter = marks.filter_map(move |at| text.get(..at));
    std::iter::once(text).chain(shorter)
}

/// So many bytes both begin with.
fn common_beginning(text: &[u8], other: &[u8]) -> usize {
    let both = text.iter().zip(other);
    both.take_while(|(byte, other)| byte == other).count()
}
