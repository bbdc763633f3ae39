//! Another config is in use.

use super::{
    Case, CaseKey, IllegalMove, InputTime, Outcome, Recovery, Stage, Work, spacing, words,
};
use crate::{
    event::IncidentEnd,
    id::OperationId,
    name::{PluginName, TargetName},
    operation::{Mode, OperationEvent},
    spec::{RouteSpec, Spec},
};
use semver::VersionReq;
use std::{collections::BTreeMap, sync::Arc};

impl Recovery {
    /// Waiting operations follow the new config: priorities, dependencies, pauses, routes. Cases of removed targets
    /// are closed, because no check could ever clear them.
    pub(super) fn configured(
        &mut self,
        spec: Arc<Spec>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.windows_configured(&spec, at);
        let wanted = self.wanted_of_missing();
        let is_same_policy = self.settings.spec().policy == spec.policy;
        self.settings = self.settings.followed_by(spec);
        if !is_same_policy {
            self.gate_configured();
        }
        self.audit_under(out);
        let settings = &self.settings;
        self.opened.retain(|key, _| settings.knows(&key.target));
        self.forget_flapping(at, out);
        self.follow_cooldowns(at, out);
        let mut keys: Vec<CaseKey> = self.cases.keys().cloned().collect();
        // The same inputs give the same outcomes.
        keys.sort();
        self.removed.clear();
        let mut freed = BTreeMap::new();
        for key in keys {
            self.follow_at(&key, at, out)?;
            if !is_same_policy {
                self.follow_gate(&key, &mut freed, at, out)?;
            }
            self.remember_removed(&key);
        }
        self.release_where_others_are_wanted(&wanted, at, out);
        Ok(())
    }

    /// Which versions of the handlers that are missing are asked for, of each case that waits for one.
    fn wanted_of_missing(&self) -> Vec<(PluginName, CaseKey, Vec<VersionReq>)> {
        let of_handlers = self.missing.iter();
        let waiting =
            of_handlers.flat_map(|(handler, keys)| keys.iter().map(move |key| (handler, key)));
        waiting
            .map(|(handler, key)| (handler.clone(), key.clone(), self.wanted(key, handler)))
            .collect()
    }

    /// Which versions of a handler the route of a case asks for.
    fn wanted(&self, key: &CaseKey, handler: &PluginName) -> Vec<VersionReq> {
        let severity = self.case(key).map(|case| case.incident.severity);
        let route = severity.and_then(|severity| self.settings.route(key, severity));
        let steps = route.into_iter().flat_map(|route| &route.chain);
        steps
            .filter(|step| step.handler == *handler)
            .map(|step| step.version.clone())
            .collect()
    }

    /// One that was missing may serve in a version that is asked for now: nobody would say that it came.
    fn release_where_others_are_wanted(
        &mut self,
        before: &[(PluginName, CaseKey, Vec<VersionReq>)],
        at: InputTime,
        out: &mut Outcome,
    ) {
        for (handler, key, versions) in before {
            let wanted = self.wanted(key, handler);
            if wanted.is_empty() || wanted == *versions {
                continue;
            }
            self.with(key, out, |machine, case, out| {
                if case.incident.missing.as_ref() == Some(handler) {
                    machine.release_missing_handler(case, at, out);
                }
            });
        }
    }

    /// Nobody counts the openings of removed targets. Where one was said to flap it is said that this is over: one that
    /// is configured again begins anew.
    fn forget_flapping(&mut self, at: InputTime, out: &mut Outcome) {
        let settings = &self.settings;
        let mut gone: Vec<TargetName> = self.flaps.keys().cloned().collect();
        gone.retain(|target| !settings.knows(target));
        gone.sort();
        for target in gone {
            let flaps = self.flaps.remove(&target);
            if flaps.is_some_and(|flaps| flaps.calm_at().is_some()) {
                self.calming.retain(|(_, of)| *of != target);
                out.writes.push(words::unwatched(&target, at.now));
            }
        }
    }

    /// Remembers the target of a case that cannot be closed yet though its target was removed; a later input closes
    /// it.
    pub(super) fn remember_removed(&mut self, key: &CaseKey) {
        if self.cases.contains_key(key) && !self.settings.knows(&key.target) {
            self.removed.insert(key.target.clone());
        }
    }

    /// Closes cases of removed targets whose operation has ended.
    pub(super) fn close_removed(
        &mut self,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        if self.removed.is_empty() {
            return Ok(());
        }
        let changed: Vec<TargetName> = self.removed.intersection(&self.changed).cloned().collect();
        for target in changed {
            for key in self.keys_of(&target) {
                self.follow_at(&key, at, out)?;
            }
            if !self.failures.contains_key(&target) {
                self.removed.remove(&target);
            }
        }
        Ok(())
    }

    pub(super) fn follow_at(
        &mut self,
        key: &CaseKey,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.try_with(key, out, |machine, case, out| machine.follow(case, at, out))
    }

    fn follow(
        &mut self,
        case: &mut Case,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        let key = case.key();
        self.set_objective(case, at);
        if !self.settings.knows(&key.target) {
            match case.stage {
                // A call is not interrupted; the case is closed when the call has ended.
                Stage::Running(_) if case.is_calling() => {}
                Stage::Running(_) => {
                    if let Some(running) = case.take_running() {
                        case.stage = Stage::Queued(running.work);
                    }
                    self.close_unrecovered(case, IncidentEnd::Removed, at, out)?;
                }
                Stage::RelapseWindow { .. } => self.end_relapse_window(case, at, out),
                _ => {
                    self.close_unrecovered(case, IncidentEnd::Removed, at, out)?;
                }
            }
            return Ok(());
        }
        let route = self.settings.route(&key, case.incident.severity).cloned();
        self.follow_route(case, route.as_ref(), at, out)?;
        if let (Some(missing), Some(route)) = (&case.incident.missing, &route)
            && route.chain.iter().all(|step| step.handler != *missing)
        {
            self.release_missing_handler(case, at, out);
        }
        Ok(())
    }

    /// What a person was asked about by the gate of the config before begins where this one has room for it, beside what was
    /// freed so before.
    fn follow_gate(
        &mut self,
        key: &CaseKey,
        freed: &mut BTreeMap<TargetName, OperationId>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        self.try_with(key, out, |machine, case, out| {
            let Stage::AwaitingApproval(work) = &case.stage else {
                return Ok(());
            };
            if !is_asked_by_gate(work) || machine.still_asks(&work.operation, freed) {
                return Ok(());
            }
            let mut work = work.clone();
            let why = "by the present config nobody has to be asked";
            machine.cancel_operation(&mut work, OperationEvent::Cancelled, why, at, out)?;
            machine.schedule(case, at, out)?;
            if let Stage::Queued(work) = &case.stage {
                freed.insert(key.target.clone(), work.operation.id.clone());
            }
            Ok(())
        })
    }

    fn follow_route(
        &mut self,
        case: &mut Case,
        route: Option<&Arc<RouteSpec>>,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        match &mut case.stage {
            Stage::AwaitingApproval(work)
                if is_asked_by_route(work)
                    && route.is_some_and(|route| !route.strategy.awaits_approval()) =>
            {
                let mut work = work.clone();
                let why = "its route asks nobody any more";
                self.cancel_operation(&mut work, OperationEvent::Cancelled, why, at, out)?;
                self.schedule(case, at, out)?;
            }
            Stage::Unrouted if route.is_some() => self.schedule(case, at, out)?,
            // When it is gone on with its call says.
            Stage::Queued(work) if work.open_call.is_some() => {
                let due = self.queue.get(&work.operation.id).map(|entry| entry.due);
                let entry = self.entry(&work.operation, due.unwrap_or(at.monotonic));
                self.queue.push(entry);
            }
            Stage::Queued(work) if work.operation.mode == Mode::Automatic => {
                let Some(route) = route else {
                    return Ok(());
                };
                let wait = match &work.error {
                    // Between two attempts its strategy says when the next is.
                    Some(_) => {
                        let next = work.operation.attempts.saturating_add(1);
                        let delay = spacing::delay_before(route, &case.incident, next);
                        let delay = work.deciding.wait(route, delay.unwrap_or_default());
                        match work.tried_at {
                            Some(tried_at) => (tried_at + delay).since(at.monotonic),
                            None => {
                                let due = work.operation.due.unwrap_or(at.now);
                                due.since(at.now).min(delay)
                            }
                        }
                    }
                    None => {
                        self.next_delay(&CaseKey::from(&*case.incident), &case.incident, route, at)
                    }
                };
                let (due, entry) = (at.monotonic + wait, self.queue.get(&work.operation.id));
                let is_as_before = entry.is_some_and(|entry| {
                    let wanted = self.entry(&work.operation, entry.due);
                    // A millisecond is what a record's time is exact to.
                    let present = entry.due.max(at.monotonic);
                    *entry == wanted && present.since(due).max(due.since(present)).as_millis() <= 1
                });
                if !is_as_before {
                    self.retime(work, due, at, out);
                }
            }
            Stage::Queued(work) => {
                let entry = self.entry(&work.operation, at.monotonic);
                self.queue.push(entry);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether only the strategy of its route has it wait for a person.
fn is_asked_by_route(work: &Work) -> bool {
    let operation = &work.operation;
    operation.mode == Mode::Automatic && operation.steps.is_empty() && operation.error.is_none()
}

/// Whether the gate had a person asked about it, before its first attempt.
fn is_asked_by_gate(work: &Work) -> bool {
    let operation = &work.operation;
    let is_untried = operation.started_at.is_none() && operation.steps.is_empty();
    operation.mode == Mode::Automatic && is_untried && operation.error.is_some()
}
