//! Resumes what the previous daemon left, at the stage where it stood.

use super::{
    Attempt, Case, CaseKey, HandOverReason, IllegalMove, IndexEntry, InputTime, Outcome, Recovered,
    Recovery, Running, Stage, Tracked, Work, words,
};
use crate::{
    cooldown::Cooldowns,
    event::IncidentEnd,
    flap::FlapDetector,
    id::IncidentId,
    incident::Incident,
    name::TargetName,
    operation::{Operation, OperationEvent, OperationState},
    time::{Monotonic, Timestamp},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// After so many interrupted calls of one operation a person is asked: a guest that crashes the daemon must not do so
/// for ever.
const INTERRUPTIONS: u32 = 3;

/// How long the checks have to see a failure again whose relapse window was open when the daemon ended.
const LAST_LOOK: Duration = Duration::from_secs(10);

impl Recovery {
    pub(super) fn recovered(
        &mut self,
        recovered: Recovered,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.paused_host = recovered.paused_host;
        self.paused_targets = recovered.paused_targets;
        self.pauses_recovered(&recovered.pauses, at);
        self.cooldowns = Cooldowns::new(recovered.cooldowns, at.now);
        self.learn_recoveries(&recovered.incidents);
        self.remember(&recovered.incidents, at);
        let open = recovered.incidents.iter();
        let open: BTreeSet<IncidentId> = open
            .filter(|incident| incident.state.is_open())
            .map(|incident| incident.id.clone())
            .collect();
        let mut operations: BTreeMap<CaseKey, Operation> = BTreeMap::new();
        for operation in recovered.operations {
            let key = CaseKey::from(&operation);
            let is_orphan = operation.dry_run
                || operations.contains_key(&key)
                || !operation
                    .incident
                    .as_ref()
                    .is_some_and(|id| open.contains(id));
            match is_orphan {
                true => self.interrupted(operation, at, out)?,
                false => drop(operations.insert(key, operation)),
            }
        }
        for (key, incident) in newest(recovered.incidents) {
            let before = IndexEntry::absent(out);
            let mut case = Case::new(Tracked::written(incident), Stage::Unrouted);
            case.is_present = !recovered.unseen.contains(&key);
            self.set_objective(&mut case, at);
            let operation = operations.remove(&key).map(|operation| Work {
                effects: recovered
                    .effects
                    .get(&operation.id)
                    .copied()
                    .unwrap_or_default(),
                error: operation.error.clone(),
                ..Work::new(operation)
            });
            let resumed = self.resume_case(&mut case, operation, at, out);
            self.put(key.clone(), Box::new(case), &before, out);
            self.remember_removed(&key);
            resumed?;
        }
        Ok(())
    }

    /// Openings of late, for recurrence and flapping.
    fn remember(&mut self, incidents: &[Incident], at: InputTime) {
        let mut openings: Vec<(Timestamp, CaseKey)> = Vec::new();
        for incident in incidents {
            let key = || CaseKey::from(incident);
            openings.extend(incident.openings.iter().map(|when| (*when, key())));
        }
        openings.sort();
        for (when, key) in openings {
            self.remember_opening(&key, when);
            self.flap(&key.target, when, at);
        }
    }

    fn flap(&mut self, target: &TargetName, when: Timestamp, at: InputTime) {
        // The detector counts from the start of the program: what was before it is given by its age.
        let age = at.now.since(when);
        let flaps: &mut FlapDetector = self.flaps.entry(target.clone()).or_default();
        let of_target = |calm: Option<Monotonic>| calm.map(|due| (due, target.clone()));
        if let Some(before) = of_target(flaps.calm_at()) {
            self.calming.remove(&before);
        }
        flaps.opened_before(age, at.monotonic);
        self.calming.extend(of_target(flaps.calm_at()));
    }

    /// The stage at which an incident stood.
    fn resume_case(
        &mut self,
        case: &mut Case,
        work: Option<Work>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let incident = &case.incident;
        let left = |until: Timestamp| until.since(at.now);
        if !incident.state.is_open() || (work.is_none() && incident.relapse_until.is_some()) {
            let left = incident.relapse_until.map_or(Duration::ZERO, left);
            // A clock that went back makes it no longer than it was.
            let window = incident
                .relapse_until
                .zip(incident.tried_at)
                .map_or(Duration::ZERO, |(until, tried)| until.since(tried));
            // An open relapse window gets at least one more round of checks.
            let least = match incident.state.is_open() {
                true => window.min(LAST_LOOK),
                false => Duration::ZERO,
            };
            case.stage = Stage::RelapseWindow {
                until: at.monotonic + left.min(window).max(least),
            };
            return Ok(());
        }
        if !self.settings.knows(&incident.target) {
            if let Some(work) = work {
                case.stage = Stage::Queued(work);
            }
            return self.close_unrecovered(case, IncidentEnd::Removed, at, out);
        }
        let is_left_to_people = incident.by_hand
            || work
                .as_ref()
                .is_some_and(|work| work.operation.state == OperationState::AwaitingManual);
        case.stage = match work {
            Some(work) if case.incident.by_hand => {
                let asked = work.operation.cancel_asked.clone();
                let before = || "cancelled by a person before the daemon ended".to_owned();
                let why = asked.unwrap_or_else(before);
                return self.cancelled(case, work, &why, at, out).map(drop);
            }
            Some(work) => return self.resume_operation(case, work, at, out),
            None if incident.by_hand => Stage::HandedOver(HandOverReason::Decided),
            None => {
                self.schedule(case, at, out)?;
                if matches!(case.stage, Stage::Unrouted) && !case.is_present {
                    self.close_unrecovered(case, IncidentEnd::Unseen, at, out)?;
                }
                return Ok(());
            }
        };
        if is_left_to_people && !case.is_present {
            // Only the checks can say that it is over, and none of them sees it.
            self.close_unrecovered(case, IncidentEnd::Unseen, at, out)?;
        }
        Ok(())
    }

    fn resume_operation(
        &mut self,
        case: &mut Case,
        mut work: Work,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let due = work.operation.due;
        match work.operation.state {
            OperationState::AwaitingManual => {
                case.stage = Stage::AwaitingApproval(work);
                if !case.is_present {
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
                let looks = self.look(&key, &work, true, at, out);
                case.stage = Stage::Running(Box::new(Running {
                    work,
                    route,
                    attempt: Attempt::Validating(looks),
                    cancelled: None,
                }));
            }
            OperationState::InProgress if due.is_none() => self.cut_off(case, work, at, out)?,
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
            Some(_) => route.strategy.delay_before(next).unwrap_or_default(),
            None => self.next_delay(&key, &case.incident, route, at),
        }
    }

    fn queue_again(&mut self, case: &mut Case, work: Work, due: Monotonic) {
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

    /// Ends an operation that is not resumed: a dry run, or one whose incident is not open.
    fn interrupted(
        &mut self,
        operation: Operation,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let mut work = Work::new(operation);
        let why = match work.operation.dry_run {
            true => "the daemon ended while it ran; ask for it again",
            false => "the daemon ended, and its incident is not open any more",
        };
        self.cancel_operation(&mut work, OperationEvent::Cancelled, why, at, out)
    }
}

/// Of each failure the incident that is open, else the one that closed last.
fn newest(incidents: Vec<Incident>) -> BTreeMap<CaseKey, Incident> {
    let rank = |incident: &Incident| (incident.state.is_open(), incident.id.clone());
    let mut newest: BTreeMap<CaseKey, Incident> = BTreeMap::new();
    for incident in incidents {
        let key = CaseKey::from(&incident);
        let is_newer = newest
            .get(&key)
            .is_none_or(|known| rank(known) < rank(&incident));
        if is_newer {
            newest.insert(key, incident);
        }
    }
    newest
}
