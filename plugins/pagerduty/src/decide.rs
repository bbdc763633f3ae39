//! What is sent for an alert, and what PagerDuty's answer means for it: the Events API v2.
//!
//! Invariant: all that is about one thing has one key, however long its name is: what was triggered is resolved.

use mainstay_plugin_sdk::alerting::{
    Alert, AlertStatus, DeliveryFailure, Receipt, Response, Severity,
};
use mainstay_plugin_sdk::calendar::rfc3339;
use serde_json::{Map, Value, json};

/// The longest summary that PagerDuty takes, in characters.
const LONGEST_SUMMARY: usize = 1_024;
/// The longest key, in characters.
const LONGEST_KEY: usize = 255;
/// The longest text among the details, in characters; an event may have 512 KiB.
const LONGEST_BODY: usize = 20_000;
/// The kind of the alert that a person takes an incident on.
const TAKEN_ON: &str = "incident.acknowledged";

/// The event. The same alert gives the same one in each attempt.
pub(crate) fn event(alert: &Alert, routing_key: &str) -> Value {
    let key = key_of(&alert.dedup_key);
    let action = match alert.status {
        AlertStatus::Resolved => "resolve",
        AlertStatus::Firing if alert.kind == TAKEN_ON => "acknowledge",
        AlertStatus::Firing => "trigger",
    };
    match action {
        "trigger" => json!({
            "routing_key": routing_key,
            "event_action": action,
            "dedup_key": key,
            "client": "Mainstay",
            "payload": payload(alert),
        }),
        _ => json!({
            "routing_key": routing_key,
            "event_action": action,
            "dedup_key": key,
        }),
    }
}

fn payload(alert: &Alert) -> Value {
    let label = |wanted: &str| {
        let mut labels = alert.labels.iter();
        let found = labels.find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let mut details: Map<String, Value> = alert
        .labels
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    details.insert("body".to_owned(), cut(&alert.body, LONGEST_BODY).into());
    details.insert("kind".to_owned(), alert.kind.as_str().into());
    if let Some(operation) = &alert.operation {
        details.insert("operation".to_owned(), operation.as_str().into());
    }
    json!({
        "summary": cut(&alert.title, LONGEST_SUMMARY),
        "source": label("host").unwrap_or("mainstay"),
        "severity": severity_of(alert.severity),
        "timestamp": rfc3339(alert.at),
        "component": alert.target,
        "class": label("failure").unwrap_or(&alert.kind),
        "custom_details": details,
    })
}

/// 202 is delivered, with PagerDuty's own key; 408, 425, 429 and 5xx are tried again, after `Retry-After` seconds where it
/// is given; all else is permanent.
pub(crate) fn outcome(response: &Response) -> Result<Receipt, DeliveryFailure> {
    if response.status == 202 {
        let answer: Option<Value> = serde_json::from_slice(&response.body).ok();
        let key = answer
            .as_ref()
            .and_then(|answer| answer.get("dedup_key")?.as_str());
        return Ok(Receipt {
            reference: key.map(str::to_owned),
        });
    }
    let remedy = match response.status {
        400 | 401 | 403 => {
            "; look whether `routing_key` is the integration key of a service that uses the Events API v2"
        }
        200..=399 | 404 => {
            "; PagerDuty answers 202: look whether `url` is that of its Events API v2, which ends in /v2/enqueue"
        }
        _ => "",
    };
    let what = format!("PagerDuty answered {}{remedy}", response.summary());
    Err(DeliveryFailure::of_response(response, what))
}

fn severity_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "info",
        Severity::Medium => "warning",
        Severity::High => "error",
        Severity::Critical => "critical",
    }
}

/// The key as PagerDuty takes it: of a longer one its beginning, and a hash of all of it (FNV-1a).
fn key_of(key: &str) -> String {
    if key.chars().count() <= LONGEST_KEY {
        return key.to_owned();
    }
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let kept: String = key.chars().take(LONGEST_KEY - 17).collect();
    format!("{kept}-{hash:016x}")
}

/// The beginning, where it is longer than so many characters.
fn cut(text: &str, longest: usize) -> String {
    match text.chars().count() > longest {
        false => text.to_owned(),
        true => {
            let kept = text.chars().take(longest.saturating_sub(1));
            kept.chain(['…']).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::testing::alert;

    #[test]
    fn what_fires_triggers_with_all_that_is_known_of_it() {
        let mut alert = alert("incident.opened");
        alert.labels = vec![
            ("host".into(), "db1".into()),
            ("failure".into(), "service-down".into()),
        ];
        let expected = json!({
            "routing_key": "key",
            "event_action": "trigger",
            "dedup_key": "api/service-down",
            "client": "Mainstay",
            "payload": {
                "summary": "api: service-down",
                "source": "db1",
                "severity": "error",
                "timestamp": "2024-02-29T12:00:00.000Z",
                "component": "api",
                "class": "service-down",
                "custom_details": {
                    "body": "connection refused",
                    "kind": "incident.opened",
                    "operation": "op-1",
                    "host": "db1",
                    "failure": "service-down",
                },
            },
        });
        assert_eq!(event(&alert, "key"), expected);
        alert.attempt = 2;
        assert_eq!(event(&alert, "key"), expected);
    }

    #[test]
    fn its_end_resolves_and_a_person_who_takes_it_on_acknowledges() {
        let check = |alert: &Alert, action: &str| {
            let expected = json!({
                "routing_key": "key",
                "event_action": action,
                "dedup_key": "api/service-down",
            });
            assert_eq!(event(alert, "key"), expected);
        };
        check(&alert("incident.acknowledged"), "acknowledge");
        let mut over = alert("operation.succeeded");
        over.status = AlertStatus::Resolved;
        check(&over, "resolve");
        // A test alert, and its end.
        assert_eq!(
            event(&alert("alert.test"), "key")["event_action"],
            "trigger"
        );
    }

    #[test]
    fn severities_are_those_of_pagerduty() {
        for (severity, word) in [
            (Severity::Low, "info"),
            (Severity::Medium, "warning"),
            (Severity::High, "error"),
            (Severity::Critical, "critical"),
        ] {
            let mut alert = alert("incident.opened");
            alert.severity = severity;
            assert_eq!(event(&alert, "key")["payload"]["severity"], word);
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_keys_stay_different() {
        let mut alert = alert("incident.opened");
        alert.title = "ü".repeat(2_000);
        alert.target = None;
        alert.operation = None;
        alert.labels = Vec::new();
        let sent = event(&alert, "key");
        let summary = sent["payload"]["summary"].as_str().unwrap();
        assert_eq!(summary.chars().count(), LONGEST_SUMMARY);
        assert_eq!(sent["payload"]["component"], Value::Null);
        assert_eq!(sent["payload"]["source"], "mainstay");
        assert_eq!(sent["payload"]["class"], "incident.opened");
        let long = |end: &str| format!("{}{end}", "k".repeat(300));
        let [one, other] = ["a", "b"].map(|end| key_of(&long(end)));
        assert_ne!(one, other);
        assert_eq!(one.chars().count(), LONGEST_KEY);
        assert_eq!(one, key_of(&long("a")));
        assert_eq!(key_of(&"k".repeat(255)), "k".repeat(255));
    }

    #[test]
    fn only_202_is_delivered_and_what_may_work_later_is_tried_again() {
        fn check(response: Response, expected: Result<Option<&str>, DeliveryFailure>) {
            let expected = expected.map(|reference| Receipt {
                reference: reference.map(str::to_owned),
            });
            assert_eq!(outcome(&response), expected, "{response:?}");
        }
        let retry = |what: &str, wait| Err(DeliveryFailure::RetryAfter((what.into(), wait)));
        let answer = r#"{"status": "success", "message": "Event processed", "dedup_key": "k"}"#;
        check(Response::new(202, answer), Ok(Some("k")));
        check(Response::new(202, "thanks"), Ok(None));
        check(
            Response::new(429, "slow down").with_header("retry-after", "2"),
            retry("PagerDuty answered 429: slow down", Some(2_000)),
        );
        check(
            Response::new(502, ""),
            retry("PagerDuty answered 502", None),
        );
        for (status, body, said) in [
            (
                400,
                "invalid event",
                "400: invalid event; look whether `routing_key`",
            ),
            (200, "<html>", "PagerDuty answers 202"),
            (404, "", "ends in /v2/enqueue"),
            (413, "", "PagerDuty answered 413"),
        ] {
            let failure = outcome(&Response::new(status, body)).unwrap_err();
            let DeliveryFailure::Permanent(what) = &failure else {
                panic!("{status}: {failure:?}")
            };
            assert!(what.contains(said), "{what}");
        }
    }
}
