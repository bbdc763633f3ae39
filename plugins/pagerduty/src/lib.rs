//! Triggers, acknowledges and resolves incidents of PagerDuty, through its Events API v2.
//!
//! Invariant: the same alert is the same event in each attempt, and PagerDuty takes what has one key for one incident: an
//! alert that arrives twice pages once.
//! Invariant: the routing key is not here; the host puts it in place of what the settings have for it.

mod decide;

use decide::{event, outcome};
use mainstay_plugin_sdk::alerting::*;
use mainstay_plugin_sdk::settings::{DurationText, UrlText};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Where events are sent if the settings do not say.
const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// How long PagerDuty may take to answer where the settings do not say.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Who is paged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagerDutySettings {
    /// The integration key of a service that uses the Events API v2; write it as `${secret:NAME}`.
    routing_key: RoutingKey,
    /// Where events are sent, e.g. `https://events.eu.pagerduty.com/v2/enqueue`; default
    /// `https://events.pagerduty.com/v2/enqueue`. Its origin needs the grant `http`.
    url: Option<UrlText>,
    /// How long to wait for the answer; default 5s.
    timeout: Option<DurationText>,
}

/// A key that is not empty.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct RoutingKey(String);

impl TryFrom<String> for RoutingKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.trim().is_empty() {
            true => Err("it is empty; write the integration key of a service of PagerDuty"),
            false => Ok(Self(text)),
        }
    }
}

/// Sends the event.
#[derive(Debug, Default)]
pub struct PagerDuty;

impl Alerter for PagerDuty {
    fn deliver(&self, alert: &Alert, host: &mut impl Host) -> Result<Receipt> {
        let settings: PagerDutySettings = host.settings()?;
        let url = settings.url.as_ref().map_or(URL, UrlText::as_str);
        let timeout = settings.timeout.map_or(TIMEOUT, DurationText::get);
        let event = event(alert, &settings.routing_key.0);
        let request = Request::post_json(url, event.to_string());
        outcome(&host.http(request.timeout(timeout))?)
    }
}

export_alerter!(
    PagerDuty,
    capabilities = ["http" => "send events to PagerDuty"],
    settings = PagerDutySettings,
);

#[cfg(test)]
mod tests;
