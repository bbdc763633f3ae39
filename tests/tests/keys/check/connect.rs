//! Checks that open a connection and no more.

use super::{case, judge};
use crate::keys::target::{HOST, row_of};
use mainstay_tests::{ChildServer, Daemon, wait_for};
use std::{fs, os::unix::net::UnixListener, path::Path};

/// A server whose queue is full, until it is told to take what waits. Over TCP the system asks it again after a second.
const FULL: &str = r#"
import socket, sys
if sys.argv[1:]:
    family, address = socket.AF_UNIX, sys.argv[1]
else:
    family, address = socket.AF_INET, ("127.0.0.1", 0)
listener = socket.socket(family)
listener.bind(address)
listener.listen(0)
kept = [socket.socket(family)]
kept[0].connect(listener.getsockname())
print(0 if sys.argv[1:] else listener.getsockname()[1], flush=True)
sys.stdin.readline()
while True:
    kept.append(listener.accept())
"#;

struct FullServer(ChildServer);

impl FullServer {
    /// On a free port, or at a path.
    fn start(path: Option<&Path>) -> Self {
        Self(ChildServer::of_script(FULL, path.as_slice()))
    }

    /// Takes what waits, and all that comes.
    fn take(&mut self) {
        self.0.end_input();
    }

    /// Connections that have asked for it and have no answer.
    fn asking(&self) -> usize {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let port = format!(":{:04X}", self.0.port());
        let asks = |line: &&str| {
            let mut fields = line.split_ascii_whitespace().skip(2);
            fields.next().is_some_and(|to| to.ends_with(&port)) && fields.next() == Some("02")
        };
        table.lines().filter(asks).count()
    }
}

/// Acts: `target.check(tcp).warn_latency`
#[test]
fn a_connection_that_takes_longer_than_it_may_is_degraded() {
    let mut server = FullServer::start(None);
    let target = |name: &str, warn: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\n[[target.check]]\nkind = \"tcp\"\naddress = \"127.0.0.1:{}\"\nevery = \"1h\"\n\
             timeout = \"1m\"\nwarn_latency = \"{warn}\"\nfailure = \"seen\"\n",
            server.0.port()
        )
    };
    let targets = [target("warned", "500ms"), target("patient", "59s")].concat();
    let daemon = Daemon::start(&format!("{HOST}{targets}"), &[]);
    wait_for("both to ask", || {
        let asking = server.asking();
        (asking == 2)
            .then_some(())
            .ok_or_else(|| asking.to_string())
    });
    server.take();
    daemon.wait_for_status("both to be judged", |status| {
        row_of(status, "warned")["health"] == "degraded"
            && row_of(status, "patient")["health"] == "healthy"
    });
}

/// Acts: `target.check(unix)`, `target.check(unix).path`
#[test]
fn a_socket_in_the_file_system_is_connected_to() {
    let mut daemon = Daemon::prepare("");
    let unix = |path: &str| format!("kind = \"unix\"\npath = \"{path}\"");
    let _listener = UnixListener::bind(daemon.path("open.sock")).unwrap();
    drop(UnixListener::bind(daemon.path("left.sock")).unwrap());
    fs::write(daemon.path("file.sock"), "").unwrap();
    let cases = [
        case(unix("open.sock"), "healthy", ""),
        case(unix("left.sock"), "failed", "connection refused"),
        case(unix("none.sock"), "failed", "not exist"),
        case(unix("file.sock"), "failed", "no socket"),
    ];
    judge(&mut daemon, &cases);
}

/// Acts: `target.check(unix).warn_latency`
#[test]
fn a_socket_whose_server_is_busy_is_degraded_once_it_takes_the_connection() {
    let mut daemon = Daemon::prepare("");
    let mut server = FullServer::start(Some(daemon.path("busy.sock").as_path()));
    let config = format!(
        "{HOST}[[target]]\nname = \"t\"\n[[target.check]]\nkind = \"unix\"\npath = \"busy.sock\"\nevery = \"1h\"\n\
         timeout = \"1m\"\nwarn_latency = \"20ms\"\nfailure = \"seen\"\n\
         [[target]]\nname = \"clock\"\n[[target.check]]\nkind = \"exec\"\nrun = [\"sh\", \"-c\", \"echo >> ticks\"]\n\
         every = \"100ms\"\nfailure = \"seen\"\n"
    );
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
    daemon.run();
    // Both checks begin together; when the other one has run so often, this one waits for long enough.
    wait_for("time to pass", || {
        let ticks = fs::read_to_string(daemon.path("ticks")).unwrap_or_default();
        let ticks = ticks.lines().count();
        (ticks >= 10).then_some(()).ok_or_else(|| ticks.to_string())
    });
    let status = daemon.json(&["status"]);
    assert_eq!(row_of(&status, "t")["health"], "unknown", "it waits");
    server.take();
    daemon.wait_for_status("it to be judged", |status| {
        row_of(status, "t")["health"] == "degraded"
    });
}
