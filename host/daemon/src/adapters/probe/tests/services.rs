//! Services in their own protocol, played by servers that say what no real one would.

use super::*;
use mainstay_domain::spec::{EngineCheck, PostgresCheck, RedisCheck, S3Check, ServiceAddress};
use parking_lot::Mutex;

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
