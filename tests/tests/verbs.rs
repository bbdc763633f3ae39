//! What people ask of a running daemon by the command line: what happened of a target and when, in numbers, and as monitoring
//! plugins and shells ask it.

use mainstay_tests::{Daemon, HOST, plugin, program, sleeper, wait_for};
use serde_json::Value;
use std::{fs, process::Command};

/// Two targets that are well while their files are there, and a handler that restarts what is not.
fn start() -> Daemon {
    let check = |name: &str| {
        format!(
            "[[target.check]]\nname = \"there\"\nkind = \"file\"\npath = \"{name}\"\nevery = \"50ms\"\nfail_after = 1\n\
             recover_after = 1\nfailure = \"gone\"\n"
        )
    };
    let config = [
        HOST,
        &sleeper("web"),
        &check("web-file"),
        &sleeper("db"),
        &check("db-file"),
        "\n[[route]]\nchain = [{ handler = \"restart-service\" }]\n\n\
         [plugin.restart-service]\ngrants = { target = [\"restart\"] }\n",
    ]
    .concat();
    let mut daemon = Daemon::prepare(&config);
    for file in ["web-file", "db-file"] {
        fs::write(daemon.path(file), "").unwrap();
    }
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_until_all_are_healthy();
    daemon
}

/// Breaks a target and mends it once its handler has been called; the incident, closed.
fn break_and_mend(daemon: &Daemon, target: &str) -> Value {
    let file = daemon.path(&format!("{target}-file"));
    fs::remove_file(&file).unwrap();
    let incidents = || daemon.json(&["incidents", "--target", target]);
    wait_for("the first attempt", || {
        let history = daemon.json(&["history", "--target", target]);
        match history[0]["attempts"].as_u64() {
            Some(1..) => Ok(()),
            _ => Err(history.to_string()),
        }
    });
    fs::write(&file, "").unwrap();
    wait_for("its end", || {
        let found = incidents();
        match found[0]["closed_at"].is_string() {
            true => Ok(found[0].clone()),
            false => Err(found.to_string()),
        }
    })
}

/// One JSON value a line.
fn lines(daemon: &Daemon, arguments: &[&str]) -> Vec<Value> {
    let output = daemon.cli(arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn events_and_incidents_are_listed_of_one_target_and_since_a_time() {
    let daemon = start();
    break_and_mend(&daemon, "web");
    break_and_mend(&daemon, "db");
    let of_db = daemon.json(&["incidents", "--target", "db", "--since", "1h"]);
    assert_eq!(of_db.as_array().unwrap().len(), 1, "{of_db}");
    assert_eq!(of_db[0]["target"], "db");
    let future = daemon.json(&["incidents", "--since", "2100-01-01T00:00:00Z"]);
    assert_eq!(future, Value::Array(Vec::new()));

    let events = lines(
        &daemon,
        &["events", "--target", "db", "--since", "1h", "--json"],
    );
    assert!(events.len() > 1, "{events:?}");
    assert!(events.iter().all(|event| event["target"] == "db"));
    let all = lines(&daemon, &["events", "--since", "0", "--json"]);
    let of_db: Vec<&Value> = all.iter().filter(|event| event["target"] == "db").collect();
    assert!(of_db.len() >= events.len());
    let opened = &of_db[of_db.len() / 2];
    let since = opened["at"].as_str().unwrap();
    let found = lines(&daemon, &["events", "--since", since, "--json"]);
    assert!(
        found
            .iter()
            .all(|event| event["at"].as_str().unwrap() >= since)
    );
    assert!(found.contains(opened), "{since} itself is in it");
    // Page by page, each from where the last one ended.
    let mut paged: Vec<Value> = Vec::new();
    loop {
        let since = paged
            .last()
            .map_or(Value::from(0), |event| event["seq"].clone());
        let page = [
            "events",
            "--since",
            &since.to_string(),
            "--limit",
            "7",
            "--json",
        ];
        let page = lines(&daemon, &page);
        assert!(page.len() <= 7, "{page:?}");
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged[..all.len()], all);
    let newest = lines(
        &daemon,
        &["events", "--target", "web", "--limit", "1", "--json"],
    );
    assert_eq!(newest.len(), 1);

    let output = daemon.cli(&["plugin", "forget", "restart-servise@1.0.0"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("did you mean `restart-service`?"), "{told}");
    let output = daemon.cli(&["events", "--target", "wbe"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && told.contains("did you mean `web`?"),
        "{told}"
    );
}

#[test]
fn the_numbers_of_a_target_are_those_of_its_incidents_and_operations() {
    let daemon = start();
    break_and_mend(&daemon, "web");
    let history = wait_for("the end of the operation", || {
        let history = daemon.json(&["history", "--target", "web"]);
        match history[0]["state"] == "succeeded" {
            true => Ok(history),
            false => Err(history.to_string()),
        }
    });
    let stats = daemon.json(&["stats", "--since", "1h"]);
    let web = &stats["targets"][0];
    assert_eq!(web["target"], "web");
    assert_eq!(
        (&web["incidents"], &web["recoveries"]),
        (&1.into(), &1.into()),
        "{stats}"
    );
    assert_eq!(web["median_recovery_ms"], history[0]["recovery_ms"]);
    assert_eq!(web["p95_recovery_ms"], history[0]["recovery_ms"]);
    assert_eq!(web["success_rate"], 1.0);
    let uptime = web["uptime"].as_f64().unwrap();
    // Since the daemon began, which is long after the beginning of the hour that is asked for.
    assert!(uptime > 0.0 && uptime < 1.0, "{stats}");
    let known = |target: &Value| target["known_ms"].as_u64().unwrap();
    assert!(known(web) > 0 && known(web) < 3_000_000, "{stats}");
    assert_eq!(web["relapses"], 0);
    let db = &stats["targets"][1];
    assert_eq!((&db["target"], &db["uptime"]), (&"db".into(), &1.0.into()));
    assert_eq!(db["success_rate"], Value::Null);
}

#[test]
fn a_return_within_the_relapse_window_counts_by_itself_and_its_healthy_time_is_no_outage() {
    let daemon = start();
    let incident = break_and_mend(&daemon, "web");
    // It comes back within the relapse window, whose default is a minute.
    let file = daemon.path("web-file");
    fs::remove_file(&file).unwrap();
    wait_for("the handler to be done again", || {
        let history = daemon.json(&["history", "--target", "web"]);
        let newest = &history[0];
        match history.as_array().unwrap().len() == 2 && newest["state"] == "validating" {
            true => Ok(()),
            false => Err(history.to_string()),
        }
    });
    fs::write(&file, "").unwrap();
    let stats = wait_for("the second recovery", || {
        let stats = daemon.json(&["stats", "--target", "web"]);
        match stats["targets"][0]["recoveries"] == 2 {
            true => Ok(stats["targets"][0].clone()),
            false => Err(stats.to_string()),
        }
    });
    assert_eq!(stats["incidents"], 1, "{stats}");
    assert_eq!(stats["relapses"], 1, "{stats}");
    assert_eq!(stats["success_rate"], 0.5, "{stats}");
    // The incident is open until its window is over; the target is not down any more.
    let open = daemon.json(&["incidents", "--target", "web"]);
    assert_eq!(open[0]["id"], incident["id"]);
    assert_eq!(open[0]["closed_at"], Value::Null, "{open}");
    let down = |stats: &Value| {
        let number = |field: &str| stats[field].as_f64().unwrap();
        number("known_ms") * (1.0 - number("uptime"))
    };
    wait_for("time in which it is not down", || {
        let now = daemon.json(&["stats", "--target", "web"])["targets"][0].clone();
        let lived = now["known_ms"].as_f64().unwrap() - stats["known_ms"].as_f64().unwrap();
        match lived > 1_000.0 && down(&now) < down(&stats) + 500.0 {
            true => Ok(()),
            false => Err(format!("{stats} {now}")),
        }
    });
}

#[test]
fn what_is_to_come_has_no_numbers() {
    let daemon = start();
    let output = daemon.cli(&["stats", "--since", "2999-01-01T00:00:00Z"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("is still to come"), "{told}");
}

#[test]
fn exit_codes_are_those_of_monitoring_plugins_where_they_are_asked_for() {
    let mut daemon = start();
    let code = |daemon: &Daemon, arguments: &[&str]| daemon.cli(arguments).status.code();
    assert_eq!(code(&daemon, &["status", "--exit-code"]), Some(0));
    assert_eq!(code(&daemon, &["probe", "web", "--exit-code"]), Some(0));
    assert_eq!(code(&daemon, &["check", "web", "--exit-code"]), Some(0));
    assert!(daemon.cli(&["pause"]).status.success());
    fs::remove_file(daemon.path("web-file")).unwrap();
    daemon.wait_for_status("it to fail", |status| {
        status["targets"][0]["health"] == "failed"
    });
    assert_eq!(code(&daemon, &["status", "--exit-code"]), Some(2));
    assert_eq!(code(&daemon, &["probe", "web", "--exit-code"]), Some(2));
    assert_eq!(code(&daemon, &["probe", "web"]), Some(1));
    assert_eq!(code(&daemon, &["probe", "db", "--exit-code"]), Some(0));
    assert_eq!(code(&daemon, &["probe", "nothing", "--exit-code"]), Some(3));
    assert!(daemon.stop());
    assert_eq!(code(&daemon, &["status", "--exit-code"]), Some(3));
    assert_eq!(code(&daemon, &["status"]), Some(1));
}

#[test]
fn bash_completes_the_names_of_the_running_daemon() {
    let daemon = start();
    let config = daemon.path("mainstay.toml");
    let script = r#"
        source <("$1" completions bash)
        COMP_WORDS=("$1" --config "$2" stop w)
        COMP_CWORD=4
        _mainstay "$1"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash")
        .args(["-c", script, "bash"])
        .args([program(), config.as_path()])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(told.trim(), "web", "{output:?}");
}

#[test]
fn a_note_is_kept_with_its_incident_over_restarts() {
    let mut daemon = start();
    let incident = break_and_mend(&daemon, "web");
    let id = incident["id"].as_str().unwrap();
    let noted = daemon.cli(&["note", id, "the disk was full", "--by", "anna"]);
    assert!(noted.status.success());
    let event = daemon.wait_for_event("the note", |event| event["kind"] == "note.added");
    assert_eq!(event["data"]["incident"], id);
    assert_eq!(event["target"], "web");
    assert!(daemon.stop());
    daemon.run();
    let shown = daemon.json(&["incident", "show", id]);
    assert_eq!(shown["notes"][0]["text"], "the disk was full", "{shown}");
    assert_eq!(shown["notes"][0]["note"], "anna");
    let history = daemon.json(&["history", "--target", "web"]);
    let operation = history[0]["id"].as_str().unwrap();
    assert!(
        daemon
            .cli(&["note", operation, "looked at it"])
            .status
            .success()
    );
    let shown = daemon.json(&["operation", "show", operation]);
    assert_eq!(shown["notes"].as_array().unwrap().len(), 1, "{shown}");
    let empty = daemon.cli(&["note", operation, " "]);
    let told = String::from_utf8_lossy(&empty.stderr);
    assert!(
        !empty.status.success() && told.contains("says nothing"),
        "{told}"
    );
}
