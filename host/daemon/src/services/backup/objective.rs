//! Recovery point objectives: what is missed is told, once, and is over with the next backup that is verified.

use super::BackupService;
use crate::ports::Batch;
use mainstay_domain::{
    archive::Manifest,
    backup_chain::newest_complete,
    event::EventKind,
    measure::length,
    record::Change,
    severity::Severity,
    spec::{JobSpec, Spec},
};
use std::time::Duration;

impl BackupService {
    /// Looks at the objectives that may be missed by now.
    pub(super) fn look_at_objectives(&self, spec: &Spec) {
        for job in &spec.jobs {
            if let Some(oldest) = job.oldest() {
                self.look_at_objective(job, oldest);
            }
        }
    }

    fn look_at_objective(&self, job: &JobSpec, rpo: Duration) {
        let (now, monotonic) = (self.now(), self.core.clock.monotonic());
        // Only then the records of the job are gone through.
        if !self.job_state(&job.name, |state| state.objective.is_due(rpo, monotonic)) {
            return;
        }
        let records = self.core.catalog.lock().of(Some(&job.name));
        let newest = newest_complete(&records, &job.name, now).map(|record| record.created_at);
        let is_news = self.job_state(&job.name, |state| {
            state.objective.look(newest, rpo, now, monotonic)
        });
        if !is_news {
            return;
        }
        let newest = newest.map_or("there is none".to_owned(), |at| {
            format!("the newest is of {at}")
        });
        let than = match job.rpo {
            Some(_) => "its recovery point objective",
            None => "twice what its schedules leave between two",
        };
        let message = format!(
            "job {} has no verified and complete backup that is newer than {}, {than}: {newest}",
            job.name,
            length(rpo)
        );
        let event = self
            .event(EventKind::BackupRpoMissed, Severity::High, message)
            .with_job(&job.name);
        // Nothing waits for it.
        drop(
            self.core
                .journal
                .commit(Batch::soon(vec![Change::Event(event)])),
        );
    }

    /// A backup of a job is verified.
    pub(super) fn objective_is_met(&self, manifest: &Manifest) {
        let took = Duration::from_millis(manifest.elapsed_ms);
        let monotonic = self.core.clock.monotonic();
        self.job_state(&manifest.job, |state| {
            state.objective.taken(manifest.created_at, took, monotonic);
        });
    }

    /// How long until one may be missed.
    pub(super) fn time_to_next_objective(&self, spec: &Spec) -> Option<Duration> {
        let monotonic = self.core.clock.monotonic();
        let jobs = self.core.jobs.lock();
        let with_rpo = spec.jobs.iter().filter(|job| job.oldest().is_some());
        let next = with_rpo.filter_map(|job| jobs.get(&job.name)?.objective.next());
        next.map(|due| due.since(monotonic)).min()
    }
}
