//! Backups that are due and wait until the targets that their job names are healthy, or until a person has seen that all
//! earlier ones were found in the store and in no journal.
//!
//! Invariant: a target counts once it was seen healthy in this life of the daemon; from then on it also does while it is
//! degraded, for it answers.
//! Invariant: that a backup waits is told once, and shown for as long as it does.

use super::BackupService;
use crate::ports::Batch;
use mainstay_domain::{
    event::EventKind,
    health::Health,
    name::{JobName, TargetName},
    record::Change,
    severity::Severity,
    spec::JobSpec,
    time::Monotonic,
};
use std::{collections::BTreeSet, time::Duration};

/// What one job waits for.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Targets that were healthy since the daemon's start.
    were_healthy: BTreeSet<TargetName>,
    /// Since when, and how long, a person is waited for who acts on backups that were all taken up; none where one has.
    taken_up: Option<(Monotonic, Duration)>,
    /// For people; none where nothing is due, or nothing in its way.
    pub(super) why: Option<String>,
}

/// So long a person has time to restore what was taken up.
pub(super) const TIME_TO_RESTORE: Duration = Duration::from_secs(86_400);

impl Waiting {
    /// All backups of the job were found in the store; a person has so long to restore them.
    pub(super) fn taken_up(&mut self, now: Monotonic, time: Duration) {
        self.taken_up = Some((now, time));
    }

    /// A person took or restored one.
    pub(super) fn goes_on(&mut self) {
        self.taken_up = None;
    }

    /// Whether a person is waited for, and why.
    fn look_for_person(&self, job: &JobName, now: Monotonic) -> Option<String> {
        let (since, time) = self.taken_up?;
        (now.since(since) < time).then(|| {
            format!(
                "all its backups were found in the store, and the journal had none of them; `mainstay backup restore {job}` gives \
                 them back, and after that or after `mainstay backup create {job}`, or in a day, the schedules go on"
            )
        })
    }

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
        let now = self.core.clock.monotonic();
        let (why, is_news) = self.job_state(&job.name, |state| {
            let of_person = state.waiting.look_for_person(&job.name, now);
            let of_targets = state.waiting.look(&job.after, health);
            let why = of_person.or(of_targets);
            let before = std::mem::replace(&mut state.waiting.why, why.clone());
            (why, before.is_none())
        });
        let Some(why) = why else {
            return true;
        };
        if is_news {
            self.tell_that_it_waits(&job.name, &why);
        }
        false
    }

    /// Puts on record what backups of a job wait for.
    pub(super) fn tell_that_it_waits(&self, job: &JobName, why: &str) {
        let message = format!("the backup of job {job} waits: {why}");
        let event = self
            .event(EventKind::BackupWaiting, Severity::Medium, message)
            .with_job(job);
        // Nothing waits for it.
        drop(
            self.core
                .journal
                .commit(Batch::soon(vec![Change::Event(event)])),
        );
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

    #[test]
    fn a_person_is_waited_for_a_day_at_most() {
        let job = JobName::parse("state").unwrap();
        let at = |seconds| Monotonic::from_start(Duration::from_secs(seconds));
        let mut waiting = Waiting::default();
        assert_eq!(waiting.look_for_person(&job, at(1)), None);
        waiting.taken_up(at(1), TIME_TO_RESTORE);
        let why = waiting.look_for_person(&job, at(86_400)).unwrap();
        assert!(why.contains("mainstay backup restore state"), "{why}");
        assert_eq!(waiting.look_for_person(&job, at(86_401)), None);
        waiting.taken_up(at(1), TIME_TO_RESTORE);
        waiting.goes_on();
        assert_eq!(waiting.look_for_person(&job, at(1)), None);
    }
}
