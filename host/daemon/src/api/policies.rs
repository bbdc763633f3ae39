//! How a target is recovered: shown, and set.

use super::{
    Served,
    caller::Known,
    commands::{actor, short},
    error::ApiError,
    extract::{Body, Named},
    names,
};
use axum::{Json, extract::State};
use mainstay_api::{PolicyBody, TargetPolicy};
use mainstay_domain::{name::TargetName, recovery::PolicyOrder};
use std::sync::Arc;

pub(super) async fn show(
    State(served): State<Arc<Served>>,
    Named(target): Named<TargetName>,
) -> Result<Json<TargetPolicy>, ApiError> {
    names::must_be_target(&served, &target)?;
    let policy = served.ports.recovery.policy(target).await?;
    let now = served.ports.clock.now();
    Ok(Json(TargetPolicy::of(&policy, now)))
}

pub(super) async fn set(
    State(served): State<Arc<Served>>,
    Named(target): Named<TargetName>,
    who: Known,
    Body(body): Body<PolicyBody>,
) -> Result<Json<TargetPolicy>, ApiError> {
    names::must_be_target(&served, &target)?;
    let order = PolicyOrder {
        target,
        policy: body.set.into(),
        clear: body.clear,
        reason: short("reason", &body.reason)?,
        by: actor(who, &body.by)?,
    };
    let recovery = served.ports.recovery.clone();
    let policy = served
        .finish(async move { recovery.set_policy(order).await })
        .await?;
    let now = served.ports.clock.now();
    Ok(Json(TargetPolicy::of(&policy, now)))
}
