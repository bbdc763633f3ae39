//! How far long work has come: a bar on a terminal, a line now and then elsewhere, always on standard error.

use super::output::size;
use crate::console;
use indicatif::{ProgressBar, ProgressStyle};
use mainstay_api::Progress;
use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

/// Lines come at most this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows progress until it is dropped.
pub(super) enum ProgressDisplay {
    /// On a terminal.
    Bar(ProgressBar),
    /// Elsewhere; when the last line was written.
    Lines(Instant),
    /// For programs.
    Nothing,
}

impl ProgressDisplay {
    /// A display of work that is called `what`.
    pub(super) fn new(what: &str, json: bool) -> Self {
        if io::stderr().is_terminal() {
            let bar = ProgressBar::new_spinner().with_message(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            return Self::Bar(bar);
        }
        if json {
            Self::Nothing
        } else {
            Self::Lines(Instant::now())
        }
    }

    /// Shows how far it has come.
    pub(super) fn show(&mut self, progress: Progress) {
        match self {
            Self::Bar(bar) => {
                if let (Some(total), None) = (progress.total, bar.length()) {
                    bar.set_length(total);
                    // The spinner stays where the template is refused, which a constant one is not.
                    if let Ok(style) = ProgressStyle::with_template(
                        "{msg} {wide_bar} {pos}/{len} documents, {elapsed} (about {eta} to go)",
                    ) {
                        bar.set_style(style);
                    }
                }
                bar.set_position(progress.documents);
            }
            Self::Lines(last) if last.elapsed() >= LINE_EVERY => {
                *last = Instant::now();
                let total = progress.total.map(|total| format!(" of {total}"));
                console::note(format_args!(
                    "{}{} documents, {}",
                    progress.documents,
                    total.unwrap_or_default(),
                    size(progress.bytes)
                ));
            }
            Self::Lines(_) | Self::Nothing => {}
        }
    }
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
