//! A host that two links lead to, each of which can be cut at its far end: the near one does not know, and what it sends is lost.

use super::{actions, start, wait_for_health};
use mainstay_tests::{
    Daemon, in_a_network_namespace, note_recovery, now, plugin, program, wait_for,
};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

/// Begins to serve when a line comes in: it tells each who connects from where that was.
const SERVER: &str = r#"
import socketserver, sys

class Peer(socketserver.BaseRequestHandler):
    def handle(self): self.request.sendall(self.client_address[0].encode())

print("there", flush=True)
sys.stdin.readline()
server = socketserver.ThreadingTCPServer(("10.77.9.9", 7000), Peer)
print("serves", flush=True)
server.serve_forever()
"#;

/// What holds a connection, and has to connect anew: it writes down from where it did.
const CLIENT: &str = r#"
import socket
with socket.create_connection(("10.77.9.9", 7000), 5) as connection:
    line = connection.recv(100).decode()
with open("connected", "a") as file:
    file.write(line + "\n")
"#;

/// The host, in a network namespace of its own; it ends with this.
struct FarHost {
    process: Child,
}

impl FarHost {
    /// `dsl` and `lte` lead to it, and the first is taken.
    fn start() -> Self {
        let mut process = Command::new("unshare")
            .args(["-n", "python3", "-c", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        must_say(&mut output, "there");
        let mut host = Self { process };
        host.ip("link set lo up");
        host.ip("addr add 10.77.9.9/32 dev lo");
        for (link, number) in [("dsl", 0), ("lte", 1)] {
            let namespace = host.process.id();
            ip(&format!(
                "link add {link} type veth peer name far-{link} netns {namespace}"
            ));
            ip(&format!("addr add 10.77.{number}.1/30 dev {link}"));
            ip(&format!("link set {link} up"));
            host.ip(&format!("addr add 10.77.{number}.2/30 dev far-{link}"));
            host.ip(&format!("link set far-{link} up"));
        }
        ip("route add 10.77.9.9 via 10.77.0.2 dev dsl");
        let input = host.process.stdin.as_mut().unwrap();
        input.write_all(b"serve\n").unwrap();
        must_say(&mut output, "serves");
        host
    }

    /// Cuts a link at this end of it.
    fn cut(&self, link: &str) {
        self.ip(&format!("link set far-{link} down"));
    }

    /// Mends what was cut.
    fn mend(&self, link: &str) {
        self.ip(&format!("link set far-{link} up"));
    }

    fn ip(&self, arguments: &str) {
        let mut enter = Command::new("nsenter");
        enter.args(["-t", &self.process.id().to_string(), "-n", "ip"]);
        must(enter.args(arguments.split(' ')));
    }
}

impl Drop for FarHost {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn must_say(output: &mut BufReader<ChildStdout>, wanted: &str) {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), wanted);
}

fn ip(arguments: &str) {
    must(Command::new("ip").args(arguments.split(' ')));
}

fn must(command: &mut Command) {
    let output = command.output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {why}");
}

/// From where the client connected, each time that it did.
fn connected(daemon: &Daemon) -> Vec<String> {
    let text = fs::read_to_string(daemon.path("connected")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

const CONFIG: &str = r#"
[command.by-dsl]
run = ["ip", "route", "replace", "10.77.9.9", "via", "10.77.0.2", "dev", "dsl"]

[command.by-lte]
run = ["ip", "route", "replace", "10.77.9.9", "via", "10.77.1.2", "dev", "lte"]

[command.connect]
run = ["python3", "client.py"]

[[target]]
name = "exchange"

[[target.check]]
kind = "tcp"
address = "10.77.9.9:7000"
every = "500ms"
fail_after = 2
recover_after = 1
failure = "network-partition"

[[route]]
failure = "network-partition"
strategy = { kind = "immediate", max_attempts = 5 }
chain = [{ handler = "network-failover" }]

[plugin.network-failover]
grants = { target = ["check"], command = ["by-dsl", "by-lte", "connect"] }
settings = { wait = "100ms", paths = ["by-dsl", "by-lte"], settle = "2s", reconnect = ["connect"] }
"#;

#[test]
fn a_link_that_is_cut_is_left_for_the_other_and_taken_again_when_that_is_cut() {
    let build = || {
        program();
        plugin("network-failover");
    };
    let test = "network::a_link_that_is_cut_is_left_for_the_other_and_taken_again_when_that_is_cut";
    if !in_a_network_namespace(test, build) {
        return;
    }
    let host = FarHost::start();
    let daemon = start(CONFIG, "network-failover", |daemon| {
        fs::write(daemon.path("client.py"), CLIENT).unwrap();
    });
    wait_for_health(&daemon, "healthy");

    let caused = now();
    host.cut("dsl");
    let operation = daemon.wait_for_operation("exchange", "succeeded");
    let expected = [
        "waited 100ms",
        "took `by-dsl`",
        "took `by-lte`",
        "ran `connect`",
        "saw its checks pass",
    ];
    assert_eq!(actions(&operation), expected, "{operation}");
    assert_eq!(connected(&daemon), ["10.77.1.1"]);
    let kept = "a connection by the other link";
    note_recovery(&operation, "network-partition", caused, kept);

    // Nothing goes back by itself while the other is well.
    host.mend("dsl");
    wait_for_health(&daemon, "healthy");
    host.cut("lte");
    wait_for("the first link to be taken again", || {
        match connected(&daemon).len() {
            2 => Ok(()),
            _ => Err(daemon.json(&["history"]).to_string()),
        }
    });
    assert_eq!(connected(&daemon), ["10.77.1.1", "10.77.0.1"]);
    let again = &daemon.wait_for_successes("exchange", 2)[1];
    let expected = [
        "waited 100ms",
        "took `by-dsl`",
        "ran `connect`",
        "saw its checks pass",
    ];
    assert_eq!(actions(again), expected, "{again}");
}
