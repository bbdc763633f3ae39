//! Checks of kind `http`: what is sent, to whom, and whose answer counts.

use super::{case, judge, judge_with};
use mainstay_tests::{Daemon, Receiver, TlsServer, tls_file};
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    time::Duration,
};

fn http(url: &str, more: &str) -> String {
    format!("kind = \"http\"\nurl = \"{url}\"\n{more}")
}

/// Acts: `target.check(http).method`, `target.check(http).headers`
#[test]
fn a_request_has_its_method_and_its_headers_with_secrets_in_their_places() {
    let receiver = Receiver::start();
    let secrets = "[secrets]\npin = { env = \"PIN_OF_THE_DAEMON\" }\n";
    let url = |path: &str| format!("{}/{path}", receiver.url);
    let headers = "headers = { Authorization = \"Bearer ${secret:pin}\", X-Probe = \"1\" }";
    let cases = [
        case(http(&url("plain"), ""), "healthy", ""),
        case(
            http(&url("full"), &format!("method = \"POST\"\n{headers}")),
            "healthy",
            "",
        ),
        case(
            http(&url("bad"), &format!("status = 500\n{headers}")),
            "failed",
            "answered 200",
        ),
    ];
    let mut daemon = Daemon::prepare("");
    daemon.set_env("PIN_OF_THE_DAEMON", "2718281828");
    judge_with(&mut daemon, secrets, &cases);
    let sent = |line: &str| {
        let request = receiver.wait_for(line, |request| request.line == line);
        let header = |name: &str| {
            let mut headers = request.headers.iter();
            let found = headers.find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        (header("authorization"), header("x-probe"))
    };
    assert_eq!(sent("GET /plain"), (None, None));
    let (authorization, probe) = sent("POST /full");
    assert_eq!(authorization.as_deref(), Some("Bearer 2718281828"));
    assert_eq!(probe.as_deref(), Some("1"));
    let incidents = daemon.json(&["incidents"]).to_string();
    assert!(!incidents.contains("2718281828"), "{incidents}");
}

/// Acts: `target.check(http).follow_redirects`
#[test]
fn a_redirect_is_followed_where_the_check_says_without_what_was_for_the_first_server() {
    let (first, second) = (Receiver::start(), Receiver::start());
    first.answer_with(
        "307 Temporary Redirect",
        &format!("location: {}/there\r\n", second.url),
        "",
    );
    second.answer_with("503 Service Unavailable", "", "");
    let follow = "headers = { X-Token = \"for the first\" }\nfollow_redirects = true";
    let cases = [
        case(http(&first.url, ""), "healthy", ""),
        case(http(&first.url, follow), "failed", "answered 503"),
    ];
    judge(&mut Daemon::prepare(""), &cases);
    let followed = second.received();
    assert_eq!(followed.len(), 1, "one of the two follows");
    let mut headers = followed[0].headers.iter();
    assert!(headers.all(|(name, _)| name != "x-token"), "{followed:?}");
    let mut received = first.received().into_iter();
    assert!(received.any(|request| request.headers.iter().any(|(name, _)| name == "x-token")));
}

/// Acts: `target.check(http).ca`, `target.check(http).insecure`
#[test]
fn a_server_is_known_by_the_authority_of_the_check_or_by_nothing() {
    let (signed, expired) = (
        TlsServer::start("server.pem"),
        TlsServer::start("expired.pem"),
    );
    let https = |server: &TlsServer, more: &str| {
        http(&format!("https://localhost:{}/", server.port()), more)
    };
    let mut daemon = Daemon::prepare("");
    fs::copy(tls_file("authority.pem"), daemon.path("ca.pem")).unwrap();
    let ca = "ca = \"ca.pem\"\nbody_contains = \"well\"";
    let cases = [
        case(https(&signed, ca), "healthy", ""),
        case(https(&expired, ca), "failed", "certificate"),
        case(https(&signed, "insecure = true"), "healthy", ""),
        case(https(&expired, "insecure = true"), "healthy", ""),
        // Nobody else knows that authority.
        case(https(&signed, "insecure = false"), "failed", "certificate"),
    ];
    judge(&mut daemon, &cases);
}

/// Answers each request, and no sooner than after so long.
fn slow(after: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            std::thread::sleep(after);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    format!("http://{address}/")
}

/// Acts: `target.check(http).warn_latency`
#[test]
fn what_answers_late_is_degraded_and_no_failure() {
    let url = slow(Duration::from_millis(150));
    let cases = [
        case(http(&url, ""), "healthy", ""),
        case(http(&url, "warn_latency = \"100ms\""), "degraded", ""),
        case(http(&url, "warn_latency = \"50s\""), "healthy", ""),
    ];
    judge(&mut Daemon::prepare(""), &cases);
}
