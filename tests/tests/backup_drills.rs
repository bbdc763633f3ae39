//! `drill` of a backup job, through the whole program: what was restored is served by a real program, and looked at.

use mainstay_tests::{DEADLINE, Daemon, HOST, free_port, lives, packages, wait_for};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

/// A Redis whose data are backed up, and whose drill serves them with another one.
fn redis() -> (Daemon, u16) {
    let port = free_port();
    let server = packages().program("redis-server");
    let libraries = packages().libraries();
    let config = format!(
        r#"{HOST}
[[target]]
name = "redis"
run = ["{server}", "--port", "{port}", "--dir", "data", "--save", "", "--appendonly", "no"]
env = {{ LD_LIBRARY_PATH = "{libraries}" }}
rto = "4m"
[[target.check]]
kind = "redis"
address = "127.0.0.1:{port}"
read_key = "orders"
failure = "redis-down"

[[job]]
name = "state"
encryption = "none"
source = [{{ kind = "directory", path = "data" }}]
drill = {{ every = "never", scratch = "scratch", start = "serve", target = "redis" }}

[command.serve]
run = ["{server}", "--dir", "{{scratch}}", "--port", "{{port}}", "--save", ""]
placeholders = ["scratch", "port"]
env = {{ LD_LIBRARY_PATH = "{libraries}" }}
timeout = "60s"
"#,
        server = server.display(),
    );
    let mut daemon = Daemon::prepare(&config);
    for directory in ["data", "scratch"] {
        fs::create_dir(daemon.path(directory)).unwrap();
    }
    daemon.run();
    (daemon, port)
}

/// What it answers, its first line.
fn ask(port: u16, command: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
        .write_all(format!("{command}\r\nQUIT\r\n").as_bytes())
        .map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .map_err(|error| error.to_string())?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

fn is_empty(daemon: &Daemon, directory: &str) -> bool {
    fs::read_dir(daemon.path(directory)).unwrap().count() == 0
}

fn told(output: &std::process::Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Acts: `job.drill.every`, `job.drill.scratch`, `job.drill.start`, `job.drill.target`
#[test]
fn a_redis_on_what_was_restored_is_timed_beside_its_rto_and_one_on_garbage_fails_the_drill() {
    let (daemon, port) = redis();
    wait_for("the Redis to take a key", || {
        match ask(port, "SET orders 7")?.as_str() {
            "+OK" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    assert_eq!(ask(port, "SAVE").unwrap(), "+OK");
    daemon.json(&["backup", "create", "state"]);
    let report = daemon.json(&["backup", "drill", "state"]);
    let drilled = &report["backups"][0]["drilled"];
    assert_eq!(
        (&drilled["target"], &drilled["rto_ms"]),
        (&"redis".into(), &240_000.into())
    );
    let milliseconds = |key: &str| drilled[key].as_u64().unwrap();
    assert_eq!(
        milliseconds("total_ms"),
        milliseconds("restore_ms") + milliseconds("healthy_ms")
    );
    let note = report["notes"][0].as_str().unwrap();
    assert!(note.ends_with("where the rto of redis is 240s"), "{note}");
    let listed = daemon.json(&["backup", "list", "--job", "state"]);
    assert_eq!(&listed[0]["drilled"], drilled);
    let metrics = daemon.metrics();
    assert!(
        metrics.contains("backup_drill_healthy_seconds{backup_job=\"state\"}"),
        "{metrics}"
    );
    assert!(is_empty(&daemon, "scratch"), "what was restored is removed");

    fs::write(daemon.path("data/dump.rdb"), "no dump of any Redis").unwrap();
    daemon.json(&["backup", "create", "state"]);
    let told = told(&daemon.cli(&["backup", "drill", "state"]));
    assert!(
        told.contains("ended with exit code 1") && told.contains("it printed at last"),
        "{told}"
    );
    let listed = daemon.json(&["backup", "list", "--job", "state"]);
    assert_eq!(listed[0]["status"], "verified", "its bytes are right");
    assert!(listed[0]["drilled"]["error"].is_string(), "{listed}");
    let failed = daemon.events_of("drill.failed");
    assert_eq!(failed[0]["severity"], "critical");
    assert!(is_empty(&daemon, "scratch"));
}

/// A job whose drill never comes to its end: nobody says that what it serves is right.
fn endless() -> Daemon {
    let config = format!(
        r#"{HOST}
[[job]]
name = "state"
encryption = "none"
source = [{{ kind = "directory", path = "data" }}]
drill = {{ every = "never", scratch = "scratch", start = "serve", check = "right" }}

[command.serve]
run = ["/bin/sh", "-c", "echo $$ > pid.new; mv pid.new pid; sleep 1000 & wait", "sh", "{{scratch}}"]
placeholders = ["scratch"]
timeout = "1000s"

[command.right]
run = ["/bin/false"]
"#
    );
    let mut daemon = Daemon::prepare(&config);
    for directory in ["data", "scratch"] {
        fs::create_dir(daemon.path(directory)).unwrap();
    }
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.run();
    daemon.json(&["backup", "create", "state"]);
    daemon
}

fn begin_drill(daemon: &Daemon) -> (Child, u32) {
    let client = Command::new(mainstay_tests::program())
        .args(["backup", "drill", "state", "--config"])
        .arg(daemon.path("mainstay.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pid = 0;
    wait_for("what the drill starts", || {
        let text = fs::read_to_string(daemon.path("pid")).map_err(|error| error.to_string())?;
        pid = text.trim().parse().map_err(|_| text.clone())?;
        Ok(())
    });
    (client, pid)
}

fn ends(pid: u32) {
    wait_for("what the drill started to end", || match lives(pid) {
        true => Err(format!("{pid} lives")),
        false => Ok(()),
    });
}

/// Acts: `job.drill.check`
#[test]
fn a_drill_that_is_cancelled_ends_what_it_started_and_removes_what_it_wrote() {
    let daemon = endless();
    let (mut client, pid) = begin_drill(&daemon);
    assert!(lives(pid) && !is_empty(&daemon, "scratch"));
    daemon.json(&["backup", "cancel", "state"]);
    assert_eq!(client.wait().unwrap().code(), Some(1));
    ends(pid);
    assert!(is_empty(&daemon, "scratch"));
    let failed: Vec<Value> = daemon.events_of("drill.failed");
    let message = failed[0]["message"].as_str().unwrap();
    assert!(message.contains("was cancelled"), "{message}");
    assert_eq!(failed[0]["severity"], "low");
}

#[test]
fn what_a_killed_daemon_left_of_a_drill_is_ended_and_removed_by_the_next_and_nothing_of_others() {
    let mut daemon = endless();
    let (mut client, pid) = begin_drill(&daemon);
    daemon.kill();
    client.wait().unwrap();
    assert!(lives(pid), "it is of no use otherwise");
    let others = daemon.path("scratch/mainstay-drill-other");
    fs::create_dir(&others).unwrap();
    daemon.run();
    ends(pid);
    wait_for("what was restored to go", || {
        let names: Vec<_> = fs::read_dir(daemon.path("scratch"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        match names.len() {
            1 => Ok(()),
            _ => Err(format!("{names:?}")),
        }
    });
    assert!(others.exists(), "it is no drill's of this daemon");
}
