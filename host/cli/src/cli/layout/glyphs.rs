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

    fn shown(self) -> Self {
        match self.character {
            STUCK => Self {
                character: ' ',
                ..self
            },
            _ => self,
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

/// A space at which no line breaks, until it is shown.
const STUCK: char = '\u{a0}';

/// What stands behind a number and says nothing without it.
const UNITS: [&str; 19] = [
    "ms", "s", "min", "h", "d", "day", "days", "byte", "bytes", "B", "kB", "MB", "GB", "TB", "KiB",
    "MiB", "GiB", "TiB", "%",
];

/// The same, but that no line breaks between a number and its unit, where a line of so many columns holds both.
fn with_units(text: &[Glyph], room: usize) -> Vec<Glyph> {
    let mut stuck = text.to_vec();
    let mut begin = 0;
    for (place, glyph) in text.iter().enumerate() {
        if !glyph.is_space() {
            continue;
        }
        let number = text.get(begin..place).unwrap_or_default();
        begin = place + 1;
        if !is_number(number) {
            continue;
        }
        let behind = text.get(begin..).unwrap_or_default();
        let unit = behind.split(Glyph::is_space).next().unwrap_or_default();
        let both = width_of(number) + glyph.width + width_of(unit);
        if is_unit(unit)
            && both <= room
            && let Some(space) = stuck.get_mut(place)
        {
            space.character = STUCK;
        }
    }
    stuck
}

fn is_number(word: &[Glyph]) -> bool {
    let is_last_digit = word
        .last()
        .is_some_and(|last| last.character.is_ascii_digit());
    let is_part = |glyph: &Glyph| matches!(glyph.character, '0'..='9' | '.' | ',' | '(');
    is_last_digit && word.iter().all(is_part)
}

fn is_unit(word: &[Glyph]) -> bool {
    let word: String = word.iter().map(|glyph| glyph.character).collect();
    UNITS.contains(&word.trim_end_matches([',', '.', ';', ':', ')']))
}

/// Where a word that no line holds is cut: behind a part of an address or a path, where the line is at least half full by
/// then, and the next one, of so many columns, holds what is left of it.
fn cut_of(line: &[Glyph], begin: usize, rest: usize) -> usize {
    let parts = |glyph: &Glyph| matches!(glyph.character, '/' | '?' | '&');
    let last = line.iter().rposition(parts).map(|last| last + 1);
    let last = last.filter(|last| *last > begin && 2 * *last >= line.len());
    // What is behind it has to go into the next line, with more.
    let goes_on = |last: &usize| width_of(line.get(*last..).unwrap_or_default()) + 2 <= rest;
    last.filter(goes_on).unwrap_or(line.len())
}

/// Breaks a text into lines: the first of `first` columns, all others of `rest`. At least one.
pub(super) fn wrap(text: &[Glyph], first: usize, rest: usize) -> Vec<Vec<Glyph>> {
    let text = &with_units(text, first.min(rest));
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
        let mut begin = line.len();
        for glyph in run {
            if used + glyph.width > room && !line.is_empty() {
                let over = line.split_off(cut_of(&line, begin, rest));
                lines.push(std::mem::replace(&mut line, over));
                room = rest;
                used = width_of(&line);
                begin = 0;
            }
            line.push(glyph.shown());
            used += glyph.width;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}
