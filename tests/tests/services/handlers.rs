//! The handlers of the well-known failures, with the services that fail.

use super::{Postgres, redis, wait_for_health};
use mainstay_tests::{
    DEADLINE, Daemon, HOST, actions, free_port, note_recovery, now, packages, plugin, said,
    wait_for,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

/// Warms the Redis on a port from the rows of a PostgreSQL.
fn warm(postgres: &Postgres, port: u16) -> String {
    format!(
        r#"
[command.read-rows]
run = ["{psql}", "-AtX", "-h", "127.0.0.1", "-U", "postgres", "-p", "{rows}", "-c", """SELECT json_build_object('key', key, 'data', data)
    FROM state_warm WHERE last_accessed > now() - interval '{{seconds}} seconds' ORDER BY last_accessed DESC LIMIT {{most}}"""]
placeholders = ["seconds", "most"]
env = {{ LD_LIBRARY_PATH = "{libraries}" }}
idempotent = true

[command.write-rows]
run = ["{cli}", "-p", "{port}", "EVAL", """local there = 0
    for _, row in ipairs(cjson.decode(ARGV[1])) do
        redis.call('SET', row[1], row[2], 'NX')
        there = there + redis.call('EXISTS', row[1])
    end
    return there""", "0", "{{rows}}"]
placeholders = ["rows"]
env = {{ LD_LIBRARY_PATH = "{libraries}" }}
idempotent = true

[[route]]
failure = "redis-down"
strategy = {{ kind = "immediate", max_attempts = 3 }}
chain = [{{ handler = "redis-recovery" }}]

[plugin.redis-recovery]
grants = {{ target = ["check", "restart"], command = ["read-rows", "write-rows"] }}
settings = {{ rows = "read-rows", write = "write-rows" }}
"#,
        psql = packages().program("psql").display(),
        cli = packages().program("redis-cli").display(),
        rows = postgres.port,
        libraries = packages().libraries(),
    )
}

/// What Redis answers to a command, in its protocol.
fn redis_says(port: u16, command: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let asked = format!("{command}\r\nQUIT\r\n");
    stream.write_all(asked.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.trim_end_matches("+OK\r\n").to_owned()
}

#[test]
fn a_redis_that_died_is_warm_again_with_the_rows_that_were_accessed_lately() {
    let mut daemon = Daemon::prepare("");
    let directory = daemon.path("pg");
    let postgres = Postgres::make(&directory);
    let port = free_port();
    let config = [
        HOST,
        &postgres.target(&directory, ""),
        &redis("cache", port),
        &warm(&postgres, port),
    ];
    fs::write(daemon.path("mainstay.toml"), config.concat()).unwrap();
    daemon.drop_plugin(&plugin("redis-recovery"));
    daemon.run();
    daemon.wait_for_plugins(1);
    wait_for_health(&daemon, "pg", "healthy");
    wait_for_health(&daemon, "cache", "healthy");
    let made = postgres.answer(
        "CREATE TABLE state_warm (key text, data text, last_accessed timestamptz); \
         INSERT INTO state_warm VALUES ('price', '{\"btc\": 1}', now()), ('risk', '2', now() - interval '1 minute'), \
         ('torn', '{\"btc', now()), ('old', '3', now() - interval '1 hour')",
    );
    assert_eq!(made, "");
    assert_eq!(redis_says(port, "DBSIZE"), ":0\r\n");

    let caused = now();
    daemon.kill_child("cache");
    let operations = daemon.wait_for_successes("cache", 1);
    let actions = operations[0]["actions"].to_string();
    for action in ["restarted cache", "read 2 rows", "2 keys are there"] {
        assert!(actions.contains(action), "{action}: {actions}");
    }
    assert!(actions.contains("1 left out that are no JSON"), "{actions}");
    assert_eq!(redis_says(port, "DBSIZE"), ":2\r\n");
    assert_eq!(redis_says(port, "GET price"), "$10\r\n{\"btc\": 1}\r\n");
    assert_eq!(redis_says(port, "GET risk"), "$1\r\n2\r\n");
    let kept = "the rows that were accessed lately";
    note_recovery(&operations[0], "redis-down", caused, kept);
}

#[test]
fn a_postgres_that_died_is_restarted_and_nothing_is_restored() {
    let mut daemon = Daemon::prepare("");
    let directory = daemon.path("pg");
    let postgres = Postgres::make(&directory);
    let rest = r#"
[[job]]
name = "state"
encryption = "none"
source = [{ kind = "directory", path = "kept" }]

[[route]]
failure = "postgres-down"
strategy = { kind = "immediate", max_attempts = 3 }
chain = [{ handler = "postgres-recovery" }]

[plugin.postgres-recovery]
grants = { target = ["check", "restart", "start", "status", "stop"], backup = ["state"] }
settings = { job = "state" }
"#;
    let config = [HOST, &postgres.target(&directory, ""), rest];
    fs::write(daemon.path("mainstay.toml"), config.concat()).unwrap();
    fs::create_dir(daemon.path("kept")).unwrap();
    fs::write(daemon.path("kept/it"), "it").unwrap();
    daemon.drop_plugin(&plugin("postgres-recovery"));
    daemon.run();
    daemon.wait_for_plugins(1);
    wait_for_health(&daemon, "pg", "healthy");
    let made = postgres.answer("CREATE TABLE kept (it int); INSERT INTO kept VALUES (7)");
    assert_eq!(made, "");
    daemon.json(&["backup", "create", "state"]);

    let caused = now();
    daemon.kill_child("pg");
    let operations = daemon.wait_for_successes("pg", 1);
    assert_eq!(
        operations[0]["actions"],
        json!(["restarted pg", "saw its checks pass"])
    );
    assert_eq!(postgres.answer("SELECT it FROM kept"), "7");
    let kept = "the row of before";
    note_recovery(&operations[0], "postgres-down", caused, kept);
}

const CHECKPOINTS: &str = r#"
[[job]]
name = "at-rest"
encryption = "none"
source = [{ kind = "directory", path = "pg/data" }]

[[route]]
failure = "postgres-down"
strategy = { kind = "immediate", max_attempts = 3 }
chain = [{ handler = "postgres-recovery", timeout = "10m" }]

[plugin.postgres-recovery]
grants = { target = ["check", "restart", "start", "status", "stop"], backup = ["at-rest"] }
settings = { job = "at-rest", checkpoints = "at-rest", wait = "2s" }
limits = { timeout = "10m" }

[[alert]]
alerter = "log-file"
events = ["operation.succeeded"]

[plugin.log-file]
grants = { dir = [{ path = "alerts", write = true }] }
settings = { path = "alerts/all.jsonl" }
"#;

/// Runs a command that has to succeed.
fn must(daemon: &Daemon, arguments: &[&str]) {
    let output = daemon.cli(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
}

#[test]
fn a_postgres_that_no_restart_helps_goes_back_to_its_checkpoint_and_the_loss_is_told() {
    let mut daemon = Daemon::prepare("");
    let directory = daemon.path("pg");
    let postgres = Postgres::make(&directory);
    let config = [HOST, &postgres.target(&directory, ""), CHECKPOINTS];
    fs::write(daemon.path("mainstay.toml"), config.concat()).unwrap();
    fs::create_dir(daemon.path("alerts")).unwrap();
    for name in ["log-file", "postgres-recovery"] {
        daemon.drop_plugin(&plugin(name));
    }
    daemon.run();
    daemon.wait_for_plugins(2);
    wait_for_health(&daemon, "pg", "healthy");
    let made = postgres.answer("CREATE TABLE kept (it int); INSERT INTO kept VALUES (7)");
    assert_eq!(made, "");
    must(&daemon, &["stop", "pg", "--wait"]);
    let report = daemon.json(&["backup", "create", "at-rest", "--type", "full"]);
    let checkpoint = report["backups"][0]["id"].as_str().unwrap();
    must(&daemon, &["start", "pg", "--wait"]);
    wait_for_health(&daemon, "pg", "healthy");
    assert_eq!(postgres.answer("INSERT INTO kept VALUES (8)"), "");

    // Without its control file it does not start, however often.
    must(&daemon, &["pause", "pg"]);
    let before = daemon.pids()["pg"];
    daemon.kill_child("pg");
    daemon.wait_for_status("it to be dead", |status| {
        let targets = status["targets"].as_array().unwrap();
        targets.iter().all(|target| target["pid"] != before)
    });
    let control = directory.join("data/global/pg_control");
    let length = fs::read(&control).unwrap().len();
    fs::write(&control, vec![0; length]).unwrap();
    must(&daemon, &["resume", "pg"]);

    let operation = &daemon.wait_for_successes("pg", 1)[0];
    assert_eq!(operation["failure"], "postgres-down", "{operation}");
    let loss = format!("s of changes, those since {checkpoint} of ");
    let restored = format!("restored checkpoint {checkpoint}: ");
    for part in [
        restored.as_str(),
        "started pg",
        "data loss: up to ",
        loss.as_str(),
    ] {
        assert!(actions(operation).contains(part), "{part}: {operation}");
    }
    let retried = daemon.events_of("operation.retrying");
    assert_eq!(retried.len(), 1, "one attempt restarted it: {retried:?}");
    wait_for_health(&daemon, "pg", "healthy");
    assert_eq!(postgres.answer("SELECT it FROM kept"), "7");

    let file = daemon.path("alerts/all.jsonl");
    let told = wait_for("the alert", || {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let mut lines = text.lines();
        let told = lines.find_map(|line| serde_json::from_str::<Value>(line).ok());
        told.ok_or(text)
    });
    assert_eq!(told["target"], "pg", "{told}");
    let body = told["body"].as_str().unwrap();
    assert!(body.contains("data loss: up to "), "{body}");
    assert!(body.contains(&loss), "{body}");
}
