//! Resumes an operation that the previous daemon left, in the state in which it was.

use crate::{
    call::NextStep,
    call_record::{CallEnd, CallOutcome},
    event::IncidentEnd,
    operation::OperationState,
    record::Change,
    recovery::{
        Attempt, Case, IllegalMove, InputTime, Outcome, Recovery, Running, Stage, Work, spacing,
        words,
    },
    time::Monotonic,
};
use std::time::Duration;

/// After so many interrupted calls of one operation a person is asked: a guest that crashes the daemon must not do so
/// for ever.
pub(in crate::recovery) const INTERRUPTIONS: u32 = 3;

/// Why a call is not gone on with of which the journal lacks something.
const LOST: &str =
    "a record of what its handler did was set aside, so nobody knows what is left to do";

/// What a person has to do then.
fn lost_steps() -> Vec<String> {
    vec![
        "see in its journal, and in the service, what was done, and put the rest right by hand"
            .to_owned(),
        "approve it where its handler may begin from the start".to_owned(),
    ]
}

/// Nobody goes on with a call of which the journal lacks something: what of it is lost would be done once more.
fn end_lost(work: &mut Work, at: InputTime, out: &mut Outcome) {
    if let Some(open) = work.open_call.take() {
        let end = CallEnd {
            at: at.now,
            outcome: CallOutcome::GivenUp(LOST.to_owned()),
        };
        let id = work.operation.id.clone();
        out.writes.push(Change::CallEnded(id, open.call, end));
    }
    if work.operation.doubt.is_some() {
        // Whatever is found out of it, there is nothing that goes on with that.
        work.revise(out, |operation| {
            operation.doubt = None;
            operation.error = Some(LOST.to_owned());
            operation.steps = lost_steps();
        });
    }
}

impl Recovery {
    pub(super) fn resume_operation(
        &mut self,
        case: &mut Case,
        mut work: Work,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let due = work.operation.due;
        if work.is_lost {
            end_lost(&mut work, at, out);
            let state = work.operation.state;
            if matches!(
                state,
                OperationState::Scheduled | OperationState::InProgress
            ) {
                let (why, steps) = (LOST.to_owned(), lost_steps());
                return self.ask_operator(case, work, why, steps, at, out);
            }
        }
        match work.operation.state {
            OperationState::AwaitingManual => {
                work.expires = self.approval_ends(&work, at);
                let is_in_call = work.open_call.is_some();
                case.stage = Stage::AwaitingApproval(work);
                if !case.is_present && !is_in_call {
                    self.close_unrecovered(case, IncidentEnd::Unseen, at, out)?;
                }
            }
            OperationState::Validating if due.is_none() => {
                let key = case.key();
                let Some(route) = self.settings.route(&key, work.operation.severity).cloned()
                else {
                    self.queue_again(case, work, at.monotonic);
                    return Ok(());
                };
                let (id, target) = (work.operation.id.clone(), key.target.clone());
                self.queue.occupy(id, target);
                // A handler had acted before the daemon ended, which whoever watches the target now does not know.
                let looks = self.validate(&key, &work, &route, at, out);
                case.stage = Stage::Running(Box::new(Running {
                    work,
                    route,
                    attempt: Attempt::Validating(looks),
                    cancelled: None,
                }));
            }
            OperationState::InProgress if due.is_none() => self.cut_off(case, work, at, out)?,
            // What is left of its sleep, if it slept, the call itself knows.
            _ if work.open_call.is_some() => self.queue_again(case, work, at.monotonic),
            _ => {
                let rests = work.operation.state != OperationState::Scheduled;
                if rests && !work.operation.cut_off {
                    // It rests between two attempts.
                    work.error
                        .get_or_insert_with(|| "its last attempt did not help".to_owned());
                }
                let left = due.map_or(Duration::ZERO, |due| due.since(at.now));
                let left = left.min(self.longest_wait(case, &work, at));
                if work.error.is_some() {
                    work.deciding.resume(left);
                    let entry = self.entry(&work.operation, at.monotonic + left);
                    self.queue.rest(entry);
                    case.stage = Stage::Queued(work);
                } else {
                    self.queue_again(case, work, at.monotonic + left);
                }
            }
        }
        Ok(())
    }

    /// A clock that went back makes a wait no longer than its rules say.
    fn longest_wait(&self, case: &Case, work: &Work, at: InputTime) -> Duration {
        let key = case.key();
        let Some(route) = self.settings.route(&key, case.incident.severity) else {
            return Duration::ZERO;
        };
        let next = work.operation.attempts.saturating_add(1);
        match &work.error {
            // What its strategy decided then is what the record says.
            Some(_) if route.decider.is_some() => NextStep::LONGEST_WAIT,
            Some(_) => spacing::delay_before(route, &case.incident, next).unwrap_or_default(),
            None => self.next_delay(&key, &case.incident, route, at),
        }
    }

    pub(super) fn queue_again(&mut self, case: &mut Case, work: Work, due: Monotonic) {
        let entry = self.entry(&work.operation, due);
        self.queue.push(entry);
        case.stage = Stage::Queued(work);
    }

    /// The daemon ended during a call: the attempt is made again, but not for ever.
    fn cut_off(
        &mut self,
        case: &mut Case,
        mut work: Work,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        if work.open_call.is_some() {
            // How often is counted with the call itself.
            work.revise(out, |operation| {
                operation.due = Some(at.now);
                operation.cut_off = true;
            });
            out.writes.push(words::resumed(&work.operation, at.now));
            self.queue_again(case, work, at.monotonic);
            return Ok(());
        }
        let interruptions = work.operation.interruptions.saturating_add(1);
        work.operation.interruptions = interruptions;
        if interruptions >= INTERRUPTIONS {
            let why =
                format!("the daemon ended {INTERRUPTIONS} times while a handler of it was called");
            let steps =
                vec!["see in its journal and in the daemon's log what ended the daemon".to_owned()];
            return self.request_operator(case, work, why, steps, at, out);
        }
        // Whatever ends before the call is made again has ended no call.
        work.revise(out, |operation| {
            operation.due = Some(at.now);
            operation.cut_off = true;
        });
        out.writes.push(words::resumed(&work.operation, at.now));
        self.queue_again(case, work, at.monotonic);
        Ok(())
    }
}
