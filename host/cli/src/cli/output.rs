//! What people and programs read on standard output.
//!
//! Invariant: colours only where they are wanted; nothing is wrapped or cut where the output is not a terminal.
//! Invariant: a reader that has gone is no failure; see [`OutputClosed`].
//! Invariant: nothing that others wrote moves the cursor or disguises what is beside it, in tables, lines and JSON.

use super::{
    arguments::{Color, Global},
    failure::OutputClosed,
};
use comfy_table::{Cell, Color as Paint, ContentArrangement, Table, presets};
use mainstay_api::Severity;
use mainstay_domain::{
    text,
    time::{Timestamp, millis},
};
use serde::Serialize;
use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, SystemTime},
};

/// Where a command writes.
#[derive(Debug)]
pub(super) struct Output {
    /// JSON is wanted.
    pub(super) json: bool,
    /// Colours are wanted.
    pub(super) colour: bool,
    terminal: bool,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Standard,
    #[cfg(test)]
    Memory(parking_lot::Mutex<Vec<u8>>),
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
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
            terminal,
            sink: Sink::Standard,
        }
    }

    /// Whether a person reads along.
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Writes a text and an end of line.
    pub(super) fn line(&self, text: &str) -> anyhow::Result<()> {
        self.verbatim(&self.shown(text))
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
        let written = match &self.sink {
            Sink::Standard => write_line(&mut io::stdout().lock(), text),
            #[cfg(test)]
            Sink::Memory(bytes) => {
                let mut bytes = bytes.lock();
                write_line(&mut *bytes, text)
            }
        };
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
            Err(error) => Err(anyhow::Error::new(error).context("cannot write to standard output")),
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

    /// Writes rows under headings; a sentence where there are none.
    pub(super) fn table(
        &self,
        headings: &[&str],
        rows: Vec<Vec<Cell>>,
        none: &str,
    ) -> anyhow::Result<()> {
        if rows.is_empty() {
            return self.line(none);
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(headings.iter().copied());
        table.add_rows(rows);
        if self.terminal {
            let width = table.width();
            table.set_content_arrangement(ContentArrangement::Dynamic);
            if let Some(width) = width {
                table.set_width(width);
            }
        } else {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines: Vec<String> = table
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect();
        self.line(&lines.join("\n"))
    }

    /// A text in the colour of its tone.
    pub(super) fn paint(&self, text: &str, tone: Tone) -> String {
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

/// A cell in the colour of its tone.
pub(super) fn cell(text: impl ToString, tone: Tone) -> Cell {
    let cell = Cell::new(printable(&text.to_string()));
    match tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Paint::Green),
        Tone::Warn => cell.fg(Paint::Yellow),
        Tone::Bad => cell.fg(Paint::Red),
    }
}

/// A cell with a text that may be absent.
pub(super) fn maybe(text: Option<impl ToString>) -> Cell {
    match text {
        Some(text) => cell(text, Tone::Plain),
        None => cell("-", Tone::Plain),
    }
}

/// The tone of a severity.
pub(super) fn tone_of(severity: Severity) -> Tone {
    match severity {
        Severity::Low => Tone::Plain,
        Severity::Medium => Tone::Warn,
        Severity::High | Severity::Critical => Tone::Bad,
    }
}

/// What guests and services say, in one line, with what could disturb a terminal or its reader visible.
pub(super) fn printable(text: &str) -> String {
    text::visible(&text.replace(['\n', '\t'], " "))
}

/// The time now.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::from_millis(millis(since.unwrap_or_default()))
}

/// A time as people say it, e.g. `5 min ago` or `in 2 h`.
pub(super) fn relative(time: &str, now: Timestamp) -> String {
    let Ok(time) = Timestamp::parse(time) else {
        return time.to_owned();
    };
    if time > now {
        return format!("in {}", length(time.since(now)));
    }
    match now.since(time) {
        age if age < Duration::from_secs(1) => "now".to_owned(),
        age => format!("{} ago", length(age)),
    }
}

/// A length as people say it, with one unit.
pub(super) fn length(length: Duration) -> String {
    let (millis, seconds) = (length.as_millis(), length.as_secs());
    match seconds {
        0 => format!("{millis} ms"),
        1..=9 => format!("{:.1} s", length.as_secs_f64()),
        10..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A size as people say it, in powers of ten.
pub(super) fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut amount = bytes as f64;
    let mut shown = "B";
    for unit in units {
        if amount < 999.5 {
            break;
        }
        amount /= 1_000.0;
        shown = unit;
    }
    let digits = usize::from(shown != "B" && amount < 9.95);
    format!("{amount:.digits$} {shown}")
}

#[cfg(test)]
impl Output {
    /// An output that is kept in memory, as if it were a pipe.
    pub(super) fn in_memory(json: bool, colour: bool) -> Self {
        Self {
            json,
            colour,
            terminal: false,
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
