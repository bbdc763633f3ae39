//! Which handlers are not called automatically: by the phase, by the charter, and because they rest.

use crate::{
    name::{PluginName, TargetName},
    operation::{Mode, Operation},
    recovery::{AttemptProgress, CaseKey, Failed, Recovery, Running},
    spec::RouteSpec,
    time::Timestamp,
};
use std::{collections::BTreeMap, time::Duration};

impl Recovery {
    /// The places of the steps behind this one that the gate does not let be called now, and why; none where it lets nothing
    /// at all be called.
    pub(in crate::recovery) fn withheld(
        &self,
        running: &Running,
        after: Option<usize>,
        progress: &mut AttemptProgress,
    ) -> Option<BTreeMap<usize, String>> {
        let chain = &running.route.chain;
        let from = after.map_or(0, |step| step.saturating_add(1));
        // Where no step is left there is nothing that it could keep back.
        if let Err(refusal) = self.must_be_chartered()
            && from < chain.len()
        {
            let why = Failed::Retryable(refusal.to_string());
            progress.failed.get_or_insert(why);
            return None;
        }
        let behind = chain.iter().enumerate().skip(from);
        let operation = &running.work.operation;
        let withheld = behind.filter_map(|(place, step)| {
            let why = self.why_withheld(operation, &step.handler)?;
            Some((place, why))
        });
        Some(withheld.collect())
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

    /// Until when a handler rests for a target; none where it does not. It rests for the time that is lived, so a clock that
    /// went back makes it no longer than it is configured.
    pub(in crate::recovery) fn rests_until(
        &self,
        target: &TargetName,
        handler: &PluginName,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let length = *self.settings.spec().policy.cooldowns.get(handler)?;
        let when = *self.keeper.recovered.get(target)?.get(handler)?;
        let left = length.saturating_sub(self.timeline.lived_since(when));
        Some(now + left).filter(|until| *until > now)
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

    /// Why a handler is not called for an operation now, for people; none where it may be. A person may have any called.
    fn why_withheld(&self, operation: &Operation, handler: &PluginName) -> Option<String> {
        if operation.mode != Mode::Automatic {
            return None;
        }
        let policy = &self.settings.spec().policy;
        let charter = policy.charter.as_ref();
        if charter.is_some_and(|charter| charter.handlers.contains(handler)) {
            return Some(format!(
                "{handler} was not called: the charter forbids it [skipped-charter]"
            ));
        }
        let phase = self.keeper.phase;
        let rule = policy.phase(phase);
        if rule.forbidden.contains(handler) {
            return Some(format!(
                "{handler} was not called: it is forbidden in the phase {phase} [skipped-phase]"
            ));
        }
        if !rule.lets(handler) {
            return Some(format!(
                "{handler} was not called: it is none of those that the phase {phase} allows [skipped-phase]"
            ));
        }
        let rests = self.rests_until(&operation.target, handler, self.keeper.now);
        rests.map(|_| {
            format!("{handler} was not called: it rests after a recovery [skipped-cooldown]")
        })
    }
}
