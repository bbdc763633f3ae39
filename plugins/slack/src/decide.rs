//! What is posted for an alert, and what Slack's answer means for it.
//!
//! Invariant: text from outside names no channel and no user of Slack, and is no link: its `&`, `<` and `>` are escaped.

use mainstay_plugin_sdk::alerting::{
    Alert, AlertStatus, DeliveryFailure, Receipt, Response, Severity,
};
use mainstay_plugin_sdk::calendar::rfc3339;
use serde_json::{Value, json};

/// The longest text of a message, in characters; Slack cuts those above 40,000.
const LONGEST: usize = 20_000;

/// Labels that have a field of their own, or say nothing to a reader.
const UNSHOWN: [&str; 2] = ["host", "update"];

/// The message: one attachment. The same alert gives the same message in each attempt.
pub(crate) fn message(alert: &Alert) -> Value {
    let title = marked(alert);
    let labels = alert.labels.iter();
    let host = labels.clone().find(|(name, _)| name == "host");
    let source = host.map_or("mainstay", |(_, value)| value.as_str());
    let mut fields = vec![
        field("Severity", severity_of(alert.severity)),
        field("Source", source),
        field("Time", &time_of(alert)),
    ];
    let target = alert.target.as_deref();
    let operation = alert.operation.as_deref();
    let of_alert = [("Target", target), ("Operation", operation)];
    fields.extend(
        of_alert
            .into_iter()
            .filter_map(|(name, value)| Some(field(name, value?))),
    );
    let shown = labels.filter(|(name, _)| !UNSHOWN.contains(&name.as_str()));
    fields.extend(shown.map(|(name, value)| field(&titled(name), value)));
    json!({
        "attachments": [{
            "color": color_of(alert),
            "title": escaped(&title),
            "fallback": escaped(&title),
            "text": escaped(&cut(&alert.body)),
            "fields": fields,
            "footer": "Mainstay",
            "ts": alert.at / 1_000,
            // What a service printed is shown as it was printed.
            "mrkdwn_in": [],
        }]
    })
}

/// 200 is delivered; 408, 425, 429 and 5xx are tried again, after `Retry-After` seconds where it is given; all else is
/// permanent.
pub(crate) fn outcome(response: &Response) -> Result<Receipt, DeliveryFailure> {
    if response.status == 200 {
        return Ok(Receipt::new());
    }
    let remedy = match response.status {
        401 | 403 | 404 | 410 => {
            "; the webhook is not there any more, or may not post: make a new one in Slack and set it as `url`"
        }
        200..=399 => "; Slack answers 200: look whether `url` is that of an incoming webhook",
        _ => "",
    };
    let what = format!("Slack answered {}{remedy}", response.summary());
    Err(DeliveryFailure::of_response(response, what))
}

fn field(title: &str, value: &str) -> Value {
    json!({ "title": escaped(title), "value": escaped(value), "short": true })
}

/// The headline, behind a mark that is seen at a glance.
fn marked(alert: &Alert) -> String {
    let mark = match alert.status {
        AlertStatus::Firing => "🚨",
        AlertStatus::Resolved => "✅",
    };
    format!("{mark} {}", alert.title)
}

fn color_of(alert: &Alert) -> &'static str {
    match (alert.status, alert.severity) {
        (AlertStatus::Resolved, _) => "#008000",
        (AlertStatus::Firing, Severity::Low) => "#0000FF",
        (AlertStatus::Firing, Severity::Medium) => "#FFA500",
        (AlertStatus::Firing, Severity::High) => "#FF0000",
        (AlertStatus::Firing, Severity::Critical) => "#8B0000",
    }
}

fn severity_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

/// `2024-02-29 12:00:00 UTC`.
fn time_of(alert: &Alert) -> String {
    let time = rfc3339(alert.at);
    let seconds = time
        .split_once('.')
        .map_or(time.as_str(), |(seconds, _)| seconds);
    format!("{} UTC", seconds.replace('T', " "))
}

/// The name of a label as a heading: `failure` is `Failure`.
fn titled(name: &str) -> String {
    let name = name.replace('_', " ");
    let mut letters = name.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

/// As Slack has text that is only text.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::testing::alert;

    #[test]
    fn the_message_is_one_attachment_with_color_title_text_fields_footer_and_time() {
        let mut alert = alert("operation.failed");
        alert.labels = vec![
            ("host".into(), "db1".into()),
            ("failure".into(), "service-down".into()),
            ("update".into(), "true".into()),
        ];
        let field =
            |title: &str, value: &str| json!({"title": title, "value": value, "short": true});
        let expected = json!({"attachments": [{
            "color": "#FF0000",
            "title": "🚨 api: service-down",
            "fallback": "🚨 api: service-down",
            "text": "connection refused",
            "fields": [
                field("Severity", "HIGH"),
                field("Source", "db1"),
                field("Time", "2024-02-29 12:00:00 UTC"),
                field("Target", "api"),
                field("Operation", "op-1"),
                field("Failure", "service-down"),
            ],
            "footer": "Mainstay",
            "ts": 1_709_208_000,
            "mrkdwn_in": [],
        }]});
        assert_eq!(message(&alert), expected);
        alert.attempt = 2;
        assert_eq!(message(&alert), expected);
    }

    #[test]
    fn the_color_says_how_bad_it_is_and_that_it_is_over() {
        for (severity, color) in [
            (Severity::Low, "#0000FF"),
            (Severity::Medium, "#FFA500"),
            (Severity::High, "#FF0000"),
            (Severity::Critical, "#8B0000"),
        ] {
            let mut alert = alert("incident.opened");
            alert.severity = severity;
            assert_eq!(message(&alert)["attachments"][0]["color"], color);
            alert.status = AlertStatus::Resolved;
            let over = message(&alert);
            assert_eq!(over["attachments"][0]["color"], "#008000");
            assert_eq!(over["attachments"][0]["title"], "✅ api: service-down");
        }
    }

    #[test]
    fn text_from_outside_calls_nobody_and_is_not_endless() {
        let mut alert = alert("incident.opened");
        alert.body = "<!channel> a & b > c".into();
        alert.target = None;
        alert.operation = None;
        alert.labels = vec![("job".into(), "<@U1>".into())];
        let sent = message(&alert);
        let attachment = &sent["attachments"][0];
        assert_eq!(attachment["text"], "&lt;!channel&gt; a &amp; b &gt; c");
        assert_eq!(attachment["fields"][1]["value"], "mainstay");
        assert_eq!(attachment["fields"][3]["value"], "&lt;@U1&gt;");
        alert.body = "ü".repeat(30_000);
        let sent = message(&alert);
        let text = sent["attachments"][0]["text"].as_str().unwrap();
        assert_eq!(text.chars().count(), LONGEST + 2);
    }

    #[test]
    fn only_200_is_delivered_and_what_may_work_later_is_tried_again() {
        fn check(response: Response, expected: Result<Receipt, DeliveryFailure>) {
            assert_eq!(outcome(&response), expected, "{response:?}");
        }
        let retry = |what: &str, wait| Err(DeliveryFailure::RetryAfter((what.into(), wait)));
        check(Response::new(200, "ok"), Ok(Receipt::new()));
        check(
            Response::new(429, "rate_limited").with_header("retry-after", "30"),
            retry("Slack answered 429: rate_limited", Some(30_000)),
        );
        check(
            Response::new(500, "rollup_error"),
            retry("Slack answered 500: rollup_error", None),
        );
        for (status, body, said) in [
            (
                400,
                "invalid_payload",
                "Slack answered 400: invalid_payload",
            ),
            (
                403,
                "invalid_token",
                "403: invalid_token; the webhook is not there any more",
            ),
            (
                404,
                "no_service",
                "make a new one in Slack and set it as `url`",
            ),
            (410, "channel_is_archived", "may not post"),
            (204, "", "Slack answers 200"),
            (302, "", "that of an incoming webhook"),
        ] {
            let failure = outcome(&Response::new(status, body)).unwrap_err();
            let DeliveryFailure::Permanent(what) = &failure else {
                panic!("{status}: {failure:?}")
            };
            assert!(what.contains(said), "{what}");
        }
    }
}
