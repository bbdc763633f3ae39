//! What breaks around a daemon: its disk is full, its journal is lost, its socket gets rubbish. It says so, goes on, and
//! loses nothing that it promised.

use mainstay_tests::{
    Daemon,
    campaign::{Random, fresh_seed},
    in_a_mount_namespace, plugin, wait_for,
};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    process::Command,
    time::Duration,
};

const CONFIG: &str = r#"
[host]
state_dir = "state"
plugin_dir = "plugins"

[[target]]
name = "web"
run = ["sleep", "1000"]

[[target]]
name = "disk"
[[target.check]]
kind = "disk"
path = "state"
max_percent = 90
every = "1h"
failure = "disk-full"

[[route]]
failure = "service-down"
cooldown = "0s"
chain = [{ handler = "restart-service" }]
[plugin.restart-service]
grants = { target = ["restart"] }

[[route]]
failure = "disk-full"
cooldown = "0s"
strategy = { kind = "immediate", max_attempts = 3 }
chain = [{ handler = "disk-cleanup" }]
[plugin.disk-cleanup]
grants = { dir = [{ path = "junk", write = true }] }
settings = { directory = "junk", older_than = "1ms" }

[[job]]
name = "state"
full = "24h"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
"#;

/// A directory with data, where nothing runs yet.
fn prepare(config: &str) -> Daemon {
    let daemon = Daemon::prepare(config);
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/one"), "one").unwrap();
    fs::create_dir(daemon.path("junk")).unwrap();
    daemon
}

fn verified(daemon: &Daemon) -> Vec<Value> {
    let backups = daemon.json(&["backup", "list"]);
    let backups = backups.as_array().unwrap().iter();
    let verified = backups.filter(|backup| backup["status"] == "verified");
    verified.cloned().collect()
}

/// What should free the disk keeps its record on that disk.
#[test]
fn a_full_disk_is_cleaned_up_and_nothing_is_lost() {
    let build = || {
        plugin("restart-service");
        plugin("disk-cleanup");
    };
    if !in_a_mount_namespace("a_full_disk_is_cleaned_up_and_nothing_is_lost", build) {
        return;
    }
    let mut daemon = Daemon::prepare(CONFIG);
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"]);
    assert!(
        mount
            .arg(daemon.directory.path())
            .status()
            .unwrap()
            .success()
    );
    for directory in ["plugins", "data", "junk"] {
        fs::create_dir(daemon.path(directory)).unwrap();
    }
    fs::write(daemon.path("mainstay.toml"), CONFIG).unwrap();
    fs::write(daemon.path("data/one"), "one").unwrap();
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.drop_plugin(&plugin("disk-cleanup"));
    daemon.set_env("RUST_LOG", "info");
    daemon.run();
    daemon.wait_for_plugins(2);
    wait_for("the first backup", || match verified(&daemon).len() {
        0 => Err(daemon.log()),
        _ => Ok(()),
    });
    let before = verified(&daemon);

    // Until nothing more fits, not one byte.
    let mut junk = fs::File::create(daemon.path("junk/full.log")).unwrap();
    while junk.write_all(&[0; 4096]).is_ok() {}
    drop(junk);
    let operation = daemon.recover("disk", "disk-full");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(operation["handler"], "disk-cleanup");
    assert!(!daemon.path("junk/full.log").exists());

    daemon.kill_child("web");
    daemon.wait_for_operation("web", "succeeded");
    daemon.json(&["backup", "create", "state"]);
    daemon.kill();
    daemon.run();
    let after = verified(&daemon);
    assert_eq!(after.len(), before.len() + 1);
    for backup in &after {
        daemon.json(&["backup", "verify", backup["id"].as_str().unwrap()]);
    }
    daemon.kill();
}

/// The journal is an index of what is stored, and what is stored tells for itself.
#[test]
fn a_lost_journal_costs_no_backup() {
    let mut daemon = prepare(CONFIG);
    daemon.run();
    daemon.json(&["backup", "create", "state"]);
    fs::write(daemon.path("data/two"), "two").unwrap();
    let added = daemon.json(&["backup", "create", "state", "--type", "incremental"]);
    let id = added["backups"][0]["id"].as_str().unwrap();
    assert!(id.starts_with("add-"), "incidents are `inc-`: {added}");
    let before = verified(&daemon);
    assert!(before.len() >= 2);
    let origin = &before[0]["origin"];
    let source = origin["sources"][0].as_str().unwrap();
    assert!(source.contains("data"), "{origin}");
    assert!(origin["elapsed_ms"].is_u64() && origin["signed_by"].is_string());
    assert!(daemon.stop());
    for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = fs::remove_file(daemon.path("state").join(file));
    }
    // Not in silence: what says that there was one has to go too.
    daemon.begin();
    wait_for("the refusal", || {
        daemon.has_ended().then_some(()).ok_or_else(|| daemon.log())
    });
    daemon.reap();
    let log = daemon.log();
    assert!(log.contains("journal.db is missing or empty"), "{log}");
    fs::remove_file(daemon.path("state/journal.mark")).unwrap();
    daemon.run();
    let output = daemon.cli(&["backup", "list", "--rebuild", "--json"]);
    let rebuilt: Value = serde_json::from_slice(&output.stdout).unwrap();
    for backup in &before {
        let found = rebuilt
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["id"] == backup["id"]);
        assert_eq!(found, Some(backup));
    }
    let into = daemon.path("restored");
    let newest = before[0]["id"].as_str().unwrap();
    daemon.json(&[
        "backup",
        "restore",
        "state",
        "--id",
        newest,
        "--into",
        into.to_str().unwrap(),
    ]);
    assert_eq!(fs::read_to_string(into.join("two")).unwrap(), "two");
}

/// What the catalog knows is no leftover: its bytes stay, and whoever puts the manifest back has the backup back.
#[test]
fn a_lost_manifest_costs_no_archive_and_is_told_once() {
    let mut daemon = prepare(CONFIG);
    daemon.run();
    let taken = daemon.json(&["backup", "create", "state"]);
    let id = taken["backups"][0]["id"].as_str().unwrap();
    assert!(daemon.stop());
    let place = daemon.path("state/backups/state");
    let manifest = place.join(format!("{id}.json"));
    let archive = place.join(format!("{id}.jsonl.zst"));
    let kept = daemon.path("kept.json");
    fs::rename(&manifest, &kept).unwrap();
    for start in 0..2 {
        daemon.run();
        assert!(archive.exists(), "start {start}");
        let shown = daemon.json(&["backup", "show", id]);
        assert_eq!(shown["status"], "corrupted", "{shown}");
        let events = daemon.events();
        let told = events
            .iter()
            .filter(|event| event["kind"] == "backup.corrupted" && event["backup"] == id);
        assert_eq!(told.count(), 1, "start {start}");
        assert!(daemon.stop());
    }
    fs::rename(&kept, &manifest).unwrap();
    daemon.run();
    daemon.json(&["backup", "verify", id]);
    let shown = daemon.json(&["backup", "show", id]);
    assert_eq!(shown["status"], "verified", "{shown}");
}

/// Whatever comes over the socket: an answer that says what is wrong with it, or the end of that connection.
#[test]
fn rubbish_on_the_socket_disturbs_nobody() {
    let daemon = Daemon::start(CONFIG, &[]);
    let socket = daemon.path("state/mainstay.sock");
    let mut random = Random::new(fresh_seed());
    let long = "a".repeat(200_000);
    let mut requests: Vec<Vec<u8>> = [
        "",
        "\r\n\r\n",
        "GET",
        "GET / HTTP/1.1\r\n\r\n",
        "GET /v1/status HTTP/9.9\r\nhost: a\r\n\r\n",
        "BREW /v1/status HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /v1/recover HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551615\r\n\r\n",
        "POST /v1/recover HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\n{\"a\"",
        "POST /v1/recover HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "GET /v1/operations/../../etc/passwd HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /v1/events?since=-1 HTTP/1.1\r\nhost: a\r\n\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    requests.push(format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n").into_bytes());
    requests.push(format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n").into_bytes());
    let body = format!("{{\"by\": \"{long}\"}}");
    let head = "POST /v1/pause HTTP/1.1\r\nhost: a\r\ncontent-type: application/json";
    requests.push(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes());
    for _ in 0..200 {
        let length = random.below(2_000);
        let bytes = (0..length).map(|_| random.number().to_le_bytes()[0]);
        requests.push(bytes.collect());
    }
    for request in requests {
        let answer = answer_to(&socket, &request);
        let shown = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
        let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(is_refused, "{shown:?} was answered with {answer}");
    }
    let status = daemon.json(&["status"]);
    assert_eq!(status["host"]["paused"], false);
}

fn answer_to(socket: &std::path::Path, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    // It may hang up before all is sent.
    let _ = stream.write_all(request);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
