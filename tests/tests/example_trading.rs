//! The example `trading`: each part of it is broken as such parts break, and is healed, or a person is asked.

use mainstay_daemon::config;
use mainstay_domain::{maintenance::open_now, time::Timestamp};
use mainstay_tests::{
    Daemon, ReadmeWalk, actions, free_ports, get_json, note_recovery, now, plugin, repository,
    wait_for,
};
use serde_json::{Value, json};
use std::{fs, process::Command};

const PORTS: [u16; 4] = [7401, 7402, 7403, 7404];
const PROFILES: [&str; 5] = ["dev", "demo", "spot", "prod", "canary"];
/// All that the example asks for.
const PLUGINS: [&str; 7] = [
    "account-equity",
    "engine-recovery",
    "log-file",
    "market-data",
    "network-failover",
    "restart-service",
    "run-command",
];

fn prepare(profile: &str) -> Daemon {
    let config = format!("{profile}.toml");
    Daemon::prepare_example("trading", &config, &free_ports(&PORTS))
}

fn book(daemon: &Daemon) -> Value {
    let text = fs::read_to_string(daemon.path("book/book.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn way(daemon: &Daemon) -> String {
    fs::read_to_string(daemon.path("feed.way")).unwrap()
}

/// Waits until the quotes come by a stream that speaks, and all is well.
fn wait_for_stream(daemon: &Daemon, port: u16) {
    wait_for("the quotes to come by a stream that speaks", || {
        let home = get_json(port, "/home")?;
        match home["way"] == "stream" && home["stream_speaks"] == true {
            true => Ok(()),
            false => Err(home.to_string()),
        }
    });
    daemon.wait_until_all_are_healthy();
}

/// Runs a line of the example's README in its directory.
fn readme(daemon: &Daemon, line: &str) {
    let text = fs::read_to_string(repository().join("examples/trading/README.md")).unwrap();
    assert!(text.lines().any(|one| one == line), "no such line: {line}");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .current_dir(daemon.directory.path());
    assert!(shell.status().unwrap().success(), "{line}");
}

/// By the commands of its README, from the first block to the last.
#[test]
fn the_stream_falls_back_to_rest_the_engine_comes_back_and_a_loss_stops_the_trading() {
    let ports = free_ports(&PORTS);
    let mut walk = ReadmeWalk::begin("trading", &ports);

    // The stream stays open and says nothing.
    walk.line("touch exchange.silent");
    let left = &walk.daemon.wait_for_successes("feed", 1)[0];
    assert_eq!(left["failure"], "network-partition", "{left}");
    assert_eq!(left["handler"], "network-failover", "{left}");
    for action in [
        "took `use-stream`",
        "took `use-rest`",
        "saw its checks pass",
    ] {
        assert!(actions(left).contains(action), "{action}: {left}");
    }
    assert_eq!(way(&walk.daemon), "rest");
    let history = walk.line("mainstay history --target feed");
    assert!(history.contains("network-partition"), "{history}");
    // It speaks again.
    walk.line("rm exchange.silent");
    let home = &walk.daemon.wait_for_successes("feed", 2)[1];
    assert_eq!(home["failure"], "stream-fallback", "{home}");
    assert_eq!(way(&walk.daemon), "stream");
    let history = walk.line("mainstay history --target feed");
    assert!(history.contains("stream-fallback"), "{history}");

    // It ends, and there is no other way.
    walk.line("touch exchange.ended exchange.busy");
    wait_for("the feed to have no way", || {
        let history = walk.daemon.json(&["history", "--target", "feed"]);
        // Where it is the incident of before again, it stands where that was detected.
        let mut operations = history.as_array().unwrap().iter();
        let is_open = |operation: &serde_json::Value| {
            operation["failure"] == "network-partition" && operation["finished_at"].is_null()
        };
        match operations.any(is_open) {
            true => Ok(()),
            false => Err(history.to_string()),
        }
    });
    walk.line("mainstay history --target feed");
    walk.line("rm exchange.busy");
    walk.line("rm exchange.ended");
    wait_for_stream(&walk.daemon, ports[&7403]);
    walk.line("mainstay history --target feed");

    // By its number: another engine may run on this machine.
    walk.done("kill -9 $(pgrep -f 'engine.py serve')");
    let caused = now();
    walk.daemon.kill_child("engine");
    let engine = walk.daemon.wait_for_operation("engine", "succeeded");
    for action in [
        "cancelled 1 pending order: o1",
        "found the portfolio",
        "saved the positions in backup ",
        "removed 1 invalid position: p2 (no entry_price)",
        "restarted engine",
    ] {
        assert!(actions(&engine).contains(action), "{action}: {engine}");
    }
    let history = walk.line("mainstay history --target engine");
    assert!(history.contains("trading-engine-crash"), "{history}");
    let held = book(&walk.daemon);
    assert_eq!(held["orders"][0]["status"], "cancelled", "{held}");
    assert_eq!(held["positions"].as_array().unwrap().len(), 1, "{held}");
    let kept = "the sound position, and the order as a cancelled one";
    note_recovery(&engine, "trading-engine-crash", caused, kept);
    walk.daemon.wait_until_all_are_healthy();

    // Of the cash 5,000 are left, and one position of some 600.
    walk.line("python3 engine.py pay -95000");
    let asking = walk.daemon.wait_for_operation("account", "awaiting-manual");
    assert_eq!(asking["failure"], "equity-low", "{asking}");
    let steps = json!([
        "see in /positions what lost",
        "pay in",
        "approve this operation"
    ]);
    assert_eq!(asking["steps"], steps, "{asking}");
    assert_eq!(book(&walk.daemon)["stopped"], true);
    // Also while what it depends on has recovered and only has to last.
    wait_for("the alert of the loss", || {
        let alerts = walk.daemon.path("alerts/alerts.jsonl");
        let alerts = fs::read_to_string(alerts).unwrap_or_default();
        match alerts.contains("equity-low") {
            true => Ok(()),
            false => Err(alerts),
        }
    });
    let history = walk.line("mainstay history --target account");
    assert!(history.contains("approve this operation"), "{history}");
    walk.line("python3 engine.py pay 95000");
    // Said between the blocks, for the number is another one each time.
    let id = asking["id"].as_str().unwrap();
    assert!(walk.daemon.cli(&["approve", id]).status.success());
    wait_for("the trading to go on", || {
        let shown = walk.daemon.json(&["operation", "show", id]);
        match shown["state"] == "succeeded" {
            true => Ok(()),
            false => Err(shown.to_string()),
        }
    });
    assert_eq!(book(&walk.daemon)["stopped"], false);

    walk.line(r"printf '[budget]\nconcurrent = 4\n' > conf.d/local.toml");
    let refused = walk.refused("mainstay check --config canary.toml");
    assert!(
        refused.contains("`budget.concurrent` is already set at"),
        "{refused}"
    );
    walk.line("rm conf.d/local.toml");
    walk.end();
}

/// What the feed has recovered from and how, oldest first.
fn recovered(daemon: &Daemon, failure: &str) -> Vec<Value> {
    let history = daemon.json(&["history", "--target", "feed", "--state", "succeeded"]);
    let mut found = history.as_array().unwrap().clone();
    found.retain(|operation| operation["failure"] == failure);
    found.reverse();
    found
}

#[test]
fn a_stream_that_ends_is_left_for_rest_by_the_last_attempt_too_and_the_next_failure_has_all_of_them()
 {
    let ports = free_ports(&PORTS);
    let mut daemon = Daemon::prepare_example("trading", "dev.toml", &ports);
    for name in PLUGINS {
        daemon.drop_plugin(&plugin(name));
    }
    // The attempts are used up soon, and what comes later is another failure.
    let file = daemon.path("conf.d/feed.toml");
    let config = fs::read_to_string(&file).unwrap();
    let chain = "chain = [{ handler = \"network-failover\" }]";
    let few = "strategy = { kind = \"immediate\", max_attempts = 2 }\nrelapse_window = \"0s\"";
    assert_eq!(config.matches(chain).count(), 1);
    fs::write(&file, config.replace(chain, &format!("{few}\n{chain}"))).unwrap();
    daemon.run();
    daemon.wait_for_plugins(PLUGINS.len());
    daemon.wait_until_all_are_healthy();
    let streams = || wait_for_stream(&daemon, ports[&7403]);
    streams();

    // The stream ends with the exchange, and begins anew with the next.
    daemon.kill_child("exchange");
    daemon.wait_for_operation("exchange", "succeeded");
    streams();

    readme(&daemon, "touch exchange.ended exchange.busy");
    let escalated = daemon.wait_for_event_of("operation.escalated", "feed");
    let of_it = &escalated["data"];
    assert_eq!(of_it["failure"], "network-partition", "{escalated}");
    let failed = daemon.json(&["history", "--target", "feed", "--state", "failed"]);
    assert_eq!(failed[0]["attempts"], 2, "{failed}");
    let error = failed[0]["error"].as_str().unwrap();
    assert!(error.contains("took `use-rest`; still "), "{error}");
    readme(&daemon, "rm exchange.busy");
    daemon.wait_for_event("the end of the partition", |event| {
        event["kind"] == "incident.closed" && event["data"]["incident"] == of_it["incident"]
    });
    wait_for("the feed to stay with REST", || {
        match way(&daemon).as_str() {
            "rest" => Ok(()),
            seen => Err(seen.to_owned()),
        }
    });
    readme(&daemon, "rm exchange.ended");
    streams();

    let before = recovered(&daemon, "network-partition").len();
    readme(&daemon, "touch exchange.ended exchange.busy");
    readme(&daemon, "rm exchange.busy");
    let again = wait_for("the feed to take REST", || {
        let found = recovered(&daemon, "network-partition");
        let seen = daemon.json(&["history", "--target", "feed"]).to_string();
        found.get(before).cloned().ok_or(seen)
    });
    assert_eq!(again["attempts"], 1, "{again}");
    assert!(actions(&again).contains("took `use-rest`"), "{again}");
}

/// Its check looks every 10 s; here that is more often once all is healthy, for an engine that starts does not answer yet.
#[test]
fn a_permission_that_the_key_lost_stops_the_trading_and_a_person_is_asked() {
    let mut daemon = prepare("dev");
    for name in PLUGINS {
        daemon.drop_plugin(&plugin(name));
    }
    daemon.run();
    daemon.wait_for_plugins(PLUGINS.len());
    daemon.wait_until_all_are_healthy();
    let file = daemon.path("conf.d/account.toml");
    let config = fs::read_to_string(&file).unwrap();
    let seldom = "every = \"10s\"";
    assert_eq!(config.matches(seldom).count(), 1);
    fs::write(&file, config.replace(seldom, "every = \"500ms\"")).unwrap();
    daemon.hang_up();
    daemon.wait_for_event("the reload", |event| event["kind"] == "config.applied");

    let mut held = book(&daemon);
    assert_eq!(held["stopped"], false, "{held}");
    held["can_view"] = json!(false);
    // At one stroke: the engine reads it all the time.
    fs::write(daemon.path("next.json"), held.to_string()).unwrap();
    fs::rename(daemon.path("next.json"), daemon.path("book/book.json")).unwrap();
    let asking = daemon.wait_for_operation("account", "awaiting-manual");
    assert_eq!(asking["failure"], "account-changed", "{asking}");
    let steps = json!([
        "ask the exchange who changed the key",
        "approve this operation"
    ]);
    assert_eq!(asking["steps"], steps, "{asking}");
    assert_eq!(book(&daemon)["stopped"], true);
}

#[test]
fn each_profile_is_a_config_that_check_takes() {
    for profile in PROFILES {
        let daemon = prepare(profile);
        for name in PLUGINS {
            daemon.drop_plugin(&plugin(name));
        }
        let report = daemon.cli(&["check", "--json"]);
        let report: Value = serde_json::from_slice(&report.stdout).unwrap();
        assert_eq!(report["ok"], true, "{profile}: {report}");
    }
}

#[test]
fn what_a_profile_says_is_locked_for_the_files_behind_it() {
    let daemon = prepare("canary");
    readme(
        &daemon,
        r"printf '[budget]\nconcurrent = 4\n' > conf.d/local.toml",
    );
    for (later, said) in [
        (
            "[budget]\nconcurrent = 4\n",
            "`budget.concurrent` is already set at",
        ),
        (
            "[[target]]\nname = \"engine\"\nrun = [\"python3\", \"engine.py\", \"serve\"]\n",
            "target `engine` is already defined at",
        ),
    ] {
        fs::write(daemon.path("conf.d/local.toml"), later).unwrap();
        let checked = daemon.cli(&["check"]);
        assert!(!checked.status.success(), "{later}");
        let text = [checked.stdout, checked.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        let names_both = text.contains("mainstay.toml:") && text.contains("conf.d/local.toml:");
        assert!(text.contains(said) && names_both, "{text}");
    }
}

#[test]
fn a_session_is_closed_for_an_hour_on_weekdays_and_from_friday_to_sunday_evening() {
    for profile in ["spot", "prod", "canary"] {
        let daemon = prepare(profile);
        let loaded = config::load(&daemon.path("mainstay.toml")).unwrap();
        for (time, is_closed) in [
            // In New York it is a Thursday in winter.
            ("2026-01-15T16:59:59-05:00", false),
            ("2026-01-15T17:00:00-05:00", true),
            ("2026-01-15T18:00:00-05:00", false),
            // A Friday in summer, the two days behind it, and the Monday.
            ("2026-07-10T16:59:59-04:00", false),
            ("2026-07-10T17:00:00-04:00", true),
            ("2026-07-11T03:00:00-04:00", true),
            ("2026-07-12T17:59:59-04:00", true),
            ("2026-07-12T18:00:00-04:00", false),
            ("2026-07-13T17:30:00-04:00", true),
        ] {
            let now = Timestamp::parse(time).unwrap();
            let open = open_now(&loaded.spec.maintenance, now);
            assert_eq!(!open.is_empty(), is_closed, "{profile} at {time}");
            assert!(
                open.iter()
                    .all(|one| one.holds_alerts && one.pauses_recovery)
            );
        }
    }
}

#[test]
fn the_engine_of_a_canary_has_its_locked_keys_whatever_the_machine_says() {
    let ports = free_ports(&PORTS);
    let mut daemon = Daemon::prepare_example("trading", "canary.toml", &ports);
    let local = "MAX_LEVERAGE=10\nREDUCE_ONLY_MODE=0\nTIME_IN_FORCE=GTC\nSHORTS=1\n";
    fs::write(daemon.path("local.env"), local).unwrap();
    daemon.drop_plugin(&plugin("market-data"));
    daemon.run();
    let profile = wait_for("the engine to answer", || {
        get_json(ports[&7404], "/profile")
    });
    let locked = ["max_leverage", "reduce_only_mode", "time_in_force"].map(|key| &profile[key]);
    assert_eq!(locked, [&json!(1.0), &json!(true), &json!("IOC")]);
    assert_eq!(profile["shorts"], true, "this one is not locked");
}

#[test]
fn a_profile_that_is_none_is_refused_before_the_engine_starts() {
    let engine = repository().join("examples/trading/engine.py");
    let said = |name: &str, value: &str| {
        let mut check = Command::new("python3");
        check.arg(&engine).arg("check");
        check.env("PYTHONDONTWRITEBYTECODE", "1");
        check.envs([("SYMBOLS", "BTC-USD"), ("MAX_POSITION", "1")]);
        let output = check.env(name, value).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), text.trim().to_owned())
    };
    assert_eq!(said("MAX_LEVERAGE", "3"), (true, String::new()));
    for (name, value, expected) in [
        ("SYMBOLS", " , ", "SYMBOLS names none"),
        (
            "INTERVAL_S",
            "0",
            "INTERVAL_S is 0.0: more than 0 is wanted",
        ),
        (
            "MAX_POSITION",
            "-1",
            "MAX_POSITION is -1.0: more than 0 is wanted",
        ),
        (
            "MAX_LEVERAGE",
            "0",
            "MAX_LEVERAGE is 0.0: more than 0 is wanted",
        ),
        (
            "TIME_IN_FORCE",
            "DAY",
            "TIME_IN_FORCE is DAY: it is one of GTC, IOC, FOK",
        ),
    ] {
        assert_eq!(said(name, value), (false, expected.to_owned()));
    }
}
