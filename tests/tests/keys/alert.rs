//! Alerts: `[[alert]]`.

use mainstay_tests::{Daemon, HOST, Receiver, guest, plugin, sleeper, wait_for};
use serde_json::Value;
use std::fs;

/// Two targets that a handler recovers at once, and both alerters.
fn start(receiver: &Receiver, alerts: &str) -> Daemon {
    let url = &receiver.url;
    let rest = format!(
        r#"
[[route]]
chain = [{{ handler = "probe" }}]

{alerts}

[plugin.webhook]
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/alerts" }}

[plugin.log-file]
grants = {{ dir = [{{ path = "alerts", write = true }}] }}
settings = {{ path = "alerts/all.jsonl" }}
"#
    );
    let (a, b) = (sleeper("a"), sleeper("b"));
    let worse = "exit_failure = \"service-down\"\n[[target.check]]\nkind = \"process\"\nfailure = \"data-corruption\"\n";
    let mut daemon = Daemon::prepare(&[HOST, &a, worse, &b, worse, &rest].concat());
    fs::create_dir(daemon.path("alerts")).unwrap();
    for component in [guest("probe", &[]), plugin("webhook"), plugin("log-file")] {
        daemon.drop_plugin(&component);
    }
    daemon.run();
    daemon.wait_for_plugins(3);
    daemon
}

/// `KIND of TARGET`, for each.
fn what<'a>(alerts: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let word = |alert: &Value, key| alert[key].as_str().unwrap_or("nothing").to_owned();
    let line = |alert| format!("{} of {}", word(alert, "kind"), word(alert, "target"));
    alerts.into_iter().map(line).collect()
}

/// Acts: `alert.alerter`, `alert.events`, `alert.min_severity`, `alert.target`
#[test]
fn each_entry_sends_what_it_asks_for_and_nothing_else() {
    let receiver = Receiver::start();
    let daemon = start(
        &receiver,
        r#"
[[alert]]
alerter = "webhook"
events = ["operation.succeeded"]
target = "a"

[[alert]]
alerter = "log-file"
min_severity = "critical"
"#,
    );
    for (target, failure) in [
        ("b", "service-down"),
        ("a", "service-down"),
        ("b", "data-corruption"),
        ("a", "data-corruption"),
    ] {
        assert_eq!(daemon.recover(target, failure)["state"], "succeeded");
    }
    let (posted, mut logged) = wait_for("all alerts", || {
        let delivered = daemon.events_of("alert.delivered").len();
        let posted: Vec<Value> = receiver.received().iter().map(|one| one.json()).collect();
        let logged = fs::read_to_string(daemon.path("alerts/all.jsonl")).unwrap_or_default();
        let logged: Vec<Value> = logged
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        // Each is queued together with what it is about, so none is still to come.
        if delivered == daemon.events_of("alert.queued").len() {
            Ok((posted, logged))
        } else {
            Err(format!("{delivered}"))
        }
    });
    assert_eq!(what(&posted), ["operation.succeeded of a"; 2]);
    let of_one = |target: &str| {
        ["incident.opened", "operation.succeeded"].map(|kind| format!("{kind} of {target}"))
    };
    // Only what is about one thing has an order.
    logged.sort_by_key(|alert| alert["target"] == "a");
    assert_eq!(what(&logged), [of_one("b"), of_one("a")].concat());
    assert!(logged.iter().all(|alert| alert["severity"] == "critical"));
}

/// Acts: `alert.version`
#[test]
fn an_alert_waits_for_the_version_of_its_entry() {
    let receiver = Receiver::start();
    let entry = |target, version| {
        format!(
            "\n[[alert]]\nalerter = \"webhook\"\nevents = [\"operation.succeeded\"]\n\
             target = \"{target}\"\nversion = \"{version}\"\n"
        )
    };
    let daemon = start(&receiver, &[entry("b", "^9"), entry("a", "^1")].concat());
    daemon.recover("b", "service-down");
    let delayed = daemon.wait_for_event("the delay", |event| event["kind"] == "alert.delayed");
    assert_eq!(delayed["target"], "b");
    assert!(
        delayed["message"].as_str().unwrap().contains("^9"),
        "{delayed}"
    );
    daemon.recover("a", "service-down");
    daemon.wait_for_event("the delivery", |event| {
        event["kind"] == "alert.delivered" && event["target"] == "a"
    });
    let posted: Vec<Value> = receiver.received().iter().map(|one| one.json()).collect();
    assert_eq!(what(&posted), ["operation.succeeded of a"]);
}

/// The daemon is started anew between the fault and its end.
#[test]
fn who_was_told_of_a_fault_is_told_of_its_end_with_the_same_key_over_a_restart_too() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let config = format!(
        r#"
[[job]]
name = "dump"
full = {{ cron = "0 0 29 2 *" }}
encryption = "none"
source = [{{ kind = "command", run = ["/bin/cat", "dump"], key = "dump" }}]

[[alert]]
alerter = "webhook"
min_severity = "high"

[plugin.webhook]
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/alerts" }}
"#
    );
    let mut daemon = Daemon::prepare(&[HOST, &config].concat());
    daemon.drop_plugin(&plugin("webhook"));
    daemon.run();
    daemon.wait_for_plugins(1);
    assert!(!daemon.cli(&["backup", "create", "dump"]).status.success());
    let is = |alert: &Value, status: &str, kind: &str| {
        alert["status"] == status && alert["kind"] == kind
    };
    let fired = receiver.wait_for("that it failed", |request| {
        is(&request.json(), "firing", "backup.failed")
    });
    assert!(daemon.stop());
    fs::write(daemon.path("dump"), "whole").unwrap();
    daemon.run();
    daemon.wait_for_plugins(1);
    assert!(daemon.cli(&["backup", "create", "dump"]).status.success());
    let over = receiver.wait_for("that it is over", |request| {
        is(&request.json(), "resolved", "backup.verified")
    });
    assert_eq!(over.json()["dedup_key"], fired.json()["dedup_key"]);
    assert_eq!(over.json()["severity"], "high");
    let mut headers = over.headers.iter();
    assert!(headers.any(|(name, _)| name == "alert-attempt"));
    assert_eq!(over.json()["attempt"], Value::Null);
}
