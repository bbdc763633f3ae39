//! Real services out of packages, broken as services are: Redis, nginx and PostgreSQL.

mod handlers;

use mainstay_tests::{
    DEADLINE, Daemon, HOST, Stranger, free_port, lives, packages, parent, plugin, wait_for,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

/// Everything is restarted, at once, three times.
const RESTART: &str = r#"
[[route]]
strategy = { kind = "immediate", max_attempts = 3 }
chain = [{ handler = "restart-service" }]

[plugin.restart-service]
grants = { target = ["status", "restart", "stop", "start"] }
"#;

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn health(daemon: &Daemon, target: &str) -> Value {
    let status = daemon.json(&["status"]);
    let mut targets = status["targets"].as_array().unwrap().iter();
    targets.find(|row| row["name"] == target).unwrap()["health"].clone()
}

fn wait_for_health(daemon: &Daemon, target: &str, wanted: &str) {
    wait_for(&format!("{target} to be {wanted}"), || {
        match health(daemon, target) {
            seen if seen == wanted => Ok(()),
            seen => Err(format!("{seen}; {}", daemon.json(&["history"]))),
        }
    });
}

fn redis(name: &str, port: u16) -> String {
    format!(
        r#"
[[target]]
name = "{name}"
run = ["{server}", "--port", "{port}", "--save", "", "--appendonly", "no"]
env = {{ LD_LIBRARY_PATH = "{libraries}" }}
start_period = "3s"
validation_timeout = "5s"
[[target.check]]
kind = "tcp"
address = "127.0.0.1:{port}"
every = "200ms"
fail_after = 2
recover_after = 2
failure = "redis-down"
"#,
        server = packages().program("redis-server").display(),
        libraries = packages().libraries(),
    )
}

fn redis_answers(port: u16) -> bool {
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer)?;
        Ok(answer == *b"+PONG\r\n")
    });
    asked.unwrap_or(false)
}

#[test]
fn a_redis_whose_port_a_stranger_took_is_never_said_to_be_recovered_and_is_when_it_left() {
    let port = free_port();
    let daemon = Daemon::start(
        &[HOST, &redis("redis", port), RESTART].concat(),
        &[&plugin("restart-service")],
    );
    daemon.wait_for_plugins(1);
    wait_for_health(&daemon, "redis", "healthy");
    assert!(redis_answers(port));

    assert!(daemon.cli(&["pause", "redis"]).status.success());
    daemon.kill_child("redis");
    let stranger = Stranger::take(port);
    assert!(daemon.cli(&["resume", "redis"]).status.success());
    daemon.wait_for_event("the escalation", |event| {
        event["kind"] == "operation.escalated"
    });
    let succeeded = daemon.events_of("operation.succeeded");
    assert!(succeeded.is_empty(), "{succeeded:?}");
    assert_ne!(health(&daemon, "redis"), "healthy");

    drop(stranger);
    let operation = daemon.recover("redis", "redis-down");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert!(redis_answers(port));
}

/// No restart helps where what it starts from is torn. What mends that does not wait for the last of them.
#[test]
fn a_redis_whose_dump_is_torn_is_mended_between_the_restarts_that_cannot_help() {
    let port = free_port();
    let mut daemon = Daemon::prepare("");
    let directory = daemon.path("rdb");
    fs::create_dir(&directory).unwrap();
    let with_directory = format!("\"--dir\", \"{}\", \"--appendonly\"", directory.display());
    let target = redis("redis", port).replace("\"--appendonly\"", &with_directory);
    let rest = r#"
[[target.check]]
kind = "file"
path = "verdict"
contains = "sound"
every = "500ms"
fail_after = 1
recover_after = 1
failure = "data-corruption"

[command.put-aside]
run = ["sh", "-c", "mv rdb/dump.rdb rdb/torn.rdb && echo sound > verdict"]

[[route]]
failure = "redis-down"
strategy = { kind = "linear", max_attempts = 10, initial_delay = "3s", max_delay = "3s" }
chain = [{ handler = "restart-service" }]

[[route]]
failure = "data-corruption"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "run-command", params = { steps = [{ command = "put-aside" }] } }]

[plugin.restart-service]
grants = { target = ["status", "restart", "stop", "start"] }

[plugin.run-command]
grants = { command = ["put-aside"] }
"#;
    fs::write(daemon.path("mainstay.toml"), [HOST, &target, rest].concat()).unwrap();
    fs::write(daemon.path("verdict"), "sound").unwrap();
    for handler in ["restart-service", "run-command"] {
        daemon.drop_plugin(&plugin(handler));
    }
    daemon.run();
    daemon.wait_for_plugins(2);
    wait_for_health(&daemon, "redis", "healthy");

    fs::write(directory.join("dump.rdb"), "torn").unwrap();
    daemon.kill_child("redis");
    daemon.wait_for_event("a restart that does not help", |event| {
        event["kind"] == "operation.retrying" && event["data"]["failure"] == "redis-down"
    });
    fs::write(daemon.path("verdict"), "torn").unwrap();
    daemon.wait_for_event("it to be back", |event| {
        event["kind"] == "operation.succeeded" && event["data"]["failure"] == "redis-down"
    });
    assert!(redis_answers(port));
    assert!(directory.join("torn.rdb").exists());
}

/// A configuration of nginx in a directory: each worker answers with its own number.
fn nginx_config(directory: &Path, port: u16, daemon: &str) {
    fs::create_dir_all(directory.join("temp")).unwrap();
    let text = format!(
        "daemon {daemon};\nuser root root;\nworker_processes 1;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\n\
         http {{\n  access_log off;\n  client_body_temp_path temp/body;\n  proxy_temp_path temp/proxy;\n  \
         fastcgi_temp_path temp/fastcgi;\n  uwsgi_temp_path temp/uwsgi;\n  scgi_temp_path temp/scgi;\n  \
         server {{ listen 127.0.0.1:{port}; location / {{ return 200 \"$pid\"; }} }}\n}}\n"
    );
    fs::write(directory.join("nginx.conf"), text).unwrap();
}

fn nginx(directory: &Path, more: &[&str]) -> String {
    let mut run = vec![
        packages().program("nginx").display().to_string(),
        "-p".to_owned(),
        format!("{}/", directory.display()),
        "-e".to_owned(),
        "error.log".to_owned(),
        "-c".to_owned(),
        "nginx.conf".to_owned(),
    ];
    run.extend(more.iter().map(|&part| part.to_owned()));
    let parts: Vec<String> = run.iter().map(|part| format!("\"{part}\"")).collect();
    format!("[{}]", parts.join(", "))
}

fn http_check(port: u16) -> String {
    format!(
        r#"
[[target.check]]
kind = "http"
url = "http://127.0.0.1:{port}/"
every = "200ms"
timeout = "200ms"
fail_after = 2
recover_after = 2
failure = "service-down"
"#
    )
}

/// The worker that answers.
fn worker(port: u16) -> Option<u32> {
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    asked.ok()?.rsplit("\r\n\r\n").next()?.parse().ok()
}

/// A kill as of a machine that lost its power, but for the worker, which holds the port and answers every check.
#[test]
fn an_orphaned_worker_of_nginx_ends_before_the_next_daemon_starts_a_master() {
    let port = free_port();
    let mut daemon = Daemon::prepare("");
    let directory = daemon.path("web");
    nginx_config(&directory, port, "off");
    let target = format!(
        "\n[[target]]\nname = \"web\"\nrun = {}\n",
        nginx(&directory, &[])
    );
    let config = [HOST, &target, &http_check(port), RESTART].concat();
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.run();
    wait_for_health(&daemon, "web", "healthy");
    let master = daemon.pids()["web"];
    let orphan = worker(port).unwrap();
    assert_eq!(parent(orphan), Some(master));

    daemon.kill();
    signal(master, Signal::KILL);
    wait_for("the master's end", || match lives(master) {
        true => Err("it lives".to_owned()),
        false => Ok(()),
    });
    assert_eq!(worker(port), Some(orphan), "the orphan answers");
    daemon.run();
    let answers = wait_for("a worker of the new master", || {
        let (pids, answers) = (daemon.pids(), worker(port));
        match (pids.get("web"), answers) {
            (Some(&master), Some(answers)) if parent(answers) == Some(master) => Ok(answers),
            seen => Err(format!("{seen:?}")),
        }
    });
    assert_ne!(answers, orphan);
    assert!(!lives(orphan), "the orphan is gone");
    wait_for_health(&daemon, "web", "healthy");
}

/// A foreign nginx, started by its own command, which puts itself into the background.
fn foreign_nginx(more: &str) -> (Daemon, u16) {
    let port = free_port();
    let mut daemon = Daemon::prepare("");
    let directory = daemon.path("web");
    nginx_config(&directory, port, "on");
    let mut config = format!(
        "{HOST}\n[[target]]\nname = \"web\"\ncommands.start = {}\ncommands.stop = {}\nvalidation_timeout = \"5s\"\n{more}",
        nginx(&directory, &[]),
        nginx(&directory, &["-s", "stop"]),
    );
    config.push_str(&http_check(port));
    config.push_str(RESTART);
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.run();
    // It was never started: the first recovery does, which begins by itself.
    daemon.wait_for_operation("web", "succeeded");
    (daemon, port)
}

#[test]
fn a_foreign_nginx_that_is_down_is_started_though_its_stop_fails() {
    let (daemon, port) = foreign_nginx("");
    let worker_before = worker(port).unwrap();
    let master = parent(worker_before).unwrap();
    signal(master, Signal::KILL);
    signal(worker_before, Signal::KILL);
    let count = daemon.events_of("operation.succeeded").len();
    wait_for("another worker", || match worker(port) {
        Some(now) if now != worker_before => Ok(()),
        seen => Err(format!("{seen:?}; {}", daemon.json(&["history"]))),
    });
    daemon.wait_for_event("the recovery", |_| {
        daemon.events_of("operation.succeeded").len() > count
    });
}

/// Its stop command only asks, and says that all is well, while neither its master nor its worker does anything.
#[test]
fn a_foreign_nginx_that_hangs_has_ended_before_the_next_one_is_started() {
    let (daemon, port) = foreign_nginx("pid_file = \"web/nginx.pid\"\n");
    let hung = worker(port).unwrap();
    let master = parent(hung).unwrap();
    let count = daemon.events_of("operation.succeeded").len();
    for pid in [master, hung] {
        signal(pid, Signal::STOP);
    }
    daemon.wait_for_event("the recovery", |_| {
        daemon.events_of("operation.succeeded").len() > count
    });
    assert!(!lives(master) && !lives(hung));
    let next = worker(port).unwrap();
    assert_ne!(parent(next), Some(master));
}

/// A PostgreSQL in a directory of its own, of a user who may run one.
struct Postgres {
    port: u16,
    user: Option<&'static str>,
}

impl Postgres {
    fn make(directory: &Path) -> Self {
        let is_root = rustix::process::geteuid().is_root();
        let user = is_root.then_some("nobody");
        fs::create_dir_all(directory).unwrap();
        let postgres = Self {
            port: free_port(),
            user,
        };
        let mut initdb = postgres.command("initdb");
        initdb.args([
            "--no-sync",
            "--auth",
            "trust",
            "--username",
            "postgres",
            "-D",
        ]);
        initdb.arg(directory.join("data"));
        if let Some(user) = user {
            let owner = Command::new("chown").arg(user).arg(directory).status();
            assert!(owner.unwrap().success());
            // Whoever runs it has to come so far.
            let above = directory.parent().unwrap();
            let open = Command::new("chmod").arg("a+x").arg(above).status();
            assert!(open.unwrap().success());
        }
        let output = initdb.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        postgres
    }

    /// A program of PostgreSQL, as who runs the server.
    fn command(&self, name: &str) -> Command {
        let program = packages().program(name);
        let mut command = match self.user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid", user, "--clear-groups", "--"])
                    .arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .env("LD_LIBRARY_PATH", packages().libraries())
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }

    fn target(&self, directory: &Path, more: &str) -> String {
        let user = self
            .user
            .map_or(String::new(), |user| format!("user = \"{user}\"\n"));
        format!(
            r#"
[[target]]
name = "pg"
run = ["{server}", "-D", "{directory}/data", "-p", "{port}", "-k", "{directory}", "-h", "127.0.0.1"]
cwd = "/"
env = {{ LD_LIBRARY_PATH = "{libraries}" }}
{user}{more}
[[target.check]]
kind = "exec"
run = ["{ready}", "-h", "127.0.0.1", "-p", "{port}"]
every = "500ms"
timeout = "400ms"
recover_after = 2
failure = "postgres-down"
"#,
            server = packages().program("postgres").display(),
            ready = packages().program("pg_isready").display(),
            directory = directory.display(),
            port = self.port,
            libraries = packages().libraries(),
        )
    }

    /// Asks it something, without waiting for the answer.
    fn ask(&self, sql: &str) -> Child {
        let mut psql = self.command("psql");
        psql.args([
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-p",
            &self.port.to_string(),
        ]);
        psql.args(["-Atqc", sql]);
        psql.stdout(Stdio::piped()).stderr(Stdio::piped());
        psql.spawn().unwrap()
    }

    fn answer(&self, sql: &str) -> String {
        let output = self.ask(sql).wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8(text).unwrap().trim().to_owned()
    }
}

/// SIGTERM waits for the clients of PostgreSQL until it is killed, and then it has to recover from a crash.
#[test]
fn a_postgres_with_a_stop_signal_of_its_own_is_restarted_under_its_clients_without_a_crash() {
    let mut daemon = Daemon::prepare("");
    let directory = daemon.path("pg");
    let postgres = Postgres::make(&directory);
    let config = [
        HOST,
        &postgres.target(&directory, "stop_signal = \"SIGINT\"\ngrace = \"50s\""),
        RESTART,
    ];
    fs::write(daemon.path("mainstay.toml"), config.concat()).unwrap();
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.run();
    wait_for_health(&daemon, "pg", "healthy");
    let mut client = postgres.ask("SELECT pg_sleep(1000)");
    let active = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1000)%' AND pid <> pg_backend_pid()";
    wait_for("the client", || match postgres.answer(active).as_str() {
        "1" => Ok(()),
        seen => Err(seen.to_owned()),
    });
    let before = daemon.pids()["pg"];
    let operation = daemon.recover("pg", "postgres-down");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_ne!(daemon.pids()["pg"], before);
    let log = fs::read_to_string(daemon.path("state/logs/pg.log")).unwrap();
    assert!(log.contains("database system was shut down at"), "{log}");
    assert!(!log.contains("was not properly shut down"), "{log}");
    let _ = client.kill();
    let _ = client.wait();
}

/// SIGTERM waits for the client until the grace is over. What is killed then has gone, backends and all, before the next one is
/// started, which else finds memory that is in use, and ends.
#[test]
fn an_adopted_postgres_that_is_killed_at_its_grace_has_gone_before_the_next_one_starts() {
    let mut daemon = Daemon::prepare("");
    let directory = daemon.path("pg");
    let postgres = Postgres::make(&directory);
    let target = postgres.target(&directory, "grace = \"1s\"");
    fs::write(
        daemon.path("mainstay.toml"),
        [HOST, &target, RESTART].concat(),
    )
    .unwrap();
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.run();
    wait_for_health(&daemon, "pg", "healthy");
    let mut client = postgres.ask("SELECT pg_sleep(1000)");
    let serving = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1000)%' AND pid <> pg_backend_pid()";
    let backend: u32 = wait_for("the client", || {
        let answer = postgres.answer(serving);
        answer.parse().map_err(|_| answer)
    });
    let before = daemon.pids()["pg"];

    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_event_of("process.adopted", "pg");
    assert_eq!(daemon.pids()["pg"], before);
    let operation = daemon.recover("pg", "postgres-down");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(operation["attempts"], 1, "{operation}");
    assert_ne!(daemon.pids()["pg"], before);
    assert!(!lives(before) && !lives(backend));
    let log = fs::read_to_string(daemon.path("state/logs/pg.log")).unwrap();
    assert!(log.contains("was not properly shut down"), "{log}");
    for words in ["lock file", "pre-existing shared memory", "could not bind"] {
        assert!(!log.contains(words), "{words}: {log}");
    }
    let _ = client.kill();
    let _ = client.wait();
}

/// What `pg_dump` prints is a document, and the way back is by hand, as docs/state.md says of what a command printed.
#[test]
fn what_a_job_has_dumped_of_a_postgres_is_put_back_into_it() {
    let mut daemon = Daemon::prepare("");
    let directory = daemon.path("pg");
    let postgres = Postgres::make(&directory);
    let port = postgres.port.to_string();
    let job = format!(
        r#"
[[job]]
name = "dump"
after = ["pg"]
encryption = "none"
source = [{{ kind = "command", key = "all.sql", run = ["{dump}", "-h", "127.0.0.1", "-U", "postgres", "-p", "{port}"] }}]
"#,
        dump = packages().program("pg_dump").display(),
    );
    let config = [HOST, &postgres.target(&directory, ""), &job].concat();
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
    daemon.run();
    wait_for_health(&daemon, "pg", "healthy");
    postgres.answer("CREATE TABLE orders (id int, what text)");
    postgres.answer("INSERT INTO orders SELECT n, 'order ' || n FROM generate_series(1, 1000) n");
    let sum = "SELECT count(*) || ' ' || sum(length(what)) FROM orders";
    let before = postgres.answer(sum);
    assert!(before.starts_with("1000 "), "{before}");
    let taken = daemon.json(&["backup", "create", "dump"]);
    let taken = taken["backups"][0]["id"].as_str().unwrap();
    postgres.answer("DROP TABLE orders");
    let into = daemon.path("restored");
    daemon.json(&[
        "backup",
        "restore",
        "dump",
        "--into",
        into.to_str().unwrap(),
        // The job's own first backup may be newer.
        "--id",
        taken,
    ]);
    let dumped = fs::read_to_string(into.join("all.sql")).unwrap();
    assert!(dumped.contains("order 1000"), "{dumped}");
    let mut psql = postgres.command("psql");
    psql.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port]);
    psql.args(["-v", "ON_ERROR_STOP=1", "-q"]);
    psql.stdin(fs::File::open(into.join("all.sql")).unwrap());
    let loaded = psql.output().unwrap();
    let error = String::from_utf8_lossy(&loaded.stderr);
    assert!(loaded.status.success(), "{error}");
    assert_eq!(postgres.answer(sum), before);
}

/// What a command printed cannot be put back: the handler learns it while the server still runs.
#[test]
fn a_restore_that_cannot_be_leaves_the_server_running() {
    let mut daemon = Daemon::prepare("");
    let directory = daemon.path("pg");
    let postgres = Postgres::make(&directory);
    let more = format!(
        r#"
[[target.check]]
kind = "file"
path = "verdict"
contains = "sound"
every = "500ms"
fail_after = 1
recover_after = 1
failure = "data-corruption"

[[job]]
name = "dump"
encryption = "none"
source = [{{ kind = "command", key = "all.sql", run = ["{dump}", "-h", "127.0.0.1", "-U", "postgres", "-p", "{port}"] }}]

[[route]]
failure = "data-corruption"
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [{{ handler = "corruption-restore" }}]

[plugin.corruption-restore]
grants = {{ target = ["status", "start", "stop"], backup = ["dump"] }}
settings = {{ job = "dump" }}
"#,
        dump = packages().program("pg_dump").display(),
        port = postgres.port,
    );
    let config = [HOST, &postgres.target(&directory, ""), &more].concat();
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
    fs::write(daemon.path("verdict"), "sound").unwrap();
    daemon.drop_plugin(&plugin("corruption-restore"));
    daemon.run();
    daemon.wait_for_plugins(1);
    wait_for_health(&daemon, "pg", "healthy");
    daemon.json(&["backup", "create", "dump"]);
    let before = daemon.pids()["pg"];
    fs::write(daemon.path("verdict"), "torn").unwrap();
    daemon.wait_for_event("the escalation", |event| {
        event["kind"] == "operation.escalated"
    });
    let history = daemon.json(&["history", "--target", "pg"]);
    assert_eq!(daemon.pids()["pg"], before, "{history}");
    assert_eq!(postgres.answer("SELECT 1"), "1");
}
