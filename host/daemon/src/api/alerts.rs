//! Test alerts.

use super::{Served, caller::Known, commands::actor, error::ApiError, extract::Body, names};
use crate::ports::{Delivery, TestedAlerter};
use axum::{Json, extract::State};
use mainstay_api::{AlertTestBody, TestedAlert};
use mainstay_domain::name::PluginName;
use std::sync::Arc;

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
        let names = there_are.iter().map(PluginName::as_str);
        return Err(names::unknown(
            "alerter",
            asked,
            names,
            "mainstay plugin list",
        ));
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
