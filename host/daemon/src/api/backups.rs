//! Backups: listed at once; taken, verified, restored and drilled as long work, which answers with lines.
//!
//! Invariant: long work goes away with its client while it waits its turn. What was begun is the service's own, and ends; a
//! restore is cancelled by who asks for that.
//!
//! Length: a handler for each path.

use super::{
    Served,
    caller::Known,
    commands::{actor, short},
    error::ApiError,
    extract::{Body, Given, Named, Parameters},
    lines::long_lines,
    names, requests,
};
use crate::ports::{
    BackupOperator, Cancelled, HoldRequest, NotPutBack, OnProgress, Refused, Restored,
};
use axum::{Json, extract::State, http::StatusCode, response::Response};
use mainstay_api::{
    AcceptBody, Backup, BackupQuery, BackupReport, BackupStats, CancelRestoreBody,
    CancelledRestore, CreateBody, DrillBody, HoldBody, MoveBody, PruneBody, ReleaseBody,
    RestoreBody, WorkLine,
};
use mainstay_domain::{
    backup::{BackupRecord, BackupType, Verdict},
    backup_statistics::BackupStatistics,
    id::BackupId,
    name::TierName,
    time::{Timestamp, millis},
};
use std::{sync::Arc, time::Duration};

pub(super) async fn list(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<BackupQuery>,
) -> Result<Json<Vec<Backup>>, ApiError> {
    let job = requests::job_asked_for(query)?;
    let mut backups = served.ports.backups.list(job.clone());
    if let Some(job) = job.filter(|_| backups.is_empty()) {
        names::must_be_job(&served, &job)?;
    }
    backups.sort_by_key(|backup| !backup.status.is_bad());
    Ok(Json(backups.iter().map(Backup::from).collect()))
}

pub(super) async fn stats(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<BackupQuery>,
) -> Result<Json<BackupStats>, ApiError> {
    let job = requests::job_asked_for(query)?;
    let backups = served.ports.backups.list(job.clone());
    if let Some(job) = job.filter(|_| backups.is_empty()) {
        names::must_be_job(&served, &job)?;
    }
    let statistics = BackupStatistics::of(&backups);
    Ok(Json(BackupStats::from(&statistics)))
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
    let backups = asked_as(served.ports.backups.clone(), body.asked.as_deref())?;
    long_work(&served, |progress| async move {
        let taken = backups.create(job, backup_type, progress).await?;
        Ok(Done::of(vec![taken]))
    })
    .await
}

pub(super) async fn verify(
    State(served): State<Arc<Served>>,
    Named(id): Named<BackupId>,
    given: Given,
) -> Result<Response, ApiError> {
    let backups = given.open(&served.ports.backups);
    long_work(&served, |progress| async move {
        let read = backups.verify(id, progress).await?;
        Ok(Done::of(vec![read.backup]).noted(read.notes))
    })
    .await
}

pub(super) async fn hold(
    State(served): State<Arc<Served>>,
    who: Known,
    Named(id): Named<BackupId>,
    Body(body): Body<HoldBody>,
) -> Result<Response, ApiError> {
    let until = body.until.as_deref().map(Timestamp::parse).transpose();
    let reason = body.reason.as_deref().map(str::trim);
    let reason = reason.filter(|reason| !reason.is_empty());
    let reason = reason.map(|reason| short("reason", reason)).transpose()?;
    let secrets = &served.ports.secrets;
    let request = HoldRequest {
        id,
        until: until.map_err(|why| ApiError::bad_body("until", why))?,
        reason: reason.map(|reason| secrets.conceal_text(&reason)),
        by: actor(who, &body.by)?,
    };
    let backups = served.ports.backups.clone();
    long_work(&served, |_| async move {
        Ok(Done::of(vec![backups.hold(request).await?]))
    })
    .await
}

pub(super) async fn release(
    State(served): State<Arc<Served>>,
    who: Known,
    Named(id): Named<BackupId>,
    Body(body): Body<ReleaseBody>,
) -> Result<Response, ApiError> {
    let by = actor(who, &body.by)?;
    let backups = served.ports.backups.clone();
    long_work(&served, |_| async move {
        Ok(Done::of(vec![backups.release(id, by).await?]))
    })
    .await
}

pub(super) async fn accept(
    State(served): State<Arc<Served>>,
    who: Known,
    Named(id): Named<BackupId>,
    Body(body): Body<AcceptBody>,
) -> Result<Response, ApiError> {
    let by = actor(who, &body.by)?;
    let backups = served.ports.backups.clone();
    long_work(&served, |_| async move {
        Ok(Done::of(vec![backups.accept(id, by).await?]))
    })
    .await
}

pub(super) async fn move_to(
    State(served): State<Arc<Served>>,
    who: Known,
    Named(id): Named<BackupId>,
    Body(body): Body<MoveBody>,
) -> Result<Response, ApiError> {
    let tier = TierName::parse(&body.tier).map_err(|why| ApiError::bad_body("tier", why))?;
    let by = actor(who, &body.by)?;
    let backups = served.ports.backups.clone();
    long_work(&served, |_| async move {
        Ok(Done::of(vec![backups.move_to(id, tier, by).await?]))
    })
    .await
}

pub(super) async fn restore(
    State(served): State<Arc<Served>>,
    given: Given,
    Body(body): Body<RestoreBody>,
) -> Result<Response, ApiError> {
    let asked = body.asked.clone();
    let request = requests::restore(body)?;
    names::must_be_job(&served, &request.job)?;
    let backups = asked_as(given.open(&served.ports.backups), asked.as_deref())?;
    long_work(&served, |progress| async move {
        Ok(Done::restored(backups.restore(request, progress).await?))
    })
    .await
}

pub(super) async fn cancel_restore(
    State(served): State<Arc<Served>>,
    Body(body): Body<CancelRestoreBody>,
) -> Result<(StatusCode, Json<CancelledRestore>), ApiError> {
    let job = requests::job(&body.job)?;
    names::must_be_job(&served, &job)?;
    let backups = &served.ports.backups;
    let cancelled = backups.cancel_restore(job.clone(), body.asked).await?;
    let answer = CancelledRestore {
        job: job.to_string(),
        ended: cancelled == Cancelled::Ended,
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// The backups, as the work is asked for, where it has a name.
fn asked_as(
    backups: Arc<dyn BackupOperator>,
    name: Option<&str>,
) -> Result<Arc<dyn BackupOperator>, ApiError> {
    Ok(match name {
        Some(name) => backups.asked_as(short("asked", name)?),
        None => backups,
    })
}

pub(super) async fn drill(
    State(served): State<Arc<Served>>,
    given: Given,
    Body(body): Body<DrillBody>,
) -> Result<Response, ApiError> {
    let job = requests::job(&body.job)?;
    names::must_be_job(&served, &job)?;
    let backups = given.open(&served.ports.backups);
    long_work(&served, |progress| async move {
        Ok(Done::restored(backups.drill(job, progress).await?))
    })
    .await
}

pub(super) async fn rebuild(State(served): State<Arc<Served>>) -> Result<Response, ApiError> {
    let backups = served.ports.backups.clone();
    long_work(&served, |_| async move {
        let rebuilt = backups.rebuild().await?;
        Ok(Done::of(rebuilt.found).noted(rebuilt.left_out))
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

    /// With what is to be known of it.
    pub(super) fn noted(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
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
    let clock = served.ports.clock.clone();
    long_lines(|progress, _| {
        let work = work(progress);
        async move {
            let start = clock.monotonic();
            let done = work.await?;
            let result = done.report(clock.monotonic().since(start));
            Ok(WorkLine::Result { result })
        }
    })
    .await
}
