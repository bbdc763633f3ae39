//! Where each job stands: whose turn it is, when it is tried again, and how its retention goes.
//!
//! Invariant: a job's retention begins by the clock at most once at a time, and not before the config's time has passed
//! since it last began.
//! Invariant: no backoff is longer than [`LONGEST_BACKOFF`], also where the clock goes back.

use super::{
    BackupService, LONGEST_BACKOFF,
    cancel::{Asked, Cancellable},
    moves::Moving,
    proofs::Proven,
    waiting::Waiting,
};
use mainstay_domain::{name::JobName, rpo::RpoWatch, time::Timestamp};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex as Lock;

/// Where one job stands; the default is that of one that nothing was done for.
#[derive(Debug, Default)]
pub(super) struct JobState {
    /// Held by what runs.
    turn: Arc<Lock<()>>,
    /// None where the last backup that was due succeeded.
    backoff: Option<FailureBackoff>,
    pub(super) retention: Retention,
    pub(super) objective: RpoWatch,
    pub(super) proofs: Proven,
    pub(super) moving: Moving,
    pub(super) waiting: Waiting,
    /// The restore that is under way and not yet being put in place.
    pub(super) cancellable: Option<Cancellable>,
    /// What was asked for under a name, and was not begun.
    pub(super) asked: Vec<Arc<Asked>>,
}

/// Backups that were due and failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FailureBackoff {
    /// In a row.
    failures: u32,
    /// When the job is tried again.
    until: Timestamp,
}

/// How a job's retention goes in this life of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Retention {
    /// It was never due.
    #[default]
    Never,
    /// It was due, began at this time and has not ended.
    Running(Timestamp),
    /// It has ended, and had begun at this time.
    Ended(Timestamp),
}

impl JobState {
    pub(super) fn turn(&self) -> Arc<Lock<()>> {
        Arc::clone(&self.turn)
    }

    /// Backups in a row that were due and failed.
    pub(super) fn failures(&self) -> u32 {
        self.backoff.map_or(0, |backoff| backoff.failures)
    }

    pub(super) fn backup_failed(&mut self, until: Timestamp) {
        self.backoff = Some(FailureBackoff {
            failures: self.failures().saturating_add(1),
            until,
        });
    }

    pub(super) fn backup_succeeded(&mut self) {
        self.backoff = None;
    }

    pub(super) fn backoff_until(&self, now: Timestamp) -> Option<Timestamp> {
        let FailureBackoff { until, .. } = self.backoff?;
        // A backoff is never longer than this; if it is, the clock went back.
        (until > now && until.since(now) <= LONGEST_BACKOFF).then_some(until)
    }
}

impl Retention {
    /// Begins it where it is due; whether it was.
    pub(super) fn begin(&mut self, every: Duration, now: Timestamp) -> bool {
        let is_due = match *self {
            Self::Never => true,
            Self::Running(_) => false,
            // In the future: the clock went back.
            Self::Ended(last) => now.since(last) >= every || last > now,
        };
        if is_due {
            *self = Self::Running(now);
        }
        is_due
    }

    /// What was begun has ended. What began because of another config ends without being under way by the clock.
    pub(super) fn end(&mut self) {
        if let Self::Running(begun) = *self {
            *self = Self::Ended(begun);
        }
    }

    /// When it is due next; none where it is under way, or due at the next look.
    pub(super) fn next(self, every: Duration) -> Option<Timestamp> {
        match self {
            Self::Ended(last) => Some(last + every),
            Self::Never | Self::Running(_) => None,
        }
    }
}

impl BackupService {
    /// Looks at where a job stands, or changes it.
    pub(super) fn job_state<T>(&self, job: &JobName, work: impl FnOnce(&mut JobState) -> T) -> T {
        work(self.core.jobs.lock().entry(job.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000 * seconds)
    }

    #[test]
    fn retention_begins_when_its_time_has_passed_and_never_beside_itself() {
        use Retention::{Ended, Never, Running};
        // Before, the time; whether it begins, and the state then.
        let table = [
            (Never, 0, true, Running(at(0))),
            (Running(at(0)), 60, false, Running(at(0))),
            (Ended(at(100)), 159, false, Ended(at(100))),
            (Ended(at(100)), 160, true, Running(at(160))),
            (Ended(at(100)), 99, true, Running(at(99))),
        ];
        for (before, now, begins, after) in table {
            let mut retention = before;
            assert_eq!(retention.begin(EVERY, at(now)), begins, "{before:?} {now}");
            assert_eq!(retention, after, "{before:?} {now}");
        }
    }

    #[test]
    fn what_has_ended_is_due_again_after_its_time_and_nothing_else_is() {
        use Retention::{Ended, Never, Running};
        // Before; when it is due next, and the state after an end.
        let table = [
            (Never, None, Never),
            (Running(at(100)), None, Ended(at(100))),
            (Ended(at(100)), Some(at(160)), Ended(at(100))),
        ];
        for (before, next, after) in table {
            assert_eq!(before.next(EVERY), next, "{before:?}");
            let mut retention = before;
            retention.end();
            assert_eq!(retention, after, "{before:?}");
        }
    }

    #[test]
    fn failures_are_counted_until_a_backup_succeeds_and_pauses_end() {
        let mut job = JobState::default();
        assert_eq!((job.failures(), job.backoff_until(at(0))), (0, None));
        job.backup_failed(at(60));
        job.backup_failed(at(180));
        assert_eq!(job.failures(), 2);
        assert_eq!(job.backoff_until(at(179)), Some(at(180)));
        assert_eq!(job.backoff_until(at(180)), None, "it is over");
        job.backup_failed(at(10) + LONGEST_BACKOFF);
        assert_eq!(job.backoff_until(at(9)), None, "the clock went back");
        assert!(job.backoff_until(at(10)).is_some());
        job.backup_succeeded();
        assert_eq!((job.failures(), job.backoff_until(at(10))), (0, None));
    }
}
