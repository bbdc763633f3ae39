//! What people command of one target.
//!
//! Invariant: a command that was taken goes on when its client goes away; its end is an event.

use super::{
    Served,
    caller::Known,
    commands::{actor, short},
    error::ApiError,
    extract::{Body, Named},
    names::{must_be_target, no_such_target},
    requests,
};
use crate::ports::{
    DrillRequest, ForeignProcess, Looked, Refused, ReportRequest, TargetCommand, TargetVerb,
};
use axum::{Json, extract::State, http::StatusCode};
use mainstay_api::{
    Commanded, Health, LastLook, ProbeReport, ProbedCheck, ReportBody, ReportedFailure,
    ServiceProcess, TargetBody, TargetDetail, TargetDrillBody, TargetLog,
};
use mainstay_domain::{
    drill::DrillMethod,
    health::{Evidence, Outcome},
    name::TargetName,
    text::excerpt,
};
use std::{sync::Arc, time::Duration};

/// A year: what is to hold longer holds until it is cleared.
const LONGEST_REPORT_MS: u64 = 365 * 86_400_000;

pub(super) async fn command(
    verb: TargetVerb,
    State(served): State<Arc<Served>>,
    Named(target): Named<TargetName>,
    who: Known,
    Body(body): Body<TargetBody>,
) -> Result<(StatusCode, Json<Commanded>), ApiError> {
    must_be_target(&served, &target)?;
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

pub(super) async fn drill(
    State(served): State<Arc<Served>>,
    Named(target): Named<TargetName>,
    who: Known,
    Body(body): Body<TargetDrillBody>,
) -> Result<(StatusCode, Json<Commanded>), ApiError> {
    must_be_target(&served, &target)?;
    let method = match &body.method {
        None => DrillMethod::Kill,
        Some(word) => DrillMethod::parse(word).map_err(|allowed| {
            ApiError::bad_request(format!("`method` is `{}`", excerpt(word)), allowed)
        })?,
    };
    let request = DrillRequest {
        target: target.clone(),
        failure: requests::failure(&body.failure)?,
        method,
        by: actor(who, &body.by)?,
    };
    let (orders, work) = (served.ports.orders.clone(), served.work.clone());
    let take = async move {
        let taken = orders.drill(request).await?;
        work.spawn(taken.work);
        Ok(())
    };
    served.finish(take).await?;
    let commanded = Commanded {
        target: target.to_string(),
        dependents: Vec::new(),
    };
    // How the recovery was is an event.
    Ok((StatusCode::ACCEPTED, Json(commanded)))
}

pub(super) async fn show(
    State(served): State<Arc<Served>>,
    Named(target): Named<TargetName>,
) -> Result<Json<TargetDetail>, ApiError> {
    let facts = served.ports.host.facts();
    let found = facts.targets.iter().find(|(name, _)| *name == target);
    let Some((_, priority)) = found else {
        return Err(no_such_target(&served, &target));
    };
    let row = served.ports.status_sources().row(&target, *priority);
    let looks = served.ports.watch.last_looks(&target);
    let service = served.ports.targets.foreign_process(target.clone()).await;
    let log = served.ports.watch.last_lines(target).await;
    Ok(Json(TargetDetail {
        target: row,
        checks: looks.into_iter().map(last_look).collect(),
        log,
        service: service.map(service_process),
    }))
}

fn service_process(process: ForeignProcess) -> ServiceProcess {
    let (pid, error) = match process.pid {
        Ok(pid) => (pid, None),
        Err(why) => (None, Some(why)),
    };
    let pid_file = process.pid_file.map(|file| file.display().to_string());
    ServiceProcess {
        pid_file,
        pid,
        error,
    }
}

pub(super) async fn log(
    State(served): State<Arc<Served>>,
    Named(target): Named<TargetName>,
) -> Result<Json<TargetLog>, ApiError> {
    must_be_target(&served, &target)?;
    let Some(end) = served.ports.watch.end_of_log(target.clone()).await else {
        let help = "the daemon keeps what its children print from their first start on, and of other targets it reads the \
                    log that a check of kind = \"log\" names";
        let error = format!("there is no log of {target} that can be read");
        return Err(ApiError::not_found(error, help));
    };
    Ok(Json(TargetLog {
        target: target.to_string(),
        text: end.text,
        log_bytes: end.bytes,
    }))
}

pub(super) async fn check(
    State(served): State<Arc<Served>>,
    Named(target): Named<TargetName>,
) -> Result<Json<ProbeReport>, ApiError> {
    must_be_target(&served, &target)?;
    if let Some(held) = served.ports.targets.held(&target) {
        let help =
            format!("`mainstay start {target}` ends that; nothing of it is looked at before");
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

pub(super) async fn report(
    State(served): State<Arc<Served>>,
    Named(target): Named<TargetName>,
    who: Known,
    Body(body): Body<ReportBody>,
) -> Result<(StatusCode, Json<ReportedFailure>), ApiError> {
    must_be_target(&served, &target)?;
    for (name, share) in [("confidence", body.confidence), ("score", body.score)] {
        if let Some(share) = share.filter(|share| !(0.0..=1.0).contains(share)) {
            let error = format!("`{name}` is {share}");
            return Err(ApiError::bad_request(error, "allowed are 0 to 1"));
        }
    }
    if body.severity.is_some() && body.score.is_some() {
        let error = "there are a `severity` and a `score`";
        let help = "leave one out: the score says how severe it is";
        return Err(ApiError::bad_request(error, help));
    }
    if let Some(lasts) = body.for_ms
        && !(1..=LONGEST_REPORT_MS).contains(&lasts)
    {
        let error = format!("`for_ms` is {lasts}");
        let help = format!(
            "allowed are 1 to {LONGEST_REPORT_MS}; without it the report holds until it is cleared"
        );
        return Err(ApiError::bad_request(error, help));
    }
    let request = ReportRequest {
        failure: requests::failure(&body.failure)?,
        severity: body.severity.map(Into::into),
        score: body.score,
        confidence: body.confidence,
        message: short("message", &body.message)?,
        lasts: body.for_ms.map(Duration::from_millis),
        clear: body.clear,
        by: actor(who, &body.by)?,
        target,
    };
    let orders = served.ports.orders.clone();
    let report = served
        .finish(async move { orders.report(request).await })
        .await?;
    let reported = ReportedFailure {
        target: report.target.to_string(),
        failure: report.failure.to_string(),
        severity: report.severity.into(),
        confidence: report.confidence,
        until: report.until.map(String::from),
        cleared: body.clear,
    };
    Ok((StatusCode::ACCEPTED, Json(reported)))
}

fn last_look(look: Looked) -> LastLook {
    let elapsed_ms = look.seen.is_some().then_some(look.took);
    let unit = look.unit.map(str::to_owned);
    let at = look.seen.as_ref().map(|seen| seen.evidence.observed_at);
    let probed = probed(look);
    LastLook {
        check: probed.check,
        outcome: probed.outcome,
        message: probed.message,
        value: probed.value,
        unit,
        at: at.map(String::from),
        elapsed_ms: elapsed_ms.map(|took| took.as_secs_f64() * 1_000.0),
    }
}

fn probed(look: Looked) -> ProbedCheck {
    let (outcome, evidence) = look.seen.map(|seen| (seen.outcome, seen.evidence)).unzip();
    let (message, value) = evidence
        .map(|evidence: Evidence| (evidence.message, evidence.value))
        .unzip();
    ProbedCheck {
        check: look.check.to_string(),
        outcome: outcome.map(Health::from),
        message,
        value: value.flatten(),
        elapsed_ms: look.took.as_secs_f64() * 1_000.0,
    }
}
