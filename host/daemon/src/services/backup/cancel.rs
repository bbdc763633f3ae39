//! Restores that are cancelled before they are put in place, and backups and drills that are cancelled.
//!
//! Invariant: a restore of which it was answered that it is cancelled puts nothing in place; one that is being put in place
//! cannot be cancelled any more.
//! Invariant: who cancels what they had asked for ends that and nothing else of the job, also while it waits for its turn.
//! Invariant: what stays, or ended by itself, was not cancelled, and who asked for that is told so.

use super::{BackupError, BackupService, blocking::on_blocking_thread};
use crate::ports::{BackupStore, BackupStoreError, Cancelled, OnProgress, TakeBackup, TakenBackup};
use mainstay_domain::name::JobName;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// So long who cancels a job's work waits for its end.
const WAITS_FOR_THE_END: Duration = Duration::from_secs(3);

/// Work that somebody asked for under a name.
#[derive(Debug)]
pub(super) struct Asked {
    name: String,
    called_off: CancellationToken,
}

impl Asked {
    pub(super) fn new(name: String) -> Arc<Self> {
        Arc::new(Self {
            name,
            called_off: CancellationToken::new(),
        })
    }

    fn has_name(&self, name: Option<&str>) -> bool {
        name == Some(self.name.as_str())
    }
}

/// What may be cancelled of a job.
#[derive(Debug)]
pub(super) struct Cancellable {
    stop: CancellationToken,
    /// Whether somebody wants it to end.
    is_cancelled: bool,
    /// Who asked for it; none where it was asked for under no name.
    asked: Option<Arc<Asked>>,
    /// Tells those who cancelled it what came of that.
    ended: watch::Sender<Option<End>>,
}

/// How something ended that was to be cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Cancelled,
    /// It came to its end all the same; a sentence for people.
    TooLate(String),
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

    /// From now on it cannot be cancelled; whether it was. It ended before it had done anything.
    pub(super) fn end(self) -> bool {
        self.end_as(End::Cancelled)
    }

    /// From now on it cannot be cancelled; whether somebody wanted that, who is told that it came to its end all the same, and how.
    pub(super) fn end_by_itself(self, how: String) -> bool {
        self.end_as(End::TooLate(how))
    }

    fn end_as(self, end: End) -> bool {
        let ended = self
            .service
            .job_state(&self.job, |state| state.cancellable.take());
        ended.is_some_and(|it| {
            it.ended.send_replace(Some(end));
            it.is_cancelled
        })
    }
}

impl Drop for WhileCancellable {
    fn drop(&mut self) {
        self.service
            .job_state(&self.job, |state| state.cancellable = None);
    }
}

/// While it lives, work that was asked for under a name and was not begun may be called off.
struct WhileAsked {
    service: BackupService,
    job: JobName,
    asked: Arc<Asked>,
}

impl Drop for WhileAsked {
    fn drop(&mut self) {
        self.service.job_state(&self.job, |state| {
            state.asked.retain(|it| !Arc::ptr_eq(it, &self.asked));
        });
    }
}

impl BackupService {
    /// As [`Self::in_turn_of`]; who asked for it under a name may call it off until it was begun.
    pub(super) async fn in_turn_as_asked<T: Send + 'static>(
        &self,
        job: &JobName,
        work: impl Future<Output = Result<T, BackupError>> + Send + 'static,
    ) -> Result<T, BackupError> {
        let Some(asked) = self.asked.clone() else {
            return self.in_turn_of(job, work).await;
        };
        self.job_state(job, |state| state.asked.push(Arc::clone(&asked)));
        let waiting = WhileAsked {
            service: self.clone(),
            job: job.clone(),
            asked: Arc::clone(&asked),
        };
        let turn = tokio::select! { biased;
            () = asked.called_off.cancelled() => return Err(BackupError::CalledOff(job.clone())),
            turn = self.turn_of(job) => turn,
        };
        let work = async move {
            let _turn = turn;
            let _waiting = waiting;
            work.await
        };
        self.in_own_task(work).await
    }

    /// Whoever calls has the job's turn.
    pub(super) fn may_be_cancelled(
        &self,
        job: &JobName,
        stop: CancellationToken,
    ) -> WhileCancellable {
        self.job_state(job, |state| {
            let asked = self.asked.clone();
            let is_cancelled = asked
                .as_ref()
                .is_some_and(|it| it.called_off.is_cancelled());
            if let Some(asked) = &asked {
                state.asked.retain(|it| !Arc::ptr_eq(it, asked));
            }
            if is_cancelled {
                stop.cancel();
            }
            state.cancellable = Some(Cancellable {
                stop,
                is_cancelled,
                asked,
                ended: watch::Sender::new(None),
            });
        });
        WhileCancellable {
            service: self.clone(),
            job: job.clone(),
        }
    }

    /// Takes a backup, which may be cancelled. One that a restore takes on its way ends with that, and not by itself. Who asked for it
    /// under a name waits for it by [`Self::in_turn_as_asked`].
    pub(super) async fn take_unless_cancelled(
        &self,
        request: TakeBackup,
        progress: OnProgress,
    ) -> Result<TakenBackup, BackupStoreError> {
        let (job, id) = (request.job.clone(), request.id.clone());
        let take = move |store: &dyn BackupStore| store.take(&request, &progress);
        if self.job_state(&job, |state| state.cancellable.is_some()) {
            return self.with_store(take).await;
        }
        let (store, stop) = self.store().cancellable();
        let running = self.may_be_cancelled(&job, stop);
        match on_blocking_thread(store, take).await {
            Err(BackupStoreError::Interrupted) if running.is_cancelled() => {
                running.end();
                Err(BackupStoreError::Cancelled)
            }
            Ok(taken) => {
                running.end_by_itself(format!(
                    "it came too late: backup {id} of job {job} was stored before it could be cancelled, and stays; \
                     `mainstay backup delete {id}` lets it go where nothing needs it"
                ));
                Ok(taken)
            }
            Err(error) => {
                running.end_by_itself(format!(
                    "it came too late: backup {id} of job {job} had ended by itself before it could be cancelled: {error}"
                ));
                // It may be taken once more, as a full backup, and be called off until that is begun.
                if let Some(asked) = &self.asked {
                    self.job_state(&job, |state| state.asked.push(Arc::clone(asked)));
                }
                Err(error)
            }
        }
    }

    /// Ends the backup, the restore or the drill of a job that is under way, and waits some seconds for its end. Where it was asked
    /// for under a name, ends that alone, and who asked for it learns of its end there.
    pub(super) async fn cancel_now(
        &self,
        job: &JobName,
        asked: Option<&str>,
    ) -> Result<Cancelled, BackupError> {
        let Some(mut ended) = self.tell_to_end(job, asked)? else {
            return Ok(Cancelled::Ending);
        };
        let end = async { ended.wait_for(Option::is_some).await.map(|end| end.clone()) };
        match timeout(WAITS_FOR_THE_END, end).await {
            Err(_) => Ok(Cancelled::Ending),
            Ok(Ok(Some(End::Cancelled))) => Ok(Cancelled::Ended),
            Ok(Ok(Some(End::TooLate(how)))) => Err(BackupError::Refused(how)),
            Ok(Ok(None) | Err(_)) => Err(BackupError::Refused(format!(
                "it came too late: what was under way of job {job} had failed by itself before it could be cancelled; `mainstay \
                 events` tells what of"
            ))),
        }
    }

    /// What tells of the end; none where who asked for it learns of it anyway.
    fn tell_to_end(
        &self,
        job: &JobName,
        asked: Option<&str>,
    ) -> Result<Option<watch::Receiver<Option<End>>>, BackupError> {
        self.job_state(job, |state| {
            if let Some(waiting) = state.asked.iter().find(|it| it.has_name(asked)) {
                waiting.called_off.cancel();
                return Ok(None);
            }
            match &mut state.cancellable {
                Some(it)
                    if asked.is_none()
                        || it.asked.as_ref().is_some_and(|by| by.has_name(asked)) =>
                {
                    it.is_cancelled = true;
                    it.stop.cancel();
                    if let Some(by) = &it.asked {
                        // Also where it is taken once more, as a full backup.
                        by.called_off.cancel();
                    }
                    Ok(asked.is_none().then(|| it.ended.subscribe()))
                }
                _ if asked.is_some() => Err(BackupError::Refused(format!(
                    "nothing that was asked for so of job {job} can be cancelled any more: it has ended, or it is being put in place, and ends"
                ))),
                _ => Err(BackupError::Refused(format!(
                    "no backup, restore or drill of job {job} can be cancelled: none is under way, or it is being put in place, and ends; one that waits for its turn goes away with who asked for it"
                ))),
            }
        })
    }
}
