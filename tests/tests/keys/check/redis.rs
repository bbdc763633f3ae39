//! Checks of kind `redis`, of real ones out of packages.

use super::{DEAF, case, judge_with};
use crate::keys::target::{HOST, row_of};
use mainstay_tests::{DEADLINE, Daemon, free_port, packages, tls_file, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

const SECRETS: &str =
    "[secrets]\npin = { env = \"PIN_OF_REDIS\" }\nother = { env = \"PIN_OF_ANOTHER\" }\n";
pub(crate) const PIN: &str = "2718281828";
const OTHER_PIN: &str = "3141592653";

/// A Redis in a directory of its own; ends with this.
pub(crate) struct Redis {
    process: Child,
    pub(crate) port: u16,
    pub(crate) directory: TempDir,
}

impl Redis {
    /// One that answers.
    pub(crate) fn start(more: &[&str]) -> Self {
        let redis = Self::begin(tempfile::tempdir().unwrap(), more);
        redis.wait_until("PING", "+PONG");
        redis
    }

    /// In a directory in which there may be data.
    fn begin(directory: TempDir, more: &[&str]) -> Self {
        let port = free_port();
        let process = Command::new(packages().program("redis-server"))
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--repl-diskless-sync-delay", "0", "--dir"])
            .arg(directory.path())
            .arg("--unixsocket")
            .arg(directory.path().join("redis.sock"))
            .args(more)
            .env("LD_LIBRARY_PATH", packages().libraries())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            process,
            port,
            directory,
        }
    }

    /// All that it answers to a command.
    pub(crate) fn ask(&self, command: &str) -> String {
        let asked = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(DEADLINE))?;
            stream.write_all(format!("AUTH {PIN}\r\n{command}\r\nQUIT\r\n").as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        });
        asked.unwrap_or_else(|error| error.to_string())
    }

    pub(crate) fn wait_until(&self, command: &str, wanted: &str) {
        wait_for(wanted, || {
            let answer = self.ask(command);
            answer.contains(wanted).then_some(()).ok_or(answer)
        });
    }

    /// A check of it, without a password.
    fn check(&self, more: &str) -> String {
        format!(
            "kind = \"redis\"\naddress = \"127.0.0.1:{}\"\n{more}",
            self.port
        )
    }

    fn end(mut self) -> TempDir {
        let _ = self.process.kill();
        let _ = self.process.wait();
        std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn daemon() -> Daemon {
    let mut daemon = Daemon::prepare("");
    daemon.set_env("PIN_OF_REDIS", PIN);
    daemon.set_env("PIN_OF_ANOTHER", OTHER_PIN);
    daemon
}

/// Acts: `target.check(redis).ca`
#[test]
fn a_redis_is_known_over_tls_by_the_authority_of_the_check() {
    let speaking = |certificate: &str| {
        let (port, key) = (free_port(), tls_file("server.key"));
        let (file, key) = (
            tls_file(certificate).display().to_string(),
            key.display().to_string(),
        );
        let redis = Redis::start(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &file,
            "--tls-key-file",
            &key,
            "--tls-auth-clients",
            "no",
            "--requirepass",
            PIN,
        ]);
        (redis, port)
    };
    let (_signed, signed) = speaking("server.pem");
    let (_expired, expired) = speaking("expired.pem");
    let mut daemon = daemon();
    fs::copy(tls_file("authority.pem"), daemon.path("ca.pem")).unwrap();
    let check = |port: u16| {
        format!(
            "kind = \"redis\"\naddress = \"localhost:{port}\"\npassword = \"pin\"\nca = \"ca.pem\""
        )
    };
    let cases = [
        case(check(signed), "healthy", ""),
        case(check(expired), "failed", "certificate"),
    ];
    judge_with(&mut daemon, SECRETS, &cases);
}

/// Acts: `target.check(redis)`, `target.check(redis).address`, `target.check(redis).path`,
/// Acts: `target.check(redis).password`, `target.check(redis).user`, `target.check(redis).role`,
/// Acts: `target.check(redis).warn_memory`, `target.check(redis).read_key`, `target.check(redis).write_key`
#[test]
fn a_redis_is_judged_by_its_answers() {
    let redis = Redis::start(&["--requirepass", PIN]);
    redis.wait_until("SET stock 7", "+OK\r\n+OK");
    let tcp = |more: &str| redis.check(&format!("password = \"pin\"\n{more}"));
    let unix = |path: &Path| {
        format!(
            "kind = \"redis\"\npath = \"{}\"\npassword = \"pin\"",
            path.display()
        )
    };
    let socket = redis.directory.path().join("redis.sock");
    let deaf = format!("kind = \"redis\"\naddress = \"{DEAF}\"");
    let cases = [
        case(tcp(""), "healthy", ""),
        case(tcp("user = \"default\""), "healthy", ""),
        case(unix(&socket), "healthy", ""),
        case(unix(&socket.with_extension("none")), "failed", "not exist"),
        case(deaf, "failed", "connection refused"),
        case(tcp("role = \"master\""), "healthy", ""),
        case(
            tcp("role = \"replica\""),
            "failed",
            "it is a master, and has to be a replica",
        ),
        case(tcp("warn_memory = \"1TiB\""), "healthy", ""),
        case(tcp("warn_memory = \"1KiB\""), "degraded", ""),
        case(tcp("read_key = \"stock\""), "healthy", ""),
        case(
            tcp("read_key = \"none\""),
            "failed",
            "the key `none` is not there",
        ),
        case(tcp("write_key = \"probe\""), "healthy", ""),
    ];
    let mut daemon = daemon();
    judge_with(&mut daemon, SECRETS, &cases);
    let written = redis.ask("GET probe");
    assert!(written.contains("mainstay"), "{written}");
    let left = redis.ask("TTL probe");
    assert!(!left.contains(":-1"), "it expires: {left}");
    let told = daemon.json(&["incidents"]).to_string() + &daemon.log();
    assert!(!told.contains(PIN), "{told}");
}

#[test]
fn a_redis_that_refuses_the_check_or_loads_its_data_has_not_failed() {
    let locked = Redis::start(&["--requirepass", PIN]);
    let filled = Redis::start(&[]);
    let fill = "EVAL \"for i=1,20000 do redis.call('set', 'key'..i, i) end\" 0";
    filled.wait_until(fill, "$-1");
    filled.wait_until("SAVE", "+OK\r\n+OK");
    // It takes 20 s to load, and answers meanwhile.
    let slowly = [
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    ];
    let loading = Redis::begin(filled.end(), &slowly);
    loading.wait_until("PING", "-LOADING");
    let cases = [
        ("nameless", locked.check(""), "NOAUTH"),
        ("wrong", locked.check("password = \"other\""), "WRONGPASS"),
        ("loading", loading.check(""), "LOADING"),
    ];
    let targets = cases.each_ref().map(|(name, check, _)| {
        format!(
            "[[target]]\nname = \"{name}\"\n[[target.check]]\nevery = \"1h\"\ntimeout = \"1m\"\nfail_after = 1\n\
             failure = \"seen\"\n{check}\n"
        )
    });
    let mut daemon = daemon();
    let config = format!("{HOST}{SECRETS}{}", targets.concat());
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
    daemon.run();
    for (name, _, words) in &cases {
        daemon.wait_for_status(words, |status| {
            let why = row_of(status, name)["unseen"]["why"].as_str();
            why.is_some_and(|why| why.contains(*words))
        });
    }
    assert_eq!(daemon.json(&["incidents"]), serde_json::json!([]));
    let told = daemon.json(&["status"]).to_string() + &daemon.log();
    assert!(!told.contains(OTHER_PIN), "{told}");
}

/// Acts: `target.check(redis).warn_lag`
#[test]
fn a_replica_is_one_that_takes_no_writes_and_warns_where_it_is_cut_off() {
    let master = Redis::start(&[]);
    let port = master.port.to_string();
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &port]);
    replica.wait_until("INFO", "master_link_status:up");
    master.wait_until("INFO", "state=online");
    let cases = [
        case(replica.check("role = \"replica\""), "healthy", ""),
        case(
            replica.check("role = \"master\""),
            "failed",
            "it is a replica",
        ),
        case(replica.check("write_key = \"probe\""), "failed", "READONLY"),
        case(replica.check("warn_lag = \"1h\""), "healthy", ""),
        case(master.check("warn_lag = \"1h\""), "healthy", ""),
    ];
    judge_with(&mut daemon(), SECRETS, &cases);
    drop(master);
    replica.wait_until("INFO", "master_link_status:down");
    let cases = [
        case(replica.check("warn_lag = \"1h\""), "degraded", ""),
        case(replica.check(""), "healthy", ""),
    ];
    judge_with(&mut daemon(), SECRETS, &cases);
}

/// Acts: `target.check(redis).warn_latency`
#[test]
fn a_redis_that_is_full_or_slow_is_degraded() {
    let full = Redis::begin(tempfile::tempdir().unwrap(), &["--maxclients", "1"]);
    let _held = wait_for("its only place", || {
        let asked = TcpStream::connect(("127.0.0.1", full.port)).and_then(|mut stream| {
            stream.write_all(b"PING\r\n")?;
            let mut answer = [0; 5];
            stream.read_exact(&mut answer)?;
            Ok((stream, answer))
        });
        match asked {
            Ok((stream, answer)) if answer == *b"+PONG" => Ok(stream),
            seen => Err(format!("{seen:?}")),
        }
    });
    judge_with(
        &mut daemon(),
        SECRETS,
        &[case(full.check(""), "degraded", "")],
    );

    let slow = Redis::start(&[]);
    let pid = Pid::from_child(&slow.process);
    kill_process(pid, Signal::STOP).unwrap();
    let config = format!(
        "{HOST}[[target]]\nname = \"t\"\n[[target.check]]\nevery = \"1h\"\ntimeout = \"1m\"\nfailure = \"seen\"\n{}\n\
         [[target]]\nname = \"clock\"\n[[target.check]]\nkind = \"exec\"\nrun = [\"sh\", \"-c\", \"echo >> ticks\"]\n\
         every = \"100ms\"\nfailure = \"seen\"\n",
        slow.check("warn_latency = \"20ms\"")
    );
    let daemon = Daemon::start(&config, &[]);
    // Both checks begin together; when the other one has run so often, this one waits for long enough.
    wait_for("time to pass", || {
        let ticks = fs::read_to_string(daemon.path("ticks")).unwrap_or_default();
        let ticks = ticks.lines().count();
        (ticks >= 10).then_some(()).ok_or_else(|| ticks.to_string())
    });
    let status = daemon.json(&["status"]);
    assert_eq!(row_of(&status, "t")["health"], "unknown", "it waits");
    kill_process(pid, Signal::CONT).unwrap();
    daemon.wait_for_status("it to be judged", |status| {
        row_of(status, "t")["health"] == "degraded"
    });
}
