//! What a person asks for.
//!
//! Invariant: of one failure of one target there is one operation at a time, whoever asks.

use super::{
    Action, Case, CaseKey, Command, IllegalMove, InputTime, Outcome, Recovery, Refusal, Reply,
    Stage, Ticket, Tracked, Verb, Work, begin::due_of, escalating::TakenOn, index::IndexEntry,
    nearest::distance, operator_decision::OperatorDecision, words,
};
use crate::{
    actor::Actor,
    code::ErrorCode,
    health::Evidence,
    id::OperationId,
    name::TargetName,
    operation::{Mode, Operation},
    record::Change,
    severity::Severity,
    text::list,
};
use std::time::Duration;

impl Recovery {
    pub(super) fn command(
        &mut self,
        command: Command,
        ticket: Ticket,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let reply = match command {
            Command::Recover {
                key,
                dry_run,
                mode,
                by,
            } => {
                match self.may_recover(&key) {
                    Err(refusal) => Err(refusal),
                    // It answers by itself, before it calls anything.
                    Ok(severity) if dry_run => {
                        return self.begin_dry_run(&key, severity, &by, ticket, at, out);
                    }
                    Ok(severity) => self.recover(&key, (mode, severity), &by, at, out),
                }
            }
            Command::Decide {
                id,
                revision,
                verb,
                by,
                reason,
            } => {
                let decision = OperatorDecision {
                    id: &id,
                    revision,
                    by: &by,
                    reason: &reason,
                };
                match verb {
                    Verb::Approve => self.approve(&decision, at, out)?,
                    Verb::Reject => self.reject(&decision, at, out)?,
                    Verb::Cancel => self.cancel(&decision, at, out)?,
                }
            }
            Command::Acknowledge {
                key,
                incident,
                by,
                reason,
            } => {
                let taken = TakenOn {
                    key: &key,
                    incident: &incident,
                    by: &by,
                    reason: &reason,
                };
                self.acknowledge(&taken, at, out)
            }
            Command::Resolve {
                id,
                number,
                found,
                by,
            } => self.resolve((&id, number), &found, &by, at, out)?,
            Command::Signal(signal) => self.signal(&signal, at, out),
            Command::Pause { target, paused, by } => {
                self.pause_or_resume(target, paused, &by, at, out)?
            }
            Command::ShowPolicy(target) => self.show_policy(&target, at),
            Command::SetPolicy(order) => self.set_policy(&order, at, out)?,
            Command::SetPhase { to, reason, by } => self.set_phase(to, &reason, &by, at, out),
            Command::PauseFor {
                target,
                length,
                reason,
                by,
            } => self.pause_for(target, length, &reason, by, at, out),
        };
        let reply = reply.unwrap_or_else(Reply::Refused);
        out.after.push(Action::Answer(ticket, reply));
        Ok(())
    }

    /// The severity of what a person wants recovered, where it can be.
    fn may_recover(&self, key: &CaseKey) -> Result<Severity, Refusal> {
        self.must_exist(&key.target)?;
        self.must_be_chartered()?;
        let by_config = self.settings.severity_of(key);
        let open = self.case(key).filter(|case| case.is_failing());
        let severity = open.map_or(by_config, |case| case.incident.severity.max(by_config));
        match self.settings.route(key, severity) {
            Some(_) => self.must_know(key).map(|()| severity),
            None => Err(Refusal::NotAllowed(format!(
                "no route fits {failure} of {}; add a [[route]] with failure = \"{failure}\"",
                key.target,
                failure = key.failure
            ))),
        }
    }

    /// Refuses a failure that nobody knows of this target: a route for any failure would act on a misspelt one too. One that
    /// was reported, or seen under another config, is known while it holds and for an hour after that.
    fn must_know(&self, key: &CaseKey) -> Result<(), Refusal> {
        let CaseKey { target, failure } = key;
        let known = self.settings.failures_of(target);
        let was_seen = self.cases.contains_key(key) || self.opened.contains_key(key);
        if was_seen || known.contains(failure) {
            return Ok(());
        }
        let mut near: Vec<&str> = known.iter().map(|known| known.as_str()).collect();
        near.sort_by_key(|known| distance(known, failure.as_str()));
        near.truncate(NEAREST);
        let known = match near.is_empty() {
            true => "it knows none".to_owned(),
            false => format!("it knows {}", list(near, "")),
        };
        Err(Refusal::Unknown(format!(
            "no check of {target}, no report and no route of its name knows the failure `{failure}`: {known}; add a [[route]] \
             with failure = \"{failure}\" to recover from it"
        )))
    }

    pub(super) fn must_exist(&self, target: &TargetName) -> Result<(), Refusal> {
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
        (mode, severity): (Mode, Severity),
        by: &Actor,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let is_past = |case: &Case| {
            matches!(case.stage, Stage::RelapseWindow { .. }) && !case.incident.state.is_open()
        };
        if self.case(key).is_none_or(is_past) {
            self.with(key, out, |_, case, _| case.stage = Stage::Over);
            let before = IndexEntry::absent(out);
            let evidence = Evidence {
                check: "operator".to_owned(),
                observed_at: at.now,
                message: format!("{by} asked for it"),
                value: None,
                output: None,
                score: None,
            };
            let mut incident = self.open(key, severity, evidence, at.now, at);
            out.writes.push(words::opened(&incident, true, at.now));
            // It is no failure that anybody saw.
            incident.openings.clear();
            let mut case = Case::new(Tracked::new(incident), Stage::Unrouted);
            self.set_objective(&mut case, at);
            let operation = self.begin_manual(&mut case, None, (mode, severity), by, at, out);
            self.put(key.clone(), Box::new(case), &before, out);
            return Ok(Reply::Operation(Box::new(operation)));
        }
        let reply = self.with(key, out, |machine, case, out| match &case.stage {
            Stage::AwaitingApproval(work) => {
                Err(Refusal::Conflict(ErrorCode::AwaitsOperator.mark(format!(
                    "the recovery of {} from {} waits for a person: mainstay approve {}",
                    key.target, key.failure, work.operation.id
                ))))
            }
            Stage::Running(running) => Err(recovered_already(key, &running.work.operation.id)),
            Stage::Queued(work) if work.operation.mode != Mode::Automatic => {
                Err(recovered_already(key, &work.operation.id))
            }
            Stage::Queued(work) => {
                let work = work.clone();
                Ok(machine.begin_manual(case, Some(work), (mode, severity), by, at, out))
            }
            Stage::Unrouted | Stage::HandedOver(_) | Stage::RelapseWindow { .. } | Stage::Over => {
                Ok(machine.begin_manual(case, None, (mode, severity), by, at, out))
            }
        });
        let missing = || Refusal::Unknown(format!("{} has no {}", key.target, key.failure));
        reply
            .ok_or_else(missing)?
            .map(|operation| Reply::Operation(Box::new(operation)))
    }

    fn begin_manual(
        &mut self,
        case: &mut Case,
        waiting: Option<Work>,
        (mode, severity): (Mode, Severity),
        by: &Actor,
        at: InputTime,
        out: &mut Outcome,
    ) -> Operation {
        if matches!(case.stage, Stage::RelapseWindow { .. }) {
            self.end_calm(case, at);
        }
        let incident = &mut case.incident;
        if incident.by_hand || incident.missing.is_some() {
            incident.by_hand = false;
            incident.handed_over = None;
            incident.missing = None;
        }
        let mut work = waiting.unwrap_or_else(|| {
            let operation = self.new_operation(&case.incident, mode, at.now);
            Work::on(&case.incident, operation)
        });
        work.revise(out, |operation| {
            operation.mode = mode;
            operation.severity = severity.max(operation.severity);
            operation.due = due_of(operation, Duration::ZERO, at.now);
        });
        let operation = work.operation.clone();
        out.writes.push(words::asked_for(&operation, by, at.now));
        self.queue.push(self.entry(&operation, at.monotonic));
        case.stage = Stage::Queued(work);
        operation
    }

    fn pause_or_resume(
        &mut self,
        target: Option<TargetName>,
        paused: bool,
        by: &Actor,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Result<Reply, Refusal>, IllegalMove> {
        if let Some(Err(refusal)) = target.as_ref().map(|target| self.must_exist(target)) {
            return Ok(Err(refusal));
        }
        out.writes.push(Change::Paused(target.clone(), paused));
        out.writes
            .push(words::paused(target.as_ref(), paused, by, at.now));
        self.timed_pauses.remove(&target);
        match paused {
            true => drop(self.paused_by.insert(target.clone(), by.clone())),
            false => {
                self.paused_by.remove(&target);
                self.windows.resume(target.clone(), at.now);
            }
        }
        self.set_paused(target.clone(), paused);
        if let Some(target) = target.filter(|_| !paused) {
            for key in self.keys_of(&target) {
                self.try_with(&key, out, |machine, case, out| {
                    machine.resume_handed_over(case, at, out)
                })?;
            }
        }
        Ok(Ok(Reply::Done))
    }
}

/// So many names are named in a refusal.
const NEAREST: usize = 5;

fn recovered_already(key: &CaseKey, id: &OperationId) -> Refusal {
    Refusal::Conflict(format!(
        "the recovery of {} from {} was asked for already, or goes on: see mainstay operation show {id}",
        key.target, key.failure
    ))
}
