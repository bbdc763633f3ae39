//! `mainstay simulate`, through the whole program: written days, and recorded ones.

use mainstay_tests::{Daemon, HOST, plugin, sleeper};
use serde_json::Value;
use std::fs;

const API: &str = r#"
[[target]]
name = "api"

[[target.check]]
kind = "tcp"
address = "localhost:9"
every = "10s"
fail_after = 3
failure = "service-down"

[[route]]
chain = [{ handler = "restart-service" }]
"#;

const DAY: &str = r#"
until = "24h"
rules = [
  "restart-service at attempt 1 fails after 2s: the port is in use",
  "restart-service succeeds after 2s",
]

[[step]]
at = "10s"
target = "api"
check = "tcp"
message = "connection refused"

[[step]]
at = "12h"
target = "api"
check = "tcp"
"#;

fn write(daemon: &Daemon, name: &str, text: &str) -> String {
    let file = daemon.path(name);
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn the_same_day_gives_the_same_bytes_without_a_daemon_and_shows_what_is_decided_when() {
    let daemon = Daemon::prepare(&format!("{HOST}{API}"));
    let file = write(&daemon, "day.toml", DAY);
    let play = |arguments: &[&str]| {
        let mut all = vec!["simulate", file.as_str()];
        all.extend(arguments);
        let output = daemon.cli(&all);
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let forms: [&[&str]; 2] = [&[], &["--json"]];
    for arguments in forms {
        assert_eq!(play(arguments), play(arguments));
    }
    let told = String::from_utf8(play(&[])).unwrap();
    assert!(
        told.starts_with("24 h simulated: 2 incidents, 0 open at the end"),
        "{told}"
    );
    let day: Value = serde_json::from_slice(&play(&["--json"])).unwrap();
    let when = |kind: &str| -> Vec<u64> {
        let timeline = day["timeline"].as_array().unwrap().iter();
        let own = timeline.filter(|one| one["kind"] == kind);
        own.map(|one| one["after_ms"].as_u64().unwrap()).collect()
    };
    assert_eq!(when("incident.opened"), [30_000, 43_220_000]);
    // The second attempt a second after the first has failed.
    assert_eq!(when("handler.called")[..2], [30_000, 33_000]);
    assert_eq!(day["incidents"][0]["operations"][0]["attempts"], 2);
    assert!(!daemon.path("state").exists(), "nothing is changed");
}

#[test]
fn the_phase_that_a_day_is_played_in_decides_as_that_of_the_daemon() {
    let daemon = Daemon::prepare(&format!("{HOST}{API}"));
    let file = write(&daemon, "day.toml", DAY);
    let called = |phase: &str| {
        let day = daemon.json(&["simulate", &file, "--phase", phase]);
        let timeline = day["timeline"].as_array().unwrap().iter();
        let called = timeline.filter(|one| one["kind"] == "handler.called");
        (called.count(), day["incidents"][0]["rto_exceeded"].clone())
    };
    let (normal, _) = called("normal");
    assert!(normal > 0);
    let (safe, is_late) = called("safe");
    assert_eq!(
        (safe, is_late),
        (0, Value::Bool(true)),
        "nothing is recovered"
    );
    // The same as a line of the file.
    let safe_day = format!("phase = \"safe\"\n{DAY}");
    let file = write(&daemon, "safe.toml", &safe_day);
    let day = daemon.json(&["simulate", &file]);
    assert!(
        !day["timeline"].to_string().contains("handler.called"),
        "{day}"
    );
    let wrong = daemon.cli(&["simulate", &file, "--phase", "lunch"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[test]
fn a_scenario_that_does_not_fit_is_refused_with_every_step_of_it() {
    let daemon = Daemon::prepare(&format!("{HOST}{API}"));
    let file = write(
        &daemon,
        "day.jsonl",
        "{\"at\":\"1s\",\"target\":\"ghost\",\"check\":\"tcp\"}\n{\"at\":\"2s\",\"target\":\"api\",\"check\":\"http\"}\n",
    );
    let output = daemon.cli(&["simulate", &file]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    for expected in [
        "step 1, at 1s: there is no target `ghost` in the config; there are: api",
        "step 2, at 2s: api has no check `http`; it has: tcp",
        "help: ",
    ] {
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn what_a_daemon_recorded_is_played_again_and_decided_in_the_same_way() {
    let config = format!(
        r#"{HOST}{}
[[route]]
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}
"#,
        sleeper("web")
    );
    let handler = plugin("restart-service");
    let daemon = Daemon::start(&config, &[handler.as_path()]);
    daemon.wait_for_plugins(1);
    daemon.wait_for_status("the service to run", |status| {
        status["targets"][0]["pid"].is_u64()
    });
    daemon.kill_child("web");
    daemon.wait_for_operation("web", "succeeded");
    let output = daemon.cli(&["events", "--json", "--since", "0"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let file = write(&daemon, "events.jsonl", &text);
    let of_file = daemon.json(&["simulate", &file]);
    let of_journal = daemon.json(&["simulate", "--from-journal", "--since", "1h"]);
    for played in [&of_file, &of_journal] {
        let incidents = played["incidents"].as_array().unwrap();
        assert_eq!(incidents.len(), 1, "{played}");
        let incident = &incidents[0];
        assert_eq!(incident["incident"]["target"], "web");
        assert_eq!(incident["incident"]["state"], "recovered", "{played}");
        assert_eq!(incident["operations"][0]["attempts"], 1);
    }
    // What it is played from can be kept.
    let output = daemon.cli(&["simulate", &file, "--export"]);
    let exported = write(
        &daemon,
        "day.jsonl",
        &String::from_utf8(output.stdout).unwrap(),
    );
    assert_eq!(
        daemon.json(&["simulate", &exported])["timeline"],
        of_file["timeline"]
    );
    // Where nobody changed the phase since, it is that of the host.
    assert!(daemon.cli(&["phase", "safe"]).status.success());
    let later = "2100-01-01T00:00:00Z";
    let journal = ["simulate", "--from-journal", "--since", later, "--export"];
    assert_eq!(daemon.json(&journal)["phase"], "safe");
}
