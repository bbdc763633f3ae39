//! Real sockets, programs and files.

use super::*;
use crate::adapters::{clock::SystemClock, environment::without_that_of_the_tests};
use crate::ports::{Detected, SecretError};
use mainstay_domain::{
    effect::HttpMethod,
    name::{CheckName, FailureType, PluginName, SecretName, TargetName},
    severity::Severity,
    spec::{BreakerSpec, DrillSpec, ForeignCommands, HttpCheck, PluginCheck, Trust},
    time::Timestamp,
};
use std::time::Duration;
use std::time::Instant;
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

mod asked;
mod on_this_machine;
mod services;

const SECOND: Duration = Duration::from_secs(1);

fn target() -> Arc<TargetSpec> {
    Arc::new(TargetSpec {
        name: TargetName::parse("web").unwrap(),
        priority: 5,
        depends_on: Vec::new(),
        rto: SECOND,
        process: None,
        commands: ForeignCommands::default(),
        checks: Vec::new(),
        breaker: BreakerSpec { open_for: SECOND },
        validation_timeout: SECOND,
        start_period: SECOND,
        drill: DrillSpec::default(),
    })
}

fn probe() -> HostProbe {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (environment, clock) = (without_that_of_the_tests(), Arc::new(SystemClock::new()));
    HostProbe::new(Arc::new(OneSecret), environment, clock).unwrap()
}

/// Knows one value, `hunter2`, that of `db`.
struct OneSecret;

impl Secrets for OneSecret {
    fn value(&self, name: &SecretName) -> Result<String, SecretError> {
        match name.as_str() {
            "db" => Ok("hunter2".to_owned()),
            _ => Err(SecretError::Unknown(name.clone())),
        }
    }
    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.replace("hunter2", "${secret:db}").into_bytes()
    }
}

fn check_of(kind: CheckKind, timeout: Duration) -> Arc<CheckSpec> {
    Arc::new(CheckSpec {
        name: CheckName::parse("it").unwrap(),
        kind,
        every: SECOND,
        timeout,
        fail_after: 1,
        fail_of: None,
        recover_after: 1,
        jitter: Duration::ZERO,
        failure: FailureType::parse("service-down").unwrap(),
        severity: Severity::High,
    })
}

async fn look(kind: CheckKind, pid: Option<u32>, timeout: Duration) -> Observation {
    probe()
        .observe(target(), check_of(kind, timeout), pid)
        .await
        .unwrap()
}

async fn check(kind: CheckKind, outcome: Outcome, message: &str) {
    let seen = look(kind, None, 20 * SECOND).await;
    assert_eq!(seen.outcome, outcome, "{}", seen.evidence.message);
    assert!(
        seen.evidence.message.contains(message),
        "{}",
        seen.evidence.message
    );
    assert_eq!((seen.target.as_str(), seen.check.as_str()), ("web", "it"));
}

#[tokio::test]
async fn a_look_takes_no_memory_for_what_looks_of_another_kind_need() {
    let probe = probe();
    let look = probe.observe(target(), check_of(CheckKind::Heartbeat, SECOND), None);
    // Each check of each period makes one, so it is kept far below what a program's output takes.
    let bytes = size_of_val(&*look);
    assert!(bytes < 8 << 10, "{bytes} bytes");
}

#[tokio::test(start_paused = true)]
async fn a_time_out_that_comes_too_late_is_known_as_the_daemons_own() {
    let check = check_of(CheckKind::Heartbeat, SECOND);
    let seen = within(&check, std::future::pending()).await;
    assert_eq!((seen.outcome, seen.is_late), (Some(Outcome::Failed), false));

    let mut held_up = Box::pin(within(&check, std::future::pending()));
    let begun = std::future::poll_fn(|context| {
        std::task::Poll::Ready(held_up.as_mut().poll(context).is_pending())
    });
    assert!(begun.await);
    tokio::time::advance(3 * SECOND).await;
    let seen = held_up.await;
    assert_eq!((seen.outcome, seen.is_late), (Some(Outcome::Failed), true));
}

/// A detector that says what it was told to say.
struct Says(Result<Detected, String>);

impl Detectors for Says {
    fn detect(
        &self,
        _: TargetName,
        _: Arc<CheckSpec>,
        _: Timestamp,
    ) -> Boxed<'_, Result<Detected, String>> {
        Box::pin(std::future::ready(self.0.clone()))
    }
}

#[tokio::test]
async fn what_a_detector_says_is_seen_and_where_it_says_nothing_the_target_was_not() {
    let kind = CheckKind::Plugin(PluginCheck {
        plugin: PluginName::parse("trend").unwrap(),
        version: semver::VersionReq::STAR,
        params: serde_json::json!({}),
    });
    let said = |outcome| {
        Ok(Detected {
            outcome,
            message: "as it says".to_owned(),
            value: Some(7.5),
        })
    };
    for (says, outcome, message, value) in [
        (
            said(Outcome::Failed),
            Outcome::Failed,
            "as it says",
            Some(7.5),
        ),
        (
            said(Outcome::Healthy),
            Outcome::Healthy,
            "as it says",
            Some(7.5),
        ),
        (
            Err("it trapped".to_owned()),
            Outcome::Unknown,
            "it trapped",
            None,
        ),
    ] {
        let probe = probe().with_detectors(Arc::new(Says(says)));
        let check = check_of(kind.clone(), SECOND);
        let seen = probe.observe(target(), check, None).await.unwrap();
        assert_eq!((seen.outcome, seen.evidence.value), (outcome, value));
        assert_eq!(seen.evidence.message, message);
    }
    check(kind, Outcome::Unknown, "no plugin can be asked here").await;
}

/// A server that answers every request with this text, and says where it is.
async fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(answer.as_bytes()).await;
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    address
}

async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

fn http(address: &str, status: (u16, u16), body_contains: Option<&str>) -> CheckKind {
    CheckKind::Http(HttpCheck {
        status,
        body_contains: body_contains.map(str::to_owned),
        ..get(address)
    })
}

fn get(address: &str) -> HttpCheck {
    HttpCheck {
        url: format!("http://{address}/health"),
        method: HttpMethod::Get,
        headers: BTreeMap::new(),
        follow_redirects: false,
        trust: Trust::Machine,
        status: (200, 399),
        body_contains: None,
        warn_latency: None,
    }
}

#[tokio::test]
async fn http_is_judged_by_status_and_body_and_follows_no_redirect() {
    let good = server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall ready").await;
    let bad = server("HTTP/1.1 503 Sorry\r\nContent-Length: 0\r\n\r\n").await;
    let moved =
        server("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
            .await;
    let cut = server("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nall").await;
    let default = (200, 399);
    check(http(&good, default, None), Outcome::Healthy, "answered 200").await;
    check(
        http(&good, default, Some("ready")),
        Outcome::Healthy,
        "answered 200",
    )
    .await;
    check(
        http(&good, default, Some("steady")),
        Outcome::Failed,
        "does not hold `steady`",
    )
    .await;
    check(
        http(&good, (500, 599), None),
        Outcome::Failed,
        "answered 200",
    )
    .await;
    check(
        http(&bad, default, None),
        Outcome::Failed,
        &format!("GET http://{bad}/health answered 503"),
    )
    .await;
    check(
        http(&bad, (503, 503), None),
        Outcome::Healthy,
        "answered 503",
    )
    .await;
    check(
        http(&moved, default, None),
        Outcome::Healthy,
        "answered 302",
    )
    .await;
    check(
        http(&cut, default, Some("ready")),
        Outcome::Failed,
        "the body broke off",
    )
    .await;
    check(
        http(&nobody().await, default, None),
        Outcome::Failed,
        "connection refused",
    )
    .await;
}

#[tokio::test]
async fn a_server_that_is_silent_fails_within_the_timeout() {
    let silent = server("").await;
    let seen = look(
        http(&silent, (200, 399), None),
        None,
        Duration::from_millis(50),
    )
    .await;
    assert_eq!(seen.outcome, Outcome::Failed);
    assert_eq!(
        seen.evidence.message,
        format!("GET http://{silent}/health: no answer within 50 ms")
    );
}

#[tokio::test]
async fn tcp_is_healthy_where_a_connection_opens() {
    let address = server("").await;
    check(
        CheckKind::Tcp {
            address: address.clone(),
            warn_latency: None,
        },
        Outcome::Healthy,
        "took the connection",
    )
    .await;
    check(
        CheckKind::Tcp {
            address: nobody().await,
            warn_latency: None,
        },
        Outcome::Failed,
        "connection refused",
    )
    .await;
    check(
        CheckKind::Tcp {
            address: "no port".to_owned(),
            warn_latency: None,
        },
        Outcome::Failed,
        "no port: ",
    )
    .await;
}

#[tokio::test]
async fn a_name_that_nobody_answers_for_is_unknown_and_one_that_does_not_exist_fails() {
    let answers = |text: &'static str| NameLooks::with(move |_| Err(std::io::Error::other(text)));
    let silent = NameLooks::with(|_| {
        std::thread::park_timeout(20 * SECOND);
        Ok(Vec::new())
    });
    for (names, outcome, message) in [
        (
            answers("Temporary failure in name resolution"),
            Outcome::Unknown,
            "Temporary failure",
        ),
        (
            answers("Name or service not known"),
            Outcome::Failed,
            "not known",
        ),
        (
            silent,
            Outcome::Unknown,
            "looking `db.example` up had no answer within 50 ms",
        ),
    ] {
        let tcp = CheckKind::Tcp {
            address: "db.example:5432".to_owned(),
            warn_latency: None,
        };
        for kind in [tcp, http("db.example:80", (200, 399), None)] {
            let mut probe = probe();
            probe.names = names.clone();
            let check = check_of(kind, Duration::from_millis(50));
            let seen = probe.observe(target(), check, None).await.unwrap();
            let text = &seen.evidence.message;
            assert_eq!(seen.outcome, outcome, "{text}");
            assert!(text.contains(message), "{text}");
        }
    }
}

#[tokio::test]
async fn a_redirect_to_a_name_that_nobody_answers_for_is_unknown_too() {
    let moved = server(
        "HTTP/1.1 302 Found\r\nLocation: http://silent.example/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
    .await;
    for (text, outcome, message) in [
        (None, Outcome::Unknown, "looking `silent.example` up had no"),
        (
            Some("Temporary failure in name resolution"),
            Outcome::Unknown,
            "Temporary failure",
        ),
        (
            Some("Name or service not known"),
            Outcome::Failed,
            "not known",
        ),
    ] {
        let mut probe = probe();
        probe.names = NameLooks::with(move |_| match text {
            Some(text) => Err(std::io::Error::other(text)),
            None => {
                std::thread::park_timeout(20 * SECOND);
                Ok(Vec::new())
            }
        });
        probe.http = Arc::new(HttpClients::new(&probe.names).unwrap());
        let kind = CheckKind::Http(HttpCheck {
            follow_redirects: true,
            ..get(&moved)
        });
        let check = check_of(kind, Duration::from_millis(500));
        let seen = probe.observe(target(), check, None).await.unwrap();
        let text = &seen.evidence.message;
        assert_eq!(seen.outcome, outcome, "{text}");
        assert!(text.contains(message), "{text}");
        let url = format!("GET http://{moved}/health: ");
        assert!(text.starts_with(&url), "{text}");
    }
}

#[test]
fn what_the_host_lacks_or_may_not_do_is_unknown_and_what_is_refused_fails() {
    use rustix::io::Errno;
    for (code, expected) in [
        (Errno::MFILE, Outcome::Unknown),
        (Errno::NOMEM, Outcome::Unknown),
        (Errno::AGAIN, Outcome::Unknown),
        (Errno::ADDRNOTAVAIL, Outcome::Unknown),
        (Errno::ACCESS, Outcome::Unknown),
        (Errno::PERM, Outcome::Unknown),
        (Errno::NOENT, Outcome::Failed),
        (Errno::CONNREFUSED, Outcome::Failed),
    ] {
        let seen = Seen::of_error("it", &code.into());
        assert_eq!(seen.outcome, Some(expected), "{seen:?}");
    }
}

#[tokio::test]
async fn a_client_that_has_no_port_for_one_address_fails_where_another_one_refuses() {
    let (listens, refuses) = (server("").await, nobody().await);
    for (to, outcome) in [
        (vec![&listens], Outcome::Unknown),
        (vec![&refuses], Outcome::Failed),
        (vec![], Outcome::Unknown),
    ] {
        let to: Vec<SocketAddr> = to.into_iter().map(|to| to.parse().unwrap()).collect();
        let seen = Seen::of_error("it", &rustix::io::Errno::ADDRNOTAVAIL.into());
        let seen = tcp::judge_without_port(seen, "it", &to).await;
        assert_eq!(seen.outcome, Some(outcome), "{to:?} {seen:?}");
    }
}
