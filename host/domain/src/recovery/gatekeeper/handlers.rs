//! Which handlers are not called automatically: by the phase, by the charter, and because they rest.

use crate::{
    name::{PluginName, TargetName},
    operation::{Mode, Operation},
    recovery::{CaseKey, Recovery},
    spec::RouteSpec,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

impl Recovery {
    /// The handlers that the phase forbids to this operation; a person may have any called.
    pub(in crate::recovery) fn forbidden_to(&self, operation: &Operation) -> BTreeSet<PluginName> {
        match operation.mode {
            Mode::Automatic => {
                let charter = self.settings.spec().policy.charter.as_ref();
                let never = charter.map(|charter| charter.handlers.clone());
                let mut forbidden = self.phase_rule().forbidden;
                forbidden.extend(never.unwrap_or_default());
                let recovered = self.keeper.recovered.get(&operation.target);
                let handlers = recovered.into_iter().flat_map(BTreeMap::keys);
                let rest = |handler: &&PluginName| {
                    let now = self.keeper.now;
                    self.rests_until(&operation.target, handler, now).is_some()
                };
                forbidden.extend(handlers.filter(rest).cloned());
                forbidden
            }
            Mode::Manual => BTreeSet::new(),
        }
    }

    /// A handler recovered a target: it rests for it, where it is to.
    pub(in crate::recovery) fn recovered_by(&mut self, operation: &Operation, now: Timestamp) {
        let by = operation.acted_by.as_ref().or(operation.handler.as_ref());
        if let Some(by) = by {
            let target = operation.target.clone();
            let of_target = self.keeper.recovered.entry(target).or_default();
            of_target.insert(by.clone(), now);
        }
    }

    /// Until when a handler rests for a target; none where it does not. A clock that went back makes it no longer than it is
    /// configured.
    pub(in crate::recovery) fn rests_until(
        &self,
        target: &TargetName,
        handler: &PluginName,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let length = *self.settings.spec().policy.cooldowns.get(handler)?;
        let when = *self.keeper.recovered.get(target)?.get(handler)?;
        Some(when.min(now) + length).filter(|until| *until > now)
    }

    /// How long every handler of a route rests for a target: until then nothing could be called.
    pub(in crate::recovery) fn all_rest(
        &self,
        key: &CaseKey,
        route: &RouteSpec,
        now: Timestamp,
    ) -> Duration {
        let steps = route.chain.iter().filter(|step| !step.always);
        let rests = steps.map(|step| {
            let until = self.rests_until(&key.target, &step.handler, now);
            until.map_or(Duration::ZERO, |until| until.since(now))
        });
        rests.min().unwrap_or_default()
    }

    /// Why one of these is not called, for people.
    pub(in crate::recovery) fn why_forbidden(
        &self,
        target: &TargetName,
        handler: &PluginName,
    ) -> String {
        if let Some(until) = self.rests_until(target, handler, self.keeper.now) {
            let seconds = until.since(self.keeper.now).as_secs();
            return format!(
                "{handler} was not called: it rests for {seconds} s [skipped-cooldown]"
            );
        }
        let charter = self.settings.spec().policy.charter.as_ref();
        match charter.is_some_and(|charter| charter.handlers.contains(handler)) {
            true => format!("{handler} was not called: the charter forbids it [skipped-charter]"),
            false => {
                let phase = self.keeper.phase;
                format!(
                    "{handler} was not called: it is forbidden in the phase {phase} [skipped-phase]"
                )
            }
        }
    }
}
