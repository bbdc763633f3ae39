//! What Prometheus finds at `/metrics` of a running daemon.

use mainstay_tests::{Daemon, HOST, wait_for};
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

/// The answer of the daemon's socket, with its head.
fn scrape(daemon: &Daemon) -> String {
    let mut socket = UnixStream::connect(daemon.path("state/mainstay.sock")).unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: daemon\r\nconnection: close\r\n\r\n";
    socket.write_all(request).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_checks_of_a_running_daemon_are_exported() {
    let target = r#"
[[target]]
name = "db"

[[target.check]]
kind = "exec"
name = "slow"
run = ["sleep", "0.5"]
every = "100ms"
timeout = "100ms"
failure = "service-down"

[[target.check]]
kind = "exec"
name = "quick"
run = ["true"]
every = "1s"
failure = "service-down"
"#;
    let daemon = Daemon::start(&[HOST, target].concat(), &[]);
    for series in [
        "checks_total{target=\"db\",check=\"slow\",outcome=\"failed\"} ",
        "checks_total{target=\"db\",check=\"quick\",outcome=\"healthy\"} ",
        "check_duration_seconds_count{kind=\"exec\"} ",
        "check_lateness_seconds_count ",
    ] {
        wait_for(series, || {
            let text = scrape(&daemon);
            if text.lines().any(|line| line.starts_with(series)) {
                Ok(())
            } else {
                Err(text)
            }
        });
    }
}
