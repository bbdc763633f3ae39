//! What the programs that a daemon starts find in their environment.

use mainstay_tests::{Daemon, HOST, guest, wait_for};
use serde_json::Value;
use std::{collections::BTreeMap, fs};

const VALUE: &str = "s3cr3t-Hd4-value";

/// What no program inherits: the variable of the secret, and what is said to the daemon alone.
const LEFT_OUT: [&str; 6] = [
    "SEALED",
    "WATCHDOG_USEC",
    "INVOCATION_ID",
    "LISTEN_FDS",
    "JOURNAL_STREAM",
    "CREDENTIALS_DIRECTORY",
];

/// A program that writes its environment to a file in its directory: all of it or nothing.
fn writes(file: &str, then: &str) -> String {
    format!(r#"["/bin/sh", "-c", "env > {file}.part && mv {file}.part {file}; {then}"]"#)
}

/// A supervised child that writes its environment and stays.
fn child(name: &str, more: &str) -> String {
    let run = writes(name, "exec sleep 1000");
    format!("\n[[target]]\nname = \"{name}\"\nrun = {run}\n{more}\n")
}

/// Every kind of program, without a secret.
fn programs() -> String {
    let [check, start, stop] = ["check", "start", "stop"].map(|file| writes(file, ":"));
    format!(
        r#"{HOST}
{}
[[target.check]]
kind = "exec"
run = {check}
every = "1s"
fail_after = 1000
failure = "service-down"

[[target]]
name = "foreign"
commands.start = {start}
commands.stop = {stop}

[command.show]
run = ["/bin/sh", "-c", "env > command.part && mv command.part command", "{{target}}"]
placeholders = ["target"]

[plugin.probe]
grants = {{ target = ["restart"], command = ["show"] }}

[[route]]
failure = "again"
cooldown = "0s"
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [{{ handler = "probe", params = {{ do = "restart" }} }}]

[[route]]
failure = "shown"
cooldown = "0s"
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [{{ handler = "probe", params = {{ do = "command", name = "show" }} }}]

[[job]]
name = "state"
source = [{{ kind = "command", run = ["env"], key = "environment" }}]
encryption = "none"
"#,
        child("plain", ""),
    )
}

fn parse(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What a program has written.
fn written(daemon: &Daemon, file: &str) -> BTreeMap<String, String> {
    let path = daemon.path(file);
    let text = wait_for(file, || {
        fs::read_to_string(&path).map_err(|error| error.to_string())
    });
    parse(&text)
}

fn must_be_sealed(what: &str, environment: &BTreeMap<String, String>) {
    assert!(environment.contains_key("PATH"), "{what}: {environment:?}");
    for variable in LEFT_OUT {
        let found = environment.get(variable);
        assert_eq!(found, None, "{what} has {variable}");
    }
    let mut values = environment.values();
    assert!(!values.any(|value| value.contains(VALUE)), "{what} has it");
}

/// As [`must_be_sealed`], of a program that has the rest.
fn must_inherit_the_rest(what: &str, environment: &BTreeMap<String, String>) {
    must_be_sealed(what, environment);
    let open = environment.get("OPEN").map(String::as_str);
    assert_eq!(open, Some("yes"), "{what}: {environment:?}");
}

fn succeeds(operation: &Value) {
    assert_eq!(operation["state"], "succeeded", "{operation}");
}

fn look_at_all(daemon: &Daemon, round: &str) {
    succeeds(&daemon.recover("foreign", "again"));
    succeeds(&daemon.recover("foreign", "shown"));
    for file in ["check", "start", "stop"] {
        must_inherit_the_rest(file, &written(daemon, file));
    }
    must_be_sealed("command", &written(daemon, "command"));

    daemon.json(&["backup", "create", "state"]);
    let into = daemon.path(round);
    daemon.json(&[
        "backup",
        "restore",
        "state",
        "--into",
        into.to_str().unwrap(),
    ]);
    let stored = fs::read_to_string(into.join("environment")).unwrap();
    must_inherit_the_rest("the source of a backup", &parse(&stored));
}

#[test]
fn no_program_inherits_the_variable_of_a_secret_not_even_when_the_secret_is_gone() {
    let secret = "\n[secrets]\nsealed = { env = \"SEALED\" }\n";
    let told = child("told", "env = { TOKEN = \"${secret:sealed}\" }");
    let mut daemon = Daemon::prepare(&[secret, &programs(), &told].concat());
    daemon.drop_plugin(&guest("probe", &[]));
    for (name, value) in [
        ("SEALED", VALUE),
        ("WATCHDOG_USEC", "30000000"),
        ("INVOCATION_ID", "0123456789abcdef0123456789abcdef"),
        ("LISTEN_FDS", "1"),
        ("JOURNAL_STREAM", "8:1234"),
        ("CREDENTIALS_DIRECTORY", "/run/credentials"),
        ("OPEN", "yes"),
    ] {
        daemon.set_env(name, value);
    }
    daemon.run();
    daemon.wait_for_plugins(1);

    must_inherit_the_rest("plain", &written(&daemon, "plain"));
    let mut told = written(&daemon, "told");
    assert_eq!(told.remove("TOKEN").as_deref(), Some(VALUE));
    must_inherit_the_rest("told", &told);
    look_at_all(&daemon, "with");

    let config = [programs(), child("late", "")].concat();
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
    must_inherit_the_rest("late", &written(&daemon, "late"));
    daemon.wait_for_event("the reload", |event| event["kind"] == "config.applied");
    for file in ["check", "start", "stop", "command"] {
        fs::remove_file(daemon.path(file)).unwrap();
    }
    look_at_all(&daemon, "without");
}
