//! What a person asks for.
//!
//! Invariant: of one failure of one target there is one operation at a time, whoever asks.
//! Invariant: a decision is about one revision of an operation: who decides about what has moved on meanwhile, or decides
//! twice, is refused.

use super::{
    Action, At, Case, CaseKey, Command, IllegalMove, Kept, Outcome, Recovery, Refusal, Reply, Stage,
    Ticket, Verb, Work, words,
};
use crate::{
    failure,
    health::Evidence,
    id::OperationId,
    journal::Change,
    name::TargetName,
    operation::{Mode, Operation, OperationEvent, OperationState},
    queue::Hold,
    severity::Severity,
};

/// A decision, without its verb.
struct Decided<'a> {
    id: &'a OperationId,
    revision: Option<u64>,
    by: &'a str,
    reason: &'a str,
}

impl Recovery {
    pub(super) fn person(
        &mut self,
        command: Command,
        ticket: Ticket,
        at: At,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let reply = match command {
            Command::Recover { key, dry_run, by } => {
                match self.may_recover(&key) {
                    Err(refusal) => Err(refusal),
                    // It answers by itself, before it calls anything.
                    Ok(severity) if dry_run => {
                        return self.begin_dry_run(&key, severity, &by, ticket, at, out);
                    }
                    Ok(severity) => self.recover(&key, severity, &by, at, out),
                }
            }
            Command::Decide {
                id,
                revision,
                verb,
                by,
                reason,
            } => {
                let decided = Decided {
                    id: &id,
                    revision,
                    by: &by,
                    reason: &reason,
                };
                match verb {
                    Verb::Approve => self.approve(&decided, at, out)?,
                    Verb::Reject => self.reject(&decided, at, out)?,
                    Verb::Cancel => self.cancel(&decided, at, out)?,
                }
            }
            Command::Pause { target, paused, by } => self.pause_or_resume(target, paused, &by, at, out),
        };
        let reply = reply.unwrap_or_else(Reply::Refused);
        out.after.push(Action::Answer(ticket, reply));
        Ok(())
    }

    /// The severity of what a person wants recovered, where it can be.
    fn may_recover(&self, key: &CaseKey) -> Result<Severity, Refusal> {
        self.must_exist(&key.target)?;
        let default = failure::default_severity(&key.failure);
        let open = self.cases.get(key).filter(|case| case.is_failing());
        let severity = open.map_or(default, |case| case.incident.severity.max(default));
        match self.settings.route(key, severity) {
            Some(_) => Ok(severity),
            None => Err(Refusal::NotAllowed(format!(
                "no route fits {failure} of {}; add a [[route]] with failure = \"{failure}\"",
                key.target,
                failure = key.failure
            ))),
        }
    }

    fn must_exist(&self, target: &TargetName) -> Result<(), Refusal> {
        match self.settings.knows(target) {
            true => Ok(()),
            false => Err(Refusal::Unknown(format!(
                "there is no target `{target}`; there are: {}",
                self.settings.some_names()
            ))),
        }
    }

    /// What waits for its time, or for the end of a pause, waits no longer; else there is a new operation.
    fn recover(
        &mut self,
        key: &CaseKey,
        severity: Severity,
        by: &str,
        at: At,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let is_past = |case: &Case| {
            matches!(case.stage, Stage::Watched { .. }) && !case.incident.state.is_open()
        };
        if self.cases.get(key).is_none_or(is_past) {
            self.with(key, |_, case| case.stage = Stage::Over);
            let evidence = Evidence {
                check: "operator".to_owned(),
                observed_at: at.now,
                message: format!("{by} asked for it"),
                value: None,
            };
            let incident = self.open(key, severity, evidence, at.now, at, out);
            let mut case = Case::new(incident, Stage::Unrouted);
            let operation = self.begin_by_hand(&mut case, None, severity, by, at, out);
            self.put(key, case, &Kept::default());
            return Ok(Reply::Operation(operation));
        }
        let reply = self.with(key, |machine, case| {
            match &case.stage {
                Stage::Asking(work) => Err(Refusal::Conflict(format!(
                    "the recovery of {} from {} waits for a person: mainstay approve {}",
                    key.target, key.failure, work.operation.id
                ))),
                Stage::Running(running) => Err(recovered_already(key, &running.work.operation.id)),
                Stage::Queued(work) if work.operation.mode != Mode::Automatic => {
                    Err(recovered_already(key, &work.operation.id))
                }
                Stage::Queued(work) => {
                    let work = work.clone();
                    Ok(machine.begin_by_hand(case, Some(work), severity, by, at, out))
                }
                Stage::Unrouted
                | Stage::WithPeople(_)
                | Stage::Watched { .. }
                | Stage::Over => Ok(machine.begin_by_hand(case, None, severity, by, at, out)),
            }
        });
        let missing = || Refusal::Unknown(format!("{} has no {}", key.target, key.failure));
        reply.ok_or_else(missing)?.map(Reply::Operation)
    }

    fn begin_by_hand(
        &mut self,
        case: &mut Case,
        waiting: Option<Work>,
        severity: Severity,
        by: &str,
        at: At,
        out: &mut Outcome,
    ) -> Operation {
        if case.incident.by_hand {
            case.incident.by_hand = false;
            out.writes.push(Change::Incident(case.incident.clone()));
        }
        let mut work = waiting.unwrap_or_else(|| {
            Work::new(self.new_operation(&case.incident, Mode::Manual, at.now))
        });
        let operation = &mut work.operation;
        operation.mode = Mode::Manual;
        operation.severity = severity.max(operation.severity);
        operation.due = None;
        operation.revision += 1;
        let operation = operation.clone();
        out.writes.push(Change::Operation(operation.clone()));
        out.writes.push(words::asked_for(&operation, by, at.now));
        self.queue.push(self.entry(&operation, at.monotonic));
        case.missing = None;
        case.stage = Stage::Queued(work);
        operation
    }

    /// The case of an operation that may be decided about.
    fn decidable(&self, decided: &Decided<'_>) -> Result<(CaseKey, &Operation), Refusal> {
        let id = decided.id;
        let found = self.operations.get(id).and_then(|key| {
            let work = self.cases.get(key)?.work()?;
            Some((key.clone(), &work.operation))
        });
        let (key, operation) = found.ok_or_else(|| {
            Refusal::Conflict(format!(
                "{id} neither waits nor runs; see mainstay operation show {id}"
            ))
        })?;
        match decided.revision {
            Some(revision) if revision != operation.revision => Err(Refusal::Conflict(format!(
                "{id} has moved on: you decided about revision {revision}, and it is at {}; see mainstay operation show \
                 {id}",
                operation.revision
            ))),
            _ => Ok((key, operation)),
        }
    }

    fn awaiting(&self, decided: &Decided<'_>) -> Result<CaseKey, Refusal> {
        let id = decided.id;
        let not_awaiting = || {
            Refusal::Conflict(format!(
                "{id} does not wait for a person; see mainstay operation show {id}"
            ))
        };
        if !self.operations.contains_key(id) {
            return Err(not_awaiting());
        }
        let (key, operation) = self.decidable(decided)?;
        match operation.state {
            OperationState::AwaitingManual => Ok(key),
            _ => Err(not_awaiting()),
        }
    }

    fn approve(
        &mut self,
        decided: &Decided<'_>,
        at: At,
        out: &mut Outcome,
    ) -> Result<Result<Reply, Refusal>, IllegalMove> {
        let key = match self.awaiting(decided) {
            Ok(key) => key,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let operation = self.with(&key, |machine, case| {
            let Stage::Asking(work) = &mut case.stage else {
                return Ok(None);
            };
            machine.step(work, OperationEvent::Approved, at, out)?;
            let (by, reason) = (decided.by, decided.reason);
            out.writes
                .push(words::approved(&work.operation, by, reason, at.now));
            let operation = work.operation.clone();
            machine.queue.push(machine.entry(&operation, at.monotonic));
            case.stage = Stage::Queued(work.clone());
            Ok(Some(operation))
        });
        Ok(answer(decided.id, operation.transpose()?.flatten()))
    }

    fn reject(
        &mut self,
        decided: &Decided<'_>,
        at: At,
        out: &mut Outcome,
    ) -> Result<Result<Reply, Refusal>, IllegalMove> {
        let key = match self.awaiting(decided) {
            Ok(key) => key,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let operation = self.with(&key, |machine, case| {
            let Stage::Asking(work) = &case.stage else {
                return Ok(None);
            };
            let mut work = work.clone();
            let (by, reason) = (decided.by, decided.reason);
            let why = format!("rejected by {by}: {reason}");
            machine.cancel_operation(&mut work, OperationEvent::Rejected, &why, at, out)?;
            let message = format!(
                "{by} rejected the recovery of {} from {}: {reason}",
                key.target, key.failure
            );
            machine.escalate(case, Some(decided.id), message, at.now, out);
            machine.leave_to_people(case, at, out);
            Ok(Some(work.operation))
        });
        Ok(answer(decided.id, operation.transpose()?.flatten()))
    }

    /// One that waits ends now. One that runs ends after its call, for what a handler does is not cut off; it is
    /// answered as it is.
    fn cancel(
        &mut self,
        decided: &Decided<'_>,
        at: At,
        out: &mut Outcome,
    ) -> Result<Result<Reply, Refusal>, IllegalMove> {
        let words = format!("cancelled by {}: {}", decided.by, decided.reason);
        if let Some(dry_run) = self.dry_runs.get_mut(decided.id) {
            return Ok(dry_run.cancel(decided.id, words));
        }
        let key = match self.decidable(decided) {
            Ok((key, _)) => key,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let operation = self.with(&key, |machine, case| {
            match std::mem::replace(&mut case.stage, Stage::Over) {
                Stage::Queued(work) | Stage::Asking(work) => {
                    let mut ended = work.clone();
                    machine.cancelled(case, work, &words, at, out)?;
                    // What was written last of it is what it is now.
                    let written = out.writes.iter().rev().find_map(|change| match change {
                        Change::Operation(operation) if operation.id == *decided.id => Some(operation.clone()),
                        _ => None,
                    });
                    if let Some(operation) = written {
                        ended.operation = operation;
                    }
                    Ok(Some(ended.operation))
                }
                Stage::Running(mut running) => {
                    use super::Attempt;
                    if running.cancelled.is_some() {
                        case.stage = Stage::Running(running);
                        return Ok(None);
                    }
                    if !matches!(running.attempt, Attempt::Calling { .. }) {
                        let before = running.work.operation.clone();
                        machine.cancelled(case, running.work, &words, at, out)?;
                        return Ok(Some(before));
                    }
                    running.cancelled = Some(words);
                    let operation = running.work.operation.clone();
                    case.stage = Stage::Running(running);
                    case.incident.by_hand = true;
                    out.writes.push(Change::Incident(case.incident.clone()));
                    Ok(Some(operation))
                }
                other => {
                    case.stage = other;
                    Ok(None)
                }
            }
        });
        Ok(answer(decided.id, operation.transpose()?.flatten()))
    }

    fn pause_or_resume(
        &mut self,
        target: Option<TargetName>,
        paused: bool,
        by: &str,
        at: At,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        if let Some(target) = &target {
            self.must_exist(target)?;
        }
        out.writes.push(Change::Paused(target.clone(), paused));
        out.writes
            .push(words::paused(target.as_ref(), paused, by, at.now));
        match (target, paused) {
            (None, _) => self.paused_host = paused,
            (Some(target), true) => drop(self.paused_targets.insert(target)),
            (Some(target), false) => {
                self.paused_targets.remove(&target);
                self.queue.is_over(&Hold::TargetPaused(target));
            }
        }
        if !self.paused_host {
            self.queue.is_over(&Hold::HostPaused);
        }
        Ok(Reply::Done)
    }
}

impl super::dry_run::DryRun {
    fn cancel(&mut self, id: &OperationId, words: String) -> Result<Reply, Refusal> {
        if self.cancelled.is_some() {
            return answer(id, None);
        }
        self.cancelled = Some(words);
        Ok(Reply::Operation(self.operation().clone()))
    }
}

fn answer(id: &OperationId, operation: Option<Operation>) -> Result<Reply, Refusal> {
    operation.map(Reply::Operation).ok_or_else(|| {
        Refusal::Conflict(format!(
            "that was decided about {id} before; see mainstay operation show {id}"
        ))
    })
}

fn recovered_already(key: &CaseKey, id: &OperationId) -> Refusal {
    Refusal::Conflict(format!(
        "{} is being recovered from {} already: {id}",
        key.target, key.failure
    ))
}
