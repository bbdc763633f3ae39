//! A secret reaches the host that it is for, and nothing else.

use mainstay_tests::{Daemon, HOST, Receiver, guest, plugin, sleeper};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

const SECRET: &str = "s3cr3t-Zq7-value";

fn config(receiver: &str, url: &str) -> String {
    format!(
        r#"
[host]
state_dir = "state"
plugin_dir = "plugins"

[secrets]
hook-token = {{ file = "token" }}

[[target]]
name = "job"
run = ["/bin/sh", "-c", "exec sleep 1000"]

[[route]]
failure = "service-down"
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}

[[alert]]
min_severity = "low"
events = ["operation.succeeded"]
alerter = "webhook"

[plugin.webhook]
grants = {{ http = ["{receiver}"] }}
settings = {{ url = "{url}", headers = {{ authorization = "Bearer ${{secret:hook-token}}" }} }}
"#
    )
}

fn start(config: &str) -> Daemon {
    let mut daemon = Daemon::prepare(config);
    fs::write(daemon.path("token"), format!("{SECRET}\n")).unwrap();
    fs::set_permissions(daemon.path("token"), fs::Permissions::from_mode(0o600)).unwrap();
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.drop_plugin(&plugin("webhook"));
    daemon.run();
    daemon.wait_for_plugins(2);
    daemon
}

fn recover(daemon: &Daemon) {
    let output = daemon.cli(&["recover", "job", "--failure", "service-down", "--wait"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn must_not_hold_the_secret(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            must_not_hold_the_secret(&path);
        } else if path.file_name().is_some_and(|name| name != "token") && path.is_file() {
            let bytes = fs::read(&path).unwrap();
            let found = bytes
                .windows(SECRET.len())
                .any(|window| window == SECRET.as_bytes());
            assert!(!found, "{} holds the secret", path.display());
        }
    }
}

#[test]
fn a_secret_reaches_the_granted_host_and_no_file_or_log() {
    let receiver = Receiver::start();
    // The receiver echoes what it was sent: neither the guest nor the journal may see it.
    receiver.answer_with("200 OK", &format!("x-request-id: {SECRET}\r\n"), SECRET);
    let daemon = start(&config(&receiver.url, &format!("{}/hook", receiver.url)));
    recover(&daemon);
    let request = receiver.wait_for("the alert", |request| request.line == "POST /hook");
    let authorization = request
        .headers
        .iter()
        .find(|(name, _)| name == "authorization")
        .unwrap();
    assert_eq!(authorization.1, format!("Bearer {SECRET}"));
    let delivered =
        daemon.wait_for_event("the delivery", |event| event["kind"] == "alert.delivered");
    assert!(
        delivered.to_string().contains("[secret:hook-token]"),
        "echoed secrets become their names: {delivered}"
    );
    must_not_hold_the_secret(daemon.directory.path());
}

#[test]
fn a_secret_follows_no_redirect_to_another_host() {
    let (granted, other) = (Receiver::start(), Receiver::start());
    granted.answer_with(
        "307 Temporary Redirect",
        &format!("location: {}/stolen\r\n", other.url),
        "",
    );
    let daemon = start(&config(&granted.url, &format!("{}/hook", granted.url)));
    recover(&daemon);
    granted.wait_for("the alert", |request| request.line == "POST /hook");
    let refused = daemon.wait_for_event("the refusal", |event| {
        matches!(
            event["kind"].as_str(),
            Some("alert.delayed" | "alert.abandoned")
        )
    });
    assert!(refused.to_string().contains("grant"), "{refused}");
    assert!(other.received().is_empty(), "the other host was reached");
    must_not_hold_the_secret(daemon.directory.path());
}

#[test]
fn a_host_without_a_grant_is_not_reached() {
    let (granted, other) = (Receiver::start(), Receiver::start());
    let daemon = start(&config(&granted.url, &format!("{}/hook", other.url)));
    recover(&daemon);
    daemon.wait_for_event("the refusal", |event| {
        matches!(
            event["kind"].as_str(),
            Some("alert.delayed" | "alert.abandoned")
        )
    });
    assert!(other.received().is_empty() && granted.received().is_empty());
}

/// What is granted is the secret that stands in the plugin's own settings, wherever else it is known.
#[test]
fn a_secret_that_a_plugins_settings_do_not_name_is_refused() {
    let receiver = Receiver::start();
    let route = format!(
        r#"
[secrets]
hook-token = {{ file = "token" }}
other-token = {{ file = "token" }}

[plugin.probe]
grants = {{ http = ["{0}"] }}
settings = {{ word = "${{secret:hook-token}}" }}

[[route]]
failure = "own"
chain = [{{ handler = "probe", params = {{ do = "http", name = "{0}/?t=${{secret:hook-token}}" }} }}]

[[route]]
failure = "others"
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [{{ handler = "probe", params = {{ do = "http", name = "{0}/?t=$[secret:other-token]" }} }}]
"#,
        receiver.url
    );
    let mut daemon = Daemon::prepare(&[HOST, &sleeper("job"), &route].concat());
    fs::write(daemon.path("token"), format!("{SECRET}\n")).unwrap();
    fs::set_permissions(daemon.path("token"), fs::Permissions::from_mode(0o600)).unwrap();
    daemon.drop_plugin(&guest("probe", &[]));
    daemon.run();
    daemon.wait_for_plugins(1);

    let refused = daemon.recover("job", "others");
    assert_eq!(refused["state"], "failed", "{refused}");
    let error = refused["error"].as_str().unwrap();
    assert!(
        error.contains("may not use the secret `other-token`"),
        "{error}"
    );
    assert!(receiver.received().is_empty(), "nothing was sent");
    let done = daemon.recover("job", "own");
    assert_eq!(done["state"], "succeeded", "{done}");
    receiver.wait_for("the request", |request| request.line.contains(SECRET));
}

/// A changed secret shows in no config file, so it is read when the daemon is told to.
#[test]
fn a_rotated_secret_is_read_at_sighup() {
    let receiver = Receiver::start();
    let daemon = start(&config(&receiver.url, &format!("{}/hook", receiver.url)));
    fs::write(daemon.path("token"), "rotated-Kx3-value\n").unwrap();
    daemon.hang_up();
    daemon.wait_for_event("the reload", |event| event["kind"] == "config.applied");
    recover(&daemon);
    receiver.wait_for("the alert with the new token", |request| {
        let expected = "Bearer rotated-Kx3-value";
        request.headers.iter().any(|(_, value)| value == expected)
    });
}
