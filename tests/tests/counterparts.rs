//! The handlers of memory, gateways, networks and models with what they are for: a process that really hoards, a server that
//! really hangs or limits, links that are cut, a scorer that loads what its registry names.

mod gateway;
mod model;
mod network;

use mainstay_tests::{Daemon, HOST, Receiver, free_port, note_recovery, now, plugin, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt};

/// A daemon with one plugin, beside what `prepare` puts into its directory.
fn start(config: &str, name: &str, prepare: impl Fn(&Daemon)) -> Daemon {
    let mut daemon = Daemon::prepare(&[HOST, config].concat());
    prepare(&daemon);
    daemon.drop_plugin(&plugin(name));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon
}

/// A secret that the config takes from the file `token`.
fn put_token(daemon: &Daemon, token: &str) {
    let file = daemon.path("token");
    fs::write(&file, token).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn signal(daemon: &Daemon, target: &str, signal: Signal) {
    let pid = i32::try_from(daemon.pids()[target]).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

fn wait_for_health(daemon: &Daemon, health: &str) {
    daemon.wait_for_status(&format!("all to be {health}"), |status| {
        let targets = status["targets"].as_array().unwrap();
        targets.iter().all(|target| target["health"] == health)
    });
}

/// What the newest operation did, as its handler tells it.
fn actions(operation: &Value) -> Vec<&str> {
    let actions = operation["actions"].as_array().unwrap();
    actions
        .iter()
        .map(|action| action.as_str().unwrap())
        .collect()
}

/// Takes 64 MiB at SIGUSR2, and says `ready` when it can; what it does at SIGUSR1 is its argument.
const HOARDER: &str = r#"
import signal, sys
kept = []
signal.signal(signal.SIGUSR2, lambda *_: kept.append(bytearray(b"x") * (64 << 20)))
signal.signal(signal.SIGUSR1, signal.SIG_IGN if sys.argv[1] == "stubborn" else lambda *_: kept.clear())
open(sys.argv[1] + ".ready", "w").close()
while True: signal.pause()
"#;

fn hoarder(name: &str) -> String {
    format!(
        r#"
[[target]]
name = "{name}"
run = ["python3", "hoarder.py", "{name}"]

[[target.check]]
name = "memory"
kind = "memory"
max_bytes = "48MiB"
every = "200ms"
fail_after = 1
recover_after = 1
failure = "memory-overflow"
"#
    )
}

#[test]
fn a_process_that_hoards_gives_memory_back_at_a_signal_or_is_restarted() {
    let rest = r#"
[[route]]
failure = "memory-overflow"
chain = [{ handler = "memory-relief" }]

[plugin.memory-relief]
grants = { target = ["check", "signal", "restart"] }
settings = { signal = "SIGUSR1", settle = "2s" }
"#;
    let config = [hoarder("kind").as_str(), &hoarder("stubborn"), rest].concat();
    let daemon = start(&config, "memory-relief", |daemon| {
        fs::write(daemon.path("hoarder.py"), HOARDER).unwrap();
    });
    let before = ["kind", "stubborn"].map(|name| {
        let ready = daemon.path(&format!("{name}.ready"));
        wait_for("it to listen to signals", || match ready.exists() {
            true => Ok(()),
            false => Err(daemon.log()),
        });
        daemon.pids()[name]
    });
    wait_for_health(&daemon, "healthy");
    let caused = now();
    signal(&daemon, "kind", Signal::USR2);
    let kind = daemon.wait_for_operation("kind", "succeeded");
    assert_eq!(kind["handler"], "memory-relief", "{kind}");
    let expected = ["sent SIGUSR1 to kind", "saw its checks pass"];
    assert_eq!(actions(&kind), expected, "{kind}");
    assert_eq!(daemon.pids()["kind"], before[0], "it was not restarted");
    note_recovery(&kind, "memory-overflow", caused, "the same process");
    // A person who asks for it gets it, though all checks pass.
    let asked = daemon.recover("kind", "memory-overflow");
    assert_eq!(asked["state"], "succeeded", "{asked}");
    assert_eq!(actions(&asked), expected, "{asked}");

    signal(&daemon, "stubborn", Signal::USR2);
    let stubborn = daemon.wait_for_operation("stubborn", "succeeded");
    let expected = [
        "sent SIGUSR1 to stubborn",
        "restarted stubborn",
        "saw its checks pass",
    ];
    assert_eq!(actions(&stubborn), expected, "{stubborn}");
    assert_ne!(daemon.pids()["stubborn"], before[1]);
}

#[test]
fn a_gateway_that_hangs_is_restarted_and_its_rate_limits_are_cleared_where_it_keeps_them() {
    const SECRET: &str = "s3cr3tOfTheGateway";
    let receiver = Receiver::start();
    receiver.answer_with("204 No Content", "", "");
    let (port, url) = (free_port(), &receiver.url);
    let config = format!(
        r#"
[secrets]
admin = {{ file = "token" }}

[command.clear-limits]
run = ["/bin/sh", "-c", "echo cleared >> cleared"]

[[target]]
name = "gateway"
run = ["python3", "-m", "http.server", "{port}", "--bind", "127.0.0.1"]
grace = "500ms"

[[target.check]]
kind = "http"
url = "http://127.0.0.1:{port}/"
every = "500ms"
timeout = "400ms"
fail_after = 2
recover_after = 1
failure = "api-gateway-down"

[[route]]
failure = "api-gateway-down"
chain = [{{ handler = "gateway-recovery" }}]

[plugin.gateway-recovery]
grants = {{ target = ["check", "restart"], command = ["clear-limits"], http = ["{url}"] }}

[plugin.gateway-recovery.settings]
clear = "clear-limits"
limits = "{url}/rate-limits"
headers = {{ authorization = "Bearer ${{secret:admin}}" }}
"#
    );
    let daemon = start(&config, "gateway-recovery", |daemon| {
        put_token(daemon, SECRET);
    });
    wait_for_health(&daemon, "healthy");
    let before = daemon.pids()["gateway"];
    let caused = now();
    signal(&daemon, "gateway", Signal::STOP);
    let operation = daemon.wait_for_operation("gateway", "succeeded");
    let expected = [
        "ran `clear-limits`",
        "restarted gateway",
        "cleared its rate limits",
        "saw its checks pass",
    ];
    assert_eq!(actions(&operation), expected, "{operation}");
    assert_ne!(daemon.pids()["gateway"], before);
    assert!(daemon.path("cleared").exists());
    let asked = receiver.wait_for("the clearing", |one| one.line == "DELETE /rate-limits");
    assert_eq!(asked.header("authorization"), format!("Bearer {SECRET}"));
    let journal = daemon.journal(&operation, "intent");
    assert!(!json!(journal).to_string().contains(SECRET), "{journal:?}");
    let kept = "every limit cleared, by whom it knows";
    note_recovery(&operation, "api-gateway-down", caused, kept);
}

#[test]
fn a_partition_is_left_by_the_first_path_that_can_be_taken_and_all_connect_anew() {
    let config = r#"
[command.by-dsl]
run = ["/bin/sh", "-c", "echo dsl >> ran; exit 2"]

[command.by-lte]
run = ["/bin/sh", "-c", "echo lte >> ran; touch route"]

[command.connect]
run = ["/bin/sh", "-c", "echo connect >> ran"]

[[target]]
name = "exchange"

[[target.check]]
kind = "file"
path = "route"
every = "200ms"
fail_after = 1
recover_after = 1
failure = "network-partition"

[[route]]
failure = "network-partition"
chain = [{ handler = "network-failover" }]

[plugin.network-failover]
grants = { target = ["check"], command = ["by-dsl", "by-lte", "connect"] }
settings = { wait = "100ms", paths = ["by-dsl", "by-lte"], reconnect = ["connect"] }
"#;
    let daemon = start(config, "network-failover", |daemon| {
        fs::write(daemon.path("route"), "").unwrap();
    });
    wait_for_health(&daemon, "healthy");
    fs::remove_file(daemon.path("route")).unwrap();
    let operation = daemon.wait_for_operation("exchange", "succeeded");
    let expected = [
        "waited 100ms",
        "could not take `by-dsl`: it ended with 2",
        "took `by-lte`",
        "ran `connect`",
        "saw its checks pass",
    ];
    assert_eq!(actions(&operation), expected, "{operation}");
    let ran = fs::read_to_string(daemon.path("ran")).unwrap();
    assert_eq!(ran, "dsl\nlte\nconnect\n");
}
