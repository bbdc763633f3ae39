//! Whose turn it is: of one job one thing runs at a time.

use super::{BackupError, BackupService, Core};
use crate::ports::BackupStoreError;
use mainstay_domain::name::JobName;
use std::sync::Arc;
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

/// A job's turn. Who gives it back wakes the loop, for something may have fallen due meanwhile.
pub(super) struct Turn {
    held: Option<OwnedMutexGuard<()>>,
    core: Arc<Core>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.held.take());
        self.core.wake.notify_one();
    }
}

impl BackupService {
    pub(super) fn lock_of(&self, job: &JobName) -> Arc<Lock<()>> {
        self.job_state(job, |state| state.turn())
    }

    /// A job's turn, when it is free, and what is stored was taken up.
    pub(super) async fn turn_of(&self, job: &JobName) -> Turn {
        self.core.taken_up.wait().await;
        self.turn(self.lock_of(job).lock_owned().await)
    }

    pub(super) fn turn(&self, held: OwnedMutexGuard<()>) -> Turn {
        Turn {
            held: Some(held),
            core: Arc::clone(&self.core),
        }
    }

    /// Waits for a job's turn, and then does work in a task of its own.
    pub(super) async fn in_turn_of<T: Send + 'static>(
        &self,
        job: &JobName,
        work: impl Future<Output = Result<T, BackupError>> + Send + 'static,
    ) -> Result<T, BackupError> {
        let turn = self.turn_of(job).await;
        let work = async move {
            let _turn = turn;
            work.await
        };
        self.in_own_task(work).await
    }

    /// As [`Self::in_turn_of`], where the turn is free now; none where something of the job runs, or what is stored is not taken
    /// up yet, and nothing is done.
    pub(super) async fn in_free_turn_of<T: Send + 'static>(
        &self,
        job: &JobName,
        work: impl Future<Output = Result<T, BackupError>> + Send + 'static,
    ) -> Option<Result<T, BackupError>> {
        if !self.core.taken_up.is_over() {
            return None;
        }
        let held = self.lock_of(job).try_lock_owned().ok()?;
        let turn = self.turn(held);
        let work = async move {
            let _turn = turn;
            work.await
        };
        Some(self.in_own_task(work).await)
    }

    /// Does work in a task of its own, which goes on when the caller goes away.
    pub(super) async fn in_own_task<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, BackupError>> + Send + 'static,
    ) -> Result<T, BackupError> {
        let stopping = || BackupError::Store(BackupStoreError::Interrupted);
        if self.core.tasks.is_closed() {
            return Err(stopping());
        }
        let ended = self.core.tasks.spawn(work).await;
        ended.unwrap_or_else(|_| Err(stopping()))
    }
}
