//! How far long work has come: a bar on a terminal, a line now and then elsewhere, always on standard error.

use super::output::{length, size};
use crate::console;
use indicatif::{ProgressBar, ProgressStyle};
use mainstay_api::{Progress, WorkLine};
use mainstay_domain::text::counted;
use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

/// Lines come at most this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// And those for programs.
const JSON_EVERY: Duration = Duration::from_secs(1);

/// Shows progress until it is dropped.
pub(super) enum ProgressDisplay {
    /// On a terminal; what the work is called.
    Bar(ProgressBar, String),
    /// Elsewhere; when the last line was written.
    Lines(Instant),
    /// For programs, as the API tells it; when the last line was written.
    Json(Instant),
}

impl ProgressDisplay {
    /// A display of work that is called `what`.
    pub(super) fn new(what: &str, json: bool) -> Self {
        if json {
            return Self::Json(Instant::now());
        }
        if io::stderr().is_terminal() {
            let bar = ProgressBar::new_spinner().with_message(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            return Self::Bar(bar, what.to_owned());
        }
        Self::Lines(Instant::now())
    }

    /// Shows how far it has come.
    pub(super) fn show(&mut self, progress: Progress) {
        match self {
            Self::Bar(bar, what) => {
                if let (Some(total), None) = (progress.total, bar.length()) {
                    bar.set_length(total);
                    // The spinner stays where the template is refused, which a constant one is not.
                    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {elapsed}") {
                        bar.set_style(style);
                    }
                }
                bar.set_position(progress.documents);
                bar.set_message(format!("{what}: {}", words(&progress)));
            }
            Self::Lines(last) if last.elapsed() >= LINE_EVERY => {
                *last = Instant::now();
                console::note(words(&progress));
            }
            Self::Json(last) if last.elapsed() >= JSON_EVERY => {
                *last = Instant::now();
                let line = serde_json::to_string(&WorkLine::Progress { progress });
                console::note(line.unwrap_or_default());
            }
            Self::Lines(_) | Self::Json(_) => {}
        }
    }
}

/// How far it is, how fast it goes, and how long the rest takes, as far as each is known.
fn words(progress: &Progress) -> String {
    let documents = match progress.total {
        Some(total) => format!("{} of {}", progress.documents, counted(total, "document")),
        None => counted(progress.documents, "document"),
    };
    let bytes = match progress.total_bytes {
        Some(total) => format!("{} of {}", size(progress.bytes), size(total)),
        None => size(progress.bytes),
    };
    let rate = progress.per_second_bytes;
    let rate = rate.map(|rate| format!("{}/s", size(rate)));
    // To the second: more is not known.
    let rest = progress.remaining_ms.map(|rest| rest.div_ceil(1_000));
    let rest = rest.map(|rest| format!("about {} to go", length(Duration::from_secs(rest))));
    let parts = [Some(documents), Some(bytes), rate, rest];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        if let Self::Bar(bar, _) = self {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_progress_is_said_and_no_more() {
        let early = Progress {
            documents: 1,
            total: None,
            bytes: 100,
            total_bytes: None,
            per_second_bytes: None,
            remaining_ms: None,
        };
        assert_eq!(words(&early), "1 document, 100 B");
        let later = Progress {
            documents: 3,
            total: Some(40),
            bytes: 200,
            total_bytes: Some(700),
            per_second_bytes: Some(50),
            remaining_ms: Some(9_001),
        };
        assert_eq!(
            words(&later),
            "3 of 40 documents, 200 B of 700 B, 50 B/s, about 10 s to go"
        );
    }
}
