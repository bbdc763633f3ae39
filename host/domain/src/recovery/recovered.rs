//! Resumes what the previous daemon left, at the stage where it stood.

mod operation;

pub(super) use operation::INTERRUPTIONS;

use super::{
    Case, CaseKey, HandOverReason, IllegalMove, IndexEntry, InputTime, OpenCall, Outcome,
    Recovered, Recovery, Stage, Tracked, Work,
};
use crate::{
    call_record::CallRecord,
    cooldown::Cooldowns,
    event::IncidentEnd,
    flap::FlapDetector,
    id::IncidentId,
    incident::Incident,
    name::TargetName,
    operation::{Mode, Operation, OperationEvent, OperationState},
    record::Change,
    time::{Monotonic, Timestamp},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long the checks have to see a failure again whose relapse window was open when the daemon ended.
const LAST_LOOK: Duration = Duration::from_secs(10);

impl Recovery {
    pub(super) fn recovered(
        &mut self,
        recovered: Recovered,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.fencing = recovered.fencing.max(1);
        out.writes.push(Change::Fencing(self.fencing));
        self.paused_host = recovered.paused_host;
        self.paused_targets = recovered.paused_targets;
        self.pauses_recovered(&recovered.pauses, at);
        self.gate_recovered(&recovered.policy, at, out);
        self.cooldowns = Cooldowns::new(recovered.cooldowns, at.now);
        self.learn_recoveries(&recovered.incidents, at);
        self.remember(&recovered.incidents, at);
        let open = recovered.incidents.iter();
        let open: BTreeSet<IncidentId> = open
            .filter(|incident| incident.state.is_open())
            .map(|incident| incident.id.clone())
            .collect();
        let mut operations: BTreeMap<CaseKey, Operation> = BTreeMap::new();
        let mut plans = Vec::new();
        for operation in recovered.operations {
            if operation.dry_run && operation.mode == Mode::Automatic {
                plans.push(operation);
                continue;
            }
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
                calls: recovered
                    .calls
                    .get(&operation.id)
                    .copied()
                    .unwrap_or_default(),
                open_call: recovered
                    .open_calls
                    .get(&operation.id)
                    .filter(|record| is_under_way(&operation, record))
                    .map(|record| OpenCall {
                        call: record.call,
                        effects: record.effects_before(),
                    }),
                is_lost: recovered.lost.contains(&operation.id),
                error: operation.error.clone(),
                ..Work::on(&case.incident, operation)
            });
            let resumed = self.resume_case(&mut case, operation, at, out);
            self.put(key.clone(), Box::new(case), &before, out);
            self.remember_removed(&key);
            resumed?;
        }
        for plan in plans {
            self.plan_recovered(plan, at, out)?;
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
            // How long ago that was which is to come nobody knows.
            self.remember_opening(&key, when.min(at.now));
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
                if asked.is_some() && self.has_always_behind(&work) {
                    self.queue_again(case, work, at.monotonic);
                    return Ok(());
                }
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

    /// Ends an operation that is not resumed: a dry run that a person asked for, or one whose incident is not open.
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

/// Of each failure the incident that is open, else the last of those that closed. Their times and identifiers are what the
/// clock said then, which may have been set back since.
fn newest(incidents: Vec<Incident>) -> BTreeMap<CaseKey, Incident> {
    let mut newest: BTreeMap<CaseKey, Incident> = BTreeMap::new();
    for incident in incidents {
        let key = CaseKey::from(&incident);
        let is_newer = newest
            .get(&key)
            .is_none_or(|known| incident.state.is_open() || !known.state.is_open());
        if is_newer {
            newest.insert(key, incident);
        }
    }
    newest
}

/// Whether an operation was in this call when its daemon ended.
fn is_under_way(operation: &Operation, record: &CallRecord) -> bool {
    let stands = operation.chain.as_ref().map(|place| place.step);
    let is_in_doubt = operation.doubt.is_some();
    let may_go_on = match operation.state {
        OperationState::InProgress | OperationState::Scheduled => true,
        OperationState::AwaitingManual => is_in_doubt,
        _ => false,
    };
    may_go_on && stands == Some(record.step) && operation.attempts == record.attempt
}
