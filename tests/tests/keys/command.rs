//! Commands that plugins may be granted: `[command.NAME]`.

use mainstay_tests::{Daemon, HOST, guest, millis_between, sleeper};
use std::fs;

const REST: &str = r#"
[command.show]
run = ["/bin/sh", "-c", "pwd; echo $0 $GREETING $HOME $MAINSTAY_TEST_MARK.", "{target}"]
placeholders = ["target"]
cwd = "below"
env = { GREETING = "hello" }

[command.at-home]
run = ["/bin/sh", "-c", "pwd", "{target}"]
placeholders = ["target"]

[command.without-place]
run = ["/bin/true"]

[command.slow]
run = ["/bin/sh", "-c", "echo $$ > pid; exec sleep 1000", "{target}"]
placeholders = ["target"]
timeout = "250ms"

[plugin.probe]
grants = { command = ["show", "at-home", "without-place", "slow"] }
"#;

/// The probe fills in the place `target`, in each.
///
/// Acts: `command.*.run`, `command.*.placeholders`, `command.*.cwd`, `command.*.env`, `command.*.timeout`
#[test]
fn a_command_runs_as_the_operator_wrote_it() {
    let names = ["show", "at-home", "without-place", "slow"];
    let routes = names.map(|name| {
        format!(
            r#"
[[route]]
failure = "{name}"
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [{{ handler = "probe", params = {{ do = "command", name = "{name}" }} }}]
"#
        )
    });
    let mut daemon = Daemon::prepare(&[HOST, &sleeper("job"), REST, &routes.concat()].concat());
    fs::create_dir(daemon.path("below")).unwrap();
    daemon.set_env("MAINSTAY_TEST_MARK", "visible");
    daemon.drop_plugin(&guest("probe", &[]));
    daemon.run();
    daemon.wait_for_plugins(1);
    let [show, at_home, without_place, slow] = names.map(|name| daemon.recover("job", name));

    let home = daemon.directory.path().canonicalize().unwrap();
    let said = |operation: &serde_json::Value| {
        let text = operation["actions"][1].as_str().unwrap_or_default();
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let below = home.join("below");
    assert_eq!(
        said(&show),
        ["exit", "0:", below.to_str().unwrap(), "job", "hello", "."]
    );
    assert_eq!(said(&at_home), ["exit", "0:", home.to_str().unwrap()]);

    assert_eq!(without_place["state"], "failed");
    let error = without_place["error"].as_str().unwrap();
    assert!(error.contains("has no placeholder `target`"), "{error}");

    assert_eq!(slow["state"], "failed");
    let error = slow["error"].as_str().unwrap();
    assert!(error.contains("250ms"), "{error}");
    assert!(millis_between(&slow["started_at"], &slow["finished_at"]) >= 250);
    let pid = fs::read_to_string(daemon.path("pid")).unwrap();
    let process = format!("/proc/{}", pid.trim());
    assert!(!fs::exists(process).unwrap(), "it was killed");
}

/// Acts: `command.*.user`
#[test]
fn a_command_runs_as_its_user_where_the_daemon_is_root() {
    let config = r#"
[command.who]
run = ["/bin/sh", "-c", "id -un; echo $USER", "{target}"]
placeholders = ["target"]
cwd = "/"
user = "nobody"

[plugin.probe]
grants = { command = ["who"] }

[[route]]
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "probe", params = { do = "command", name = "who" } }]
"#;
    let config = [HOST, &sleeper("job"), config].concat();
    let daemon = Daemon::start(&config, &[&guest("probe", &[])]);
    daemon.wait_for_plugins(1);
    let operation = daemon.recover("job", "service-down");
    if rustix::process::geteuid().is_root() {
        let said = operation["actions"][1].as_str().unwrap_or_default();
        let said: Vec<_> = said.split_whitespace().collect();
        assert_eq!(said, ["exit", "0:", "nobody", "nobody"], "{operation}");
    } else {
        let error = operation["error"].as_str().unwrap();
        assert!(error.contains("the user `nobody`"), "{error}");
    }
}

/// A command goes on when the call that asked for it times out, and the next attempt waits for it.
#[test]
fn a_command_never_meets_that_of_the_next_attempt() {
    let config = r#"
[command.long]
run = ["/bin/sh", "-c", "echo begin >> log; sleep 0.5; echo end >> log", "{target}"]
placeholders = ["target"]

[plugin.probe]
grants = { command = ["long"] }

[[route]]
strategy = { kind = "immediate", max_attempts = 2 }
chain = [{ handler = "probe", params = { do = "command", name = "long" }, timeout = "100ms" }]
"#;
    let config = [HOST, &sleeper("job"), config].concat();
    let daemon = Daemon::start(&config, &[&guest("probe", &[])]);
    daemon.wait_for_plugins(1);
    let operation = daemon.recover("job", "service-down");
    assert_eq!(operation["state"], "failed");
    assert_eq!(operation["attempts"], 2);
    let error = operation["error"].as_str().unwrap();
    assert!(error.contains("100ms"), "{error}");
    let log = fs::read_to_string(daemon.path("log")).unwrap();
    assert_eq!(log, "begin\nend\nbegin\nend\n");
}
