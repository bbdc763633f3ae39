//! What is read: status, plugins, incidents, operations, metrics.

use super::{
    Served,
    error::ApiError,
    extract::{Named, Parameters},
    names, notes, pages, requests,
    shown_operation::ShownOperation,
};
use crate::ports::{AuditFilter, HistoryFilter, IncidentFilter};
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::header::{CONTENT_TYPE, ETAG},
    response::{IntoResponse, Response},
};
use mainstay_api::{
    AuditQuery, Event, HandlerCall, HistoryQuery, Incident, IncidentQuery, JournalEntry,
    OperationDetail, OperationExport, PluginRow, RenameQuery,
};
use mainstay_domain::{
    audit::AuditRow,
    id::{IncidentId, OperationId},
    incident,
};
use std::sync::Arc;

/// Rows that a listing gives where the query names no limit.
const LIMIT: u32 = 100;

/// Rows that a listing gives at most, page by page.
const MAX_LIMIT: u32 = 100_000;

pub(super) async fn status(State(served): State<Arc<Served>>) -> Response {
    let body = Bytes::from_owner(served.status.json());
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

pub(super) async fn plugins(State(served): State<Arc<Served>>) -> Json<Vec<PluginRow>> {
    let rows = served.ports.plugins.rows();
    Json(rows.iter().map(PluginRow::from).collect())
}

pub(super) async fn incidents(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<IncidentQuery>,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(LIMIT).min(MAX_LIMIT);
    let filter = requests::incidents(&query, limit)?;
    names::known(&served, filter.target.as_ref()).await?;
    let records = served.ports.records.clone();
    pages::answer::<incident::Incident>(limit, filter.before.clone(), move |before, limit| {
        let (records, filter) = (records.clone(), filter.clone());
        let page = IncidentFilter {
            before,
            limit,
            ..filter
        };
        Box::pin(async move { records.incidents(page).await })
    })
    .await
}

pub(super) async fn incident(
    State(served): State<Arc<Served>>,
    Named(id): Named<IncidentId>,
) -> Result<Json<Incident>, ApiError> {
    let Some(incident) = served.ports.records.incident(id.clone()).await? else {
        return Err(no_such_incident(&id));
    };
    Ok(Json(Incident {
        notes: notes::about(&served, id.to_string()).await?,
        ..Incident::from(&incident)
    }))
}

pub(super) fn no_such_incident(id: &IncidentId) -> ApiError {
    let help = "`mainstay incidents` lists incidents";
    ApiError::not_found(format!("there is no incident {id}"), help)
}

pub(super) async fn history(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<HistoryQuery>,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(LIMIT).min(MAX_LIMIT);
    let filter = requests::filter(query, limit)?;
    names::known(&served, filter.target.as_ref()).await?;
    let (records, recovery) = (served.ports.records.clone(), served.ports.recovery.clone());
    pages::answer::<ShownOperation>(limit, filter.before.clone(), move |before, limit| {
        let (records, filter) = (records.clone(), filter.clone());
        let recovery = recovery.clone();
        let page = HistoryFilter {
            before,
            limit,
            ..filter
        };
        let shown = move |operation| ShownOperation::new(operation, &*recovery);
        Box::pin(async move {
            let page = records.history(page).await;
            page.map(|page| page.into_iter().map(shown).collect::<Vec<_>>())
        })
    })
    .await
}

pub(super) async fn audit(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<AuditQuery>,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(LIMIT).min(MAX_LIMIT);
    let filter = requests::audit(&query, limit)?;
    names::known(&served, filter.target.as_ref()).await?;
    let records = served.ports.records.clone();
    pages::answer::<AuditRow>(limit, filter.before, move |before, limit| {
        let (records, filter) = (records.clone(), filter.clone());
        let page = AuditFilter {
            before,
            limit,
            ..filter
        };
        Box::pin(async move { records.audit(page).await })
    })
    .await
}

pub(super) async fn renames(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<RenameQuery>,
) -> Result<Json<Vec<Event>>, ApiError> {
    let limit = query.limit.unwrap_or(LIMIT).min(MAX_LIMIT);
    let target = requests::renamed(&query)?;
    let events = served.ports.records.renames(target, limit).await?;
    Ok(Json(events.iter().map(Event::from).collect()))
}

pub(super) async fn operation(
    State(served): State<Arc<Served>>,
    Named(id): Named<OperationId>,
) -> Result<Response, ApiError> {
    let Some((operation, entries)) = served.ports.records.operation(id.clone()).await? else {
        let help = "`mainstay history` lists operations";
        return Err(ApiError::not_found(
            format!("there is no operation {id}"),
            help,
        ));
    };
    let mut journal: Vec<JournalEntry> = entries.iter().map(JournalEntry::from).collect();
    if let Some(doubt) = &operation.doubt {
        for entry in journal.iter_mut().filter(|entry| entry.seq == doubt.number) {
            entry.in_doubt = true;
        }
    }
    let calls = served.ports.records.calls(id.clone()).await?;
    let revision = operation.revision;
    let detail = OperationDetail {
        operation: ShownOperation::new(operation, &*served.ports.recovery).form(),
        journal,
        calls: calls.iter().map(HandlerCall::from).collect(),
        notes: notes::about(&served, id.to_string()).await?,
    };
    // What `If-Match` of a decision takes.
    let revision = format!("\"{revision}\"");
    Ok(([(ETAG, revision)], Json(detail)).into_response())
}

pub(super) async fn export(
    State(served): State<Arc<Served>>,
    Named(id): Named<OperationId>,
) -> Result<Json<OperationExport>, ApiError> {
    let records = &served.ports.records;
    let Some((_, journal)) = records.operation(id.clone()).await? else {
        let help = "`mainstay history` lists operations";
        let error = format!("there is no operation {id}");
        return Err(ApiError::not_found(error, help));
    };
    let calls = records.calls(id.clone()).await?;
    Ok(Json(OperationExport::of(id.to_string(), &calls, &journal)))
}

pub(super) async fn metrics(State(served): State<Arc<Served>>) -> Result<Response, ApiError> {
    let gate = served.ports.recovery.gate().await;
    // Of many checks the text takes a second: not on a thread that others' work waits for.
    let rendering = tokio::task::spawn_blocking(move || served.ports.metrics.render(gate.as_ref()));
    let text = rendering.await.map_err(|_| ApiError::ended())?;
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}
