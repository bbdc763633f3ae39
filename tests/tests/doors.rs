//! The doors of a real daemon under those who misuse them: connections that ask for nothing, requests that do not end, and
//! what becomes of the socket's file.

use mainstay_tests::{Daemon, HOST, free_port, program, wait_for};
use std::{
    fs,
    io::Write,
    net::TcpStream,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    process::Command,
    time::{Duration, Instant},
};

/// A daemon with a door over TCP, which may have so many descriptors.
fn start(port: u16, descriptors: u32) -> Daemon {
    let host = HOST.trim_end();
    let mut daemon = Daemon::prepare(&format!(
        "{host}\nshutdown_deadline = \"20s\"\napi = {{ listen = \"127.0.0.1:{port}\", token = \"door\" }}\n\n\
         [secrets]\ndoor = {{ file = \"door\" }}\n"
    ));
    fs::write(daemon.path("door"), "opens-the-door").unwrap();
    fs::set_permissions(daemon.path("door"), fs::Permissions::from_mode(0o600)).unwrap();
    let log = fs::File::create(daemon.path("daemon.log")).unwrap();
    let mut command = Command::new("/bin/sh");
    command
        .args([
            "-c",
            &format!("ulimit -n {descriptors}; exec \"$0\" run --config \"$1\""),
        ])
        .arg(program())
        .arg(daemon.path("mainstay.toml"))
        .stderr(log);
    daemon.run_as(command);
    daemon
}

#[test]
fn connections_that_ask_for_nothing_keep_neither_the_socket_nor_a_reload() {
    let port = free_port();
    let mut daemon = start(port, 256);
    let connect = |_| TcpStream::connect(("127.0.0.1", port)).unwrap();
    let idle: Vec<TcpStream> = (0..300).map(connect).collect();
    let begun = Instant::now();
    assert!(daemon.cli(&["status"]).status.success(), "{}", daemon.log());
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    let config = fs::read_to_string(daemon.path("mainstay.toml")).unwrap();
    let target = "\n[[target]]\nname = \"late\"\nrun = [\"/bin/sleep\", \"1000\"]\n";
    fs::write(daemon.path("mainstay.toml"), config + target).unwrap();
    wait_for("the target of the new config", || {
        let pids = daemon.pids();
        pids.contains_key("late")
            .then_some(())
            .ok_or_else(|| daemon.log())
    });
    drop(idle);
    assert!(daemon.stop(), "{}", daemon.log());
}

#[test]
fn half_a_request_to_the_socket_does_not_hold_up_the_stop() {
    for half in [
        "",
        "GET /v1/status HTTP/1.1\r\nhost: l",
        "POST /v1/pause HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{",
    ] {
        let mut daemon = Daemon::start(HOST, &[]);
        let mut slow = UnixStream::connect(daemon.path("state/mainstay.sock")).unwrap();
        slow.write_all(half.as_bytes()).unwrap();
        assert!(daemon.cli(&["status"]).status.success());
        let begun = Instant::now();
        assert!(daemon.stop(), "{half:?}: {}", daemon.log());
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(8), "{half:?}: {took:?}");
    }
}

#[test]
fn a_socket_that_is_removed_is_made_again_and_a_file_in_its_place_is_kept() {
    let mut daemon = Daemon::start(HOST, &[]);
    let socket = daemon.path("state/mainstay.sock");
    fs::remove_file(&socket).unwrap();
    wait_for("the daemon to be reached again", || {
        let output = daemon.cli(&["status"]);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success().then_some(()).ok_or(why)
    });
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, "precious").unwrap();
    assert!(daemon.stop(), "{}", daemon.log());
    assert_eq!(fs::read_to_string(&socket).unwrap(), "precious");
}
