//! What recovery promises, each sentence as a story over the whole program: a real daemon, real processes and plugins.

mod builds;
mod by_hand;
mod crash;
mod dry_run;
mod durable;
mod handlers;
mod journal;
mod pauses;
mod places;
mod queue;
mod relapse;
mod restore;
mod signals;
mod start;
mod validation;

use mainstay_tests::{Daemon, HOST, Receiver, wait_for};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Restarts what failed.
const RESTART: &str = r#"chain = [{ handler = "restart-service" }]"#;

/// A route for all failures, with these lines, after which plugins may do what the stories need.
fn route(lines: &str) -> String {
    format!("\n[[route]]\n{lines}\n{GRANTS}")
}

/// A route for one failure.
fn route_of(failure: &str, lines: &str) -> String {
    format!("\n[[route]]\nfailure = \"{failure}\"\n{lines}\n")
}

/// What plugins may do.
const GRANTS: &str = r#"
[plugin.restart-service]
grants = { target = ["restart"] }

[plugin.probe]
grants = { target = ["restart"], kv = "1KiB", dir = [{ path = "files", write = true }] }
"#;

/// Sends what is an alert by itself to the receiver.
fn alerts(receiver: &Receiver) -> String {
    let url = &receiver.url;
    format!(
        "\n[[alert]]\nalerter = \"webhook\"\n\n[plugin.webhook]\ngrants = {{ http = [\"{url}\"] }}\n\
         settings = {{ url = \"{url}/alerts\" }}\n"
    )
}

/// A foreign service that nobody answers for: its check fails, and goes on to.
fn deaf(name: &str, more: &str) -> String {
    format!(
        "\n[[target]]\nname = \"{name}\"\n{more}\n[[target.check]]\nkind = \"tcp\"\naddress = \"127.0.0.1:1\"\n\
         every = \"1h\"\ntimeout = \"1s\"\nfail_after = 1\nfailure = \"deaf\"\n"
    )
}

/// A directory with this config, the plugins and an empty `files`; nothing runs yet.
fn prepare(config: &[&str], plugins: &[PathBuf]) -> Daemon {
    let daemon = Daemon::prepare(&[HOST, &config.concat()].concat());
    std::fs::create_dir(daemon.path("files")).unwrap();
    for plugin in plugins {
        daemon.drop_plugin(plugin);
    }
    daemon
}

/// As [`prepare`], and started; the plugins serve.
fn start(config: &[&str], plugins: &[PathBuf]) -> Daemon {
    let mut daemon = prepare(config, plugins);
    daemon.run();
    daemon.wait_for_plugins(plugins.len());
    daemon
}

/// Changes the config, and waits until it is in use.
fn change(daemon: &Daemon, from: &str, to: &str) {
    let applied = daemon.events_of("config.applied").len();
    let file: &Path = &daemon.path("mainstay.toml");
    let config = std::fs::read_to_string(file).unwrap();
    assert!(config.contains(from), "{config}");
    std::fs::write(file, config.replace(from, to)).unwrap();
    wait_for("the config to be applied", || {
        let events = daemon.events_of("config.applied");
        (events.len() > applied)
            .then_some(())
            .ok_or_else(|| daemon.log())
    });
}

/// Waits until the newest incident is as wanted, and gives it.
fn wait_for_incident(daemon: &Daemon, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || {
        let incidents = daemon.json(&["incidents"]);
        match incidents[0].clone() {
            found if wanted(&found) => Ok(found),
            _ => Err(incidents.to_string()),
        }
    })
}

/// Waits until the newest operation of a target is as wanted, and gives it.
fn wait_for_newest(
    daemon: &Daemon,
    target: &str,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    wait_for(what, || {
        let history = daemon.json(&["history", "--target", target]);
        match history[0].clone() {
            newest if wanted(&newest) => Ok(newest),
            _ => Err(history.to_string()),
        }
    })
}

/// Waits until the newest operation of a target waits for its time, and gives it.
fn wait_for_rest(daemon: &Daemon, target: &str) -> Value {
    wait_for_newest(daemon, target, "an operation that rests", |newest| {
        newest["state"] == "scheduled" && newest["due"].is_string()
    })
}

/// An operation as it is now.
fn shown(daemon: &Daemon, id: &Value) -> Value {
    daemon.json(&["operation", "show", id.as_str().unwrap()])
}

/// The same, once it is in a state.
fn wait_until(daemon: &Daemon, id: &Value, state: &str) -> Value {
    wait_for(&format!("{id} to be {state}"), || {
        let operation = shown(daemon, id);
        match operation["state"] == state {
            true => Ok(operation),
            false => Err(operation.to_string()),
        }
    })
}

/// Decides about an operation over the API; the status of the answer, and its JSON.
fn decide(daemon: &Daemon, verb: &str, id: &Value, revision: Option<u64>) -> (u16, Value) {
    let path = format!("/v1/operations/{}/{verb}", id.as_str().unwrap());
    let mut body = json!({ "by": "anna", "reason": "as the story goes" });
    if let Some(revision) = revision {
        body["revision"] = revision.into();
    }
    daemon.post(&path, &body)
}

/// Asks for a recovery, and does not wait for it; its operation's id.
fn ask(daemon: &Daemon, target: &str, failure: &str, dry_run: bool) -> Value {
    let body = json!({ "target": target, "failure": failure, "dry_run": dry_run, "by": "anna" });
    let (status, answer) = daemon.post("/v1/recover", &body);
    assert!((200..300).contains(&status), "{status}: {answer}");
    answer["operation"].clone()
}

/// Waits until a target's row of the status is as wanted, and gives it.
fn wait_for_row(
    daemon: &Daemon,
    target: &str,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let row_of = |status: &Value| {
        let mut rows = status["targets"].as_array().unwrap().iter();
        rows.find(|row| row["name"] == target).unwrap().clone()
    };
    let status = daemon.wait_for_status(what, |status| wanted(&row_of(status)));
    row_of(&status)
}

/// How many alerts of a kind came in.
fn alerts_of(receiver: &Receiver, kind: &str) -> usize {
    let received = receiver.received();
    let of_kind = received.iter().filter(|one| one.json()["kind"] == kind);
    of_kind.count()
}
