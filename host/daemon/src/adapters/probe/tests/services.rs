//! Services in their own protocol, played by servers that say what no real one would.

use super::*;
use crate::adapters::process::stat::ProcessStat;
use mainstay_domain::spec::{EngineCheck, PostgresCheck, RedisCheck, S3Check, ServiceAddress};
use parking_lot::Mutex;
use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};
use tokio::net::UnixListener;

/// A server that notes what it is sent first, and says this to it; then it closes the connection.
async fn saying(answer: &'static [u8]) -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let noted = Arc::new(Mutex::new(Vec::new()));
    let sent = Arc::clone(&noted);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let length = socket.read(&mut request).await.unwrap_or(0);
            sent.lock().extend_from_slice(&request[..length]);
            let _ = socket.write_all(answer).await;
        }
    });
    (address, noted)
}

fn redis(address: &str, password: Option<&str>) -> CheckKind {
    CheckKind::Redis(RedisCheck {
        at: ServiceAddress::Tcp(address.to_owned()),
        user: None,
        password: password.map(|name| SecretName::parse(name).unwrap()),
        ca: None,
        role: None,
        warn_memory: None,
        warn_lag: None,
        read_key: None,
        write_key: None,
        warn_latency: None,
    })
}

fn postgres(address: &str, password: Option<&str>) -> CheckKind {
    CheckKind::Postgres(PostgresCheck {
        at: ServiceAddress::Tcp(address.to_owned()),
        user: "bob".to_owned(),
        password: password.map(|name| SecretName::parse(name).unwrap()),
        ca: None,
        database: "bob".to_owned(),
        query: "select 1".to_owned(),
        expects: None,
        warn_latency: None,
    })
}

#[tokio::test]
async fn a_password_goes_to_the_service_and_is_in_no_text() {
    let (address, noted) = saying(b"-WRONGPASS nobody has hunter2\r\n").await;
    let words = "WRONGPASS nobody has ${secret:db}";
    check(redis(&address, Some("db")), Outcome::Unknown, words).await;
    let sent = String::from_utf8(noted.lock().clone()).unwrap();
    assert_eq!(sent, "*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n");

    // It asks for the password in plain text.
    let (address, noted) = saying(b"R\0\0\0\x08\0\0\0\x03").await;
    let words = "in plain text, which is never sent";
    check(postgres(&address, Some("db")), Outcome::Unknown, words).await;
    let sent = String::from_utf8_lossy(&noted.lock()).into_owned();
    assert!(!sent.contains("hunter2"), "{sent}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_is_no_failure_and_nothing_is_asked() {
    let (address, noted) = saying(b"+PONG\r\n").await;
    let url = format!("http://{address}/");
    let engine = EngineCheck {
        api: url.clone(),
        headers: [("x".to_owned(), "${secret:other}".to_owned())].into(),
        max_age: None,
        max_pending: None,
        positions: false,
        warn_latency: None,
    };
    let name = |name: &str| SecretName::parse(name).unwrap();
    let s3 = S3Check {
        url,
        method: HttpMethod::Head,
        region: "us-east-1".to_owned(),
        keys: Some((name("db"), name("other"))),
        warn_latency: None,
    };
    for kind in [
        redis(&address, Some("other")),
        postgres(&address, Some("other")),
        CheckKind::Engine(engine),
        CheckKind::S3(s3),
    ] {
        check(kind, Outcome::Unknown, "secret `other` is not known").await;
    }
    assert!(noted.lock().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn who_says_something_else_nothing_or_no_end_has_failed() {
    let (other, _) = saying(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let (silent, _) = saying(b"").await;
    let (begun, _) = saying(b"$4\r\nPO").await;
    for (kind, words) in [
        (redis(&other, None), "none of a Redis: HTTP/1.1 400"),
        (postgres(&other, None), "none of a PostgreSQL: HTTP/1.1 400"),
        (redis(&silent, None), "closed the connection"),
        (postgres(&silent, None), "closed the connection"),
        (redis(&begun, None), "closed the connection"),
    ] {
        check(kind, Outcome::Failed, words).await;
    }
    // Whoever asks waits in its queue.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let deaf = listener.local_addr().unwrap().to_string();
    for kind in [redis(&deaf, None), postgres(&deaf, None)] {
        let seen = look(kind, None, Duration::from_millis(50)).await;
        assert_eq!(seen.outcome, Outcome::Failed);
        let message = &seen.evidence.message;
        assert!(message.ends_with("no answer within 50 ms"), "{message}");
    }
}

/// A server at a socket in the file system that says this to everybody, and keeps the connection.
fn greeting(path: &Path, answer: &'static [u8]) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = socket.write_all(answer).await;
                let _ = tokio::io::copy(&mut socket, &mut tokio::io::sink()).await;
            });
        }
    });
}

/// A process that listens nowhere, of a group of its own, younger than this one; ends with this.
struct Younger(Child);

impl Younger {
    fn run() -> Self {
        let ticks = |pid: u32| ProcessStat::read(pid).unwrap().unwrap().start_ticks;
        loop {
            let mut sleep = Command::new("sleep");
            let sleep = sleep.arg("1000").process_group(0).stdin(Stdio::null());
            // What the tests write to may be a socket.
            let sleep = sleep.stdout(Stdio::null()).stderr(Stdio::null());
            let younger = Self(sleep.spawn().unwrap());
            if ticks(younger.0.id()) > ticks(std::process::id()) {
                return younger;
            }
        }
    }
}

impl Drop for Younger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn what_a_stranger_answers_at_the_socket_of_a_service_counts_as_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (of_redis, of_postgres) = (dir.path().join("redis"), dir.path().join("postgres"));
    greeting(&of_redis, b"+PONG\r\n");
    greeting(
        &of_postgres,
        b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05ID\0\0\0\x0b\0\x01\0\0\0\x011C\0\0\0\x05\0Z\0\0\0\x05I",
    );
    let (mut by_redis, mut by_postgres) = (redis("", None), postgres("", None));
    match &mut by_redis {
        CheckKind::Redis(redis) => redis.at = ServiceAddress::Unix(of_redis),
        other => panic!("{other:?}"),
    }
    match &mut by_postgres {
        CheckKind::Postgres(postgres) => postgres.at = ServiceAddress::Unix(of_postgres),
        other => panic!("{other:?}"),
    }
    let (own, younger) = (std::process::id(), Younger::run());
    for kind in [by_redis, by_postgres] {
        let seen = look(kind.clone(), Some(own), 20 * SECOND).await;
        assert_eq!(seen.outcome, Outcome::Healthy, "{seen:?}");
        let seen = look(kind, Some(younger.0.id()), 20 * SECOND).await;
        assert_eq!(seen.outcome, Outcome::Unknown, "{seen:?}");
        let message = &seen.evidence.message;
        assert!(
            message.contains(&format!("but process {own} (")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_file_of_authorities_that_hangs_or_is_missing_says_nothing_about_the_service() {
    let (address, noted) = saying(b"+PONG\r\n").await;
    let (mut by_redis, mut by_postgres) = (redis(&address, None), postgres(&address, None));
    let ca = || Some(PathBuf::from("/nowhere/ca.pem"));
    match &mut by_redis {
        CheckKind::Redis(redis) => redis.ca = ca(),
        other => panic!("{other:?}"),
    }
    match &mut by_postgres {
        CheckKind::Postgres(postgres) => postgres.ca = ca(),
        other => panic!("{other:?}"),
    }
    for kind in [by_redis, by_postgres] {
        let missing = "`ca` /nowhere/ca.pem: it does not exist";
        check(kind.clone(), Outcome::Unknown, missing).await;
        let (probe, check, target) = (probe(), check_of(kind, 20 * SECOND), target());
        let (release, hang) = std::sync::mpsc::channel::<()>();
        // As a file on a file system that does not answer.
        let hanging = probe.blocking.look(&target.name, &check, move || {
            let _ = hang.recv();
        });
        let hanging = tokio::time::timeout(Duration::from_millis(1), hanging).await;
        assert!(hanging.is_err());
        let seen = probe.observe(target, check, None).await.unwrap();
        let message = &seen.evidence.message;
        assert_eq!(seen.outcome, Outcome::Unknown, "{message}");
        assert!(message.contains("an earlier look"), "{message}");
        drop(release);
    }
    assert!(noted.lock().is_empty(), "nothing was sent");
}
