//! A failure began, or is seen again.

use super::{
    Attempt, Case, CaseKey, IllegalMove, InputTime, Outcome, Recovery, Running, Stage, Tracked,
    index::IndexEntry, words,
};
use crate::{
    flap::FlapDetector,
    health::Evidence,
    id::IncidentId,
    incident::Incident,
    name::TargetName,
    orders::confidence_of,
    severity::Severity,
    time::{Monotonic, Timestamp},
};
use std::{collections::BTreeSet, time::Duration};

/// A failure that comes back within this time counts as a recurrence.
const RECURRENCE_WINDOW: Duration = Duration::from_secs(3600);
/// So many openings of one failure are remembered within it.
const REMEMBERED: usize = 64;

impl Recovery {
    pub(super) fn raised(
        &mut self,
        key: CaseKey,
        severity: Severity,
        evidence: Evidence,
        detected_at: Timestamp,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.end_due_relapse_window(&key, at, out);
        if !self.cases.contains_key(&key) {
            // It was on its way when its target was taken out of the config.
            if !self.settings.knows(&key.target) {
                return Ok(());
            }
            let before = IndexEntry::absent(out);
            let incident = self.open(&key, severity, evidence, detected_at, at);
            out.writes.push(words::opened(&incident, false, at.now));
            self.count_opening(&key, at, out);
            let mut case = Case::new(Tracked::new(incident), Stage::Unrouted);
            case.is_present = true;
            case.seen_at = Some(at.monotonic);
            self.set_objective(&mut case, at);
            let scheduled = self.schedule(&mut case, at, out);
            self.put(key, Box::new(case), &before, out);
            return scheduled;
        }
        self.try_with(&key, out, |machine, case, out| {
            case.see();
            case.cleared_during_operation = false;
            case.is_unseen = false;
            case.stopped = None;
            case.seen_at = Some(at.monotonic);
            if matches!(case.stage, Stage::RelapseWindow { .. }) {
                return machine.relapsed(case, severity, evidence, at, out);
            }
            let was = case.incident.severity;
            let severity = assessed(severity, &evidence, case.incident.recurrence);
            case.incident.persist(severity, evidence);
            if case.incident.severity > was {
                out.writes
                    .push(words::worsened(&case.incident, was, at.now));
                machine.raise_severity(case, at, out)?;
            }
            machine.restart_look(case, out);
            Ok(())
        })
    }

    /// Ends a relapse window whose time has passed, even if no tick came since.
    fn end_due_relapse_window(&mut self, key: &CaseKey, at: InputTime, out: &mut Outcome) {
        let is_due = |case: &Case| match case.stage {
            Stage::RelapseWindow { until } => until <= at.monotonic,
            _ => false,
        };
        if self.case(key).is_some_and(is_due) {
            self.with(key, out, |machine, case, out| {
                machine.end_relapse_window(case, at, out)
            });
        }
    }

    /// A look under way may have run before this; its result no longer counts.
    fn restart_look(&mut self, case: &mut Case, out: &mut Outcome) {
        let key = case.key();
        let Stage::Running(running) = &mut case.stage else {
            return;
        };
        let Running { work, attempt, .. } = &mut **running;
        if let Attempt::Looking(looks) | Attempt::Validating(looks) = attempt
            && looks.next.is_none()
            && !self.stopping
        {
            looks.number = self.request_look(&key, work, false, out);
        }
    }

    /// It is worse than it was known to be.
    fn raise_severity(
        &mut self,
        case: &mut Case,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let severity = case.incident.severity;
        if matches!(case.stage, Stage::Unrouted) {
            return self.schedule(case, at, out);
        }
        let Some(work) = case.work_mut() else {
            return Ok(());
        };
        work.revise(out, |operation| operation.severity = severity);
        let due = self.queue.get(&work.operation.id).map(|entry| entry.due);
        if let Some(due) = due {
            let entry = self.entry(&work.operation, due);
            self.queue.push(entry);
        }
        Ok(())
    }

    /// It came back right after its recovery: it was never over.
    fn relapsed(
        &mut self,
        case: &mut Case,
        severity: Severity,
        evidence: Evidence,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let message = evidence.message.clone();
        let recurrence = case.incident.recurrence.saturating_add(1);
        let severity = assessed(severity, &evidence, recurrence);
        case.incident.reopen(severity, evidence, at.now);
        self.set_escalation(case, at);
        self.count_opening(&case.key(), at, out);
        let calm = self.end_calm(case, at);
        out.writes
            .push(words::reopened(&case.incident, &message, calm, at.now));
        self.schedule(case, at, out)
    }

    /// A new incident, which is written with its case.
    pub(super) fn open(
        &mut self,
        key: &CaseKey,
        severity: Severity,
        evidence: Evidence,
        detected_at: Timestamp,
        at: InputTime,
    ) -> Incident {
        let recurrence = self.recurrence(key);
        let severity = assessed(severity, &evidence, recurrence);
        let id = IncidentId::new(self.ids.next(at.now));
        let (target, failure) = (key.target.clone(), key.failure.clone());
        Incident::open(
            id,
            target,
            failure,
            severity,
            evidence,
            detected_at,
            recurrence,
        )
    }

    /// How often it was opened of late, by the time that was lived: a clock that is set back makes none count for longer.
    fn recurrence(&mut self, key: &CaseKey) -> u32 {
        let (timeline, opened) = (&self.timeline, self.opened.get_mut(key));
        let Some(opened) = opened else {
            return 0;
        };
        opened.retain(|opened| timeline.lived_since(*opened) <= RECURRENCE_WINDOW);
        u32::try_from(opened.len()).unwrap_or(u32::MAX)
    }

    /// Remembers an opening; one alert when a target begins to fail again and again.
    fn count_opening(&mut self, key: &CaseKey, at: InputTime, out: &mut Outcome) {
        self.remember_opening(key, at.now);
        let flaps = self.flaps.entry(key.target.clone()).or_default();
        if flaps.opened(at.monotonic) {
            out.writes.push(words::flapping(&key.target, at.now));
            let calm = flaps.calm_at().map(|due| (due, key.target.clone()));
            self.calming.extend(calm);
        }
    }

    /// Says of each target whose flapping is over that it is. Of one that is not configured any more that was said.
    pub(super) fn end_flapping(&mut self, at: InputTime, out: &mut Outcome) {
        let is_due = |calming: &BTreeSet<(Monotonic, TargetName)>| {
            let first = calming.first();
            first.is_some_and(|(due, _)| *due <= at.monotonic)
        };
        while is_due(&self.calming) {
            let Some((_, target)) = self.calming.pop_first() else {
                return;
            };
            let flaps = self.flaps.get_mut(&target);
            let (is_over, again) = flaps.map_or((false, None), |flaps| {
                (flaps.steadied(at.monotonic), flaps.calm_at())
            });
            if is_over {
                out.writes.push(words::steady(&target, at.now));
            }
            // It has opened again meanwhile. Never at once: this goes on until nothing is due.
            let again = again.filter(|again| *again > at.monotonic);
            self.calming.extend(again.map(|again| (again, target)));
        }
    }

    pub(super) fn remember_opening(&mut self, key: &CaseKey, when: Timestamp) {
        let opened = self.opened.entry(key.clone()).or_default();
        opened.push_back(when);
        if opened.len() > REMEMBERED {
            opened.pop_front();
        }
    }

    /// How many openings of a target are too many of late.
    pub(super) fn flap_excess(&self, key: &CaseKey, now: Monotonic) -> u32 {
        let flaps: Option<&FlapDetector> = self.flaps.get(&key.target);
        flaps.map_or(0, |flaps| flaps.excess(now))
    }
}

/// At least as bad as its score says, where it has one, the confidence in it and how often it came back.
fn assessed(severity: Severity, evidence: &Evidence, recurrence: u32) -> Severity {
    let count = recurrence.saturating_add(1);
    let assess = |score| Severity::assessed(score, confidence_of(evidence), count);
    severity.max(evidence.score.map_or(severity, assess))
}
