//! Records: in columns where they fit beside one another, each as a card of its own where they do not.

use super::{
    Cell, Style, Tone, cell,
    glyphs::{Glyph, glyphs, longest_word, spaces, width_of},
};

/// Between columns, and between the facts of a card.
const BETWEEN: usize = 2;

/// The last column is wrapped where it has at least so much room,
const LEAST_TEXT: usize = 24;

/// and where no row of it takes more lines than this.
const MOST_LINES: usize = 3;

/// The facts of a card begin so far to the right.
const INDENT: usize = 2;

/// Records of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    /// What is said where there are none.
    none: String,
    /// The columns that a card begins with, which need no names.
    leads: Vec<usize>,
}

impl Table {
    /// Rows under headings; a sentence where there are none.
    pub(in super::super) fn new(
        headings: &[&'static str],
        rows: Vec<Vec<Cell>>,
        none: &str,
    ) -> Self {
        Self {
            headings: headings.to_vec(),
            rows,
            none: none.to_owned(),
            leads: vec![0],
        }
    }

    /// The same, with cards that begin with these columns.
    pub(in super::super) fn led_by(mut self, leads: &[usize]) -> Self {
        self.leads = leads.to_vec();
        self
    }

    pub(super) fn lines(&self, style: Style) -> Vec<String> {
        if self.rows.is_empty() {
            return style.wrapped(&[], INDENT, &glyphs(&[cell(&self.none, Tone::Plain)]));
        }
        let Some(width) = style.width() else {
            return self.in_columns((0..self.headings.len()).collect(), style);
        };
        let places = self.places_in_use();
        let widths: Vec<usize> = places.iter().map(|place| self.width_of(*place)).collect();
        let total = widths.iter().sum::<usize>() + BETWEEN * widths.len().saturating_sub(1);
        let last = widths.last().copied().unwrap_or(0);
        let room = width.saturating_sub(total - last);
        let wraps_well = room >= LEAST_TEXT
            && last.div_ceil(room) <= MOST_LINES
            && places
                .last()
                .is_some_and(|place| self.longest_word(*place) <= room);
        match total <= width || wraps_well {
            true => self.in_columns(places, style),
            false => self.as_cards(&places, style),
        }
    }

    /// Columns in which some row says something; always the first.
    fn places_in_use(&self) -> Vec<usize> {
        let says = |place: usize| {
            let mut cells = self.rows.iter().filter_map(|row| row.get(place));
            place == 0 || cells.any(|cell| !cell.is_absent())
        };
        (0..self.headings.len())
            .filter(|place| says(*place))
            .collect()
    }

    fn heading(&self, place: usize) -> Cell {
        let heading = self.headings.get(place).copied().unwrap_or_default();
        cell(heading, Tone::Plain)
    }

    fn column(&self, place: usize) -> impl Iterator<Item = Vec<Glyph>> {
        let heading = glyphs(&[self.heading(place)]);
        let rows = self.rows.iter().map(move |row| glyphs_at(row, place));
        std::iter::once(heading).chain(rows)
    }

    fn width_of(&self, place: usize) -> usize {
        let widths = self.column(place).map(|glyphs| width_of(&glyphs));
        widths.max().unwrap_or(0)
    }

    fn longest_word(&self, place: usize) -> usize {
        let words = self.column(place).map(|glyphs| longest_word(&glyphs));
        words.max().unwrap_or(0)
    }

    /// One below the other; what the last column has too much of goes on below it.
    fn in_columns(&self, mut places: Vec<usize>, style: Style) -> Vec<String> {
        let Some(last) = places.pop() else {
            return Vec::new();
        };
        let widths: Vec<usize> = places.iter().map(|place| self.width_of(*place)).collect();
        let headings: Vec<Cell> = (0..self.headings.len())
            .map(|place| self.heading(place))
            .collect();
        let mut lines = Vec::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut head: Vec<Glyph> = Vec::new();
            for (place, width) in places.iter().zip(&widths) {
                let shown = glyphs_at(row, *place);
                let padding = width.saturating_sub(width_of(&shown)) + BETWEEN;
                head.extend(shown);
                head.extend(spaces(padding));
            }
            let text = glyphs_at(row, last);
            lines.extend(style.wrapped(&head, width_of(&head), &text));
        }
        lines
    }

    fn as_cards(&self, places: &[usize], style: Style) -> Vec<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            let said = |place: &usize| row.get(*place).filter(|cell| !cell.is_absent());
            let leads = self.leads.iter().filter_map(said);
            let leads: Vec<Vec<Glyph>> = leads
                .map(|cell| glyphs(std::slice::from_ref(cell)))
                .collect();
            lines.extend(flow(&leads, 0, style));
            let others = places.iter().filter(|place| !self.leads.contains(place));
            let facts = others.filter_map(|place| {
                let name = self.headings.get(*place)?.to_lowercase();
                let name = cell(format!("{name}: "), Tone::Plain);
                Some(glyphs(&[name, said(place)?.clone()]))
            });
            lines.extend(flow(&facts.collect::<Vec<_>>(), INDENT, style));
        }
        lines
    }
}

fn glyphs_at(row: &[Cell], place: usize) -> Vec<Glyph> {
    let cell = row.get(place);
    cell.map(|cell| glyphs(std::slice::from_ref(cell)))
        .unwrap_or_default()
}

/// Facts beside one another, as many as a line holds; one that no line holds is wrapped by itself.
fn flow(facts: &[Vec<Glyph>], indent: usize, style: Style) -> Vec<String> {
    let width = style.width().unwrap_or(usize::MAX);
    let mut lines = Vec::new();
    let mut line: Vec<Glyph> = Vec::new();
    for fact in facts {
        let needed = width_of(fact);
        if !line.is_empty() {
            if width_of(&line) + BETWEEN + needed <= width {
                line.extend(spaces(BETWEEN));
                line.extend_from_slice(fact);
                continue;
            }
            lines.push(style.line(&std::mem::take(&mut line)));
        }
        if indent + needed > width {
            lines.extend(style.wrapped(&spaces(indent), indent + INDENT, fact));
            continue;
        }
        line.extend(spaces(indent));
        line.extend_from_slice(fact);
    }
    if !line.is_empty() {
        lines.push(style.line(&line));
    }
    lines
}
