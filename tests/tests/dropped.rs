//! What is dropped into the plugin directory: files that are written slowly, and files that are never whole.

use mainstay_tests::{Daemon, HOST, Receiver, guest, plugin, sleeper, wait_for};
use serde_json::Value;
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
};

/// How the plugin list has a file.
fn states_of(daemon: &Daemon, file: &str) -> Vec<String> {
    let rows = daemon.json(&["plugin", "list"]);
    let rows = rows.as_array().unwrap().iter();
    let of_file = rows.filter(|row| {
        let path = row["file"].as_str().unwrap_or_default();
        path.ends_with(&format!("/{file}"))
    });
    of_file
        .map(|row| row["state"].as_str().unwrap().to_owned())
        .collect()
}

/// Returns when a file that was written now, and is no component, is refused: what was written before it has been looked
/// at by then.
fn look(daemon: &Daemon, number: usize) {
    let name = format!("text-{number}.wasm");
    fs::write(daemon.path("plugins").join(&name), "no component").unwrap();
    wait_for("a text to be refused", || {
        let states = states_of(daemon, &name);
        match states == ["rejected"] {
            true => Ok(()),
            false => Err(format!("{states:?}")),
        }
    });
    fs::remove_file(daemon.path("plugins").join(&name)).unwrap();
}

/// The refusals of a file that people were told of.
fn refusals(daemon: &Daemon, file: &str) -> Vec<Value> {
    let mut events = daemon.events();
    events.retain(|event| event["kind"] == "plugin.rejected" && event["data"]["file"] == file);
    events
}

fn in_pieces(holds_open: bool) {
    let daemon = Daemon::start(&format!("{HOST}{}", sleeper("job")), &[]);
    let whole = fs::read(guest("probe", &[])).unwrap();
    let path = daemon.path("plugins/slow.wasm");
    let mut held: Option<File> = None;
    for (number, piece) in whole.chunks(whole.len().div_ceil(20)).enumerate() {
        let mut file = held.take().unwrap_or_else(|| {
            let mut options = OpenOptions::new();
            options.create(true).append(true).open(&path).unwrap()
        });
        file.write_all(piece).unwrap();
        if number < 19 {
            held = holds_open.then_some(file);
            look(&daemon, number);
            assert_eq!(states_of(&daemon, "slow.wasm"), ["found"], "piece {number}");
        }
    }
    drop(held);
    wait_for("the file to serve", || {
        let states = states_of(&daemon, "slow.wasm");
        match states == ["serving"] {
            true => Ok(()),
            false => Err(format!("{states:?}")),
        }
    });
    assert!(refusals(&daemon, "slow.wasm").is_empty());
}

#[test]
fn a_file_that_is_written_in_pieces_is_found_and_then_serves() {
    in_pieces(true);
}

#[test]
fn a_file_that_is_closed_after_each_piece_is_found_and_then_serves() {
    in_pieces(false);
}

#[test]
fn a_file_that_stays_cut_is_refused_once_however_it_grows() {
    let daemon = Daemon::start(&format!("{HOST}{}", sleeper("job")), &[]);
    let whole = fs::read(guest("probe", &[])).unwrap();
    let path = daemon.path("plugins/cut.wasm");
    fs::write(&path, &whole[..whole.len() / 3]).unwrap();
    daemon.wait_for_event("the refusal", |event| {
        event["kind"] == "plugin.rejected" && event["data"]["file"] == "cut.wasm"
    });
    for (number, end) in [whole.len() / 2, whole.len() - 1].into_iter().enumerate() {
        fs::write(&path, &whole[..end]).unwrap();
        look(&daemon, number);
        assert_eq!(states_of(&daemon, "cut.wasm"), ["rejected"]);
    }
    fs::write(&path, &whole).unwrap();
    daemon.wait_for_plugins(1);
    assert_eq!(refusals(&daemon, "cut.wasm").len(), 1);

    // One that is taken away is refused no more.
    let torn = daemon.path("plugins/torn.wasm");
    fs::write(&torn, "torn").unwrap();
    let is_told = |kind: &str| {
        daemon.wait_for_event(kind, |event| {
            event["kind"] == kind && event["data"]["file"] == "torn.wasm"
        });
    };
    is_told("plugin.rejected");
    fs::remove_file(&torn).unwrap();
    is_told("plugin.withdrawn");
}

/// What `check` says, and whether the config is good.
fn checked(daemon: &Daemon) -> (bool, String) {
    let output = daemon.cli(&["check", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.success(), report["problems"].to_string())
}

#[test]
fn a_plugin_that_nobody_uses_needs_no_settings_and_one_that_is_used_is_said_to_lack_them_once() {
    let mut daemon = Daemon::prepare(&format!("{HOST}{}", sleeper("job")));
    // It needs a `url`.
    daemon.drop_plugin(&plugin("webhook"));
    let (is_good, problems) = checked(&daemon);
    assert!(is_good, "{problems}");
    assert!(!problems.contains("[plugin.webhook]"), "{problems}");
    daemon.run();
    wait_for("the plugin to be listed", || {
        let rows = daemon.json(&["plugin", "list"]);
        let mut all = rows.as_array().unwrap().iter();
        let row = all.find(|row| row["name"] == "webhook" && row["state"] == "unused");
        row.is_some_and(|row| {
            row["last_error"]
                .to_string()
                .contains("add [plugin.webhook]")
        })
        .then_some(())
        .ok_or_else(|| rows.to_string())
    });
    assert!(daemon.events_of("plugin.rejected").is_empty());
    for (used, key) in [
        ("[[alert]]\nalerter = \"webhook\"\n", "url"),
        (
            "[plugin.webhook]\nsettings = { url = 7 }\n",
            "settings.url: 7",
        ),
        (
            "[plugin.webhook]\nsettings = { url = \"http://x\", headers = { a = 1 } }\n",
            "settings.headers.a: 1",
        ),
    ] {
        let daemon = Daemon::prepare(&format!("{HOST}{}{used}", sleeper("job")));
        daemon.drop_plugin(&plugin("webhook"));
        let (is_good, problems) = checked(&daemon);
        assert!(!is_good && problems.contains(key), "{used}: {problems}");
        assert!(
            !problems.contains("none of this name"),
            "{used}: {problems}"
        );
    }
}

#[test]
fn settings_that_the_schema_does_not_take_are_refused_at_the_start_and_by_a_reload() {
    let config = |url: &str| {
        format!(
            "{HOST}{}\n[plugin.webhook]\nsettings = {{ url = {url} }}\n",
            sleeper("job")
        )
    };
    let mut daemon = Daemon::start(&config("7"), &[&plugin("webhook")]);
    let refused = daemon.wait_for_event("the refusal", |event| event["kind"] == "plugin.rejected");
    let reason = refused["data"]["reason"].as_str().unwrap();
    assert!(reason.contains("settings.url: 7 is not"), "{reason}");
    let change = |url: &str| {
        fs::write(daemon.path("mainstay.toml"), config(url)).unwrap();
        daemon.hang_up();
    };
    change("\"http://127.0.0.1:1/\"");
    daemon.wait_for_plugins(1);
    change("[\"http://127.0.0.1:1/\"]");
    daemon.wait_for_status("the reload to be refused", |status| {
        let error = status["last_reload"]["error"].as_str().unwrap_or_default();
        error.contains("settings.url: [")
    });
    daemon.wait_for_plugins(1);
    assert!(daemon.stop());
}

#[test]
fn routes_that_a_removal_leaves_without_a_handler_are_told_and_shown_until_they_have_one() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let rest = format!(
        r#"
[[route]]
failure = "process-exited"
chain = [{{ handler = "restart-service", version = "^1" }}]

[[alert]]
alerter = "webhook"
events = ["route.unhandled"]

[plugin.webhook]
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/alerts" }}
"#
    );
    let restart = plugin("restart-service");
    let config = [HOST, &sleeper("job"), &rest].concat();
    let mut daemon = Daemon::start(&config, &[&restart, &plugin("webhook")]);
    daemon.wait_for_plugins(2);
    assert_eq!(
        daemon.json(&["status"])["unhandled_routes"],
        Value::from(Vec::<Value>::new())
    );
    fs::remove_file(daemon.path("plugins").join(restart.file_name().unwrap())).unwrap();
    let told = daemon.wait_for_event("that they are left", |event| {
        event["kind"] == "route.unhandled"
    });
    let message = told["message"].as_str().unwrap().to_owned();
    for words in ["process-exited", "restart-service ^1"] {
        assert!(message.contains(words), "{message}");
    }
    for kind in ["plugin.draining", "plugin.retired"] {
        daemon.wait_for_event(kind, |event| {
            let plugin = event["plugin"].as_str().unwrap_or_default();
            event["kind"] == kind && plugin.starts_with("restart-service@")
        });
    }
    let fired = receiver.wait_for("the alert", |one| one.json()["kind"] == "route.unhandled");
    assert_eq!(fired.json()["status"], "firing");
    daemon.wait_for_status("the sentence", |status| {
        status["unhandled_routes"] == Value::from(vec![message.clone()])
    });
    let status = String::from_utf8(daemon.cli(&["status"]).stdout).unwrap();
    assert!(status.contains(&message), "{status}");
    let (is_good, problems) = checked(&daemon);
    assert!(
        is_good && problems.contains("a route names the recovery-handler"),
        "{problems}"
    );

    assert!(daemon.stop());
    daemon.run();
    daemon.wait_for_status("the sentence of the next", |status| {
        status["unhandled_routes"] == Value::from(vec![message.clone()])
    });
    daemon.drop_plugin(&restart);
    daemon.wait_for_event("that they have one", |event| {
        event["kind"] == "route.handled"
    });
    let over = receiver.wait_for("its end", |one| one.json()["kind"] == "route.handled");
    assert_eq!(over.json()["status"], "resolved");
    assert_eq!(over.json()["dedup_key"], fired.json()["dedup_key"]);
    let mut events = daemon.events();
    events.retain(|event| event["kind"] == "route.unhandled");
    assert_eq!(events.len(), 1, "the next tells nothing twice: {events:?}");
    assert_eq!(
        daemon.json(&["status"])["unhandled_routes"],
        Value::from(Vec::<Value>::new())
    );
}

#[test]
fn two_plugins_for_a_failure_are_listed_and_warned_of_until_its_route_calls_one_of_them() {
    let config = |handler: &str| {
        let route = format!("\n[[route]]\nchain = [{{ handler = \"{handler}\" }}]\n");
        [HOST, &sleeper("job"), &route].concat()
    };
    let daemon = Daemon::start(
        &config("elsewhere"),
        &[&guest("probe", &[]), &plugin("restart-service")],
    );
    daemon.wait_for_plugins(2);
    let shown = String::from_utf8(daemon.cli(&["plugin", "list"]).stdout).unwrap();
    let words = "probe, restart-service are meant for service-down: the routes say which is called";
    assert!(shown.contains(words), "{shown}");
    let words = "2 plugins are meant for `service-down`: `probe`, `restart-service`";
    let (is_good, problems) = checked(&daemon);
    assert!(is_good && problems.contains(words), "{problems}");
    fs::write(daemon.path("mainstay.toml"), config("restart-service")).unwrap();
    let (is_good, problems) = checked(&daemon);
    assert!(is_good && !problems.contains("meant for"), "{problems}");
}
