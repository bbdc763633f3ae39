//! What people read, as data, and how it becomes lines at a width.
//!
//! Invariant: pure: the same blocks at the same width are the same lines. Nothing here knows a terminal or a clock.
//! Invariant: no line is wider than the width, and lines break between words; only a word that no line holds is cut.
//! Without a width nothing is wrapped and nothing is left out: one record a line, in columns of spaces.

mod glyphs;
mod report;
mod tables;

pub(super) use report::wrap_report;
pub(super) use tables::Table;

use glyphs::{Glyph, glyphs, longest_word, spaces, width_of, wrap};
use mainstay_domain::text;

/// Narrower than this nothing can be read; a narrower terminal wraps by itself.
const LEAST_WIDTH: usize = 40;

/// How far to the right what is known stands where it goes below its name.
const INDENT: usize = 2;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
}

/// For what is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// Columns; none where nothing is to be wrapped.
    pub(super) width: Option<usize>,
    /// Colours are wanted.
    pub(super) colour: bool,
}

/// A text in one line, with its tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

/// A part of what is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// An empty line.
    Gap,
    /// Pieces, one after the other as they are; further lines begin `hang` columns to the right.
    Text { hang: usize, pieces: Vec<Cell> },
    /// A head, and what is said: beside it where one line holds both, else below it, `hang` columns to the right.
    Entry {
        hang: usize,
        head: Vec<Cell>,
        said: Vec<Cell>,
    },
    /// Names, each with what is known, one below the other.
    Facts(Vec<(String, Cell)>),
    /// Records.
    Table(Table),
}

impl Style {
    fn width(self) -> Option<usize> {
        self.width.map(|width| width.max(LEAST_WIDTH))
    }

    /// A text in the colour of its tone.
    pub(super) fn paint(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => 32,
            Tone::Warn => 33,
            Tone::Bad => 31,
        };
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// One line, without spaces at its end.
    fn line(self, glyphs: &[Glyph]) -> String {
        let end = glyphs.iter().rposition(|glyph| !glyph.is_space());
        let glyphs = glyphs.get(..end.map_or(0, |end| end + 1));
        let mut line = String::new();
        for run in glyphs.unwrap_or_default().chunk_by(|a, b| a.tone == b.tone) {
            let text: String = run.iter().map(|glyph| glyph.character).collect();
            let tone = run.first().map_or(Tone::Plain, |glyph| glyph.tone);
            line.push_str(&self.paint(&text, tone));
        }
        line
    }

    /// The text behind `head`; further lines begin `hang` columns to the right.
    fn wrapped(self, head: &[Glyph], hang: usize, text: &[Glyph]) -> Vec<String> {
        let Some(width) = self.width() else {
            return vec![self.line(&[head, text].concat())];
        };
        let first = width.saturating_sub(width_of(head));
        let lines = wrap(text, first, width.saturating_sub(hang));
        let mut shown = Vec::with_capacity(lines.len());
        for line in lines {
            let whole = match shown.is_empty() {
                true => [head, line.as_slice()].concat(),
                false => [spaces(hang).as_slice(), line.as_slice()].concat(),
            };
            shown.push(self.line(&whole));
        }
        shown
    }

    /// What is said beside its head, or all of it below.
    fn entry(self, hang: usize, head: &[Glyph], said: &[Glyph]) -> Vec<String> {
        let both = [head, said].concat();
        if self.width().is_none_or(|width| width_of(&both) <= width) {
            return vec![self.line(&both)];
        }
        let mut lines = self.wrapped(&[], hang, head);
        lines.extend(self.wrapped(&spaces(hang), hang, said));
        lines
    }
}

impl Cell {
    /// Whether there is nothing to say.
    fn is_absent(&self) -> bool {
        matches!(self.text.as_str(), "" | "-")
    }
}

impl Block {
    /// A text of one tone.
    pub(super) fn text(text: impl ToString, tone: Tone) -> Self {
        Self::Text {
            hang: 2,
            pieces: vec![cell(text, tone)],
        }
    }

    /// The same, but that all of it begins so many columns to the right.
    pub(super) fn indented(indent: usize, text: impl ToString) -> Self {
        Self::Text {
            hang: indent,
            pieces: vec![
                cell(" ".repeat(indent), Tone::Plain),
                cell(text, Tone::Plain),
            ],
        }
    }
}

/// The lines of all blocks, one after the other.
pub(super) fn lay_out(blocks: &[Block], style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for block in blocks {
        match block {
            Block::Gap => lines.push(String::new()),
            Block::Text { hang, pieces } => {
                lines.extend(style.wrapped(&[], *hang, &glyphs(pieces)));
            }
            Block::Entry { hang, head, said } => {
                lines.extend(style.entry(*hang, &glyphs(head), &glyphs(said)));
            }
            Block::Facts(facts) => lines.extend(facts_lines(facts, style)),
            Block::Table(table) => lines.extend(table.lines(style)),
        }
    }
    lines
}

fn facts_lines(facts: &[(String, Cell)], style: Style) -> Vec<String> {
    let longest = facts.iter().map(|(name, _)| name.chars().count()).max();
    let column = longest.unwrap_or(0).max(10) + 1;
    let mut lines = Vec::new();
    for (name, fact) in facts {
        let mut head = glyphs(&[cell(name, Tone::Plain)]);
        head.extend(spaces(column.saturating_sub(width_of(&head))));
        let fact = glyphs(std::slice::from_ref(fact));
        let longest = longest_word(&fact);
        // A word that is too long beside its name, and is not below it.
        let goes_below = style.width().is_some_and(|width| {
            longest > width.saturating_sub(column) && longest <= width.saturating_sub(INDENT)
        });
        if goes_below {
            lines.push(style.line(&head));
            lines.extend(style.wrapped(&spaces(INDENT), INDENT, &fact));
        } else {
            lines.extend(style.wrapped(&head, column, &fact));
        }
    }
    lines
}

/// A text with the tone that it has.
pub(super) fn cell(text: impl ToString, tone: Tone) -> Cell {
    Cell {
        text: printable(&text.to_string()),
        tone,
    }
}

/// A text that may be absent.
pub(super) fn maybe(text: Option<impl ToString>) -> Cell {
    match text {
        Some(text) => cell(text, Tone::Plain),
        None => cell("-", Tone::Plain),
    }
}

/// What guests and services say, in one line, with what could disturb a terminal or its reader visible.
pub(super) fn printable(text: &str) -> String {
    text::visible(&text.replace(['\n', '\t'], " "))
}

#[cfg(test)]
mod tests;
