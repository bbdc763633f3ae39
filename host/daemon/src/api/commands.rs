//! What operators command, and heartbeats.
//!
//! Invariant: a command that was begun ends, also where the client has gone.

use super::{
    Served,
    caller::Known,
    error::ApiError,
    extract::{Body, Named},
    names, requests,
};
use crate::ports::{Decision, PauseRequest, RecoverRequest, Refused, Resolution};
use axum::{Json, extract::State, http::StatusCode};
use mainstay_api::{
    DecisionBody, ForgetPluginBody, Operation, PauseBody, RecoverBody, ResolveBody, Scheduled,
    SignalBody,
};
use mainstay_domain::{
    actor::Actor,
    id::OperationId,
    name::{PluginName, SignalName, TargetName},
    plugin::parse_version,
    recovery::{FoundOut, NewSignal, Verb},
    text::excerpt,
};
use std::{future::Future, sync::Arc, time::Duration};

/// The longest note or reason that is put on record, in bytes.
const MAX_TEXT: usize = 1_000;

impl Served {
    /// Runs a command to its end, whatever becomes of the request.
    pub(super) async fn finish<T: Send + 'static>(
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
    who: Known,
    Body(body): Body<RecoverBody>,
) -> Result<Json<Scheduled>, ApiError> {
    let target = requests::target(&body.target)?;
    names::must_be_target(&served, &target)?;
    let request = RecoverRequest {
        target,
        failure: requests::failure(&body.failure)?,
        dry_run: body.dry_run,
        mode: requests::mode(body.mode)?,
        by: actor(who, &body.by)?,
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
    who: Known,
    (id, if_match): (OperationId, Option<u64>),
    body: DecisionBody,
) -> Result<(StatusCode, Json<Operation>), ApiError> {
    if let (Some(header), Some(field)) = (if_match, body.revision)
        && header != field
    {
        let error = format!("`If-Match` says revision {header}, and `revision` says {field}");
        return Err(ApiError::bad_request(error, "send one of them"));
    }
    let decision = Decision {
        id: id.clone(),
        revision: body.revision.or(if_match),
        verb,
        by: actor(who, &body.by)?,
        reason: short("reason", &body.reason)?,
    };
    let recovery = served.ports.recovery.clone();
    let decided = async move { Ok(recovery.decide(decision).await) };
    match served.finish(decided).await? {
        // What follows from it comes as events.
        Ok(operation) => Ok((StatusCode::ACCEPTED, Json(Operation::from(&operation)))),
        Err(refused) => Err(undecided(&served, id, refused).await),
    }
}

pub(super) async fn resolve(
    State(served): State<Arc<Served>>,
    who: Known,
    Named(id): Named<OperationId>,
    Body(body): Body<ResolveBody>,
) -> Result<(StatusCode, Json<Operation>), ApiError> {
    let found = match (body.happened, body.answer) {
        (true, answer) => FoundOut::Happened(answer),
        (false, None) => FoundOut::DidNot,
        (false, Some(_)) => {
            let error =
                "`answer` is what an effect was answered that happened, and this one did not";
            return Err(ApiError::bad_request(error.to_owned(), "leave it out"));
        }
    };
    let resolution = Resolution {
        id: id.clone(),
        number: body.number,
        found,
        by: actor(who, &body.by)?,
    };
    let recovery = served.ports.recovery.clone();
    let resolved = async move { Ok(recovery.resolve(resolution).await) };
    match served.finish(resolved).await? {
        Ok(operation) => Ok((StatusCode::ACCEPTED, Json(Operation::from(&operation)))),
        Err(refused) => Err(undecided(&served, id, refused).await),
    }
}

pub(super) async fn signal(
    State(served): State<Arc<Served>>,
    who: Known,
    Named(id): Named<OperationId>,
    Body(body): Body<SignalBody>,
) -> Result<(StatusCode, Json<Operation>), ApiError> {
    let name = SignalName::parse(&body.name)
        .map_err(|error| ApiError::bad_request(error.to_string(), "name it as its handler does"))?;
    let signal = NewSignal {
        id: id.clone(),
        name,
        text: body
            .value
            .map_or_else(String::new, |value| value.to_string()),
        by: actor(who, &body.by)?,
    };
    let recovery = served.ports.recovery.clone();
    let signalled = async move { Ok(recovery.signal(signal).await) };
    match served.finish(signalled).await? {
        Ok(operation) => Ok((StatusCode::ACCEPTED, Json(Operation::from(&operation)))),
        Err(refused) => Err(undecided(&served, id, refused).await),
    }
}

/// Why a decision was refused, and where the operation stands.
async fn undecided(served: &Served, id: OperationId, refused: Refused) -> ApiError {
    match served.ports.records.operation(id.clone()).await {
        Ok(Some((operation, _))) => {
            let stands = format!(
                "{id} is {}, at revision {}; `mainstay operation show {id}` says more",
                operation.state.as_str(),
                operation.revision
            );
            ApiError::conflict(refused.0, stands)
        }
        // That it is refused is what counts.
        Ok(None) | Err(_) => refused.into(),
    }
}

pub(super) async fn pause(
    State(served): State<Arc<Served>>,
    who: Known,
    Body(body): Body<PauseBody>,
) -> Result<StatusCode, ApiError> {
    let Some(millis) = body.for_ms else {
        return set_paused(&served, who, body, true).await;
    };
    let request = PauseRequest {
        target: named_target(&served, &body)?,
        length: Duration::from_millis(millis),
        reason: short("reason", &body.reason)?,
        by: actor(who, &body.by)?,
    };
    let recovery = served.ports.recovery.clone();
    served
        .finish(async move { recovery.pause_for(request).await })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn resume(
    State(served): State<Arc<Served>>,
    who: Known,
    Body(body): Body<PauseBody>,
) -> Result<StatusCode, ApiError> {
    if body.for_ms.is_some() {
        let error = "`for_ms` is for a pause, and this resumes";
        return Err(ApiError::bad_request(error.to_owned(), "leave it out"));
    }
    set_paused(&served, who, body, false).await
}

/// The target that a body names, which has to be one.
fn named_target(served: &Served, body: &PauseBody) -> Result<Option<TargetName>, ApiError> {
    let target = body.target.as_deref().map(requests::target).transpose()?;
    if let Some(target) = &target {
        names::must_be_target(served, target)?;
    }
    Ok(target)
}

async fn set_paused(
    served: &Served,
    who: Known,
    body: PauseBody,
    paused: bool,
) -> Result<StatusCode, ApiError> {
    let target = named_target(served, &body)?;
    let by = actor(who, &body.by)?;
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
    names::must_be_target(&served, &target)?;
    let error = format!("{target} is no target with a heartbeat check");
    let help = "add a [[target.check]] with kind = \"heartbeat\" to it; `mainstay status --all` lists targets";
    Err(ApiError::not_found(error, help))
}

pub(super) async fn forget_plugin(
    State(served): State<Arc<Served>>,
    who: Known,
    Body(body): Body<ForgetPluginBody>,
) -> Result<StatusCode, ApiError> {
    let name = PluginName::parse(&body.name).map_err(|error| {
        ApiError::bad_request(error.to_string(), "`mainstay plugin list` shows names")
    })?;
    let version = parse_version(&body.version).map_err(|error| {
        let error = format!("`{}` is no version: {error}", excerpt(&body.version));
        ApiError::bad_request(error, "write all of it, e.g. 1.2.0 or 1.2.0+build.7")
    })?;
    let by = actor(who, &body.by)?;
    let plugins = served.ports.plugins.clone();
    let asked = name.clone();
    let forget = async move { Ok(plugins.forget(name, version, by).await) };
    match served.finish(forget).await? {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(refused) => Err(match names::plugin_meant(&served, &asked) {
            Some(meant) => ApiError::conflict(refused.0, format!("did you mean `{meant}`?")),
            None => refused.into(),
        }),
    }
}

/// Who commands, with what they say about themselves as a note.
pub(super) fn actor(who: Known, says: &str) -> Result<Actor, ApiError> {
    Ok(who.who_says(&short("by", says)?))
}

pub(super) fn short(field: &str, text: &str) -> Result<String, ApiError> {
    if text.len() > MAX_TEXT {
        let error = format!("`{field}` has {} bytes", text.len());
        return Err(ApiError::bad_request(
            error,
            format!("at most {MAX_TEXT} are allowed"),
        ));
    }
    Ok(text.to_owned())
}
