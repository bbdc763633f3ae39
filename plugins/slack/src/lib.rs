//! Posts alerts to a Slack channel, through an incoming webhook.
//!
//! Invariant: the same alert is the same message in each attempt. Slack has no key by which it knows one again, so an alert
//! whose delivery was cut off may be shown twice.
//! Invariant: the address of the webhook is its credential, and is not here; the host puts it in place of what the settings
//! have for it.

mod decide;

use decide::{message, outcome};
use mainstay_plugin_sdk::alerting::*;
use mainstay_plugin_sdk::settings::{DurationText, UrlText};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How long Slack may take to answer where the settings do not say.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where alerts are posted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackSettings {
    /// The URL of an incoming webhook. Who knows it may post: write its last part as a secret,
    /// `https://hooks.slack.com/services/T…/B…/${secret:NAME}`. Its origin needs the grant `http`.
    url: UrlText,
    /// How long to wait for the answer; default 5s.
    timeout: Option<DurationText>,
}

/// Posts the alert.
#[derive(Debug, Default)]
pub struct Slack;

impl Alerter for Slack {
    fn deliver(&self, alert: &Alert, host: &mut impl Host) -> Result<Receipt> {
        let settings: SlackSettings = host.settings()?;
        let timeout = settings.timeout.map_or(TIMEOUT, DurationText::get);
        let request = Request::post_json(settings.url.as_str(), message(alert).to_string());
        outcome(&host.http(request.timeout(timeout))?)
    }
}

export_alerter!(
    Slack,
    capabilities = ["http" => "post alerts to the incoming webhook"],
    settings = SlackSettings,
);

#[cfg(test)]
mod tests;
