//! What is read: status, plugins, incidents, operations, metrics.

use super::{
    Served,
    error::ApiError,
    extract::{Named, Parameters},
    names, notes, pages, requests,
};
use crate::ports::{Active, AuditFilter, HistoryFilter, IncidentFilter};
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::header::{CONTENT_TYPE, ETAG},
    response::{IntoResponse, Response},
};
use mainstay_api::{
    AuditQuery, Event, HandlerCall, HistoryQuery, Incident, IncidentQuery, JournalEntry, Operation,
    OperationDetail, OperationExport, PluginRow, RenameQuery,
};
use mainstay_domain::operation::OperationState;
use mainstay_domain::{
    audit::AuditRow,
    id::{IncidentId, OperationId},
    incident, operation,
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
    let records = served.ports.records.clone();
    pages::answer::<operation::Operation>(limit, filter.before.clone(), move |before, limit| {
        let (records, filter) = (records.clone(), filter.clone());
        let page = HistoryFilter {
            before,
            limit,
            ..filter
        };
        Box::pin(async move { records.history(page).await })
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
    // An operation of the past says what its incident waits for only where it is the one that a person ended.
    let may_wait = matches!(
        operation.state,
        OperationState::AwaitingManual | OperationState::Cancelled
    );
    let mut active = served.ports.recovery.active(&operation.target);
    let waits = operation.incident.as_ref().filter(|_| may_wait);
    let waits = waits.and_then(|incident| active.as_mut()?.waits.remove(incident));
    // Several may wait for the target; which one a pause or the like holds does not matter to who reads it.
    let waits = waits.or_else(|| held(&operation, active?));
    let mut journal: Vec<JournalEntry> = entries.iter().map(JournalEntry::from).collect();
    if let Some(doubt) = &operation.doubt {
        for entry in journal.iter_mut().filter(|entry| entry.seq == doubt.number) {
            entry.in_doubt = true;
        }
    }
    let calls = served.ports.records.calls(id.clone()).await?;
    let detail = OperationDetail {
        operation: Operation::from(&operation),
        journal,
        waits,
        calls: calls.iter().map(HandlerCall::from).collect(),
        notes: notes::about(&served, id.to_string()).await?,
    };
    // What `If-Match` of a decision takes.
    let revision = format!("\"{}\"", operation.revision);
    Ok(([(ETAG, revision)], Json(detail)).into_response())
}

/// What keeps an operation that has not begun, or not its next attempt, for people.
fn held(operation: &operation::Operation, active: Active) -> Option<String> {
    let rests = operation.due.is_some() && !operation.state.is_final();
    let waits = rests || operation.state == OperationState::Scheduled;
    if !waits {
        return None;
    }
    // A pause holds nothing back that a person asked for; the gate may.
    let is_automatic = operation.mode == operation::Mode::Automatic;
    let Some(pause) = active.pause.filter(|_| is_automatic) else {
        return active
            .held
            .filter(|_| active.operation.as_ref() == Some(&operation.id));
    };
    let by = pause.by.map_or(String::new(), |by| format!(" by {by}"));
    let whose = match pause.of_host {
        true => String::new(),
        false => format!(" {}", operation.target),
    };
    Some(format!(
        "automatic recovery is paused{by}; `mainstay resume{whose}` lets it go on"
    ))
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

pub(super) async fn metrics(State(served): State<Arc<Served>>) -> Response {
    let text = served.ports.metrics.render();
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::{
        name::{FailureType, TargetName},
        recovery::PauseSummary,
        severity::Severity,
        time::Timestamp,
    };

    #[test]
    fn what_the_gate_holds_back_is_said_also_of_what_a_person_asked_for() {
        let asked = operation::Operation::scheduled(
            OperationId::parse("op-01K0000000000000000000000A").unwrap(),
            TargetName::parse("api").unwrap(),
            FailureType::parse("down").unwrap(),
            Severity::High,
            operation::Mode::Manual,
            Timestamp::from_millis(1),
        );
        let active = Active {
            operation: Some(asked.id.clone()),
            held: Some("it is held back".to_owned()),
            ..Active::default()
        };
        let said = held(&asked, active.clone());
        assert_eq!(said.as_deref(), Some("it is held back"));
        let paused = Active {
            held: None,
            pause: Some(PauseSummary {
                of_host: true,
                by: None,
                until: None,
            }),
            ..active
        };
        assert_eq!(held(&asked, paused), None, "no pause holds it");
    }
}
