//! Checkpoints: listed, taken and rolled back to.

use super::{
    Served,
    backups::{Done, long_work},
    caller::Known,
    commands::actor,
    error::ApiError,
    extract::{Body, Named, Parameters},
    names, requests,
};
use crate::ports::CheckpointRequest;
use axum::{Json, extract::State, http::StatusCode, response::Response};
use mainstay_api::{Backup, BackupQuery, CheckpointBody, ResumeJobBody, RollbackBody};
use mainstay_domain::{checkpoint::CheckpointKind, id::BackupId, name::CheckpointName};
use std::sync::Arc;

pub(super) async fn list(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<BackupQuery>,
) -> Result<Json<Vec<Backup>>, ApiError> {
    let job = requests::job_asked_for(query)?;
    let backups = served.ports.backups.list(job.clone());
    if let Some(job) = job.filter(|_| backups.is_empty()) {
        names::must_be_job(&served, &job)?;
    }
    let checkpoints = backups.iter().filter(|backup| backup.checkpoint.is_some());
    Ok(Json(checkpoints.map(Backup::from).collect()))
}

pub(super) async fn take(
    State(served): State<Arc<Served>>,
    who: Known,
    Body(body): Body<CheckpointBody>,
) -> Result<Response, ApiError> {
    let job = requests::job(&body.job)?;
    let kind = CheckpointKind::from(body.kind);
    if matches!(kind, CheckpointKind::Automatic | CheckpointKind::Daily) {
        let why = format!(
            "a checkpoint of the kind `{kind}` is taken when it is due; allowed are manual, pre-upgrade and emergency"
        );
        return Err(ApiError::bad_body("kind", why));
    }
    let name = body.name.as_deref().map(CheckpointName::parse).transpose();
    let name = name.map_err(|why| ApiError::bad_body("name", why))?;
    names::must_be_job(&served, &job)?;
    let by = actor(who, &body.by)?;
    let request = CheckpointRequest {
        job,
        kind,
        name,
        by,
    };
    let backups = served.ports.backups.clone();
    long_work(&served, |progress| async move {
        let taken = backups.take_checkpoint(request, progress).await?;
        Ok(Done::of(vec![taken]))
    })
    .await
}

pub(super) async fn roll_back(
    State(served): State<Arc<Served>>,
    who: Known,
    Named(id): Named<BackupId>,
    Body(body): Body<RollbackBody>,
) -> Result<Response, ApiError> {
    let by = actor(who, &body.by)?;
    let backups = served.ports.backups.clone();
    long_work(&served, |progress| async move {
        Ok(Done::restored(backups.roll_back(id, by, progress).await?))
    })
    .await
}

pub(super) async fn resume(
    State(served): State<Arc<Served>>,
    who: Known,
    Body(body): Body<ResumeJobBody>,
) -> Result<StatusCode, ApiError> {
    let job = requests::job(&body.job)?;
    names::must_be_job(&served, &job)?;
    let by = actor(who, &body.by)?;
    let backups = served.ports.backups.clone();
    served
        .finish(async move { backups.resume_rolled_back(job, by).await })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
