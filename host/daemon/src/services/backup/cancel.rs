//! Restores that are cancelled before they are put in place, and backups and drills that are cancelled.
//!
//! Invariant: a restore of which it was answered that it is cancelled puts nothing in place; one that is being put in place
//! cannot be cancelled any more.

use super::{BackupError, BackupService, blocking::on_blocking_thread};
use crate::ports::{BackupStore, BackupStoreError, OnProgress, TakeBackup, TakenBackup};
use mainstay_domain::name::JobName;
use tokio_util::sync::CancellationToken;

/// What may be cancelled of a job.
#[derive(Debug)]
pub(super) struct Cancellable {
    stop: CancellationToken,
    /// Whether somebody wants it to end.
    is_cancelled: bool,
}

/// While it lives, what is under way of a job may be cancelled; of one job there is one at a time.
pub(super) struct WhileCancellable {
    service: BackupService,
    job: JobName,
}

impl WhileCancellable {
    /// Whether it was cancelled.
    pub(super) fn is_cancelled(&self) -> bool {
        self.service.job_state(&self.job, |state| {
            let it = state.cancellable.as_ref();
            it.is_some_and(|it| it.is_cancelled)
        })
    }

    /// From now on it cannot be cancelled; whether it was.
    pub(super) fn end(self) -> bool {
        let ended = self
            .service
            .job_state(&self.job, |state| state.cancellable.take());
        ended.is_some_and(|it| it.is_cancelled)
    }
}

impl Drop for WhileCancellable {
    fn drop(&mut self) {
        self.service
            .job_state(&self.job, |state| state.cancellable = None);
    }
}

impl BackupService {
    /// Whoever calls has the job's turn.
    pub(super) fn may_be_cancelled(
        &self,
        job: &JobName,
        stop: CancellationToken,
    ) -> WhileCancellable {
        let cancellable = Cancellable {
            stop,
            is_cancelled: false,
        };
        self.job_state(job, |state| state.cancellable = Some(cancellable));
        WhileCancellable {
            service: self.clone(),
            job: job.clone(),
        }
    }

    /// Takes a backup, which may be cancelled. One that a restore takes on its way ends with that, and not by itself.
    pub(super) async fn take_unless_cancelled(
        &self,
        request: TakeBackup,
        progress: OnProgress,
    ) -> Result<TakenBackup, BackupStoreError> {
        let job = request.job.clone();
        let take = move |store: &dyn BackupStore| store.take(&request, &progress);
        if self.job_state(&job, |state| state.cancellable.is_some()) {
            return self.with_store(take).await;
        }
        let (store, stop) = self.store().cancellable();
        let running = self.may_be_cancelled(&job, stop);
        match on_blocking_thread(store, take).await {
            Err(BackupStoreError::Interrupted) if running.is_cancelled() => {
                Err(BackupStoreError::Cancelled)
            }
            taken => taken,
        }
    }

    /// Ends the backup, the restore or the drill of a job that is under way.
    pub(super) fn cancel_now(&self, job: &JobName) -> Result<(), BackupError> {
        self.job_state(job, |state| match &mut state.cancellable {
            Some(it) => {
                it.is_cancelled = true;
                it.stop.cancel();
                Ok(())
            }
            None => Err(BackupError::Refused(format!(
                "no backup, restore or drill of job {job} can be cancelled: none is under way, or it is being put in place, and ends; one that waits for its turn goes away with who asked for it"
            ))),
        })
    }
}
