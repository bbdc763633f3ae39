//! Backups that people delete, and take out of the trash again.

use super::{
    Served,
    backups::{Done, long_work},
    caller::Known,
    commands::actor,
    error::ApiError,
    extract::{Body, Named},
};
use crate::ports::TrashRequest;
use axum::{extract::State, response::Response};
use mainstay_api::{DeleteBody, UndeleteBody};
use mainstay_domain::{backup::BackupRecord, id::BackupId};
use std::sync::Arc;

pub(super) async fn delete(
    State(served): State<Arc<Served>>,
    who: Known,
    Named(id): Named<BackupId>,
    Body(body): Body<DeleteBody>,
) -> Result<Response, ApiError> {
    let dry_run = body.dry_run;
    let request = TrashRequest {
        id,
        dry_run,
        by: actor(who, &body.by)?,
    };
    let backups = served.ports.backups.clone();
    long_work(&served, |_| async move {
        let deleted = backups.delete(request).await?;
        let note = deletion_note(&deleted, dry_run);
        Ok(Done::of(vec![deleted]).noted(vec![note]))
    })
    .await
}

pub(super) async fn undelete(
    State(served): State<Arc<Served>>,
    who: Known,
    Named(id): Named<BackupId>,
    Body(body): Body<UndeleteBody>,
) -> Result<Response, ApiError> {
    let dry_run = body.dry_run;
    let request = TrashRequest {
        id,
        dry_run,
        by: actor(who, &body.by)?,
    };
    let backups = served.ports.backups.clone();
    long_work(&served, |progress| async move {
        let undeleted = backups.undelete(request, progress).await?;
        let mut notes = undeleted.notes;
        if dry_run {
            notes.push("nothing was changed: these would come out of the trash".to_owned());
        }
        Ok(Done::of(undeleted.backups).noted(notes))
    })
    .await
}

fn deletion_note(deleted: &BackupRecord, dry_run: bool) -> String {
    let id = &deleted.id;
    let Some(until) = deleted.expires else {
        return format!("{id} is gone: the store has no room for a trash");
    };
    match dry_run {
        true => format!("nothing was changed: {id} would lie in the trash until {until}"),
        false => format!(
            "{id} lies in the trash until {until}; `mainstay backup undelete {id}` takes it out again"
        ),
    }
}
