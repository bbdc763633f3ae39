//! What a request says, in the words of the domain.
//!
//! Invariant: a field that does not say what it has to is refused with its name, before anything is begun.

use super::error::ApiError;
use crate::ports::{
    AlertFilter, AuditFilter, EventFilter, HistoryFilter, IncidentFilter, RestoreRequest,
    RestoreRules,
};
use mainstay_api::{
    AlertQuery, AuditQuery, BackupQuery, EventQuery, HistoryQuery, IncidentQuery, RenameQuery,
    RestoreBody, StatsQuery,
};
use mainstay_domain::{
    archive::{DocumentKey, Selection},
    backup::BackupType,
    id::{BackupId, IncidentId, OperationId},
    name::{FailureType, InvalidName, JobName, PluginName, TargetName},
    operation::Mode,
    time::Timestamp,
};
use std::path::PathBuf;

/// The target that a body names.
pub(super) fn target(name: &str) -> Result<TargetName, ApiError> {
    TargetName::parse(name).map_err(|why| ApiError::bad_body("target", why))
}

/// The failure that a body names.
pub(super) fn failure(name: &str) -> Result<FailureType, ApiError> {
    FailureType::parse(name).map_err(|why| ApiError::bad_body("failure", why))
}

/// The mode in which a recovery is asked for; manual where the body names none.
pub(super) fn mode(mode: Option<mainstay_api::Mode>) -> Result<Mode, ApiError> {
    let Some(mode) = mode else {
        return Ok(Mode::Manual);
    };
    Mode::parse_asked(&mode.to_string()).map_err(|why| ApiError::bad_body("mode", why))
}

/// The job that a body names.
pub(super) fn job(name: &str) -> Result<JobName, ApiError> {
    JobName::parse(name).map_err(|why| ApiError::bad_body("job", why))
}

/// The document that a field of a body names.
pub(super) fn key(field: &str, path: &str) -> Result<DocumentKey, ApiError> {
    DocumentKey::of_person(path).map_err(|why| ApiError::bad_body(field, why))
}

/// What a body wants restored, and where to.
pub(super) fn restore(body: RestoreBody) -> Result<RestoreRequest, ApiError> {
    let id = body.id.as_deref().map(BackupId::parse).transpose();
    let at = body.at.as_deref().map(Timestamp::parse).transpose();
    let only = Selection::of_person(&body.paths).map_err(|why| ApiError::bad_body("paths", why));
    if body.id.is_some() && body.at.is_some() {
        let help = "name the backup, or a time to have the newest of then";
        return Err(ApiError::bad_request("both `id` and `at` are given", help));
    }
    if body.id.is_some() && body.backup_type.is_some() {
        let help = "name the backup, or a type to have the newest of it";
        return Err(ApiError::bad_request(
            "both `id` and `type` are given",
            help,
        ));
    }
    let request = RestoreRequest {
        job: job(&body.job)?,
        id: id.map_err(|why| ApiError::bad_body("id", why))?,
        backup_type: body.backup_type.map(BackupType::from),
        at: at.map_err(|why| ApiError::bad_body("at", why))?,
        rules: RestoreRules {
            only: only?,
            merge: body.merge,
            ..RestoreRules::default()
        },
        into: body.into.map(PathBuf::from),
        replace: body.replace,
    };
    match &request.into {
        Some(into) if !into.is_absolute() => {
            let error = format!("`into` is {}", into.display());
            Err(ApiError::bad_request(error, "an absolute path is needed"))
        }
        _ => Ok(request),
    }
}

/// The job of which a query wants the backups.
pub(super) fn job_asked_for(query: BackupQuery) -> Result<Option<JobName>, ApiError> {
    asked_for("job", query.job.as_deref(), JobName::parse)
}

/// The target of which a query wants the other names.
pub(super) fn renamed(query: &RenameQuery) -> Result<Option<TargetName>, ApiError> {
    asked_for("target", query.target.as_deref(), TargetName::parse)
}

/// Which operations a query wants, at most so many.
pub(super) fn filter(query: HistoryQuery, limit: u32) -> Result<HistoryFilter, ApiError> {
    let before = query.before.as_deref().map(OperationId::parse).transpose();
    Ok(HistoryFilter {
        target: asked_for("target", query.target.as_deref(), TargetName::parse)?,
        failure: asked_for("failure", query.failure.as_deref(), FailureType::parse)?,
        state: query.state.map(Into::into),
        since: time_asked_for("since", query.since.as_deref())?,
        before: before.map_err(|why| ApiError::bad_query("before", why))?,
        limit,
    })
}

/// Which incidents a query wants, at most so many.
pub(super) fn incidents(query: &IncidentQuery, limit: u32) -> Result<IncidentFilter, ApiError> {
    let before = query.before.as_deref().map(IncidentId::parse).transpose();
    Ok(IncidentFilter {
        open_only: query.open.unwrap_or(false),
        target: asked_for("target", query.target.as_deref(), TargetName::parse)?,
        since: time_asked_for("since", query.since.as_deref())?,
        before: before.map_err(|why| ApiError::bad_query("before", why))?,
        limit,
    })
}

/// Which rows of the audit log a query wants, at most so many.
pub(super) fn audit(query: &AuditQuery, limit: u32) -> Result<AuditFilter, ApiError> {
    Ok(AuditFilter {
        target: asked_for("target", query.target.as_deref(), TargetName::parse)?,
        since: time_asked_for("since", query.since.as_deref())?,
        before: query.before,
        limit,
    })
}

/// Which alerts that were sent or given up a query wants, at most so many.
pub(super) fn alerts(query: &AlertQuery, limit: u32) -> Result<AlertFilter, ApiError> {
    Ok(AlertFilter {
        target: asked_for("target", query.target.as_deref(), TargetName::parse)?,
        alerter: asked_for("alerter", query.alerter.as_deref(), PluginName::parse)?,
        abandoned_only: query.abandoned.unwrap_or(false),
        since: time_asked_for("since", query.since.as_deref())?,
        before: query.before,
        limit,
    })
}

/// Which events a query wants, wherever it begins.
pub(super) fn events(query: &EventQuery) -> Result<EventFilter, ApiError> {
    Ok(EventFilter {
        target: asked_for("target", query.target.as_deref(), TargetName::parse)?,
        from: time_asked_for("from", query.from.as_deref())?,
    })
}

/// Of which target a query wants the numbers, and since when.
pub(super) fn stats(
    query: &StatsQuery,
) -> Result<(Option<TargetName>, Option<Timestamp>), ApiError> {
    let target = asked_for("target", query.target.as_deref(), TargetName::parse)?;
    Ok((target, time_asked_for("since", query.since.as_deref())?))
}

/// A time of a query.
fn time_asked_for(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    let time = text.map(Timestamp::parse).transpose();
    time.map_err(|why| ApiError::bad_query(field, why))
}

/// A name of a query.
fn asked_for<T>(
    field: &str,
    name: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, InvalidName>,
) -> Result<Option<T>, ApiError> {
    let parsed = name.map(parse).transpose();
    parsed.map_err(|why| ApiError::bad_query(field, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        Json,
        body::Body,
        extract::{FromRequest, Query},
        http::Request,
    };
    use serde::Deserialize;

    /// What the JSON of a body and of a query would be refused with, had they the domain's own types.
    #[derive(Debug, Deserialize)]
    struct Typed {
        #[serde(rename = "target")]
        _target: TargetName,
    }

    #[tokio::test]
    async fn a_bad_name_is_refused_in_the_words_of_any_other_bad_field() {
        let request = Request::builder()
            .header("content-type", "application/json")
            .body(Body::from(r#"{"target": "API"}"#))
            .unwrap();
        let Err(rejection) = Json::<Typed>::from_request(request, &()).await else {
            panic!("`API` is no name");
        };
        let ours = target("API").unwrap_err().into_body();
        let theirs = ApiError::from(rejection).into_body();
        // Of the place in the text only the reader of the JSON knows.
        let theirs_without_place = theirs.error.split(" at line ").next();
        assert_eq!(theirs_without_place, Some(ours.error.as_str()));
        assert_eq!(theirs.help, ours.help);

        let uri = "http://mainstay/?target=API".parse().unwrap();
        let rejection = Query::<Typed>::try_from_uri(&uri).unwrap_err();
        let query = HistoryQuery {
            target: Some("API".to_owned()),
            ..HistoryQuery::default()
        };
        let ours = filter(query, 1).unwrap_err().into_body();
        assert_eq!(ours, ApiError::from(rejection).into_body());
    }
}
