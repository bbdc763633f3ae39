//! The text of a file, and in which line and column of it a byte is.
//!
//! Invariant: after one pass over the text every place costs the same, wherever it is: in the last of a hundred
//! thousand lines as at the end of one long line. Else each of n values would cost the length of what stands before it.

use super::work;
use std::{
    ops::{Deref, Range},
    sync::{Arc, OnceLock},
};

/// Characters are counted up to each block of so many bytes, and from there one by one.
const BLOCK: usize = 256;

/// All of a file. A copy of it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Text(Arc<Indexed>);

#[derive(Debug)]
struct Indexed {
    text: String,
    /// Made when the first place is asked for.
    index: OnceLock<Index>,
}

#[derive(Debug)]
struct Index {
    /// The byte that each line begins with.
    lines: Vec<usize>,
    /// How many characters begin before each block.
    characters: Vec<usize>,
}

/// Some bytes of one line, for people.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spot<'a> {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// The whole line, without what ends it.
    pub(crate) text: &'a str,
    /// Which bytes of the line are meant.
    pub(crate) marked: Range<usize>,
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        let index = OnceLock::new();
        Self(Arc::new(Indexed { text, index }))
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.text
    }
}

impl Text {
    /// Where a byte range is; what lies behind the end of its first line is not marked.
    pub(crate) fn spot(&self, range: Range<usize>) -> Spot<'_> {
        let text = self.0.text.as_str();
        let index = self.0.index.get_or_init(|| Index::of(text));
        let start = (0..=range.start.min(text.len()))
            .rev()
            .find(|byte| text.is_char_boundary(*byte))
            .unwrap_or(0);
        let line = index.lines.partition_point(|begin| *begin <= start);
        let begin = line
            .checked_sub(1)
            .and_then(|before| index.lines.get(before))
            .copied()
            .unwrap_or(0);
        let head = text.get(begin..start).unwrap_or_default();
        let tail = match index.lines.get(line) {
            // Of the line break, which is no part of the line, a part may lie before the start.
            Some(next) => {
                let tail = text.get(start..next.saturating_sub(1)).unwrap_or_default();
                tail.strip_suffix('\r').unwrap_or(tail)
            }
            None => text.get(start..).unwrap_or_default(),
        };
        let length = range.end.saturating_sub(start).min(tail.len());
        Spot {
            line,
            column: index.characters_before(text, start) - index.characters_before(text, begin) + 1,
            text: text.get(begin..start + tail.len()).unwrap_or_default(),
            marked: head.len()..head.len() + length,
        }
    }
}

impl Index {
    fn of(text: &str) -> Self {
        work::did(text.len());
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let mut characters = vec![0];
        let mut so_far = 0;
        for block in text.as_bytes().chunks(BLOCK) {
            so_far += characters_in(block);
            characters.push(so_far);
        }
        Self {
            lines: std::iter::once(0)
                .chain(breaks.map(|(at, _)| at + 1))
                .collect(),
            characters,
        }
    }

    /// How many characters begin before a byte.
    fn characters_before(&self, text: &str, byte: usize) -> usize {
        let block = byte / BLOCK;
        let rest = text.as_bytes().get(block * BLOCK..byte).unwrap_or_default();
        work::did(rest.len());
        self.characters.get(block).copied().unwrap_or_default() + characters_in(rest)
    }
}

/// How many characters begin in these bytes: whatever does not continue one.
fn characters_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by looking at everything that stands before.
    fn counted(text: &str, range: Range<usize>) -> (usize, usize, String, Range<usize>) {
        let start = (0..=range.start.min(text.len()))
            .rev()
            .find(|byte| text.is_char_boundary(*byte))
            .unwrap();
        let (before, after) = text.split_at(start);
        let head = &before[before.rfind('\n').map_or(0, |newline| newline + 1)..];
        let tail = after.lines().next().unwrap_or_default();
        let length = range.end.saturating_sub(start).min(tail.len());
        (
            before.matches('\n').count() + 1,
            head.chars().count() + 1,
            format!("{head}{tail}"),
            head.len()..head.len() + length,
        )
    }

    fn found(text: &str, range: Range<usize>) -> (usize, usize, String, Range<usize>) {
        let text = Text::from(text.to_owned());
        let spot = text.spot(range);
        (spot.line, spot.column, spot.text.to_owned(), spot.marked)
    }

    #[test]
    fn a_place_is_found_in_texts_of_every_kind() {
        let long = format!("{}ä = 1\r\n", "ö".repeat(3 * BLOCK));
        for text in [
            "",
            "\n",
            "a",
            "a\nb",
            "a\r\nb\r\n",
            "\r\n\r",
            "é\n\nü",
            &long,
        ] {
            for start in 0..text.len() + 2 {
                for end in [start, start + 1, start + 5, text.len()] {
                    let range = start..end;
                    assert_eq!(
                        found(text, range.clone()),
                        counted(text, range.clone()),
                        "{range:?} of {text:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_last_place_of_a_long_text_costs_no_more_than_the_first() {
        for text in ["key = 1\n".repeat(20_000), "é".repeat(100_000)] {
            let length = text.len();
            let text = Text::from(text);
            text.spot(0..1);
            let (_, steps) = work::steps_of(|| text.spot(length..length).column);
            assert!(steps <= 2 * BLOCK, "{steps} bytes were looked at");
        }
    }

    proptest! {
        #[test]
        fn a_place_is_where_counting_from_the_start_says(
            text in "([a-zäé\u{1F980}]{0,3}(\r?\n|\r)?){0,20}",
            start in 0_usize..80,
            length in 0_usize..20,
        ) {
            let range = start..start + length;
            prop_assert_eq!(found(&text, range.clone()), counted(&text, range));
        }
    }
}
