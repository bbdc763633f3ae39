//! Between two steps of a chain: what conditions are about, pauses, and the end of the daemon.

use super::{Attempt, Case, CaseKey, IllegalMove, InputTime, Outcome, Recovery, Stage, Work};
use crate::{condition::Facts, incident::Incident, operation::Operation, orders::confidence_of};

impl Recovery {
    /// What the conditions of its steps are about.
    pub(super) fn facts(&self, incident: Option<&Incident>, operation: &Operation) -> Facts {
        let all = incident.map_or(&[][..], |incident| incident.evidence.as_slice());
        let seen = all.last();
        let said = all.iter().rev().find_map(|seen| seen.score);
        // It is at least as bad as its word says.
        let least = operation.severity.least_score();
        Facts {
            severity: operation.severity,
            score: said.map_or(least, |said| said.max(least)),
            confidence: seen.map_or(1.0, confidence_of),
            recurrence_count: incident
                .map_or(0, |incident| incident.recurrence)
                .saturating_add(1),
            step: 1,
            duration: self.timeline.lived_since(operation.detected_at),
            attempt: operation.attempts,
        }
    }

    /// The pause between two steps is over.
    pub(super) fn pause_ended(
        &mut self,
        case: &mut Case,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let Some(mut running) = case.take_running() else {
            return Ok(());
        };
        match &mut running.attempt {
            Attempt::Pausing {
                after, progress, ..
            } => {
                let (after, progress) = (*after, std::mem::take(progress));
                self.go_on(case, running, (Some(after), true), progress, at, out)
            }
            _ => {
                case.stage = Stage::Running(Box::new(running));
                Ok(())
            }
        }
    }

    /// The daemon ends: no pause is waited for any more.
    pub(super) fn end_pauses_between_steps(&mut self, at: InputTime, out: &mut Outcome) {
        let pausing = self.cases().filter(|(_, case)| match &case.stage {
            Stage::Running(running) => matches!(running.attempt, Attempt::Pausing { .. }),
            _ => false,
        });
        let mut keys: Vec<CaseKey> = pausing.map(|(key, _)| key.clone()).collect();
        // The same inputs give the same outcomes.
        keys.sort();
        for key in keys {
            self.with(&key, out, |_, case, _| {
                if let Stage::Running(running) = &mut case.stage
                    && let Attempt::Pausing { until, .. } = &mut running.attempt
                {
                    *until = at.monotonic;
                }
            });
        }
    }

    /// The daemon ends between two steps: the next one makes the same attempt again.
    pub(super) fn suspend_for_shutdown(
        &mut self,
        case: &mut Case,
        mut work: Work,
        at: InputTime,
        out: &mut Outcome,
    ) {
        work.revise(out, |operation| {
            operation.attempts = operation.attempts.saturating_sub(1);
            operation.due = Some(at.now);
        });
        let entry = self.entry(&work.operation, at.monotonic);
        self.queue.rest(entry);
        work.error = Some("the daemon ended between two of its steps".to_owned());
        case.stage = Stage::Queued(work);
    }
}
