//! What people and programs read on standard output.
//!
//! Invariant: colours only where they are wanted; nothing is wrapped where the output is not a terminal, and nothing is
//! ever cut.
//! Invariant: a reader that has gone is no failure; see [`OutputClosed`].
//! Invariant: nothing that others wrote moves the cursor or disguises what is beside it, in tables, lines and JSON.

use super::{
    arguments::{Color, Global},
    failure::OutputClosed,
};
use mainstay_api::Severity;
use mainstay_domain::text;
use serde::Serialize;
use std::{
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
};

pub(super) use super::{
    layout::{Block, Cell, Style, Table, Tone, cell, lay_out, maybe, printable, wrap_report},
    times::{Times, length, now, relative, size},
};

/// Of a terminal that does not say how wide it is.
const USUAL_WIDTH: usize = 80;
/// Of one that does not say how high it is.
const USUAL_ROWS: usize = 24;

/// Where a command writes.
#[derive(Debug)]
pub(super) struct Output {
    /// JSON is wanted.
    pub(super) json: bool,
    /// Colours are wanted.
    pub(super) colour: bool,
    /// When it is for who reads this, and where.
    pub(super) times: Times,
    /// Of the terminal; none where it is not one.
    width: Option<usize>,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Standard,
    #[cfg(test)]
    Memory(parking_lot::Mutex<Vec<u8>>),
}

impl Output {
    pub(super) fn new(global: &Global) -> Self {
        let terminal = io::stdout().is_terminal();
        // https://no-color.org: set and not empty.
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = match global.color {
            Color::Auto => terminal && !no_color,
            Color::Always => true,
            Color::Never => false,
        };
        Self {
            json: global.json,
            colour,
            times: Times::new(global.utc),
            width: terminal.then(|| terminal_width(io::stdout())),
            sink: Sink::Standard,
        }
    }

    /// Writes a text and an end of line; on a terminal its lines are broken between words.
    pub(super) fn line(&self, text: &str) -> anyhow::Result<()> {
        if self.width.is_none() || text.contains('\u{1b}') {
            return self.verbatim(&self.shown(text));
        }
        let blocks: Vec<Block> = text
            .split('\n')
            .map(|line| Block::text(line, Tone::Plain))
            .collect();
        self.show(&blocks)
    }

    /// A text as people see it: the only escapes are colours, where they are wanted.
    pub(super) fn shown(&self, text: &str) -> String {
        if !self.colour {
            return text::visible_lines(text);
        }
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, escape)) = rest.find('\u{1b}').map(|at| rest.split_at(at)) {
            shown.push_str(&text::visible_lines(before));
            let length = colour_length(escape);
            let (kept, after) = escape.split_at(length.unwrap_or(1));
            match length {
                Some(_) => shown.push_str(kept),
                None => shown.push_str(&text::visible_lines(kept)),
            }
            rest = after;
        }
        shown.push_str(&text::visible_lines(rest));
        shown
    }

    /// Writes a text as it is, and an end of line: what the program itself made.
    pub(super) fn verbatim(&self, text: &str) -> anyhow::Result<()> {
        self.written_by(|mut to| write_line(&mut to, text))
    }

    /// Writes the content of a file as it is; to a terminal without what would move its cursor.
    pub(super) fn content(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let shown = self
            .width
            .map(|_| text::visible_lines(&String::from_utf8_lossy(bytes)));
        let bytes = shown.as_ref().map_or(bytes, String::as_bytes);
        self.written_by(|to| {
            to.write_all(bytes)?;
            to.flush()
        })
    }

    fn written_by(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let written = match &self.sink {
            Sink::Standard => write(&mut io::stdout().lock()),
            #[cfg(test)]
            Sink::Memory(bytes) => write(&mut *bytes.lock()),
        };
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
            Err(error) => Err(anyhow::Error::new(error).context("cannot write to standard output")),
        }
    }

    /// Writes a report that is text already; on a terminal its sentences are broken between words.
    pub(super) fn report(&self, text: &str) -> anyhow::Result<()> {
        let shown = self.shown(text);
        match self.width {
            Some(width) => self.verbatim(&wrap_report(&shown, width)),
            None => self.verbatim(&shown),
        }
    }

    /// Writes a value as one line of JSON.
    pub(super) fn json_line(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.json_text(&serde_json::to_string(value)?)
    }

    /// Writes JSON that says the same as this, and shows what others wrote in it.
    pub(super) fn json_text(&self, json: &str) -> anyhow::Result<()> {
        self.verbatim(&text::visible_json(json))
    }

    /// Writes blocks, laid out for whoever reads them.
    pub(super) fn show(&self, blocks: &[Block]) -> anyhow::Result<()> {
        let lines = lay_out(blocks, self.style());
        match lines.is_empty() {
            true => Ok(()),
            false => self.verbatim(&self.shown(&lines.join("\n"))),
        }
    }

    /// Draws blocks on the terminal in place of what is there; of what has no room the end is left out, and counted. It has
    /// the size that the terminal has now.
    pub(super) fn draw(&self, blocks: &[Block]) -> anyhow::Result<()> {
        let style = Style {
            width: self.width.map(|_| terminal_width(io::stdout())),
            ..self.style()
        };
        let lines = lay_out(blocks, style);
        let lines = first_lines(lines, terminal_rows());
        // To the first place, and nothing below it.
        self.verbatim(&format!(
            "\u{1b}[H\u{1b}[2J{}",
            self.shown(&lines.join("\n"))
        ))
    }

    /// Writes rows under headings; a sentence where there are none.
    pub(super) fn table(
        &self,
        headings: &[&'static str],
        rows: Vec<Vec<Cell>>,
        none: &str,
    ) -> anyhow::Result<()> {
        self.show(&[Block::Table(Table::new(headings, rows, none))])
    }

    /// A text in the colour of its tone.
    pub(super) fn paint(&self, text: &str, tone: Tone) -> String {
        self.style().paint(text, tone)
    }

    /// Whether a person looks at a terminal; else each record is one line.
    pub(super) fn is_terminal(&self) -> bool {
        self.width.is_some()
    }

    fn style(&self) -> Style {
        Style {
            width: self.width,
            colour: self.colour,
        }
    }
}

/// As many of the first lines as a terminal of so many rows holds above the line of its cursor.
fn first_lines(mut lines: Vec<String>, rows: usize) -> Vec<String> {
    let room = rows.saturating_sub(1).max(1);
    if lines.len() > room {
        let left_out = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(format!("… and {left_out} more lines"));
    }
    lines
}

fn terminal_rows() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let rows = size.map(|size| usize::from(size.ws_row));
    rows.filter(|rows| *rows > 0).unwrap_or(USUAL_ROWS)
}

/// The columns of the terminal; $COLUMNS says it where that is set.
fn terminal_width(terminal: impl AsFd) -> usize {
    let asked = std::env::var("COLUMNS").ok();
    let asked = asked.and_then(|columns| columns.parse().ok());
    let measured = || {
        let size = rustix::termios::tcgetwinsize(terminal).ok()?;
        Some(usize::from(size.ws_col))
    };
    let found = asked.or_else(measured).filter(|columns| *columns > 0);
    found.unwrap_or(USUAL_WIDTH)
}

/// A text for standard error: where that is a terminal, its sentences are broken between words.
pub(super) fn for_standard_error(text: &str) -> String {
    match io::stderr().is_terminal() {
        true => wrap_report(text, terminal_width(io::stderr())),
        false => text.to_owned(),
    }
}

/// The length of the colour that a text begins with, where it begins with one.
fn colour_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    let is_colour = parameters.get(end..)?.starts_with('m');
    is_colour.then(|| text.len() - parameters.len() + end + 1)
}

fn write_line(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// The tone of a severity.
pub(super) fn tone_of(severity: Severity) -> Tone {
    match severity {
        Severity::Low => Tone::Plain,
        Severity::Medium => Tone::Warn,
        Severity::High | Severity::Critical => Tone::Bad,
    }
}

#[cfg(test)]
impl Output {
    /// An output that is kept in memory, as if it were a pipe, read half an hour after noon on
    /// 2024-01-31: what it shows must not depend on the day on which it is made.
    pub(super) fn in_memory(json: bool, colour: bool) -> Self {
        let read_at = mainstay_domain::time::Timestamp::from_millis(1_706_704_200_000);
        Self {
            json,
            colour,
            times: Times::at(read_at, jiff::tz::TimeZone::UTC),
            width: None,
            sink: Sink::Memory(parking_lot::Mutex::default()),
        }
    }

    /// What was written.
    pub(super) fn written(&self) -> String {
        match &self.sink {
            Sink::Standard => String::new(),
            Sink::Memory(bytes) => String::from_utf8(bytes.lock().clone()).unwrap(),
        }
    }
}

#[cfg(test)]
mod tests;
