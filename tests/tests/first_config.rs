//! What a newcomer does first: a config of their own, a supervised server, a check, a handler, an alert.

use mainstay_tests::{Daemon, Receiver, free_port, plugin, wait_for};
use rustix::process::{Pid, Signal, kill_process};

fn config(port: u16, receiver: &str) -> String {
    format!(
        r#"
[host]
state_dir = "state"
plugin_dir = "plugins"

[[target]]
name = "web"
run = ["python3", "-m", "http.server", "{port}", "--bind", "127.0.0.1"]

[[target.check]]
kind = "http"
url = "http://127.0.0.1:{port}/"
every = "1s"
timeout = "500ms"
fail_after = 2
failure = "api-gateway-down"
severity = "high"

[[route]]
failure = "api-gateway-down"
chain = [{{ handler = "restart-service", version = "^1" }}]
cooldown = "0s"

[plugin.restart-service]
grants = {{ target = ["restart"] }}

[[alert]]
min_severity = "high"
alerter = "webhook"

[plugin.webhook]
grants = {{ http = ["{receiver}"] }}
settings = {{ url = "{receiver}/alerts" }}
"#
    )
}

#[test]
fn a_killed_server_comes_back_and_an_alert_arrives() {
    let receiver = Receiver::start();
    let plugins = [plugin("restart-service"), plugin("webhook")];
    let plugins: Vec<_> = plugins.iter().map(std::path::PathBuf::as_path).collect();
    let daemon = Daemon::start(&config(free_port(), &receiver.url), &plugins);
    daemon.wait_for_plugins(2);
    daemon.wait_for_status("the server to be healthy", |status| {
        status["targets"][0]["health"] == "healthy"
    });
    let pid = daemon.pids()["web"];

    kill_process(
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();

    let operation = wait_for("the operation to succeed", || {
        let history = daemon.json(&["history"]);
        let newest = history[0].clone();
        if newest["state"] == "succeeded" {
            Ok(newest)
        } else {
            Err(history.to_string())
        }
    });
    assert_eq!(operation["target"], "web");
    assert_eq!(operation["handler"], "restart-service");
    assert_eq!(operation["handler_version"], "1.0.0");
    assert_eq!(operation["handler_digest"].as_str().unwrap().len(), 64);
    assert_ne!(daemon.pids()["web"], pid);

    let alert = receiver.wait_for("the alert", |request| {
        request.json()["kind"] == "operation.succeeded"
    });
    assert_eq!(alert.line, "POST /alerts");
    assert_eq!(alert.json()["target"], "web");

    let kinds: Vec<String> = daemon
        .events()
        .iter()
        .map(|event| event["kind"].as_str().unwrap().to_owned())
        .collect();
    for kind in [
        "host.started",
        "plugin.serving",
        "process.started",
        "process.exited",
        "circuit.opened",
        "incident.opened",
        "operation.scheduled",
        "operation.started",
        "effect.performed",
        "operation.validating",
        "operation.succeeded",
        "incident.closed",
        "alert.queued",
    ] {
        assert!(
            kinds.iter().any(|seen| seen == kind),
            "no {kind} among {kinds:?}"
        );
    }
    let id = operation["id"].as_str().unwrap();
    let shown = daemon.json(&["operation", "show", id]);
    let journal = shown["journal"].as_array().unwrap();
    let restart: Vec<_> = journal
        .iter()
        .filter(|entry| entry["effect"] == "targets.restart")
        .collect();
    assert_eq!(restart.len(), 2, "an intent and a result: {journal:?}");
    assert_eq!(
        (&restart[0]["kind"], &restart[1]["kind"]),
        (&"intent".into(), &"result".into())
    );
}
