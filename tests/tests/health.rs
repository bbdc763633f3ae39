//! The host as a whole, of a running daemon: its mode and score, whether it is ready, and the nodes that it knows.

use mainstay_tests::{Daemon, HOST, wait_for};
use serde_json::{Value, json};
use std::fs;

/// Targets that are well while their files are there, which nobody recovers.
fn start(names: &[&str]) -> Daemon {
    let target = |name: &&str| {
        format!(
            "\n[[target]]\nname = \"{name}\"\nbreaker = {{ open_for = \"2s\" }}\n\n[[target.check]]\nname = \"there\"\nkind = \"file\"\n\
             path = \"{name}-file\"\nevery = \"50ms\"\nfail_after = 1\nrecover_after = 1\nfailure = \"gone\"\n"
        )
    };
    let targets: String = names.iter().map(target).collect();
    let mut daemon = Daemon::prepare(&[HOST, targets.as_str()].concat());
    for name in names {
        fs::write(daemon.path(&format!("{name}-file")), "").unwrap();
    }
    daemon.run();
    wait_for_health(&daemon, "all to be healthy", |health| {
        health["targets"]["healthy"] == names.len()
    });
    daemon
}

fn wait_for_health(daemon: &Daemon, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || {
        let health = daemon.json(&["health"]);
        match wanted(&health) {
            true => Ok(health),
            false => Err(health.to_string()),
        }
    })
}

fn break_it(daemon: &Daemon, name: &str) {
    fs::remove_file(daemon.path(&format!("{name}-file"))).unwrap();
}

fn mend_it(daemon: &Daemon, name: &str) {
    fs::write(daemon.path(&format!("{name}-file")), "").unwrap();
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_host_that_is_well_is_ready_and_is_the_only_node_and_its_leader() {
    let daemon = start(&["api", "web"]);
    let health = daemon.json(&["health"]);
    assert_eq!(health["mode"], "primary");
    assert_eq!(health["score"], 1.0);
    assert_eq!(health["class"], "healthy");
    assert_eq!(health["retry"], "stable");
    assert_eq!(health["circuit"], "closed");
    let (status, answer) = daemon.get("/ready");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(json_of(&answer), json!({"ready": true, "mode": "primary"}));
    let (status, answer) = daemon.get("/live");
    assert_eq!((status, &json_of(&answer)["live"]), (200, &json!(true)));
    // Its first beat may be of before its first look.
    let nodes = wait_for("the node to be heard", || {
        let nodes = daemon.json(&["node", "list"]);
        match nodes[0]["health"] == "healthy" {
            true => Ok(nodes),
            false => Err(nodes.to_string()),
        }
    });
    assert_eq!(nodes.as_array().unwrap().len(), 1, "{nodes}");
    let host = &daemon.json(&["status"])["host"];
    assert_eq!(nodes[0]["name"], host["name"]);
    assert_eq!(nodes[0]["version"], host["version"]);
    assert_eq!(host["mode"], "primary");
    assert_eq!(nodes[0]["state"], "live");
    assert_eq!(nodes[0]["leader"], true);
    assert_eq!(nodes[0]["health_score"], 1.0);
    assert!(nodes[0]["last_seen_ms"].is_u64(), "{nodes}");
    let consensus = &daemon.json(&["health"])["consensus"];
    assert_eq!(consensus["leader"], host["name"]);
    assert_eq!(consensus["quorum_met"], true);
    assert_eq!(consensus["strength"], 1.0);
    assert!(daemon.events_of("mode.changed").is_empty());
}

#[test]
fn the_mode_worsens_at_once_outlives_a_kill_and_betters_after_a_while() {
    let mut daemon = start(&["api", "web", "cache"]);
    break_it(&daemon, "api");
    let health = wait_for_health(&daemon, "one to fail", |health| {
        health["mode"] == "heuristic"
    });
    assert_eq!(health["targets"]["failed"], 1, "{health}");
    assert!(health["score"].as_f64().unwrap() < 0.5, "{health}");
    let (status, answer) = daemon.get("/ready");
    assert_eq!(status, 503, "{answer}");
    let error = json_of(&answer);
    assert_eq!(
        error["error"],
        "the host is not ready: mode heuristic, 1 failed target"
    );
    assert_eq!(daemon.get("/live").0, 200, "it lives all the same");

    wait_for_health(&daemon, "its incident", |health| {
        health["recovery"]["failing"] == 1
    });

    break_it(&daemon, "web");
    wait_for_health(&daemon, "two to fail", |health| health["mode"] == "safe");
    daemon.kill();
    daemon.run();
    wait_for_health(&daemon, "the next daemon to know", |health| {
        health["mode"] == "safe"
    });

    mend_it(&daemon, "api");
    mend_it(&daemon, "web");
    wait_for_health(&daemon, "both to be well", |health| {
        health["targets"]["healthy"] == 3
    });
    wait_for_health(&daemon, "the hold to be over", |health| {
        health["mode"] == "primary"
    });
    assert_eq!(daemon.get("/ready").0, 200);
    daemon.wait_for_event("the last change", |event| {
        event["kind"] == "mode.changed" && event["data"]["to"] == "primary"
    });
    let told = daemon.events_of("mode.changed");
    let (first, last) = (told.first().unwrap(), told.last().unwrap());
    assert_eq!(first["data"]["from"], "primary", "{first}");
    assert_eq!(first["data"]["to"], "heuristic", "{first}");
    assert_eq!(last["data"]["to"], "primary", "{last}");
    let worst = told.iter().find(|event| event["data"]["to"] == "safe");
    let worst = worst.unwrap();
    assert_eq!(worst["severity"], "high");
    assert_eq!(worst["data"]["reason"], "2 targets have failed");
}

#[test]
fn what_is_reported_makes_a_host_unready_until_it_is_taken_back() {
    let daemon = start(&["api"]);
    let score = ["--score", "0.95", "--confidence", "0.9"];
    let report = [
        "report",
        "api",
        "--failure",
        "gone",
        "--message",
        "p99 above 2 s",
    ];
    let report = [&report[..], &score[..]].concat();
    let reported = daemon.json(&report);
    assert_eq!(reported["severity"], "critical", "{reported}");
    let (status, answer) = daemon.get("/ready");
    assert_eq!(status, 503, "{answer}");
    assert_eq!(daemon.json(&["health"])["targets"]["failed"], 1);
    daemon.json(&["report", "api", "--failure", "gone", "--clear"]);
    wait_for_health(&daemon, "its end", |health| {
        health["targets"]["failed"] == 0
    });
}
