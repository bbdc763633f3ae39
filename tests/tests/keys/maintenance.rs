//! Maintenance windows: `[[maintenance]]`.

use mainstay_tests::{Daemon, HOST, Receiver, now, plugin, sleeper, time};
use serde_json::Value;
use std::{fs, time::Duration};

/// Everything goes to the receiver.
fn alerts(receiver: &Receiver) -> String {
    let url = &receiver.url;
    format!(
        r#"
[[alert]]
alerter = "webhook"

[plugin.webhook]
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/alerts" }}
"#
    )
}

/// Healthy while a file of its name is there.
fn by_file(name: &str) -> String {
    format!(
        "\n[[target]]\nname = \"{name}\"\n[[target.check]]\nkind = \"exec\"\n\
         run = [\"test\", \"-e\", \"{name}.ok\"]\nevery = \"100ms\"\nfail_after = 1\nfailure = \"{name}-down\"\n"
    )
}

/// Acts: `maintenance.targets`, `maintenance.cron`, `maintenance.zone`, `maintenance.mode`
#[test]
fn a_window_that_comes_again_holds_the_alerts_of_its_targets_at_its_hour_in_its_zone() {
    // It began half an hour ago in one zone, and long before or after that in the other.
    let minutes = (now().as_millis() / 60_000 + 24 * 60 - 30) % (24 * 60);
    let window = |target: &str, zone: &str| {
        format!(
            "\n[[maintenance]]\ntargets = [\"{target}\"]\ncron = \"{} {} * * *\"\nzone = \"{zone}\"\n\
             duration = \"1h\"\nmode = \"alerts\"\n",
            minutes % 60,
            minutes / 60
        )
    };
    let receiver = Receiver::start();
    let names = ["inside", "outside", "unnamed"];
    let config: String = names.iter().map(|name| by_file(name)).collect();
    let config = [
        HOST,
        &config,
        &window("inside", "UTC"),
        &window("outside", "Asia/Tokyo"),
        &alerts(&receiver),
    ];
    let mut daemon = Daemon::prepare(&config.concat());
    for name in names {
        fs::write(daemon.path(&format!("{name}.ok")), "").unwrap();
    }
    daemon.drop_plugin(&plugin("webhook"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_until_all_are_healthy();
    for name in names {
        daemon.remove_ok(name);
    }
    let held = daemon.wait_for_event_of("alert.held", "inside");
    let why = held["data"]["why"].as_str().unwrap();
    assert!(why.starts_with("in maintenance until "), "{held}");
    for name in ["outside", "unnamed"] {
        receiver.wait_for("the alert", |one| one.json()["target"] == name);
    }
    let status = daemon.json(&["status"]);
    let open = status["maintenance"].as_array().unwrap();
    assert_eq!(open.len(), 1, "{status}");
    assert_eq!(open[0]["targets"], Value::from(vec!["inside"]), "{status}");
    assert_eq!(open[0]["holds_alerts"], true, "{status}");
    assert_eq!(open[0]["pauses_recovery"], false, "{status}");
    let shown = daemon.cli(&["status"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("maintenance of inside (alerts are held back), ends in "),
        "{shown}"
    );
    let mut rows = status["targets"].as_array().unwrap().iter();
    assert!(rows.all(|row| row["paused"] == false), "{status}");
    let mut received = receiver.received().into_iter();
    assert!(received.all(|one| one.json()["target"] != "inside"));
}

/// Acts: `maintenance.at`, `maintenance.duration`
#[test]
fn what_fails_in_a_window_is_recovered_after_its_end() {
    let receiver = Receiver::start();
    let hour = Duration::from_secs(3_600);
    let begin = now() - hour;
    let window = format!("\n[[maintenance]]\nat = \"{begin}\"\nduration = \"3625s\"\n");
    let route = r#"
[[route]]
chain = [{ handler = "restart-service" }]

[plugin.restart-service]
grants = { target = ["restart"] }
"#;
    let config = [HOST, &sleeper("web"), route, &window, &alerts(&receiver)];
    let mut daemon = Daemon::prepare(&config.concat());
    for name in ["webhook", "restart-service"] {
        daemon.drop_plugin(&plugin(name));
    }
    daemon.run();
    // Nobody is needed for that, and to compile them may take longer than the window.
    daemon.wait_for_status("the service to run", |status| {
        status["targets"][0]["pid"].is_u64() && status["host"]["paused"] == true
    });
    daemon.kill_child("web");
    daemon.wait_for_event_of("alert.held", "web");
    daemon.wait_for_plugins(2);
    let succeeded = daemon.wait_for_event_of("operation.succeeded", "web");
    let end = begin + hour + Duration::from_secs(25);
    let slack = Duration::from_millis(100);
    assert!(time(&succeeded["at"]) + slack >= end, "{succeeded}");
    let status = daemon.json(&["status"]);
    assert_eq!(status["host"]["paused"], false);
    let paused = daemon.wait_for_event("the pause", |event| event["kind"] == "host.paused");
    assert_eq!(paused["data"]["by"], "maintenance");
}
