//! What people write down about incidents and operations, and that they take incidents on.

use super::{
    Served,
    caller::Known,
    commands::{actor, short},
    error::ApiError,
    extract::{Body, Named},
    reads,
};
use crate::ports::{AcknowledgeRequest, NoteRequest, Noted, StoreError};
use axum::{Json, extract::State};
use mainstay_api::{AcknowledgeBody, Incident, Note, NoteBody};
use mainstay_domain::id::{IncidentId, OperationId};
use std::sync::Arc;

/// The most notes that are shown of one thing.
const MOST: u32 = 1_000;

pub(super) async fn add(
    State(served): State<Arc<Served>>,
    who: Known,
    Body(body): Body<NoteBody>,
) -> Result<Json<Note>, ApiError> {
    if body.text.trim().is_empty() {
        let error = "`text` says nothing";
        return Err(ApiError::bad_request(error, "write what is to be kept"));
    }
    let (about, target) = find(&served, &body.id).await?;
    let request = NoteRequest {
        about,
        target,
        text: short("text", &body.text)?,
        by: actor(who, &body.by)?,
    };
    let notes = served.ports.notes.clone();
    let event = served
        .finish(async move { notes.add(request).await })
        .await?;
    Note::of(&event).map(Json).ok_or_else(ApiError::ended)
}

pub(super) async fn acknowledge(
    State(served): State<Arc<Served>>,
    who: Known,
    Named(id): Named<IncidentId>,
    Body(body): Body<AcknowledgeBody>,
) -> Result<Json<Incident>, ApiError> {
    let Some(incident) = served.ports.records.incident(id.clone()).await? else {
        return Err(reads::no_such_incident(&id));
    };
    let request = AcknowledgeRequest {
        incident: id.clone(),
        target: incident.target,
        failure: incident.failure,
        reason: short("reason", &body.reason)?,
        by: actor(who, &body.by)?,
    };
    let recovery = served.ports.recovery.clone();
    served
        .finish(async move { recovery.acknowledge(request).await })
        .await?;
    // It is on record by now.
    reads::incident(State(served), Named(id)).await
}

/// What has this identifier, and its target.
async fn find(
    served: &Served,
    id: &str,
) -> Result<(Noted, mainstay_domain::name::TargetName), ApiError> {
    let records = &served.ports.records;
    if let Ok(id) = IncidentId::parse(id) {
        return match records.incident(id.clone()).await? {
            Some(incident) => Ok((Noted::Incident(id), incident.target)),
            None => Err(reads::no_such_incident(&id)),
        };
    }
    let id = OperationId::parse(id).map_err(|why| {
        ApiError::bad_body("id", format!("{why}; an incident, inc-…, is allowed too"))
    })?;
    match records.operation(id.clone()).await? {
        Some((operation, _)) => Ok((Noted::Operation(id), operation.target)),
        None => {
            let error = format!("there is no operation {id}");
            Err(ApiError::not_found(
                error,
                "`mainstay history` lists operations",
            ))
        }
    }
}

/// The notes about what has this identifier.
pub(super) async fn about(served: &Served, id: String) -> Result<Vec<Note>, StoreError> {
    let events = served.ports.records.notes(id, MOST).await?;
    Ok(events.iter().filter_map(Note::of).collect())
}
