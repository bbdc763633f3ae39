//! Backups that are due and wait until the targets that their job names are healthy.
//!
//! Invariant: a target counts once it was seen healthy in this life of the daemon; from then on it also does while it is
//! degraded, for it answers.
//! Invariant: that a backup waits is told once, and shown for as long as it does.

use super::BackupService;
use crate::ports::Batch;
use mainstay_domain::{
    event::EventKind, health::Health, name::TargetName, record::Change, severity::Severity,
    spec::JobSpec,
};
use std::collections::BTreeSet;

/// What one job waits for.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Targets that were healthy since the daemon's start.
    were_healthy: BTreeSet<TargetName>,
    /// For people; none where nothing is due, or nothing in its way.
    pub(super) why: Option<String>,
}

impl Waiting {
    /// Looks at the targets; what is in the way.
    fn look(
        &mut self,
        after: &[TargetName],
        health: impl Fn(&TargetName) -> Option<Health>,
    ) -> Option<String> {
        // Of each, so that it is known of all when they were healthy.
        let looked = after.iter().filter_map(|target| {
            let health = health(target).unwrap_or_default();
            if health == Health::Healthy {
                self.were_healthy.insert(target.clone());
            }
            let answers = health == Health::Degraded && self.were_healthy.contains(target);
            (health != Health::Healthy && !answers).then(|| format!("{target} is {}", word(health)))
        });
        let missing: Vec<String> = looked.collect();
        (!missing.is_empty()).then(|| missing.join(", "))
    }
}

fn word(health: Health) -> &'static str {
    match health {
        Health::Unknown => "not seen yet",
        Health::Starting => "starting",
        Health::Healthy => "healthy",
        Health::Degraded => "degraded, and was not healthy since the daemon's start",
        Health::Failed => "failed",
    }
}

impl BackupService {
    /// Whether a backup that is due may be taken now; where it may not, that is told once.
    pub(super) fn may_be_taken(&self, job: &JobSpec) -> bool {
        let health = |target: &TargetName| self.core.watch.health(target).map(|(health, _)| health);
        let (why, is_news) = self.job_state(&job.name, |state| {
            let why = state.waiting.look(&job.after, health);
            let before = std::mem::replace(&mut state.waiting.why, why.clone());
            (why, before.is_none())
        });
        let Some(why) = why else {
            return true;
        };
        if is_news {
            let message = format!("the backup of job {} waits: {why}", job.name);
            let event = self
                .event(EventKind::BackupWaiting, Severity::Medium, message)
                .with_job(&job.name);
            // Nothing waits for it.
            drop(
                self.core
                    .journal
                    .commit(Batch::soon(vec![Change::Event(event)])),
            );
        }
        false
    }

    /// Nothing of a job is due.
    pub(super) fn waits_no_more(&self, job: &JobSpec) {
        self.job_state(&job.name, |state| state.waiting.why = None);
    }

    /// What a job waits for, for people.
    pub(super) fn waits_for(&self, job: &JobSpec) -> Option<String> {
        self.job_state(&job.name, |state| state.waiting.why.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_counts_once_it_was_healthy_and_then_while_it_answers() {
        let after = [TargetName::parse("pg").unwrap()];
        let mut waiting = Waiting::default();
        let mut look = |health| waiting.look(&after, |_| health);
        for health in [
            None,
            Some(Health::Starting),
            Some(Health::Degraded),
            Some(Health::Failed),
        ] {
            assert!(look(health).is_some(), "{health:?}");
        }
        assert_eq!(look(Some(Health::Healthy)), None);
        assert_eq!(look(Some(Health::Degraded)), None);
        assert_eq!(look(Some(Health::Failed)).as_deref(), Some("pg is failed"));
        assert_eq!(Waiting::default().look(&[], |_| None), None);
    }
}
