//! A person signals to the handler of an operation, whether that waits for it by now or not.
//!
//! Invariant: a signal is in the record of its operation before anybody is told that it was taken, and stays there.
//! Invariant: a wait that nobody holds ends with its signal, also where that came while the wait began.

use super::{
    Case, CaseKey, IllegalMove, InputTime, NewSignal, Outcome, Recovery, Refusal, Reply, Running,
    Stage, words,
};
use crate::{
    id::OperationId,
    operation::{AwaitedSignal, MAX_SIGNAL_BYTES, MAX_SIGNALS, ReceivedSignal},
};
use std::time::Duration;

impl Recovery {
    /// Takes a signal.
    pub(super) fn signal(
        &mut self,
        signal: &NewSignal,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let key = self.signalled(signal)?;
        let operation = self.with(&key, out, |machine, case, out| {
            let is_queued = matches!(case.stage, Stage::Queued(_));
            let work = case.work_mut()?;
            let is_awaited = is_queued && work.awaits.as_ref() == Some(&signal.name);
            work.revise(out, |operation| {
                let before = operation.signals.len();
                operation.signals.push(ReceivedSignal {
                    number: u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1),
                    name: signal.name.clone(),
                    text: signal.text.clone(),
                    at: at.now,
                    by: signal.by.name.clone(),
                    note: signal.by.note.clone(),
                });
                if is_awaited {
                    operation.due = Some(at.now);
                }
            });
            out.writes
                .push(words::signalled(&work.operation, signal, at.now));
            let operation = work.operation.clone();
            if is_awaited {
                work.awaits = None;
                machine.queue.push(machine.entry(&operation, at.monotonic));
            }
            Some(operation)
        });
        operation
            .flatten()
            .map(|operation| Reply::Operation(Box::new(operation)))
            .ok_or_else(|| nobody_has(&signal.id))
    }

    /// Whose operation it is, where that takes it.
    fn signalled(&self, signal: &NewSignal) -> Result<CaseKey, Refusal> {
        let id = &signal.id;
        if self.dry_runs.contains_key(id) {
            return Err(Refusal::Conflict(format!(
                "{id} is a dry run, in which no signal is waited for"
            )));
        }
        let key = self.operations.get(id).ok_or_else(|| nobody_has(id))?;
        let work = self.case(key).and_then(Case::work);
        let before = work.ok_or_else(|| nobody_has(id))?.operation.signals.len();
        if before >= MAX_SIGNALS {
            return Err(Refusal::NotAllowed(format!(
                "{id} has {before} signals, and takes no more; see mainstay operation show {id}"
            )));
        }
        let bytes = signal.text.len();
        if bytes > MAX_SIGNAL_BYTES {
            return Err(Refusal::NotAllowed(format!(
                "what comes with the signal has {bytes} bytes, and at most {MAX_SIGNAL_BYTES} are allowed"
            )));
        }
        Ok(key.clone())
    }

    /// The call waits for a signal: it is gone on with when that comes, or the wait is over, and holds nothing meanwhile.
    pub(super) fn awaits(
        &mut self,
        case: &mut Case,
        mut running: Running,
        awaited: &AwaitedSignal,
        effects: u32,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let mut later = running.work.operation.signals.iter().skip(awaited.seen);
        let has_come = later.any(|signal| signal.name == awaited.name);
        let left = match has_come {
            true => Duration::ZERO,
            false => awaited.left,
        };
        running.work.awaits = Some(awaited.name.clone());
        self.suspended(case, running, (awaited.until, left), effects, at, out)
    }
}

fn nobody_has(id: &OperationId) -> Refusal {
    Refusal::Conflict(format!(
        "{id} neither waits nor runs, so that nobody would have the signal; see mainstay operation show {id}"
    ))
}
