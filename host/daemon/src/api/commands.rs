//! What operators command, and heartbeats.
//!
//! Invariant: a command that was begun ends, also where the client has gone.

use super::{
    Served,
    error::ApiError,
    extract::{Body, Named},
    requests,
};
use crate::ports::{Decision, RecoverRequest, Refused};
use axum::{Json, extract::State, http::StatusCode};
use mainstay_api::{
    DecisionBody, ForgetPluginBody, Operation, PauseBody, RecoverBody, Scheduled,
};
use mainstay_domain::{
    id::OperationId,
    name::{PluginName, TargetName},
    plugin::parse_version,
    recovery::Verb,
    text::excerpt,
};
use std::{future::Future, sync::Arc};

/// The longest name or reason that is put on record, in bytes.
const MAX_TEXT: usize = 1_000;

impl Served {
    /// Runs a command to its end, whatever becomes of the request.
    async fn finish<T: Send + 'static>(
        &self,
        command: impl Future<Output = Result<T, Refused>> + Send + 'static,
    ) -> Result<T, ApiError> {
        match self.work.spawn(command).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(ApiError::ended()),
        }
    }
}

pub(super) async fn recover(
    State(served): State<Arc<Served>>,
    Body(body): Body<RecoverBody>,
) -> Result<Json<Scheduled>, ApiError> {
    let request = RecoverRequest {
        target: requests::target(&body.target)?,
        failure: requests::failure(&body.failure)?,
        dry_run: body.dry_run,
        by: named(body.by)?,
    };
    let recovery = served.ports.recovery.clone();
    let id = served
        .finish(async move { recovery.recover(request).await })
        .await?;
    let operation = id.to_string();
    Ok(Json(Scheduled { operation }))
}

pub(super) async fn decide(
    verb: Verb,
    served: Arc<Served>,
    id: OperationId,
    body: DecisionBody,
) -> Result<(StatusCode, Json<Operation>), ApiError> {
    let decision = Decision {
        id,
        revision: body.revision,
        verb,
        by: named(body.by)?,
        reason: short("reason", body.reason)?,
    };
    let recovery = served.ports.recovery.clone();
    let decided = async move { recovery.decide(decision).await };
    let operation = Operation::from(&served.finish(decided).await?);
    // What follows from it comes as events.
    Ok((StatusCode::ACCEPTED, Json(operation)))
}

pub(super) async fn pause(
    State(served): State<Arc<Served>>,
    Body(body): Body<PauseBody>,
) -> Result<StatusCode, ApiError> {
    set_paused(&served, body, true).await
}

pub(super) async fn resume(
    State(served): State<Arc<Served>>,
    Body(body): Body<PauseBody>,
) -> Result<StatusCode, ApiError> {
    set_paused(&served, body, false).await
}

async fn set_paused(
    served: &Served,
    body: PauseBody,
    paused: bool,
) -> Result<StatusCode, ApiError> {
    let target = body.target.as_deref().map(requests::target).transpose()?;
    let by = named(body.by)?;
    let recovery = served.ports.recovery.clone();
    served
        .finish(async move { recovery.pause(target, paused, by).await })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn heartbeat(
    State(served): State<Arc<Served>>,
    Named(target): Named<TargetName>,
) -> Result<StatusCode, ApiError> {
    if served.ports.watch.heartbeat(&target) {
        return Ok(StatusCode::NO_CONTENT);
    }
    let error = format!("{target} is no target with a heartbeat check");
    let help =
        "add a [[target.check]] with kind = \"heartbeat\" to it; `mainstay status` lists targets";
    Err(ApiError::not_found(error, help))
}

pub(super) async fn forget_plugin(
    State(served): State<Arc<Served>>,
    Body(body): Body<ForgetPluginBody>,
) -> Result<StatusCode, ApiError> {
    let name = PluginName::parse(&body.name).map_err(|error| {
        ApiError::bad_request(error.to_string(), "`mainstay plugin list` shows names")
    })?;
    let version = parse_version(&body.version).map_err(|error| {
        let error = format!("`{}` is no version: {error}", excerpt(&body.version));
        ApiError::bad_request(error, "write all of it, e.g. 1.2.0 or 1.2.0+build.7")
    })?;
    let by = named(body.by)?;
    let plugins = served.ports.plugins.clone();
    served
        .finish(async move { plugins.forget(name, version, by).await })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whoever commands gives a name for the record.
fn named(by: String) -> Result<String, ApiError> {
    if by.trim().is_empty() {
        let help = "put the name of the person or program that commands into `by`";
        return Err(ApiError::bad_request("`by` is empty", help));
    }
    short("by", by)
}

fn short(field: &str, text: String) -> Result<String, ApiError> {
    if text.len() > MAX_TEXT {
        let error = format!("`{field}` has {} bytes", text.len());
        return Err(ApiError::bad_request(
            error,
            format!("at most {MAX_TEXT} are allowed"),
        ));
    }
    Ok(text)
}
