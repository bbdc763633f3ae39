//! Who gets in over TCP, for how long, and as whom.

use super::HOST;
use mainstay_tests::{DEADLINE, Daemon, free_port, user_name};
use serde_json::json;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

const TOKEN: &str = "opens-the-door";

/// A daemon with a door at this port, which `api` says more of.
fn start(port: u16, api: &str) -> Daemon {
    let host = HOST.trim_end();
    let mut daemon = Daemon::prepare(&format!(
        "{host}\napi = {{ listen = \"127.0.0.1:{port}\", token = \"door\"{api} }}\n\n\
         [secrets]\ndoor = {{ file = \"door\" }}\n"
    ));
    fs::write(daemon.path("door"), TOKEN).unwrap();
    fs::set_permissions(daemon.path("door"), fs::Permissions::from_mode(0o600)).unwrap();
    daemon.run();
    daemon
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// What is answered; empty where the connection is cut off without an answer.
fn answer_of(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // Who is cut off while they still send may see a reset.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// One request with the token, in the name of this host.
fn ask(port: u16, head: &str, host: &str, body: &str) -> String {
    let mut stream = connect(port);
    let request = format!(
        "{head} HTTP/1.1\r\n{host}authorization: Bearer {TOKEN}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // Who is refused in the middle of a request may not get to its end.
    let _ = stream.write_all(request.as_bytes());
    answer_of(stream)
}

/// Acts: `host.api.hosts`
#[test]
fn a_host_that_is_not_ours_is_refused_over_tcp_though_the_token_is_right() {
    let port = free_port();
    let daemon = start(port, ", hosts = [\"mainstay.example\"]");
    let status = |host: &str| ask(port, "GET /v1/status", host, "");
    for ours in [
        "localhost".to_owned(),
        format!("127.0.0.1:{port}"),
        "mainstay.example".to_owned(),
        "MAINSTAY.example:443".to_owned(),
    ] {
        let answer = status(&format!("host: {ours}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{ours}: {answer}");
    }
    for strange in [
        "host: evil.example\r\n",
        "host: mainstay.example.evil.example\r\n",
        "host: localhost\r\nhost: evil.example\r\n",
    ] {
        let answer = status(strange);
        assert!(answer.starts_with("HTTP/1.1 421"), "{strange}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let error = body["error"].as_str().unwrap();
        assert!(error.contains("does not answer"), "{body}");
        assert!(
            body["help"].as_str().unwrap().contains("host.api"),
            "{body}"
        );
    }
    // The socket is no place that a browser reaches: its name may be any.
    assert_eq!(daemon.post("/v1/pause", &json!({})).0, 204);
}

#[test]
fn connections_that_show_no_token_keep_nobody_out_and_are_ended() {
    let port = free_port();
    let daemon = start(port, "");
    let begun = Instant::now();
    let mut idle: Vec<TcpStream> = (0..300).map(|_| connect(port)).collect();
    // One that sends its head a little at a time, and one that never sends the body that it announced.
    let mut slow = connect(port);
    slow.write_all(b"GET /v1/status HTTP/1.1\r\nhost: loc")
        .unwrap();
    let mut half = connect(port);
    half.write_all(b"POST /v1/pause HTTP/1.1\r\nhost: localhost\r\ncontent-length: 60000\r\n\r\n{")
        .unwrap();
    let answer = answer_of(half);
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let answer = ask(port, "GET /v1/status", "host: localhost\r\n", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Those that are there for longest have gone for those that came later; the others are given some seconds.
    assert_eq!(answer_of(idle.remove(0)), "");
    assert!(
        begun.elapsed() < Duration::from_secs(9),
        "it was cut off at once"
    );
    for stream in idle {
        assert_eq!(answer_of(stream), "");
    }
    assert_eq!(answer_of(slow), "");
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    let huge = format!("host: localhost\r\nx: {}\r\n", "x".repeat(100_000));
    let answer = ask(port, "GET /v1/status", &huge, "");
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(daemon.cli(&["status"]).status.success());
}

#[test]
fn a_stranger_who_never_ends_a_request_does_not_hold_up_the_stop() {
    let port = free_port();
    let mut daemon = start(port, "");
    let mut slow = connect(port);
    slow.write_all(b"GET /v1/status HTTP/1.1\r\n").unwrap();
    let begun = Instant::now();
    assert!(daemon.stop(), "{}", daemon.log());
    assert!(
        begun.elapsed() < Duration::from_secs(9),
        "it was waited for"
    );
}

#[test]
fn who_did_it_is_the_peer_of_the_socket_or_the_name_of_the_token() {
    let port = free_port();
    let mut daemon = start(port, "");
    // What the caller's environment says is nothing that the host knows.
    let mut forged = std::process::Command::new(mainstay_tests::program());
    forged
        .args(["pause", "--config"])
        .arg(daemon.path("mainstay.toml"));
    assert!(forged.env("USER", "mallory").status().unwrap().success());
    assert!(daemon.cli(&["resume", "--by", "anna"]).status.success());
    let over_tcp = ask(
        port,
        "POST /v1/pause",
        "host: localhost\r\n",
        "{\"by\": \"root\"}",
    );
    assert!(over_tcp.starts_with("HTTP/1.1 204"), "{over_tcp}");
    let user = user_name();
    let facts = |kind: &str| -> Vec<_> {
        let events = daemon.events_of(kind);
        events.iter().map(|event| event["data"].clone()).collect()
    };
    assert_eq!(
        facts("host.paused"),
        [
            json!({"by": user, "note": null}),
            json!({"by": "door", "note": "root"})
        ]
    );
    assert_eq!(facts("host.resumed"), [json!({"by": user, "note": "anna"})]);
    let events = daemon.events_of("host.resumed");
    let message = events[0]["message"].as_str().unwrap();
    assert_eq!(
        message,
        format!("{user} (who says: anna) resumed automatic recovery of the host")
    );
    assert!(daemon.stop());
}
