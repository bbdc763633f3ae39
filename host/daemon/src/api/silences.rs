//! Silences: made, listed and ended.

use super::{
    Served,
    caller::Known,
    commands::{actor, short},
    error::ApiError,
    extract::Body,
    names, requests,
};
use crate::ports::SilenceRequest;
use axum::{Json, extract::State, http::StatusCode};
use mainstay_api::{Silence, SilenceBody, UnsilenceBody};
use mainstay_domain::{id::SilenceId, silence::Silenced};
use std::{sync::Arc, time::Duration};

pub(super) async fn list(State(served): State<Arc<Served>>) -> Json<Vec<Silence>> {
    let all = served.ports.silences.silences();
    let forms = all
        .iter()
        .map(|(silence, until)| Silence::of(silence, *until));
    Json(forms.collect())
}

pub(super) async fn begin(
    State(served): State<Arc<Served>>,
    who: Known,
    Body(body): Body<SilenceBody>,
) -> Result<Json<Silence>, ApiError> {
    let of = match (&body.target, &body.alert) {
        (Some(target), None) => {
            let target = requests::target(target)?;
            names::must_be_target(&served, &target)?;
            Silenced::Target(target)
        }
        (None, Some(key)) => Silenced::Key(short("alert", key)?),
        _ => {
            let error = "one of `target` and `alert` says what is silenced";
            return Err(ApiError::bad_request(error, "give one of them"));
        }
    };
    if body.reason.trim().is_empty() {
        let error = "`reason` says nothing";
        return Err(ApiError::bad_request(
            error,
            "say why, for those who wonder",
        ));
    }
    let request = SilenceRequest {
        of,
        length: Duration::from_millis(body.for_ms),
        reason: short("reason", &body.reason)?,
        by: actor(who, &body.by)?,
    };
    let silences = served.ports.silences.clone();
    let (silence, until) = served
        .finish(async move { silences.silence(request).await })
        .await?;
    Ok(Json(Silence::of(&silence, until)))
}

pub(super) async fn end(
    State(served): State<Arc<Served>>,
    who: Known,
    Body(body): Body<UnsilenceBody>,
) -> Result<StatusCode, ApiError> {
    let id = SilenceId::parse(&body.id).map_err(|why| ApiError::bad_body("id", why))?;
    let by = actor(who, &body.by)?;
    let silences = served.ports.silences.clone();
    served
        .finish(async move { silences.unsilence(id, by).await })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
