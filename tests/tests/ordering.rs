//! Dependencies order starts and stops, and what a reload ends has ended before what it starts.

use mainstay_tests::{Daemon, HOST, wait_for};
use serde_json::json;
use std::fs;

fn row<'a>(status: &'a serde_json::Value, target: &str) -> &'a serde_json::Value {
    let mut rows = status["targets"].as_array().unwrap().iter();
    rows.find(|row| row["name"] == target).unwrap()
}

/// A store that is ready once it may be, and an app that dies where it is not, whatever the order in the file.
fn app_and_store() -> String {
    let app = "[ -e store.ready ] || exit 9; trap 'sleep 0.5; echo app >> ends; exit 0' TERM; \
               echo > app.ready; while :; do sleep 0.05; done";
    let store = "trap 'echo store >> ends; exit 0' TERM; until [ -e go ]; do sleep 0.05; done; \
                 echo > store.ready; while :; do sleep 0.05; done";
    format!(
        "{HOST}\n[[target]]\nname = \"app\"\ndepends_on = [\"store\"]\nrun = [\"sh\", \"-c\", \"{app}\"]\n\
         [[target]]\nname = \"store\"\nstart_period = \"1h\"\nrun = [\"sh\", \"-c\", \"{store}\"]\n\
         [[target.check]]\nkind = \"file\"\npath = \"store.ready\"\nevery = \"100ms\"\nfailure = \"store-down\"\n"
    )
}

#[test]
fn a_target_starts_when_what_it_depends_on_is_ready_and_stops_before_it() {
    let mut daemon = Daemon::start(&app_and_store(), &[]);
    daemon.wait_for_status("the store to start", |status| {
        row(status, "store")["health"] == "starting"
    });
    assert_eq!(daemon.pids().get("app"), None, "it waits");
    daemon.wait_for_status("both to say why", |status| {
        let (app, store) = (row(status, "app"), row(status, "store"));
        let not_yet = store["not_yet"].as_str().unwrap_or_default();
        app["unstarted"]["why"] == "it waits for store, on which it depends"
            && app["unstarted"]["since"].is_string()
            && !not_yet.is_empty()
    });
    fs::write(daemon.path("go"), "").unwrap();
    wait_for("the app", || {
        let is_ready = daemon.path("app.ready").exists();
        is_ready.then_some(()).ok_or_else(|| daemon.log())
    });
    daemon.wait_for_status("the app to run", |status| {
        let app = row(status, "app");
        app["pid"].is_u64() && app.get("unstarted").is_none()
    });
    assert_eq!(daemon.json(&["incidents"]), json!([]));
    assert!(daemon.stop(), "{}", daemon.log());
    let ends = fs::read_to_string(daemon.path("ends")).unwrap();
    assert_eq!(ends, "app\nstore\n");
}

#[test]
fn a_dependency_that_never_is_ready_keeps_nobody_waiting_longer_than_it_may_take_to_start() {
    let config = app_and_store()
        .replace("start_period = \"1h\"", "start_period = \"300ms\"")
        .replace("[ -e store.ready ] || exit 9; ", "");
    let daemon = Daemon::start(&config, &[]);
    wait_for("the app", || {
        let is_ready = daemon.path("app.ready").exists();
        is_ready.then_some(()).ok_or_else(|| daemon.log())
    });
    assert!(!daemon.path("store.ready").exists());
}

#[test]
fn what_a_reload_takes_out_has_ended_before_what_it_brings_starts() {
    // What it holds, as a port, is free only when it has ended.
    let run = "mkdir held || exit 9; trap 'sleep 0.5; rmdir held; exit 0' TERM; echo >> ready; while :; do sleep 0.05; done";
    let target = |name: &str| {
        format!(
            "{HOST}\n[[target]]\nname = \"{name}\"\nrun = [\"sh\", \"-c\", \"{run}\"]\nenv = {{ NAME = \"{name}\" }}\n"
        )
    };
    let daemon = Daemon::start(&target("before"), &[]);
    let ready = |count: usize| {
        wait_for("a start", || {
            let text = fs::read_to_string(daemon.path("ready")).unwrap_or_default();
            let found = text.lines().count();
            (found == count).then_some(()).ok_or_else(|| daemon.log())
        });
    };
    ready(1);
    fs::write(daemon.path("mainstay.toml"), target("after")).unwrap();
    daemon.hang_up();
    ready(2);
    assert_eq!(daemon.json(&["incidents"]), json!([]));
    let starts = daemon.events_of("process.started");
    assert_eq!(starts.len(), 2, "{starts:?}");
}

/// A migration that runs until it may end, and an app that dies where it has not.
fn app_and_migration(start_period: &str, keys: &str) -> String {
    let migrate = "until [ -e go ]; do sleep 0.05; done; echo > migrated";
    let app = "[ -e migrated ] || exit 9; echo > app.ready; exec sleep 1000";
    format!(
        "{HOST}\n[[target]]\nname = \"app\"\ndepends_on = [\"migrate\"]\nrun = [\"sh\", \"-c\", \"{app}\"]\n\
         [[target]]\nname = \"migrate\"\nstart_period = \"{start_period}\"\n{keys}\nrun = [\"sh\", \"-c\", \"{migrate}\"]\n"
    )
}

#[test]
fn what_depends_on_a_program_that_runs_once_starts_when_that_is_done() {
    let check =
        "\n[[target.check]]\nkind = \"process\"\nevery = \"50ms\"\nfailure = \"migrate-down\"\n";
    for (start_period, keys, check) in [
        ("1h", "restart = \"never\"", ""),
        ("1h", "expected_exit = [0]", check),
        ("0s", "restart = \"never\"", check),
    ] {
        let daemon = Daemon::start(&(app_and_migration(start_period, keys) + check), &[]);
        // So many looks at what is waited for, and at its process, have been by then.
        daemon.wait_for_status("the migration to run", |status| {
            let row = row(status, "migrate");
            row["pid"].is_u64() && (check.is_empty() || row["health"] == "healthy")
        });
        assert_eq!(daemon.pids().get("app"), None, "it waits");
        fs::write(daemon.path("go"), "").unwrap();
        wait_for("the app", || {
            let is_ready = daemon.path("app.ready").exists();
            is_ready.then_some(()).ok_or_else(|| daemon.log())
        });
        assert_eq!(daemon.json(&["incidents"]), json!([]));
    }
}
