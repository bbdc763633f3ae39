//! Everything that an alerter needs; made for `use mainstay_plugin_sdk::alerting::*`.
//!
//! ```
//! use mainstay_plugin_sdk::alerting::*;
//! use mainstay_plugin_sdk::testing::{ScriptedHost, alert};
//!
//! #[derive(Default)]
//! struct Pager;
//!
//! impl Alerter for Pager {
//!     fn deliver(&self, alert: &Alert, host: &mut impl Host) -> Result<Receipt> {
//!         let request = Request::post_json("https://pager.example/v1", alert.title.as_str());
//!         let response = host.http(request)?;
//!         Ok(Receipt::with_reference(response.text()))
//!     }
//! }
//!
//! export_alerter!(Pager, capabilities = ["http" => "post to the pager"]);
//!
//! let mut host = ScriptedHost::new();
//! host.on_http("https://pager.example/v1", Ok(Response::new(200, "page-7")));
//! let receipt = Pager.deliver(&alert("operation.failed"), &mut host)?;
//! assert_eq!(receipt.reference.as_deref(), Some("page-7"));
//! # Ok::<(), DeliveryFailure>(())
//! ```

use crate::json::Json;

pub use crate::bindings::alerting::exports::mainstay::plugin::alerting::{
    Alert, AlertStatus, DeliveryFailure, Receipt,
};
pub use crate::export_alerter;
pub use crate::host::{
    Clock, DurationMs, EffectError, Http, Kv, KvStore, Level, Log, Method, Request, Response,
    Settings, Severity, Timestamp,
};
pub use crate::plugin_settings;

/// What an alerter gives back.
pub type Result<T, E = DeliveryFailure> = core::result::Result<T, E>;

#[cfg(feature = "contract-1-2")]
pub use crate::host::{Mail, MailMessage, SignedHttp, Signing};

/// All that an alerter can ask for, by grant.
#[cfg(not(feature = "contract-1-2"))]
pub trait Host: Log + Settings + Clock + Http + Kv {}

#[cfg(not(feature = "contract-1-2"))]
impl<H: Log + Settings + Clock + Http + Kv> Host for H {}

/// All that an alerter can ask for, by grant.
#[cfg(feature = "contract-1-2")]
pub trait Host: Log + Settings + Clock + Http + Kv + SignedHttp + Mail {}

#[cfg(feature = "contract-1-2")]
impl<H: Log + Settings + Clock + Http + Kv + SignedHttp + Mail> Host for H {}

/// A plugin that delivers alerts. Exported with [`export_alerter!`].
pub trait Alerter {
    /// Delivers one alert. It is called at least once for each: the receiver should deduplicate on its id.
    ///
    /// # Errors
    /// The failure says whether, and when, another attempt may help.
    fn deliver(&self, alert: &Alert, host: &mut impl Host) -> Result<Receipt>;
}

impl Receipt {
    /// A receipt without a reference.
    pub fn new() -> Self {
        Self { reference: None }
    }

    /// A receipt with the receiver's own reference.
    pub fn with_reference(reference: impl Into<String>) -> Self {
        Self {
            reference: Some(reference.into()),
        }
    }
}

impl Default for Receipt {
    fn default() -> Self {
        Self::new()
    }
}

impl DeliveryFailure {
    /// Another attempt may help; the host decides when.
    pub fn retry(what_failed: impl Into<String>) -> Self {
        Self::RetryAfter((what_failed.into(), None))
    }

    /// A response that is no delivery: what may work later is tried again, after the wait that it asks for, and all
    /// else is permanent.
    pub fn of_response(response: &Response, what_failed: impl Into<String>) -> Self {
        match response.may_work_later() {
            true => Self::RetryAfter((what_failed.into(), response.retry_after())),
            false => Self::Permanent(what_failed.into()),
        }
    }
}

impl From<EffectError> for DeliveryFailure {
    /// What may work later is retried, all else permanent.
    fn from(error: EffectError) -> Self {
        if error.is_temporary() {
            Self::retry(error.text())
        } else {
            Self::Permanent(error.text().to_owned())
        }
    }
}

impl From<crate::settings::SettingsError> for DeliveryFailure {
    fn from(error: crate::settings::SettingsError) -> Self {
        Self::Permanent(error.to_string())
    }
}

impl Alert {
    /// The alert as the text of one JSON object, for receivers that have no form of their own: every field by its name in
    /// the contract with `_` for `-`, `at` in RFC 3339, `labels` as an object, absent values as `null`.
    pub fn json_text(&self) -> String {
        let labels = self.labels.iter();
        let labels = labels.map(|(name, value)| (name.clone(), Json::from(value.as_str())));
        let members = [
            ("id", Json::from(self.id.as_str())),
            ("dedup_key", Json::from(self.dedup_key.as_str())),
            ("status", Json::from(status_word(self.status))),
            ("severity", Json::from(severity_word(self.severity))),
            ("at", Json::Text(crate::calendar::rfc3339(self.at))),
            ("kind", Json::from(self.kind.as_str())),
            ("title", Json::from(self.title.as_str())),
            ("body", Json::from(self.body.as_str())),
            ("target", Json::from(self.target.as_deref())),
            ("operation", Json::from(self.operation.as_deref())),
            ("labels", Json::Object(labels.collect())),
            ("attempt", Json::Number(self.attempt.to_string())),
        ];
        Json::Object(members.map(|(name, value)| (name.to_owned(), value)).into()).to_string()
    }
}

fn status_word(status: AlertStatus) -> &'static str {
    match status {
        AlertStatus::Firing => "firing",
        AlertStatus::Resolved => "resolved",
    }
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

#[cfg(feature = "settings")]
impl Alert {
    /// What [`Alert::json_text`] writes, as a value.
    pub fn to_json(&self) -> serde_json::Value {
        let labels: serde_json::Map<_, _> = self
            .labels
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        serde_json::json!({
            "id": self.id,
            "dedup_key": self.dedup_key,
            "status": status_word(self.status),
            "severity": severity_word(self.severity),
            "at": crate::calendar::rfc3339(self.at),
            "kind": self.kind,
            "title": self.title,
            "body": self.body,
            "target": self.target,
            "operation": self.operation,
            "labels": labels,
            "attempt": self.attempt,
        })
    }
}

/// What the export macro needs of a type.
#[doc(hidden)]
pub fn __new<P: crate::plugin::Plugin + Alerter + Default>() -> P {
    P::default()
}

/// Makes a type the alerter that this crate's component exports.
///
/// The type implements [`Alerter`] and [`Default`]. Name, version and summary come from `Cargo.toml`;
/// `capabilities` are the grants that it asks the operator for, each with a sentence why; `settings` is the type of
/// its settings.
#[macro_export]
macro_rules! export_alerter {
    (
        $plugin:ty
        $(, capabilities = [$($capability:expr => $why:expr),* $(,)?])?
        $(, settings = $settings:ty)?
        $(,)?
    ) => {
        $crate::__describe!($plugin, [], [$($($capability => $why),*)?] $(, $settings)?);
        $crate::__export!($plugin, alerting);
    };
}

#[cfg(all(test, feature = "settings"))]
mod tests {
    use crate::testing::alert;

    #[test]
    fn an_alert_as_json_has_every_field() {
        let mut alert = alert("operation.failed");
        alert.operation = None;
        let expected = serde_json::json!({
            "id": "al-1",
            "dedup_key": "api/service-down",
            "status": "firing",
            "severity": "high",
            "at": "2024-02-29T12:00:00.000Z",
            "kind": "operation.failed",
            "title": "api: service-down",
            "body": "connection refused",
            "target": "api",
            "operation": null,
            "labels": { "phase": "normal" },
            "attempt": 1,
        });
        assert_eq!(alert.to_json(), expected);
        let text: serde_json::Value = serde_json::from_str(&alert.json_text()).unwrap();
        assert_eq!(text, expected);
    }
}
