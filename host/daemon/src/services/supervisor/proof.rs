//! Whether what a person has started stays up, so far as a moment tells.
//!
//! Invariant: who waits does so for that moment at most.

use super::Core;
use mainstay_domain::{effect::EffectError, name::TargetName};
use std::time::Duration;
use tokio::time::Instant;

/// A program that cannot run, for its config or its port, usually ends long before.
const MOMENT: Duration = Duration::from_secs(1);
/// Between two looks at whether it runs.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Core {
    /// Resolves when the process of a target has run for a moment, is done or was stopped. The error says how it ended by
    /// itself, where it did so more often than `bad_ends` times.
    pub(super) async fn stays_up(
        &self,
        target: &TargetName,
        bad_ends: u64,
    ) -> Result<(), EffectError> {
        let until = Instant::now() + MOMENT;
        while let Some(supervised) = self.get(target) {
            // Before the ends are counted: one that comes in between is seen by the next look.
            let runs = supervised.runs();
            let (count, how) = supervised.bad_ends();
            if count > bad_ends {
                let said = self.last_line(target).await;
                return Err(EffectError::Failed(format!("{target}: {how}; {said}")));
            }
            if !runs || self.is_closing() || Instant::now() >= until {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn last_line(&self, target: &TargetName) -> String {
        let lines = self.ports.watch.last_lines(target.clone()).await;
        let lines = lines.unwrap_or_default();
        let mut lines = lines.lines().rev().filter(|line| !line.trim().is_empty());
        match lines.next() {
            Some(line) => format!("the last line of its log: {line}"),
            None => "its log says nothing".to_owned(),
        }
    }
}
