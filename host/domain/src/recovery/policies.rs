//! What a person set of a target's recovery: shown, and set.

use super::{CaseKey, IllegalMove, InputTime, Outcome, Recovery, Refusal, Reply, words};
use crate::{
    actor::Actor,
    failure,
    name::{FailureType, TargetName},
    policy::{EffectivePolicy, EffectiveRoute, TargetPolicy},
    severity::Severity,
};
use std::collections::BTreeMap;

/// What is to be set of a target's recovery.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyOrder {
    /// Of which target.
    pub target: TargetName,
    /// What is set.
    pub policy: TargetPolicy,
    /// What was set before does not hold any more.
    pub clear: bool,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub by: Actor,
}

impl Recovery {
    /// How a target is recovered now.
    pub(super) fn show_policy(&self, target: &TargetName, at: InputTime) -> Result<Reply, Refusal> {
        self.must_exist(target)?;
        let routes = self.failures_of(target).into_iter();
        let routes = routes.map(|(failure, severity)| {
            let key = CaseKey {
                target: target.clone(),
                failure,
            };
            let route = self.settings.route(&key, severity).cloned();
            let cooling_until = route.as_ref().and_then(|route| {
                let CaseKey { target, failure } = &key;
                self.cooldowns
                    .until(target, failure, route.cooldown, at.now, |since| {
                        self.timeline.lived_since(since)
                    })
            });
            let steps = route.iter().flat_map(|route| &route.chain);
            let resting = steps.filter_map(|step| {
                let until = self.rests_until(target, &step.handler, at.now)?;
                Some((step.handler.clone(), until))
            });
            EffectiveRoute {
                resting: resting.collect(),
                failure: key.failure,
                severity,
                route: route.map(|route| (*route).clone()),
                cooling_until,
            }
        });
        let group = self.settings.spec().policy.group_of(target);
        Ok(Reply::Policy(Box::new(EffectivePolicy {
            target: target.clone(),
            set: self.settings.set_of(target),
            group: group.map(|(name, _)| name.clone()),
            routes: routes.collect(),
        })))
    }

    /// The failures that its checks, its process and its open incidents have, each with the worst severity.
    fn failures_of(&self, target: &TargetName) -> BTreeMap<FailureType, Severity> {
        let mut failures: BTreeMap<FailureType, Severity> = BTreeMap::new();
        let mut add = |failure: &FailureType, severity: Severity| {
            let known = failures.entry(failure.clone()).or_insert(severity);
            *known = severity.max(*known);
        };
        if let Some(spec) = self.settings.target(target) {
            for check in &spec.checks {
                add(&check.failure, check.severity);
            }
            if let Some(process) = &spec.process {
                add(&process.exit_failure, process.exit_severity);
            }
        }
        let routes = self.settings.spec().routes.iter();
        let own = routes.filter(|route| route.target.as_ref() == Some(target));
        for failure in own.filter_map(|route| route.failure.as_ref()) {
            add(failure, failure::default_severity(failure));
        }
        for key in self.keys_of(target) {
            if let Some(case) = self.case(&key) {
                add(&key.failure, case.incident.severity);
            }
        }
        failures
    }

    /// A person sets what holds over the routes of a target; what waits follows at once.
    pub(super) fn set_policy(
        &mut self,
        order: &PolicyOrder,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Result<Reply, Refusal>, IllegalMove> {
        let target = &order.target;
        let set = match self.policy_to_be(order) {
            Ok(set) => set,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.settings.set(target, set.clone());
        out.writes.push(words::policy_changed(order, set, at.now));
        for key in self.keys_of(target) {
            self.follow_at(&key, at, out)?;
        }
        Ok(self.show_policy(target, at))
    }

    fn policy_to_be(&self, order: &PolicyOrder) -> Result<TargetPolicy, Refusal> {
        let target = &order.target;
        self.must_exist(target)?;
        self.must_be_chartered()?;
        let before = match order.clear {
            true => TargetPolicy::default(),
            false => self.settings.set_of(target),
        };
        let set = before.and(&order.policy);
        if !order.clear && order.policy.is_empty() {
            let why = "nothing is set: name at least one of its settings, or clear what was set";
            return Err(Refusal::NotAllowed(why.to_owned()));
        }
        for (failure, severity) in self.failures_of(target) {
            let key = CaseKey {
                target: target.clone(),
                failure,
            };
            if let Some(route) = self.settings.route_of_config(&key, severity) {
                set.over(route).map_err(|invalid| {
                    Refusal::NotAllowed(format!(
                        "that cannot be the policy of {target} for {}: {invalid}",
                        key.failure
                    ))
                })?;
            }
        }
        Ok(set)
    }
}
