//! What people are told: delivered or not, once, and true.

use mainstay_tests::{Daemon, HOST, Receiver, guest, plugin, sleeper};
use serde_json::Value;

/// A target that a handler recovers when asked, and a webhook that is told of it.
fn start(url: &str, origins: &[&Receiver]) -> Daemon {
    let origins: Vec<String> = origins.iter().map(|one| format!("{:?}", one.url)).collect();
    let rest = format!(
        r#"
[[route]]
chain = [{{ handler = "probe" }}]

[[alert]]
alerter = "webhook"
events = ["operation.succeeded"]

[plugin.webhook]
grants = {{ http = [{}] }}
settings = {{ url = "{url}" }}
"#,
        origins.join(", ")
    );
    let daemon = Daemon::start(
        &[HOST, &sleeper("job"), &rest].concat(),
        &[&guest("probe", &[]), &plugin("webhook")],
    );
    daemon.wait_for_plugins(2);
    daemon
}

fn end_of_delivery(daemon: &Daemon) -> Value {
    daemon.wait_for_event("how the delivery ended", |event| {
        let kind = event["kind"].as_str();
        matches!(
            kind,
            Some("alert.delivered" | "alert.delayed" | "alert.abandoned")
        )
    })
}

#[test]
fn an_alert_that_is_redirected_arrives_as_it_was_posted_or_is_no_delivery() {
    for (status, is_followed) in [
        ("301 Moved Permanently", false),
        ("302 Found", false),
        ("303 See Other", false),
        ("307 Temporary Redirect", true),
        ("308 Permanent Redirect", true),
    ] {
        let (first, second) = (Receiver::start(), Receiver::start());
        let location = format!("location: {}/login\r\n", second.url);
        first.answer_with(status, &location, "");
        let daemon = start(&format!("{}/hook", first.url), &[&first, &second]);
        assert_eq!(daemon.recover("job", "odd")["state"], "succeeded");
        let ended = end_of_delivery(&daemon);
        let posted = first.wait_for("the alert", |one| one.line == "POST /hook");
        if is_followed {
            assert_eq!(ended["kind"], "alert.delivered", "{status}: {ended}");
            let arrived = second.wait_for("the alert", |one| one.line == "POST /login");
            assert_eq!(arrived.body, posted.body, "{status}");
        } else {
            assert_eq!(ended["kind"], "alert.abandoned", "{status}: {ended}");
            let said = ended["message"].as_str().unwrap();
            assert!(said.contains(&format!("{}/login", second.url)), "{said}");
            assert!(second.received().is_empty(), "{:?}", second.received());
        }
    }
}

#[test]
fn the_status_of_a_receiver_decides_however_long_its_answer_is() {
    let receiver = Receiver::start();
    let long = "x".repeat(2 << 20);
    receiver.answer_with("503 Service Unavailable", "retry-after: 1\r\n", &long);
    let daemon = start(&format!("{}/hook", receiver.url), &[&receiver]);
    assert_eq!(daemon.recover("job", "odd")["state"], "succeeded");
    let ended = end_of_delivery(&daemon);
    assert_eq!(ended["kind"], "alert.delayed", "{ended}");
    let said = ended["message"].as_str().unwrap();
    assert!(said.contains("answered 503"), "{said}");
    // It is well again, and as talkative.
    receiver.answer_with("200 OK", "", &long);
    daemon.wait_for_event("the delivery", |event| event["kind"] == "alert.delivered");
    let ids = receiver.received();
    let mut ids = ids.iter().map(|one| one.json()["id"].to_string());
    let first = ids.next().unwrap();
    assert!(ids.all(|id| id == first), "one alert under one id");
}
