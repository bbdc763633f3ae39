//! Dry runs: one attempt whose effects are planned. They are no cases, bypass the queue, and block nothing.

use super::{
    Action, AttemptProgress, Case, CaseKey, Failed, Handled, IllegalMove, InputTime, Outcome,
    Recovery, Refusal, Reply, Ticket, Work, called::record_answer, turn, words,
};
use crate::{
    actor::Actor,
    id::OperationId,
    incident::Incident,
    operation::{Mode, Operation, OperationEvent},
    record::Change,
    severity::Severity,
    spec::RouteSpec,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// So many run at one time: a plan costs a call, and nobody reads hundreds at once.
pub(super) const CONCURRENT_DRY_RUNS: usize = 16;

/// A dry run, in the middle of its chain.
#[derive(Debug)]
pub(super) struct DryRun {
    work: Work,
    route: Arc<RouteSpec>,
    step: usize,
    progress: AttemptProgress,
    /// Who cancelled it, and why.
    pub(super) cancelled: Option<String>,
}

impl DryRun {
    pub(super) fn operation(&self) -> &Operation {
        &self.work.operation
    }

    pub(super) fn work_mut(&mut self) -> &mut Work {
        &mut self.work
    }
}

impl Recovery {
    /// Begins a dry run at once.
    pub(super) fn begin_dry_run(
        &mut self,
        key: &CaseKey,
        severity: Severity,
        by: &Actor,
        ticket: Ticket,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let refused = |refusal| Action::Answer(ticket, Reply::Refused(refusal));
        if self.dry_runs.len() >= CONCURRENT_DRY_RUNS {
            let why = format!(
                "{CONCURRENT_DRY_RUNS} dry runs are under way, which is as many as may be; ask again when one has ended"
            );
            out.after.push(refused(Refusal::Conflict(why)));
            return Ok(());
        }
        if self.stopping {
            let why = "the daemon is ending; ask the next one".to_owned();
            out.after.push(refused(Refusal::Conflict(why)));
            return Ok(());
        }
        let Some(route) = self.settings.route(key, severity).cloned() else {
            let why = format!("no route fits {} of {}", key.failure, key.target);
            out.after.push(refused(Refusal::NotAllowed(why)));
            return Ok(());
        };
        let id = OperationId::new(self.ids.next(at.now));
        let (target, failure) = (key.target.clone(), key.failure.clone());
        // What has ended is another incident for the next recovery.
        let known = self.case(key);
        let known = known.filter(|case| case.incident.state.is_open());
        let detected_at = known.map_or(at.now, Case::detected_at);
        let attempts = known.map_or(0, |case| match case.work() {
            Some(work) => work.operation.attempts,
            None => case.incident.attempts,
        });
        let mut operation = Operation::scheduled(
            id.clone(),
            target,
            failure,
            severity,
            Mode::Manual,
            detected_at,
        );
        operation.dry_run = true;
        // The attempt that a recovery would make now.
        operation.attempts = attempts;
        let work = Work::new(operation);
        out.writes
            .push(words::asked_for(&work.operation, by, at.now));
        let dry_run = self.begin_planning(work, route, at, out)?;
        out.after.push(Action::Answer(
            ticket,
            Reply::Operation(Box::new(dry_run.work.operation.clone())),
        ));
        self.dry_run_step(dry_run, 0, None, at, out)
    }

    /// The attempt whose effects are planned begins.
    pub(super) fn begin_planning(
        &mut self,
        mut work: Work,
        route: Arc<RouteSpec>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<DryRun, IllegalMove> {
        self.step(&mut work, OperationEvent::AttemptBegan, at, out)?;
        let event = words::started(&work.operation, &route, at.now);
        out.writes.push(event);
        Ok(DryRun {
            work,
            route,
            step: 0,
            progress: AttemptProgress::default(),
            cancelled: None,
        })
    }

    /// `of`: its incident, where that is in no case yet.
    pub(super) fn dry_run_step(
        &mut self,
        mut dry_run: DryRun,
        from: usize,
        of: Option<&Incident>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        if from > 0 {
            out.writes
                .push(Change::Operation(dry_run.work.operation.clone()));
        }
        let known = self.case(&CaseKey::from(&dry_run.work.operation));
        let incident = of.or_else(|| known.map(|case| &*case.incident));
        let incident = incident.filter(|incident| incident.state.is_open());
        let facts = self.facts(incident, &dry_run.work.operation);
        let turn = turn::next(
            &dry_run.route.chain,
            from.checked_sub(1),
            (&BTreeSet::new(), &BTreeMap::new()),
            true,
            &facts,
            &mut dry_run.progress,
        );
        turn::note(&mut dry_run.work.operation, turn.skipped);
        let chain = &dry_run.route.chain;
        let next = turn
            .place
            .and_then(|place| Some((place, chain.get(place)?)));
        if next.is_some() && self.stopping && dry_run.cancelled.is_none() {
            if dry_run.work.operation.mode == Mode::Automatic {
                // Nobody asked for it who could ask again: the next daemon makes it.
                return Ok(());
            }
            dry_run.cancelled = Some("the daemon ended between two of its steps".to_owned());
        }
        if let Some((place, step)) = next
            && dry_run.cancelled.is_none()
        {
            let call = self.call(incident, &dry_run.work, &dry_run.route, (place, step), at);
            out.after.push(Action::Call(Box::new(call)));
            dry_run.step = place;
            self.dry_runs
                .insert(dry_run.work.operation.id.clone(), dry_run);
            return Ok(());
        }
        let DryRun {
            mut work,
            progress,
            cancelled,
            ..
        } = dry_run;
        if let Some(why) = cancelled {
            return self.cancel_operation(&mut work, OperationEvent::Cancelled, &why, at, out);
        }
        let is_done = progress.done;
        let passed_over = progress.passed_over.filter(|_| !is_done);
        let error = match progress.failed.or(passed_over) {
            Some(
                Failed::Retryable(why) | Failed::Missing(_, why) | Failed::NeedsOperator(why, _),
            ) => Some(why),
            None if is_done => None,
            None => progress.permanently_failed.or_else(|| {
                let why = match progress.unmet {
                    true => turn::UNMET,
                    false => "its chain has no step that counts",
                };
                Some(why.to_owned())
            }),
        };
        match error {
            None => {
                self.step(&mut work, OperationEvent::HandlerFinished, at, out)?;
                // It changed nothing that the checks could see.
                self.step(&mut work, OperationEvent::Verified, at, out)?;
            }
            Some(why) => {
                work.operation.error = Some(why);
                self.step(&mut work, OperationEvent::GaveUp, at, out)?;
            }
        }
        out.writes
            .push(words::ended(&work.operation, false, false, at.now));
        Ok(())
    }

    pub(super) fn dry_run_called(
        &mut self,
        id: &OperationId,
        handled: Handled,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let Some(mut dry_run) = self.dry_runs.remove(id) else {
            return Ok(());
        };
        dry_run.work.effects = dry_run.work.effects.max(handled.effects);
        if let Some(step) = dry_run.route.chain.get(dry_run.step) {
            record_answer(
                &mut dry_run.work.operation,
                step,
                handled,
                &mut dry_run.progress,
            );
            let planned = turn::planned(dry_run.step, step);
            turn::note(&mut dry_run.work.operation, vec![planned]);
        }
        let from = dry_run.step.saturating_add(1);
        self.dry_run_step(dry_run, from, None, at, out)
    }
}
