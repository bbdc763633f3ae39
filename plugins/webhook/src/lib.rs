//! Posts alerts as JSON to a URL.
//!
//! Invariant: the same alert is sent with the same idempotency key and the same body in each attempt: a receiver may
//! refuse a key that comes with another body. Which attempt it is says a header.
//! Invariant: no secret is here; the host puts their values in place of what the settings have for them.

mod decide;
mod settings;

use decide::{idempotency_headers, outcome};
use mainstay_plugin_sdk::alerting::*;
pub use settings::WebhookSettings;

/// The header that a signature stands in.
const SIGNATURE: &str = "x-mainstay-signature";

/// Posts the alert.
#[derive(Debug, Default)]
pub struct Webhook;

impl Alerter for Webhook {
    fn deliver(&self, alert: &Alert, host: &mut impl Host) -> Result<Receipt> {
        let settings: WebhookSettings = host.settings()?;
        let mut body = alert.to_json();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("attempt");
        }
        let mut request = Request::post_json(settings.url.as_str(), body.to_string());
        request.headers = idempotency_headers(&alert.id, alert.attempt, settings.headers.as_map());
        if let Some(timeout) = settings.timeout {
            request = request.timeout(timeout.get());
        }
        let response = match settings.hmac_secret {
            Some(secret) => host.http_signed(
                request,
                Signing {
                    secret: secret.as_str().to_owned(),
                    header: SIGNATURE.to_owned(),
                },
            ),
            None => host.http(request),
        };
        outcome(&response?)
    }
}

export_alerter!(
    Webhook,
    capabilities = ["http" => "post alerts to the configured URL"],
    settings = WebhookSettings,
);

#[cfg(test)]
mod tests;
