//! Checks of kind `postgres`, of real ones out of packages.

use super::{DEAF, case, judge_with};
use crate::keys::target::{HOST, row_of};
use mainstay_tests::{Daemon, free_port, packages, tls_file, wait_for};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::fs::{PermissionsExt, chown},
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

const SECRETS: &str =
    "[secrets]\npin = { env = \"PIN_OF_THE_DATABASE\" }\nother = { env = \"PIN_OF_ANOTHER\" }\n";
const PIN: &str = "2718281828";
const OTHER_PIN: &str = "3141592653";

/// Each user is asked in another way.
const WAYS: &str = "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all proven 127.0.0.1/32 scram-sha-256\n\
                    host all hashed 127.0.0.1/32 md5\nhost all plain 127.0.0.1/32 password\n";
/// Each in a session of its own.
const USERS: [&str; 4] = [
    "SET password_encryption = 'md5'; CREATE ROLE hashed LOGIN PASSWORD '2718281828'",
    "CREATE ROLE proven LOGIN PASSWORD '2718281828'",
    "CREATE ROLE plain LOGIN PASSWORD '2718281828'",
    "CREATE DATABASE shop",
];

/// The data of a PostgreSQL, of a user who may run one.
struct Data {
    directory: TempDir,
    user: Option<&'static str>,
}

impl Data {
    fn make() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let user = geteuid().is_root().then_some("nobody");
        if user.is_some() {
            chown(directory.path(), Some(65_534), None).unwrap();
        }
        let data = Self { directory, user };
        let mut initdb = data.command("initdb");
        initdb.args([
            "--no-sync",
            "--auth",
            "trust",
            "--username",
            "postgres",
            "-D",
        ]);
        let output = initdb.arg(data.path("data")).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        fs::write(data.path("data/pg_hba.conf"), WAYS).unwrap();
        data
    }

    fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
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
}

/// A server; ends with this.
struct Postgres {
    process: Child,
    port: u16,
    data: Data,
}

impl Postgres {
    fn begin(data: Data, more: &[&str]) -> Self {
        let port = free_port();
        let mut server = data.command("postgres");
        server.arg("-D").arg(data.path("data"));
        server.arg("-k").arg(data.directory.path());
        server.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        let server = server.args(more).stderr(Stdio::null()).spawn();
        Self {
            process: server.unwrap(),
            port,
            data,
        }
    }

    fn answer(&self, sql: &str) -> String {
        let port = self.port.to_string();
        let mut psql = self.data.command("psql");
        psql.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port]);
        let output = psql.args(["-Atqc", sql]).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8(text).unwrap().trim().to_owned()
    }

    /// A client that has logged in and asks nothing.
    fn client(&self) -> Result<TcpStream, String> {
        let words = |error: io::Error| error.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(words)?;
        let start = b"\0\0\0\x17\0\x03\0\0user\0postgres\0\0";
        stream.write_all(start).map_err(words)?;
        let mut received = Vec::new();
        let mut buffer = [0; 4096];
        while !received.ends_with(b"Z\0\0\0\x05I") {
            match stream.read(&mut buffer).map_err(words)? {
                0 => return Err(String::from_utf8_lossy(&received).into_owned()),
                count => received.extend_from_slice(&buffer[..count]),
            }
        }
        Ok(stream)
    }

    /// A refusal names the address and the port, so what is waited for is none of their digits.
    fn wait_until_it_answers(&self) {
        self.wait_until("SELECT 'it' || 'answers'", "itanswers");
    }

    fn wait_until(&self, sql: &str, wanted: &str) {
        wait_for(wanted, || {
            let answer = self.answer(sql);
            answer.contains(wanted).then_some(()).ok_or(answer)
        });
    }

    fn check(&self, user: &str, more: &str) -> String {
        let port = self.port;
        format!("kind = \"postgres\"\naddress = \"127.0.0.1:{port}\"\nuser = \"{user}\"\n{more}")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.process), Signal::QUIT);
        let _ = self.process.wait();
    }
}

fn daemon() -> Daemon {
    let mut daemon = Daemon::prepare("");
    daemon.set_env("PIN_OF_THE_DATABASE", PIN);
    daemon.set_env("PIN_OF_ANOTHER", OTHER_PIN);
    daemon
}

/// Each check is one that cannot look, and says why in these words.
fn all_are_unseen(checks: &[(String, &str)]) {
    let target = |(number, (check, _)): (usize, &(String, &str))| {
        format!(
            "[[target]]\nname = \"t{number}\"\n[[target.check]]\nevery = \"1h\"\ntimeout = \"1m\"\nfail_after = 1\n\
             failure = \"seen\"\n{check}\n"
        )
    };
    let targets: String = checks.iter().enumerate().map(target).collect();
    let mut daemon = daemon();
    let config = format!("{HOST}{SECRETS}{targets}");
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
    daemon.run();
    for (number, (_, words)) in checks.iter().enumerate() {
        daemon.wait_for_status(words, |status| {
            let why = row_of(status, &format!("t{number}"))["unseen"]["why"].as_str();
            why.is_some_and(|why| why.contains(*words))
        });
    }
    assert_eq!(daemon.json(&["incidents"]), serde_json::json!([]));
    let told = daemon.json(&["status"]).to_string() + &daemon.log();
    assert!(!told.contains(PIN) && !told.contains(OTHER_PIN), "{told}");
}

/// A server that speaks TLS with this certificate.
fn speaking_tls(certificate: &str) -> Postgres {
    let data = Data::make();
    let files = [("tls.pem", certificate), ("tls.key", "server.key")].map(|(name, from)| {
        let path = data.path(name);
        fs::copy(tls_file(from), &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        if data.user.is_some() {
            chown(&path, Some(65_534), None).unwrap();
        }
        path.display().to_string()
    });
    let [file, key] = files;
    let (file, key) = (
        format!("ssl_cert_file={file}"),
        format!("ssl_key_file={key}"),
    );
    let postgres = Postgres::begin(data, &["-c", "ssl=on", "-c", &file, "-c", &key]);
    postgres.wait_until_it_answers();
    postgres
}

/// Acts: `target.check(postgres).ca`
#[test]
fn a_postgres_is_known_over_tls_by_the_authority_of_the_check() {
    let (signed, expired) = (speaking_tls("server.pem"), speaking_tls("expired.pem"));
    let plain = Postgres::begin(Data::make(), &[]);
    plain.wait_until_it_answers();
    let mut daemon = daemon();
    fs::copy(tls_file("authority.pem"), daemon.path("ca.pem")).unwrap();
    let check = |postgres: &Postgres| {
        let port = postgres.port;
        format!(
            "kind = \"postgres\"\naddress = \"localhost:{port}\"\nuser = \"postgres\"\nca = \"ca.pem\"\n\
             query = \"select ssl from pg_stat_ssl where pid = pg_backend_pid()\"\nexpects = \"t\""
        )
    };
    let cases = [
        case(check(&signed), "healthy", ""),
        case(check(&expired), "failed", "certificate"),
        case(check(&plain), "failed", "takes no TLS"),
    ];
    judge_with(&mut daemon, "", &cases);
}

/// Acts: `target.check(postgres)`, `target.check(postgres).address`, `target.check(postgres).path`,
/// Acts: `target.check(postgres).user`, `target.check(postgres).password`, `target.check(postgres).database`,
/// Acts: `target.check(postgres).query`, `target.check(postgres).expects`, `target.check(postgres).warn_latency`
#[test]
fn a_postgres_is_judged_by_its_login_and_its_answer() {
    let postgres = Postgres::begin(Data::make(), &[]);
    postgres.wait_until_it_answers();
    for statement in USERS {
        assert_eq!(postgres.answer(statement), "");
    }
    let check =
        |user: &str, more: &str| postgres.check(user, &format!("database = \"shop\"\n{more}"));
    let pin = |user: &str, more: &str| check(user, &format!("password = \"pin\"\n{more}"));
    let socket = postgres.data.path(&format!(".s.PGSQL.{}", postgres.port));
    let unix = format!(
        "kind = \"postgres\"\npath = \"{}\"\nuser = \"postgres\"",
        socket.display()
    );
    let deaf = format!("kind = \"postgres\"\naddress = \"{DEAF}\"\nuser = \"u\"");
    let name = "query = \"select current_database()\"";
    let cases = [
        case(check("postgres", ""), "healthy", ""),
        case(pin("proven", ""), "healthy", ""),
        case(pin("hashed", ""), "healthy", ""),
        case(unix, "healthy", ""),
        case(deaf, "failed", "connection refused"),
        case(
            pin("proven", &format!("{name}\nexpects = \"shop\"")),
            "healthy",
            "",
        ),
        case(
            pin("proven", &format!("{name}\nexpects = \"bank\"")),
            "failed",
            "its query gave `shop`, and has to give `bank`",
        ),
        case(
            pin("proven", "query = \"select where false\"\nexpects = \"1\""),
            "failed",
            "no row",
        ),
        case(
            pin("proven", "query = \"select 1 / 0\""),
            "failed",
            "22012: division by zero",
        ),
        case(
            postgres.check("postgres", "database = \"none\""),
            "failed",
            "3D000",
        ),
        case(
            pin(
                "proven",
                "query = \"select pg_sleep(0.1)\"\nwarn_latency = \"50ms\"",
            ),
            "degraded",
            "",
        ),
        case(pin("proven", "warn_latency = \"50s\""), "healthy", ""),
    ];
    let mut daemon = daemon();
    judge_with(&mut daemon, SECRETS, &cases);
    let told = daemon.json(&["incidents"]).to_string() + &daemon.log();
    assert!(!told.contains(PIN), "{told}");

    all_are_unseen(&[
        (check("proven", "password = \"other\""), "28P01"),
        (check("hashed", "password = \"other\""), "28P01"),
        (check("proven", ""), "the check has none"),
        (pin("plain", ""), "in plain text"),
        (check("stranger", ""), "28000"),
    ]);
}

#[test]
fn a_postgres_that_starts_up_has_not_failed() {
    let data = Data::make();
    // It waits for the log of another server, which never comes.
    fs::write(data.path("data/standby.signal"), "").unwrap();
    let postgres = Postgres::begin(data, &["-c", "hot_standby=off"]);
    postgres.wait_until("SELECT 7", "not accepting connections");
    all_are_unseen(&[(postgres.check("postgres", ""), "57P03")]);
}

#[test]
fn a_postgres_that_is_full_is_degraded() {
    let one = [
        "-c",
        "max_connections=1",
        "-c",
        "superuser_reserved_connections=0",
        "-c",
        "max_wal_senders=0",
    ];
    let postgres = Postgres::begin(Data::make(), &one);
    postgres.wait_until_it_answers();
    let _held = wait_for("its only place", || postgres.client());
    let cases = [case(postgres.check("postgres", ""), "degraded", "")];
    judge_with(&mut daemon(), "", &cases);
}
