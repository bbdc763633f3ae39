//! Backups in tiers beside the state directory: gone, silent, back again, and all that is left.

use mainstay_tests::{Daemon, HOST, Receiver, plugin, sleeper, wait_for, wait_until_taken_up};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const JOB: &str = r#"
[tier.nas]
path = "nas"

[[job]]
name = "state"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
tiers = { full = ["nas", "local"] }
"#;

fn start() -> Daemon {
    let mut daemon = Daemon::prepare(&[HOST, JOB].concat());
    for directory in ["data", "nas"] {
        fs::create_dir(daemon.path(directory)).unwrap();
    }
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.run();
    // No other is due for as long as a test lasts.
    daemon.wait_for_first_backup();
    daemon
}

/// Takes a backup; what is shown of it.
fn take(daemon: &Daemon, of_type: &str) -> Value {
    let report = daemon.json(&["backup", "create", "state", "--type", of_type]);
    report["backups"][0].clone()
}

fn restored(daemon: &Daemon, into: &str) -> String {
    let into = daemon.path(into);
    let output = daemon.cli(&[
        "backup",
        "restore",
        "state",
        "--into",
        into.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{output:?}");
    fs::read_to_string(into.join("a")).unwrap()
}

#[test]
fn a_chain_over_two_tiers_is_restored_and_where_one_is_gone_the_next_takes_the_backup_and_people_hear_of_it()
 {
    let daemon = start();
    assert_eq!(take(&daemon, "full")["tier"], "nas");
    fs::write(daemon.path("data/a"), "two").unwrap();
    assert_eq!(take(&daemon, "incremental")["tier"], "local");
    assert_eq!(restored(&daemon, "first"), "two");

    fs::rename(daemon.path("nas"), daemon.path("away")).unwrap();
    fs::create_dir(daemon.path("nas")).unwrap();
    fs::write(daemon.path("data/a"), "three").unwrap();
    let fell_over = take(&daemon, "full");
    assert_eq!(fell_over["tier"], "local", "{fell_over}");
    let told = daemon.wait_for_event("the fall-over", |event| {
        event["kind"] == "backup.fell-over" && event["backup"] == fell_over["id"]
    });
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("not in the tier nas"), "{message}");
    assert_eq!(told["data"]["tier"], "nas", "{told}");
    assert_eq!(fs::read_dir(daemon.path("nas")).unwrap().count(), 0);
    assert_eq!(restored(&daemon, "second"), "three");

    fs::remove_dir(daemon.path("nas")).unwrap();
    fs::rename(daemon.path("away"), daemon.path("nas")).unwrap();
    fs::write(daemon.path("data/a"), "four").unwrap();
    let back = take(&daemon, "full");
    assert_eq!(back["tier"], "nas");
    let verified = daemon.wait_for_event("the backup in the tier", |event| {
        event["kind"] == "backup.verified" && event["backup"] == back["id"]
    });
    assert_eq!(verified["data"]["tiers"], json!(["nas", "local"]));
    assert_eq!(restored(&daemon, "third"), "four");
    for backup in daemon.json(&["backup", "list"]).as_array().unwrap() {
        assert_eq!(backup["status"], "verified", "{backup}");
    }
}

#[test]
fn what_a_tier_holds_is_taken_up_where_the_state_directory_is_lost() {
    let mut daemon = start();
    let full = take(&daemon, "full");
    assert!(daemon.stop());
    let (key, kept) = (
        daemon.path("state/backup-signing.key"),
        daemon.path("kept.key"),
    );
    fs::rename(&key, &kept).unwrap();
    fs::remove_dir_all(daemon.path("state")).unwrap();
    // As the documents say: without it nothing that a tier holds is known to be this host's.
    fs::create_dir(daemon.path("state")).unwrap();
    fs::rename(&kept, &key).unwrap();
    fs::remove_dir_all(daemon.path("data")).unwrap();
    fs::create_dir(daemon.path("data")).unwrap();
    daemon.run();
    wait_until_taken_up(&daemon);
    let list = daemon.json(&["backup", "list"]);
    let mut found = list.as_array().unwrap().iter();
    let found = found.find(|backup| backup["id"] == full["id"]).unwrap();
    assert_eq!(
        (&found["tier"], &found["status"]),
        (&full["tier"], &full["status"])
    );
    assert_eq!(restored(&daemon, "restored"), "one");
}

#[test]
fn a_backup_is_moved_from_tier_to_tier_and_its_chain_is_restored_all_the_same() {
    let daemon = start();
    let full = take(&daemon, "full");
    let id = full["id"].as_str().unwrap();
    fs::write(daemon.path("data/a"), "two").unwrap();
    take(&daemon, "incremental");
    let moved = daemon.json(&["backup", "move", id, "local"]);
    assert_eq!(moved["backups"][0]["tier"], "local", "{moved}");
    assert_eq!(daemon.json(&["backup", "show", id])["tier"], "local");
    let told = daemon.wait_for_event("the move", |event| event["kind"] == "backup.moved");
    assert_eq!(
        (&told["data"]["from"], &told["data"]["tier"]),
        (&json!("nas"), &json!("local")),
        "{told}"
    );
    let archive = |root: &str| daemon.path(&format!("{root}/state/{id}.jsonl.zst"));
    assert!(archive("state/backups").exists() && !archive("nas").exists());
    assert_eq!(restored(&daemon, "restored"), "two");
    let unknown = daemon.cli(&["backup", "move", id, "none"]);
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("its tiers are: nas, local"), "{said}");
}

#[test]
fn a_second_host_gets_nothing_into_the_store_of_the_first_and_its_people_are_alerted() {
    let first = start();
    let of_first = take(&first, "full");
    let receiver = Receiver::start();
    let nas = first.path("nas");
    let shared = JOB.replace("path = \"nas\"", &format!("path = {nas:?}"));
    let alerts = format!(
        r#"
[[alert]]
alerter = "webhook"
events = ["backup.fell-over"]

[plugin.webhook]
grants = {{ http = [{0:?}] }}
settings = {{ url = "{0}/hook" }}
"#,
        receiver.url
    );
    let mut second = Daemon::prepare(&[HOST, &shared, &alerts].concat());
    fs::create_dir(second.path("data")).unwrap();
    fs::write(second.path("data/a"), "of the second").unwrap();
    second.drop_plugin(&plugin("webhook"));
    second.run();
    second.wait_for_plugins(1);
    second.wait_for_first_backup();
    let fell_over = take(&second, "full");
    assert_eq!(fell_over["tier"], "local", "{fell_over}");
    let told = second.wait_for_event("the fall-over", |event| {
        event["kind"] == "backup.fell-over" && event["backup"] == fell_over["id"]
    });
    let message = told["message"].as_str().unwrap();
    assert!(
        message.contains("is not that of job state of this host")
            && message.contains("give each host a place of its own"),
        "{message}"
    );
    let alert = receiver.wait_for("the alert", |one| one.line == "POST /hook");
    assert_eq!(alert.json()["kind"], "backup.fell-over", "{}", alert.json());
    assert_eq!(restored(&second, "restored"), "of the second");

    // The first has what it had, and goes on.
    let known = |daemon: &Daemon| -> Vec<String> {
        let listed = daemon.json(&["backup", "list"]);
        let listed = listed.as_array().unwrap().iter();
        let ids = listed.map(|backup| {
            assert_eq!(backup["status"], "verified", "{backup}");
            backup["id"].as_str().unwrap().to_owned()
        });
        ids.collect()
    };
    let of_second = known(&second);
    assert!(!of_second.contains(&of_first["id"].as_str().unwrap().to_owned()));
    for entry in fs::read_dir(nas.join("state")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_foreign = of_second.iter().any(|id| name.starts_with(id.as_str()));
        assert!(!is_foreign, "{name}");
    }
    assert_eq!(take(&first, "full")["tier"], "nas");
    assert_eq!(restored(&first, "restored"), "one");
    known(&first);
}

#[test]
fn a_bucket_that_connects_and_says_nothing_keeps_nobody_from_being_watched() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let tier = format!(
        "\n[secrets]\nkey = {{ env = \"BUCKET_KEY\" }}\n\n[tier.nas]\nkind = \"s3\"\nurl = \"s3://backups\"\n\
         endpoint = \"http://127.0.0.1:{port}\"\nregion = \"eu-1\"\naccess_key = \"id\"\nsecret_key = \"${{secret:key}}\"\n"
    );
    let job = JOB.replace("\n[tier.nas]\npath = \"nas\"\n", &tier);
    let mut daemon = Daemon::prepare(&[HOST, &job, &sleeper("worker")].concat());
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.set_env("BUCKET_KEY", "k3y");
    daemon.run();
    let status = daemon.wait_for_status("the target to run", |status| {
        status["targets"][0]["pid"].is_u64()
    });
    let why = status["jobs"][0]["waits"].as_str().unwrap();
    assert!(why.contains("tiers"), "{why}");
    daemon.kill_child("worker");
    daemon.wait_for_event_of("process.exited", "worker");
    assert!(daemon.stop(), "nor from stopping: {}", daemon.log());
}

/// Something that is mounted and has nobody who serves it: who asks hangs in the kernel, until it is dropped.
struct Silent {
    at: PathBuf,
    server: Child,
}

impl Silent {
    /// None where this machine does not allow it.
    fn mount(at: &Path) -> Option<Self> {
        let script = "exec 3<>/dev/fuse && \
                      mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 silent \"$0\" && \
                      echo mounted && exec sleep 1000000";
        let mut server = Command::new("sh")
            .args(["-c", script])
            .arg(at)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let output = server.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut said).unwrap();
        if said != "mounted\n" {
            server.wait().unwrap();
            println!("skipped: no FUSE can be mounted here");
            return None;
        }
        let at = at.to_owned();
        Some(Self { at, server })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

const OTHER: &str = r#"
[[job]]
name = "other"
encryption = "none"
source = [{ kind = "directory", path = "other" }]
tiers = { full = ["local"] }
"#;

#[test]
fn a_directory_that_hangs_in_the_kernel_holds_up_no_other_tier_and_is_used_again_when_it_answers() {
    let mut daemon = Daemon::prepare(&[HOST, JOB, OTHER].concat());
    for directory in ["data", "other", "nas"] {
        fs::create_dir(daemon.path(directory)).unwrap();
    }
    fs::write(daemon.path("data/a"), "one").unwrap();
    fs::write(daemon.path("other/b"), "two").unwrap();
    let Some(silent) = Silent::mount(&daemon.path("nas")) else {
        return;
    };
    daemon.run();
    daemon.wait_for_event("the backup that is stored elsewhere", |event| {
        event["kind"] == "backup.verified" && event["job"] == "other"
    });
    let told = daemon.wait_for_event("the fall-over", |event| event["kind"] == "backup.fell-over");
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("does not answer"), "{message}");
    daemon.wait_for_event("the backup that fell over", |event| {
        event["kind"] == "backup.verified" && event["job"] == "state"
    });
    drop(silent);
    wait_for("the tier to take a backup again", || {
        let taken = take(&daemon, "full");
        let is_there = taken["tier"] == "nas";
        is_there.then_some(()).ok_or_else(|| taken.to_string())
    });
}
