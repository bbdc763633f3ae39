//! Backups: listed at once; taken, verified, restored and drilled as long work.
//!
//! Long work answers with lines: its progress at most every 100 ms, and every second where nothing moves, so that who asked
//! can tell slow work from a daemon that hangs; then one result or one error. The first line comes
//! within a second, also where the work still waits its turn; where it is refused before, the answer is an ordinary
//! error.
//!
//! Invariant: long work goes away with its client while it waits its turn. What was begun is the service's own, and ends.

use super::{
    Served,
    error::ApiError,
    events::{NDJSON, line},
    extract::{Body, Named, Parameters},
    names, requests,
};
use crate::ports::{NotPutBack, OnProgress, Progress, Refused, Restored};
use axum::{
    Json,
    body::{Body as HttpBody, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use mainstay_api::{
    Backup, BackupQuery, BackupReport, CreateBody, DrillBody, PruneBody, RestoreBody, WorkLine,
};
use mainstay_domain::{
    backup::{BackupRecord, BackupType, Verdict},
    id::BackupId,
    time::millis,
};
use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

/// Progress is sent at most this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Without new progress the last one is sent again after this.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// By then an answer begins, so that who asked sees that the work waits.
const FIRST_LINE_WITHIN: Duration = Duration::from_secs(1);

pub(super) async fn list(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<BackupQuery>,
) -> Result<Json<Vec<Backup>>, ApiError> {
    let job = requests::job_asked_for(query)?;
    let backups = served.ports.backups.list(job.clone());
    if let Some(job) = job.filter(|_| backups.is_empty()) {
        names::must_be_job(&served, &job)?;
    }
    Ok(Json(backups.iter().map(Backup::from).collect()))
}

pub(super) async fn show(
    State(served): State<Arc<Served>>,
    Named(id): Named<BackupId>,
) -> Result<Json<Backup>, ApiError> {
    let backups = served.ports.backups.list(None);
    let found = backups.iter().find(|backup| backup.id == id);
    let help = "`mainstay backup list` lists backups";
    found
        .map(|backup| Json(Backup::from(backup)))
        .ok_or_else(|| ApiError::not_found(format!("there is no backup {id}"), help))
}

pub(super) async fn create(
    State(served): State<Arc<Served>>,
    Body(body): Body<CreateBody>,
) -> Result<Response, ApiError> {
    let job = requests::job(&body.job)?;
    names::must_be_job(&served, &job)?;
    let backup_type = BackupType::from(body.backup_type);
    let backups = served.ports.backups.clone();
    long_work(&served, |progress| async move {
        let taken = backups.create(job, backup_type, progress).await?;
        Ok(Done::of(vec![taken]))
    })
    .await
}

pub(super) async fn verify(
    State(served): State<Arc<Served>>,
    Named(id): Named<BackupId>,
) -> Result<Response, ApiError> {
    let backups = served.ports.backups.clone();
    long_work(&served, |progress| async move {
        let read = backups.verify(id, progress).await?;
        let mut done = Done::of(vec![read.backup]);
        done.notes = read.notes;
        Ok(done)
    })
    .await
}

pub(super) async fn restore(
    State(served): State<Arc<Served>>,
    Body(body): Body<RestoreBody>,
) -> Result<Response, ApiError> {
    let request = requests::restore(body)?;
    names::must_be_job(&served, &request.job)?;
    let backups = served.ports.backups.clone();
    long_work(&served, |progress| async move {
        Ok(Done::restored(backups.restore(request, progress).await?))
    })
    .await
}

pub(super) async fn drill(
    State(served): State<Arc<Served>>,
    Body(body): Body<DrillBody>,
) -> Result<Response, ApiError> {
    let job = requests::job(&body.job)?;
    names::must_be_job(&served, &job)?;
    let backups = served.ports.backups.clone();
    long_work(&served, |progress| async move {
        Ok(Done::restored(backups.drill(job, progress).await?))
    })
    .await
}

pub(super) async fn rebuild(State(served): State<Arc<Served>>) -> Result<Response, ApiError> {
    let backups = served.ports.backups.clone();
    long_work(&served, |_| async move {
        Ok(Done::of(backups.rebuild().await?))
    })
    .await
}

pub(super) async fn prune(
    State(served): State<Arc<Served>>,
    Body(body): Body<PruneBody>,
) -> Result<Response, ApiError> {
    let job = body.job.as_deref().map(requests::job).transpose()?;
    if let Some(job) = &job {
        names::must_be_job(&served, job)?;
    }
    let backups = served.ports.backups.clone();
    long_work(&served, |_| async move {
        let pruned = backups.prune(job, body.dry_run).await?;
        let mut done = Done::of(pruned.expired);
        done.verdicts = Some(pruned.verdicts);
        Ok(done)
    })
    .await
}

/// What long work gives.
pub(super) struct Done {
    backups: Vec<BackupRecord>,
    restored: Option<(u64, u64)>,
    not_put_back: NotPutBack,
    skipped: Vec<BackupRecord>,
    notes: Vec<String>,
    verdicts: Option<Vec<Verdict>>,
}

impl Done {
    pub(super) fn of(backups: Vec<BackupRecord>) -> Self {
        Self {
            backups,
            restored: None,
            not_put_back: NotPutBack::default(),
            skipped: Vec::new(),
            notes: Vec::new(),
            verdicts: None,
        }
    }

    pub(super) fn restored(restored: Restored) -> Self {
        let mut done = Self::of(restored.chain);
        done.restored = Some((restored.documents, restored.bytes));
        done.not_put_back = restored.not_put_back;
        done.skipped = restored.skipped;
        done.notes = restored.notes;
        done
    }

    fn report(self, elapsed: Duration) -> BackupReport {
        BackupReport {
            backups: self.backups.iter().map(Backup::from).collect(),
            elapsed_ms: millis(elapsed),
            restored_documents: self.restored.map(|(documents, _)| documents),
            restored_bytes: self.restored.map(|(_, bytes)| bytes),
            not_put_back_documents: Some(self.not_put_back.documents).filter(|count| *count > 0),
            not_put_back: self.not_put_back.first,
            skipped: self.skipped.iter().map(Backup::from).collect(),
            notes: self.notes,
            verdicts: self
                .verdicts
                .map(|verdicts| verdicts.iter().map(mainstay_api::Verdict::from).collect()),
        }
    }
}

/// Begins the work and answers with its lines.
pub(super) async fn long_work<F>(
    served: &Arc<Served>,
    work: impl FnOnce(OnProgress) -> F,
) -> Result<Response, ApiError>
where
    F: Future<Output = Result<Done, Refused>> + Send + 'static,
{
    // Of progress only the newest counts, so telling it never waits for the client.
    let (sender, progress) = watch::channel(Progress::default());
    let work = work(Arc::new(move |progress| {
        sender.send_replace(progress);
    }));
    let clock = served.ports.clock.clone();
    // In a task, so that a client that does not read holds up nobody; it ends with the answer.
    let task = tokio::spawn(async move {
        let start = clock.monotonic();
        let done = work.await?;
        Ok(done.report(clock.monotonic().since(start)))
    });
    let mut work = Work {
        task: Some(AbortOnDropHandle::new(task)),
        progress,
        next: Instant::now(),
    };
    let first = match timeout(FIRST_LINE_WITHIN, work.next_line()).await {
        Ok(Some(Err(error))) => return Err(error),
        Ok(line) => line,
        Err(_) => Some(Ok(work.progress_line())),
    };
    let lines = stream::unfold((first, work), |(first, mut work)| async move {
        let next = match first {
            Some(line) => line,
            None => work.next_line().await?,
        };
        let next = next.unwrap_or_else(|error| WorkLine::Error(error.into_body()));
        Some((Ok::<_, Infallible>(Bytes::from(line(&next))), (None, work)))
    });
    Ok((NDJSON, HttpBody::from_stream(lines)).into_response())
}

struct Work {
    task: Option<AbortOnDropHandle<Result<BackupReport, Refused>>>,
    progress: watch::Receiver<Progress>,
    next: Instant,
}

impl Work {
    /// The next line; `None` after the result or the error.
    async fn next_line(&mut self) -> Option<Result<WorkLine, ApiError>> {
        let task = self.task.as_mut()?;
        let progress = async {
            tokio::time::sleep_until(self.next).await;
            match timeout(ALIVE_EVERY, self.progress.changed()).await {
                Ok(Ok(())) | Err(_) => {}
                // The work tells no progress; or it is over, and its result is about to come.
                Ok(Err(_)) => tokio::time::sleep(ALIVE_EVERY).await,
            }
        };
        tokio::select! { biased;
            answer = task => {
                self.task = None;
                Some(match answer {
                    Ok(Ok(result)) => Ok(WorkLine::Result { result }),
                    Ok(Err(refused)) => Err(refused.into()),
                    Err(_) => Err(ApiError::ended()),
                })
            }
            () = progress => Some(Ok(self.progress_line())),
        }
    }

    /// How far it has come by now.
    fn progress_line(&mut self) -> WorkLine {
        self.next = Instant::now() + PROGRESS_EVERY;
        let Progress {
            documents,
            total,
            bytes,
        } = *self.progress.borrow_and_update();
        let progress = mainstay_api::Progress {
            documents,
            total,
            bytes,
        };
        WorkLine::Progress { progress }
    }
}
