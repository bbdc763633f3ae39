//! Checkpoints and rollbacks, through the whole program: a book of positions, and trading that is paused by a command.

use mainstay_tests::{Daemon, HOST, Receiver, make_fifo, plugin, program, said, wait_for};
use serde_json::Value;
use std::{
    fs,
    process::{Command, Stdio},
};

/// Each command notes in `hooks` that it ran; `trading` says whether there is any.
const COMMANDS: &str = r#"
[command.pause-trading]
run = ["/bin/sh", "-c", "echo pause >> hooks; echo paused > trading"]

[command.positions-agree]
run = ["/bin/sh", "-c", "echo check >> hooks; if test -p gate; then cat gate; fi; test ! -e disagree"]

[command.resume-trading]
run = ["/bin/sh", "-c", "echo resume >> hooks; echo trades > trading"]

[[job]]
name = "trading"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
full = "24h"
checkpoints = { automatic = "300d", daily = "300d", pause = "pause-trading", check = "positions-agree", resume = "resume-trading" }
"#;

fn kinds(daemon: &Daemon) -> Vec<String> {
    let listed = daemon.json(&["checkpoint", "list", "--job", "trading"]);
    let kind = |it: &Value| it["checkpoint"]["kind"].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(kind).collect()
}

/// Its first full backup and its first daily checkpoint are due at once; no other is for as long as a test lasts.
fn start(more: &str, plugins: &[&std::path::Path]) -> Daemon {
    let mut daemon = Daemon::prepare(&[HOST, COMMANDS, more].concat());
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/positions"), "one").unwrap();
    fs::write(daemon.path("trading"), "trades\n").unwrap();
    for component in plugins {
        daemon.drop_plugin(component);
    }
    daemon.run();
    daemon.wait_for_plugins(plugins.len());
    daemon.wait_for_event("the daily checkpoint", |event| {
        event["kind"] == "checkpoint.taken" && event["data"]["kind"] == "daily"
    });
    daemon
}

/// Takes a manual checkpoint; its identifier.
fn take(daemon: &Daemon) -> String {
    let report = daemon.json(&["checkpoint", "take", "trading", "--name", "before-the-move"]);
    report["backups"][0]["id"].as_str().unwrap().to_owned()
}

fn read(daemon: &Daemon, below: &str) -> String {
    fs::read_to_string(daemon.path(below)).unwrap_or_default()
}

/// How the last rollback to a checkpoint went.
fn rollback(daemon: &Daemon, id: &str) -> Value {
    let shown = daemon.json(&["backup", "show", id]);
    shown["checkpoint"]["rollback"].clone()
}

#[test]
fn a_checkpoint_is_a_backup_of_its_job_that_is_listed_with_its_kind_and_its_name() {
    let daemon = start("", &[]);
    let id = take(&daemon);
    let shown = daemon.json(&["backup", "show", &id]);
    assert_eq!(
        (&shown["type"], &shown["status"]),
        (&"snapshot".into(), &"verified".into())
    );
    let expected = serde_json::json!({ "kind": "manual", "name": "before-the-move" });
    assert_eq!(shown["checkpoint"], expected);
    daemon.json(&["checkpoint", "take", "trading", "--kind", "pre-upgrade"]);
    assert_eq!(kinds(&daemon), ["pre-upgrade", "manual", "daily"]);
    let status = daemon.json(&["status"]);
    let job = &status["jobs"][0];
    let listed = daemon.json(&["checkpoint", "list"]);
    let newest = &listed[0];
    assert_eq!(job["last_checkpoint"], newest["created_at"], "{job}");
    assert!(job["next_checkpoint"].is_string(), "{job}");
    let table = said(&daemon.cli(&["checkpoint", "list"]));
    assert!(
        table.contains(&id) && table.contains("before-the-move"),
        "{table}"
    );

    let refused = daemon.cli(&["checkpoint", "take", "trading", "--kind", "daily"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    let backups = daemon.json(&["backup", "list", "--job", "trading"]);
    let backups = backups.as_array().unwrap();
    let full = backups.iter().find(|it| it["type"] == "full").unwrap();
    let refused = daemon.cli(&["checkpoint", "rollback", full["id"].as_str().unwrap()]);
    let text = said(&refused);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("is no checkpoint"), "{text}");
    assert_eq!(read(&daemon, "hooks"), "");
}

#[test]
fn the_first_daemon_of_another_version_takes_a_checkpoint_before_the_upgrade_does_anything_to_the_job()
 {
    let mut daemon = start("", &[]);
    assert_eq!(kinds(&daemon), ["daily"]);
    assert!(daemon.stop());
    let file = daemon.path("state/program-version.json");
    let known = fs::read_to_string(&file).unwrap();
    let before = known.replace(env!("CARGO_PKG_VERSION"), "0.0.9");
    assert_ne!(before, known, "the version that ran is on record");
    fs::write(&file, before).unwrap();
    daemon.run();
    daemon.wait_for_event("the checkpoint of the upgrade", |event| {
        event["kind"] == "checkpoint.taken" && event["data"]["kind"] == "pre-upgrade"
    });
    assert!(daemon.stop());
    daemon.run();
    // Whoever asks for one gets it behind what is due.
    take(&daemon);
    assert_eq!(kinds(&daemon), ["manual", "pre-upgrade", "daily"]);
}

/// Acts: `job.checkpoints.pause`, `job.checkpoints.check`, `job.checkpoints.resume`
#[test]
fn a_rollback_that_succeeds_restores_the_checkpoint_and_resumes_trading() {
    let daemon = start("", &[]);
    let id = take(&daemon);
    fs::write(daemon.path("data/positions"), "two").unwrap();
    let report = daemon.json(&["checkpoint", "rollback", &id]);
    assert_eq!(report["backups"][0]["id"], id.as_str());
    assert_eq!(read(&daemon, "data/positions"), "one");
    assert_eq!(read(&daemon, "hooks"), "pause\ncheck\nresume\n");
    assert_eq!(read(&daemon, "trading"), "trades\n");
    let went = rollback(&daemon, &id);
    assert_eq!(went["step"], "succeeded", "{went}");
    for kind in ["rollback.started", "rollback.succeeded"] {
        let events = daemon.events_of(kind);
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0]["backup"], id.as_str());
    }
    assert!(daemon.events_of("rollback.failed").is_empty());

    // What was there before is in the emergency checkpoint, and can be had again.
    let saved = went["saved"].as_str().unwrap();
    daemon.json(&["checkpoint", "rollback", saved]);
    assert_eq!(read(&daemon, "data/positions"), "two");
    assert_eq!(
        kinds(&daemon),
        ["emergency", "emergency", "manual", "daily"]
    );
}

#[test]
fn a_rollback_that_fails_half_way_leaves_the_state_of_before_and_trading_paused_with_an_alert() {
    let receiver = Receiver::start();
    let alerts = format!(
        "[[alert]]\nalerter = \"webhook\"\n[plugin.webhook]\ngrants = {{ http = [{:?}] }}\nsettings = {{ url = {:?} }}\n",
        receiver.url,
        format!("{}/hook", receiver.url)
    );
    let daemon = start(&alerts, &[&plugin("webhook")]);
    let id = take(&daemon);
    fs::write(daemon.path("data/positions"), "two").unwrap();
    fs::write(daemon.path("disagree"), "").unwrap();
    let failed = daemon.cli(&["checkpoint", "rollback", &id]);
    let text = said(&failed);
    assert_eq!(failed.status.code(), Some(1), "{text}");
    assert!(text.contains("was put back"), "{text}");
    assert!(
        text.contains("mainstay checkpoint resume trading"),
        "{text}"
    );
    assert_eq!(read(&daemon, "data/positions"), "two");
    assert_eq!(read(&daemon, "hooks"), "pause\ncheck\n");
    assert_eq!(read(&daemon, "trading"), "paused\n");
    assert_eq!(rollback(&daemon, &id)["step"], "failed");
    let told = |status: &'static str| {
        receiver.wait_for(status, |one| {
            let alert = one.json();
            alert["status"] == status
                && alert["dedup_key"]
                    .as_str()
                    .is_some_and(|key| key.ends_with("/rollback/trading"))
        })
    };
    let alert = told("firing").json();
    assert_eq!(alert["kind"], "rollback.failed", "{alert}");
    assert_eq!(alert["severity"], "critical", "{alert}");

    // A person looks, and resumes.
    daemon.json(&["checkpoint", "resume", "trading"]);
    assert_eq!(read(&daemon, "trading"), "trades\n");
    assert_eq!(told("resolved").json()["kind"], "rollback.resumed");
}

#[test]
fn a_rollback_that_a_killed_daemon_left_is_taken_back_by_the_next_and_trading_stays_paused() {
    let mut daemon = start("", &[]);
    let id = take(&daemon);
    fs::write(daemon.path("data/positions"), "two").unwrap();
    make_fifo(&daemon.path("gate"));
    let mut asking = Command::new(program())
        .args(["checkpoint", "rollback", &id, "--config"])
        .arg(daemon.path("mainstay.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the check of what was put in place", || {
        let hooks = read(&daemon, "hooks");
        hooks.ends_with("check\n").then_some(()).ok_or(hooks)
    });
    assert_eq!(read(&daemon, "data/positions"), "one");
    daemon.kill();
    assert!(!asking.wait().unwrap().success());
    daemon.run();
    let failed = daemon.wait_for_event("the end of the rollback", |event| {
        event["kind"] == "rollback.failed"
    });
    assert_eq!(failed["severity"], "critical", "{failed}");
    assert_eq!(read(&daemon, "data/positions"), "two");
    assert_eq!(read(&daemon, "hooks"), "pause\ncheck\n");
    assert_eq!(read(&daemon, "trading"), "paused\n");
    assert_eq!(rollback(&daemon, &id)["step"], "failed");
}

/// Acts: `job.checkpoints.automatic`, `job.checkpoints.daily`, `job.checkpoints.keep`, `job.checkpoints.max_age`
#[test]
fn checkpoints_are_taken_as_often_and_kept_as_many_and_as_long_as_the_job_says() {
    let job = |name: &str, checkpoints: &str| {
        format!(
            "\n[[job]]\nname = \"{name}\"\nencryption = \"none\"\ncheckpoints = {{ {checkpoints} }}\n\
             source = [{{ kind = \"directory\", path = \"data\" }}]\n"
        )
    };
    let jobs = [
        job("few", "automatic = \"200ms\", keep = 2"),
        job("young", "daily = \"200ms\", max_age = \"1s\""),
    ];
    let mut daemon = Daemon::prepare(&[HOST, &jobs.concat()].concat());
    fs::create_dir(daemon.path("data")).unwrap();
    daemon.run();
    daemon.json(&["checkpoint", "take", "few"]);
    let gone = |job: &str, why: &str| {
        daemon.wait_for_event(why, |event| {
            let message = event["message"].as_str().unwrap();
            event["kind"] == "backup.expired" && event["job"] == job && message.contains(why)
        })
    };
    gone("few", "the oldest of more than 2 checkpoints");
    gone("young", "a checkpoint older than 1s");
    let taken = daemon.events_of("checkpoint.taken");
    let of = |job: &str, kind: &str| {
        let of_kind = taken
            .iter()
            .filter(|event| event["job"] == job && event["data"]["kind"] == kind);
        of_kind.count()
    };
    assert!(of("few", "automatic") > 1, "{taken:?}");
    assert!(of("young", "daily") > 1, "{taken:?}");
    assert_eq!(
        of("young", "automatic"),
        0,
        "a daily one is an automatic one too"
    );
    // What a person took stays, however many come after it.
    let listed = daemon.json(&["checkpoint", "list", "--job", "few"]);
    let listed = listed.as_array().unwrap();
    let manual = listed
        .iter()
        .find(|it| it["checkpoint"]["kind"] == "manual");
    assert_eq!(manual.unwrap()["status"], "verified", "{listed:?}");
}
