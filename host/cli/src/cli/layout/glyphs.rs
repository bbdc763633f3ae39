//! Characters with the columns that they take, and how they are broken into lines.

use super::{Cell, Tone};
use unicode_width::UnicodeWidthChar;

/// A character as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Glyph {
    pub(super) character: char,
    /// Columns: two for wide ones, none for those that go onto the one before.
    width: usize,
    pub(super) tone: Tone,
}

impl Glyph {
    fn new(character: char, tone: Tone) -> Self {
        Self {
            character,
            width: character.width().unwrap_or(0),
            tone,
        }
    }

    pub(super) fn is_space(&self) -> bool {
        self.character == ' '
    }
}

/// The characters of cells, one after the other.
pub(super) fn glyphs(cells: &[Cell]) -> Vec<Glyph> {
    let of_cell = |cell: &Cell| {
        let tone = cell.tone;
        let characters = cell.text.chars();
        characters
            .map(|character| Glyph::new(character, tone))
            .collect::<Vec<Glyph>>()
    };
    cells.iter().flat_map(of_cell).collect()
}

/// So many spaces.
pub(super) fn spaces(count: usize) -> Vec<Glyph> {
    vec![Glyph::new(' ', Tone::Plain); count]
}

/// How many columns they take.
pub(super) fn width_of(glyphs: &[Glyph]) -> usize {
    glyphs.iter().map(|glyph| glyph.width).sum()
}

/// The columns that the longest word takes.
pub(super) fn longest_word(text: &[Glyph]) -> usize {
    let words = text.split(Glyph::is_space);
    words.map(width_of).max().unwrap_or(0)
}

/// Breaks a text into lines: the first of `first` columns, all others of `rest`. At least one.
pub(super) fn wrap(text: &[Glyph], first: usize, rest: usize) -> Vec<Vec<Glyph>> {
    let mut lines = Vec::new();
    let mut line: Vec<Glyph> = Vec::new();
    let (mut used, mut room) = (0, first);
    let mut gap: &[Glyph] = &[];
    for run in text.chunk_by(|a, b| a.is_space() == b.is_space()) {
        if run.first().is_some_and(Glyph::is_space) {
            gap = run;
            continue;
        }
        if used + gap.len() + width_of(run) > room {
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                room = rest;
            }
            used = 0;
            gap = &[];
        }
        line.extend_from_slice(gap);
        used += gap.len();
        gap = &[];
        for glyph in run {
            if used + glyph.width > room && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                room = rest;
                used = 0;
            }
            line.push(*glyph);
            used += glyph.width;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}
