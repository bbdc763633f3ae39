//! What is read: status, plugins, incidents, operations, metrics.

use super::{
    Served,
    error::ApiError,
    extract::{Named, Parameters},
    wire::{EntryView, HistoryQuery, IncidentQuery, OperationView},
};
use crate::ports::HistoryFilter;
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use mainstay_domain::{
    id::OperationId, incident::Incident, operation::Operation, plugin::PluginRow,
};
use std::sync::Arc;

/// Rows that a listing gives where the query names no limit.
const LIMIT: u32 = 100;

/// Rows that a listing gives at most.
const MAX_LIMIT: u32 = 100_000;

pub(super) async fn status(State(served): State<Arc<Served>>) -> Response {
    let body = Bytes::from_owner(served.status.json());
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

pub(super) async fn plugins(State(served): State<Arc<Served>>) -> Json<Vec<PluginRow>> {
    Json(served.ports.plugins.rows())
}

pub(super) async fn incidents(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<IncidentQuery>,
) -> Result<Json<Vec<Incident>>, ApiError> {
    let limit = query.limit.unwrap_or(LIMIT).min(MAX_LIMIT);
    let open_only = query.open.unwrap_or(false);
    Ok(Json(
        served.ports.records.incidents(open_only, limit).await?,
    ))
}

pub(super) async fn history(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<HistoryQuery>,
) -> Result<Json<Vec<Operation>>, ApiError> {
    let filter = HistoryFilter {
        target: query.target,
        failure: query.failure,
        state: query.state,
        since: query.since,
        limit: query.limit.unwrap_or(LIMIT).min(MAX_LIMIT),
    };
    Ok(Json(served.ports.records.history(filter).await?))
}

pub(super) async fn operation(
    State(served): State<Arc<Served>>,
    Named(id): Named<OperationId>,
) -> Result<Json<OperationView>, ApiError> {
    let Some((operation, entries)) = served.ports.records.operation(id.clone()).await? else {
        let help = "`mainstay history` lists operations";
        return Err(ApiError::not_found(
            format!("there is no operation {id}"),
            help,
        ));
    };
    let journal = entries.into_iter().map(EntryView::from).collect();
    Ok(Json(OperationView { operation, journal }))
}

pub(super) async fn metrics(State(served): State<Arc<Served>>) -> Response {
    let text = served.ports.metrics.render();
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], text).into_response()
}
