//! Cooldowns under another config, and after another daemon.

use super::{CaseKey, InputTime, Outcome, Recovery};
use crate::{
    incident::{Incident, IncidentState},
    name::{FailureType, TargetName},
    record::Change,
};

impl Recovery {
    /// When the failures were recovered that cool down: their records do not say it.
    pub(super) fn learn_recoveries(&mut self, incidents: &[Incident], at: InputTime) {
        for incident in incidents {
            // That of any other is no recovery.
            let is_recovered = incident.state == IncidentState::Recovered;
            if let Some(tried_at) = incident.tried_at.filter(|_| is_recovered) {
                self.cooldowns
                    .learn(&incident.target, &incident.failure, tried_at, at.now);
            }
        }
    }

    /// What cools down does so for as long as its route says now, counted from its recovery.
    pub(super) fn follow_cooldowns(&mut self, at: InputTime, out: &mut Outcome) {
        let (settings, cases) = (&self.settings, &self.cases);
        let length = |target: &TargetName, failure: &FailureType| {
            let key = CaseKey {
                target: target.clone(),
                failure: failure.clone(),
            };
            let known = cases.get(&key).map(|case| case.incident.severity);
            let severity = known.unwrap_or_else(|| settings.severity_of(&key));
            Some(settings.route(&key, severity)?.cooldown)
        };
        let changed = self.cooldowns.follow(at.now, length).into_iter();
        out.writes.extend(
            changed.map(|(target, failure, until)| Change::Cooldown(target, failure, until)),
        );
    }
}
