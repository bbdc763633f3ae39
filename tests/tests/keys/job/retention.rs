//! What is kept: `[job.retention]`.

use super::prepare;
use mainstay_tests::{Daemon, millis_between, plugin, time, wait_for};
use serde_json::Value;
use std::{fs, time::Duration};

/// The policy would keep the newest backup only.
const POLICY: &str = r#"
[plugin.gfs-retention]
settings = { last = 1, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0 }
"#;

fn job(name: &str, retention: &str) -> String {
    format!(
        r#"
[[job]]
name = "{name}"
encryption = "none"
source = [{{ kind = "directory", path = "data" }}]
retention = {{ {retention} }}
"#
    )
}

/// What is in a job's directory below the state that belongs to a backup.
fn files(daemon: &Daemon, directory: &str, id: &str) -> usize {
    let entries = fs::read_dir(daemon.path("state/backups").join(directory));
    let names = entries
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with(id))
        .count()
}

/// The first event of a kind about a job.
fn event(daemon: &Daemon, kind: &str, id: &str) -> Value {
    daemon.wait_for_event(&format!("{kind} of {id}"), |event| {
        event["kind"] == kind && event["backup"] == id
    })
}

/// Acts: `job.retention.policy`, `job.retention.version`, `job.retention.every`
/// Acts: `job.retention.min_redundancy`, `job.retention.immutable_for`, `job.retention.trash_for`
#[test]
fn a_policy_lets_backups_go_as_often_as_far_and_as_slowly_as_the_job_says() {
    let jobs = [
        job(
            "quick",
            r#"policy = "gfs-retention", every = "1s", trash_for = "1500ms""#,
        ),
        job(
            "careful",
            r#"policy = "gfs-retention", version = "^1", min_redundancy = 2, trash_for = "48h""#,
        ),
        job(
            "young",
            r#"policy = "gfs-retention", immutable_for = "48h""#,
        ),
        job("odd", r#"policy = "gfs-retention", version = "^9""#),
    ];
    let mut daemon = prepare(&[&jobs.concat(), POLICY].concat());
    daemon.drop_plugin(&plugin("gfs-retention"));
    daemon.run();
    daemon.wait_for_plugins(1);
    let create = |job| -> String {
        let taken = daemon.json(&["backup", "create", job]);
        taken["backups"][0]["id"].as_str().unwrap().to_owned()
    };

    let careful = [(); 3].map(|()| create("careful"));
    let quick = [(); 3].map(|()| create("quick"));
    let taken_at = daemon.json(&["backup", "show", &quick[2]])["created_at"].clone();
    // By itself, again and again: the first is let go, then deleted.
    let expired = event(&daemon, "backup.expired", &quick[1]);
    let deleted = event(&daemon, "backup.deleted", &quick[1]);
    let until = expired["message"].as_str().unwrap().rsplit(' ').next();
    let until = until.unwrap().into();
    assert!(time(&deleted["at"]) >= time(&until), "{expired} {deleted}");
    assert!(millis_between(&taken_at, &until) >= 1_500, "{expired}");
    for directory in ["quick", "quick/trash"] {
        assert_eq!(files(&daemon, directory, &quick[1]), 0);
    }
    wait_for("only the newest to be left", || {
        let left = daemon.json(&["backup", "list", "--job", "quick"]);
        let only = left.as_array().unwrap().len() == 1 && left[0]["id"] == quick[2].as_str();
        only.then_some(()).ok_or_else(|| left.to_string())
    });

    // Within a day the other one is judged by hand alone.
    let about_careful = |event: &Value| {
        let backup = event["backup"].as_str().unwrap_or_default();
        careful.iter().any(|id| id == backup)
    };
    let expired = daemon.events_of("backup.expired");
    assert!(!expired.iter().any(about_careful), "{expired:?}");
    let pruned = daemon.json(&["backup", "prune", "--job", "careful"]);
    let kept = pruned["verdicts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["keep"] == true);
    assert_eq!(kept.count(), 2, "{pruned}");
    let reasons = pruned["verdicts"].to_string();
    assert!(reasons.contains("last 1 of 1"), "the policy's: {reasons}");
    assert!(reasons.contains("kept by the host"), "the job's: {reasons}");
    let expired = event(&daemon, "backup.expired", &careful[0]);
    assert_eq!(files(&daemon, "careful", &careful[0]), 0);
    assert!(files(&daemon, "careful/trash", &careful[0]) > 0);
    let shown = daemon.json(&["backup", "show", &careful[0]]);
    let grace = Duration::from_millis(millis_between(&expired["at"], &shown["expires"]));
    assert!(grace > Duration::from_secs(47 * 3_600), "{grace:?}");

    let young = [(); 2].map(|()| create("young"));
    let pruned = daemon.json(&["backup", "prune", "--job", "young"]);
    assert_eq!(pruned["backups"], serde_json::json!([]), "{pruned}");
    let verdicts = pruned["verdicts"].as_array().unwrap();
    let oldest = verdicts.iter().find(|one| one["id"] == young[0].as_str());
    let reason = oldest.unwrap()["reason"].as_str().unwrap();
    assert!(reason.contains("it is immutable until"), "{reason}");

    let output = daemon.cli(&["backup", "prune", "--job", "odd"]);
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("^9"), "{stderr}");
}

/// Acts: `job.shrink_guard`
#[test]
fn a_backup_that_is_much_smaller_is_not_the_newest_and_lets_none_go_until_it_is_accepted() {
    let retention = r#"policy = "gfs-retention", every = "48h""#;
    let job = job("guarded", retention) + "shrink_guard = 50\n";
    let mut daemon = prepare(&[&job, POLICY].concat());
    for number in 0..9 {
        fs::write(daemon.path(&format!("data/{number}.txt")), "x").unwrap();
    }
    daemon.drop_plugin(&plugin("gfs-retention"));
    daemon.run();
    daemon.wait_for_plugins(1);
    // The one that is due at the start.
    daemon.wait_for_event("a first backup", |event| {
        event["kind"] == "backup.verified" && event["job"] == "guarded"
    });
    let create =
        || -> Value { daemon.json(&["backup", "create", "guarded"])["backups"][0].clone() };
    let whole = create();
    assert!(whole["suspicious"].is_null(), "{whole}");
    for number in 0..9 {
        fs::remove_file(daemon.path(&format!("data/{number}.txt"))).unwrap();
    }
    let small = create();
    let why = small["suspicious"].as_str().unwrap();
    assert!(why.contains("shrink_guard = 50"), "{why}");
    let id = small["id"].as_str().unwrap();
    let told = event(&daemon, "backup.suspicious", id);
    assert_eq!(told["data"]["before"], whole["id"], "{told}");

    let pruned = daemon.json(&["backup", "prune", "--job", "guarded"]);
    assert_eq!(pruned["backups"], serde_json::json!([]), "{pruned}");
    assert!(pruned.to_string().contains("stands still"), "{pruned}");
    let drilled = daemon.json(&["backup", "drill", "guarded"]);
    assert_eq!(drilled["backups"][0]["id"], whole["id"], "{drilled}");
    assert_eq!(drilled["skipped"][0]["id"], small["id"], "{drilled}");

    let accepted = daemon.json(&["backup", "accept", id]);
    assert!(accepted["backups"][0]["suspicious"].is_null(), "{accepted}");
    event(&daemon, "backup.accepted", id);
    let drilled = daemon.json(&["backup", "drill", "guarded"]);
    assert_eq!(drilled["backups"][0]["id"], small["id"], "{drilled}");
    let pruned = daemon.json(&["backup", "prune", "--job", "guarded"]);
    assert_eq!(pruned["backups"][0]["id"], whole["id"], "{pruned}");
}

/// A person lets go of backups, and takes them back, as a policy would be allowed to.
#[test]
fn a_backup_that_a_person_deletes_lies_in_the_trash_and_comes_back_whole() {
    let mut daemon = prepare(
        r#"
[[job]]
name = "kept"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
"#,
    );
    daemon.run();
    // The one that is due at the start.
    daemon.wait_for_event("a first backup", |event| {
        event["kind"] == "backup.verified" && event["job"] == "kept"
    });
    let create = |backup_type: &str| -> String {
        let created = daemon.json(&["backup", "create", "kept", "--type", backup_type]);
        created["backups"][0]["id"].as_str().unwrap().to_owned()
    };
    let (full, added, newest) = (create("full"), create("incremental"), create("full"));
    let refused = |arguments: &[&str]| -> String {
        let output = daemon.cli(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let why = refused(&["backup", "delete", &newest]);
    assert!(why.contains("newest verified chain"), "{why}");
    let why = refused(&["backup", "delete", &full]);
    assert!(why.contains(&format!("{added} needs it")), "{why}");
    let why = refused(&["backup", "undelete", &added]);
    assert!(why.contains("is not in the trash"), "{why}");

    let would = daemon.json(&["backup", "delete", &added, "--dry-run"]);
    assert!(
        would["notes"].to_string().contains("nothing was changed"),
        "{would}"
    );
    assert!(files(&daemon, "kept", &added) > 0);
    for id in [&added, &full] {
        let deleted = daemon.json(&["backup", "delete", id, "--by", "ann"]);
        assert_eq!(deleted["backups"][0]["status"], "expired", "{deleted}");
        let told = event(&daemon, "backup.trashed", id);
        assert_eq!(told["data"]["note"], "ann", "{told}");
        assert_eq!(files(&daemon, "kept", id), 0);
        assert!(files(&daemon, "kept/trash", id) > 0);
    }
    let back = daemon.json(&["backup", "undelete", &added]);
    let back = back["backups"].as_array().unwrap();
    let back: Vec<&str> = back.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(back, [&full, &added]);
    for id in [&full, &added] {
        event(&daemon, "backup.undeleted", id);
        assert_eq!(files(&daemon, "kept/trash", id), 0);
        let shown = daemon.json(&["backup", "show", id]);
        assert_eq!(shown["status"], "verified", "{shown}");
        assert!(shown["expires"].is_null(), "{shown}");
    }
    let into = daemon.path("restored");
    let into = into.to_str().unwrap();
    let restored = daemon.json(&["backup", "restore", "kept", "--id", &added, "--into", into]);
    assert_eq!(
        restored["backups"].as_array().unwrap().len(),
        2,
        "{restored}"
    );
}
