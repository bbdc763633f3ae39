//! What people command of one target.
//!
//! Invariant: a command that was taken goes on when its client goes away; its end is an event.

use super::{
    Served,
    caller::Known,
    commands::{actor, short},
    error::ApiError,
    extract::{Body, Named},
};
use crate::ports::{Looked, Refused, TargetCommand, TargetVerb};
use axum::{Json, extract::State, http::StatusCode};
use mainstay_api::{Commanded, Health, ProbeReport, ProbedCheck, TargetBody};
use mainstay_domain::{
    health::{Evidence, Outcome},
    name::TargetName,
};
use std::sync::Arc;

pub(super) async fn command(
    verb: TargetVerb,
    State(served): State<Arc<Served>>,
    Named(target): Named<TargetName>,
    who: Known,
    Body(body): Body<TargetBody>,
) -> Result<(StatusCode, Json<Commanded>), ApiError> {
    must_be_there(&served, &target)?;
    let command = TargetCommand {
        target: target.clone(),
        verb,
        by: actor(who, &body.by)?,
        reason: short("reason", &body.reason)?,
    };
    let (orders, work) = (served.ports.orders.clone(), served.work.clone());
    let take = async move {
        let taken = orders.command(command).await?;
        work.spawn(taken.work);
        Ok(taken.dependents)
    };
    let dependents = served.finish(take).await?;
    let dependents = dependents.iter().map(ToString::to_string);
    let commanded = Commanded {
        target: target.to_string(),
        dependents: dependents.collect(),
    };
    // What comes of it is an event.
    Ok((StatusCode::ACCEPTED, Json(commanded)))
}

pub(super) async fn check(
    State(served): State<Arc<Served>>,
    Named(target): Named<TargetName>,
) -> Result<Json<ProbeReport>, ApiError> {
    must_be_there(&served, &target)?;
    if let Some(held) = served.ports.targets.held(&target) {
        let help = format!("`mainstay start {target}` ends that; nothing of it is looked at before");
        return Err(ApiError::conflict(format!("{target} is {held}"), help));
    }
    let (watch, name) = (served.ports.watch.clone(), target.clone());
    let look = async move {
        let looks = watch.look_now(name).await;
        looks.map_err(|error| Refused(error.to_string()))
    };
    let looks = served.finish(look).await?;
    let is_healthy = |look: &Looked| {
        let seen = look.seen.as_ref();
        seen.is_some_and(|seen| seen.outcome == Outcome::Healthy)
    };
    Ok(Json(ProbeReport {
        target: target.to_string(),
        healthy: !looks.is_empty() && looks.iter().all(is_healthy),
        checks: looks.into_iter().map(probed).collect(),
    }))
}

fn probed(look: Looked) -> ProbedCheck {
    let (outcome, evidence) = look
        .seen
        .map(|seen| (seen.outcome, seen.evidence))
        .unzip();
    let (message, value) = evidence
        .map(|evidence: Evidence| (evidence.message, evidence.value))
        .unzip();
    ProbedCheck {
        check: look.check.to_string(),
        outcome: outcome.map(|outcome| match outcome {
            Outcome::Healthy => Health::Healthy,
            Outcome::Degraded => Health::Degraded,
            Outcome::Failed => Health::Failed,
            Outcome::Unknown => Health::Unknown,
        }),
        message,
        value: value.flatten(),
        elapsed_ms: look.took.as_secs_f64() * 1_000.0,
    }
}

fn must_be_there(served: &Served, target: &TargetName) -> Result<(), ApiError> {
    match served.ports.targets.status(target) {
        Some(_) => Ok(()),
        None => {
            let help = "`mainstay status` lists targets";
            Err(ApiError::not_found(
                format!("there is no target `{target}`"),
                help,
            ))
        }
    }
}
