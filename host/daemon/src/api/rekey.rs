//! What is stored of a job, encrypted to its present recipients.

use super::{
    Served,
    backups::{Done, long_work},
    error::ApiError,
    extract::{Body, Given},
    names, requests,
};
use axum::{extract::State, response::Response};
use mainstay_api::RekeyBody;
use std::sync::Arc;

pub(super) async fn rekey(
    State(served): State<Arc<Served>>,
    given: Given,
    Body(body): Body<RekeyBody>,
) -> Result<Response, ApiError> {
    let job = requests::job(&body.job)?;
    names::must_be_job(&served, &job)?;
    let backups = given.open(&served.ports.backups);
    long_work(&served, |progress| async move {
        let rekeyed = backups.rekey(job, body.dry_run, progress).await?;
        let (mut all, mut notes) = (rekeyed.sealed, rekeyed.left);
        if let Some(taken) = rekeyed.taken {
            notes.push(format!(
                "{} was taken, a full backup to the present recipients; delete what stays as it was where others hold it",
                taken.id
            ));
            all.push(taken);
        }
        Ok(Done::of(all).noted(notes))
    })
    .await
}
