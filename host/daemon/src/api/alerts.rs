//! Test alerts, and those that were sent or given up.

use super::{
    Served,
    caller::Known,
    commands::actor,
    error::ApiError,
    extract::{Body, Parameters},
    names, pages, requests,
};
use crate::ports::{AlertFilter, Delivery, TestedAlerter};
use axum::{Json, extract::State, response::Response};
use mainstay_api::{AlertQuery, AlertTestBody, TestedAlert};
use mainstay_domain::{event::Event, name::PluginName};
use std::sync::Arc;

/// Alerts that are given where the query names no limit.
const LIMIT: u32 = 100;

pub(super) async fn history(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<AlertQuery>,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(LIMIT).min(AlertFilter::REMEMBERED);
    let filter = requests::alerts(&query, limit)?;
    names::known(&served, filter.target.as_ref()).await?;
    if let Some(alerter) = &filter.alerter {
        known(&served, alerter).await?;
    }
    let records = served.ports.records.clone();
    pages::answer::<Event>(limit, filter.before, move |before, limit| {
        let (records, filter) = (records.clone(), filter.clone());
        let page = AlertFilter {
            before,
            limit,
            ..filter
        };
        Box::pin(async move { records.alerts(page).await })
    })
    .await
}

/// Refuses an alerter to whom no alert route sends, and of whom no alert is remembered.
async fn known(served: &Served, alerter: &PluginName) -> Result<(), ApiError> {
    let there_are = served.ports.alert_tests.alerters();
    if there_are.contains(alerter) {
        return Ok(());
    }
    let one = AlertFilter {
        alerter: Some(alerter.clone()),
        limit: 1,
        ..AlertFilter::default()
    };
    if served.ports.records.alerts(one).await?.is_empty() {
        return Err(no_such_alerter(alerter, &there_are));
    }
    Ok(())
}

fn no_such_alerter(alerter: &PluginName, there_are: &[PluginName]) -> ApiError {
    let names = there_are.iter().map(PluginName::as_str);
    names::unknown("alerter", alerter, names, "mainstay plugin list")
}

pub(super) async fn test(
    State(served): State<Arc<Served>>,
    who: Known,
    Body(body): Body<AlertTestBody>,
) -> Result<Json<Vec<TestedAlert>>, ApiError> {
    let asked = body.alerter.as_deref().map(PluginName::parse).transpose();
    let asked = asked.map_err(|why| ApiError::bad_body("alerter", why))?;
    let by = actor(who, &body.by)?;
    let tests = served.ports.alert_tests.clone();
    let there_are = tests.alerters();
    if there_are.is_empty() {
        let help = "add an [[alert]] with its `alerter` to the config";
        let error = "no alert route names an alerter: nobody is told of anything";
        return Err(ApiError::conflict(error, help));
    }
    if let Some(asked) = &asked
        && !there_are.contains(asked)
    {
        return Err(no_such_alerter(asked, &there_are));
    }
    let tested = served
        .finish(async move { Ok(tests.test(asked, by).await) })
        .await?;
    Ok(Json(tested.into_iter().map(form).collect()))
}

fn form(tested: TestedAlerter) -> TestedAlert {
    let alerter = tested.alerter.to_string();
    let (by, reference, error) = match tested.delivery {
        Delivery::Delivered { by, reference } => (Some(by.to_string()), reference, None),
        Delivery::Delayed { why, .. } => (None, None, Some(why)),
        Delivery::Refused(why) => (None, None, Some(why)),
    };
    TestedAlert {
        alerter,
        delivered: error.is_none(),
        by,
        reference,
        error,
    }
}
