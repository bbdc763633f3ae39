//! What the demo prints: a readable timeline, or one JSON line a step.

use crate::console;
use mainstay_api::{DemoEnd, DemoStep};
use mainstay_domain::time::millis;
use serde::Serialize;
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

/// Times and prints steps; after one that failed nothing else is tried.
pub(super) struct Timeline {
    json: bool,
    colour: bool,
    begin: Instant,
    steps: u32,
    failed: bool,
}

impl Timeline {
    pub(super) fn new(json: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            json,
            colour,
            begin: Instant::now(),
            steps: 0,
            failed: false,
        }
    }

    /// Whether a step has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Runs a step that says what it saw; its value, where it was ok.
    pub(super) async fn step<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = anyhow::Result<(T, String)>>,
    ) -> Option<T> {
        let begin = Instant::now();
        let result = work.await;
        let elapsed = begin.elapsed();
        self.steps += 1;
        match result {
            Ok((value, detail)) => {
                self.print(name, true, elapsed, &detail);
                Some(value)
            }
            Err(error) => {
                self.failed = true;
                self.print(name, false, elapsed, &format!("{error:#}"));
                None
            }
        }
    }

    fn print(&self, name: &str, ok: bool, elapsed: Duration, detail: &str) {
        let elapsed_ms = millis(elapsed);
        if self.json {
            print_json(&DemoStep {
                step: name.to_owned(),
                ok,
                elapsed_ms,
                detail: detail.to_owned(),
            });
            return;
        }
        let at = self.begin.elapsed().as_secs_f64();
        let mark = match (ok, self.colour) {
            (true, true) => "\x1b[32mok\x1b[0m  ",
            (true, false) => "ok  ",
            (false, true) => "\x1b[31mFAIL\x1b[0m",
            (false, false) => "FAIL",
        };
        console::print(format_args!(
            "{at:8.3} s  {mark}  {name:<24} {elapsed_ms:>7} ms  {detail}"
        ));
    }

    /// The last line; whether everything was ok.
    pub(super) fn finish(&self, elapsed: Duration) -> bool {
        let (ok, steps, elapsed_ms) = (!self.failed, self.steps, millis(elapsed));
        if self.json {
            print_json(&DemoEnd {
                ok,
                steps,
                elapsed_ms,
            });
        } else {
            let summary = if ok {
                "all ok"
            } else {
                "stopped at the step that failed"
            };
            console::print(format_args!(
                "{steps} steps in {:.1} s: {summary}",
                elapsed.as_secs_f64()
            ));
        }
        ok
    }
}

fn print_json(line: &impl Serialize) {
    // Of texts and numbers it does not fail.
    console::print(serde_json::to_string(line).unwrap_or_default());
}
