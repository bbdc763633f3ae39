//! A gateway that limits how often each client may ask, and counts on over a restart.

use super::{actions, put_token, start, wait_for_health};
use mainstay_tests::{Daemon, free_port};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

const TOKEN: &str = "s3cr3tOfTheLimits";
/// More requests than a client has in an hour.
const TOO_MANY: usize = 301;

/// 300 requests in an hour; what each has had is in a file of `limits`.
const GATEWAY: &str = r#"
import http.server, os, sys, threading, time

MOST, WINDOW = 300, 3600
lock = threading.Lock()
with open("token") as file:
    token = file.read()

def left(client):
    """How many seconds there are until this client may ask again; 0 where it may now."""
    path, now = os.path.join("limits", client), int(time.time())
    with lock:
        began, count = now, 0
        if os.path.exists(path):
            with open(path) as file:
                began, count = map(int, file.read().split())
        if now - began >= WINDOW:
            began, count = now, 0
        with open(path, "w") as file:
            file.write(f"{began} {count + 1}")
    return 0 if count < MOST else began + WINDOW - now

class Gateway(http.server.BaseHTTPRequestHandler):
    def answer(self, status, *headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self):
        wait = left(self.headers["x-client"])
        if wait:
            return self.answer(429, ("Retry-After", str(wait)))
        self.answer(200)

    def do_DELETE(self):
        if self.headers["authorization"] != "Bearer " + token:
            return self.answer(401)
        with lock:
            for name in os.listdir("limits"):
                os.remove(os.path.join("limits", name))
        self.answer(200)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Gateway).serve_forever()
"#;

/// `settings` of the handler; PORT in it is that of the gateway.
fn gateway(settings: &str) -> (Daemon, u16) {
    let port = free_port();
    let settings = settings.replace("PORT", &port.to_string());
    let config = format!(
        r#"
[secrets]
admin = {{ file = "token" }}

[command.clear-limits]
run = ["/bin/sh", "-c", "rm -f limits/*"]

[[target]]
name = "gateway"
run = ["python3", "gateway.py", "{port}"]

[[target.check]]
kind = "http"
url = "http://127.0.0.1:{port}/"
headers = {{ x-client = "health" }}
every = "500ms"
fail_after = 2
recover_after = 1
failure = "api-gateway-down"

[[route]]
failure = "api-gateway-down"
chain = [{{ handler = "gateway-recovery" }}]

[plugin.gateway-recovery]
grants = {{ target = ["check", "restart"], command = ["clear-limits"], http = ["http://127.0.0.1:{port}"] }}
settings = {settings}
"#
    );
    let daemon = start(&config, "gateway-recovery", |daemon| {
        put_token(daemon, TOKEN);
        fs::write(daemon.path("gateway.py"), GATEWAY).unwrap();
        fs::create_dir(daemon.path("limits")).unwrap();
    });
    wait_for_health(&daemon, "healthy");
    (daemon, port)
}

/// The answer to the client that its check is, the head of it.
fn ask(port: u16) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = b"GET / HTTP/1.0\r\nx-client: health\r\n\r\n";
    socket.write_all(request).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// Asks until it is limited, and waits until that is over. What was done about it, and by which processes it was served
/// before and after.
fn limited(daemon: &Daemon, port: u16) -> (Value, [u32; 2]) {
    let before = daemon.pids()["gateway"];
    let mut answers = (0..TOO_MANY).map(|_| ask(port));
    let refused = answers.find(|answer| answer.starts_with("HTTP/1.0 429"));
    let refused = refused.expect("it limits");
    assert!(refused.contains("Retry-After: 3"), "{refused}");
    let operation = daemon.wait_for_operation("gateway", "succeeded");
    let answer = ask(port);
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    (operation, [before, daemon.pids()["gateway"]])
}

#[test]
fn the_limits_that_a_gateway_keeps_over_a_restart_are_cleared_by_itself_and_it_runs_on() {
    let own = r#"{ limits = "http://127.0.0.1:PORT/rate-limits", headers = { authorization = "Bearer ${secret:admin}" } }"#;
    let (daemon, port) = gateway(own);
    let (operation, [before, after]) = limited(&daemon, port);
    let expected = ["cleared its rate limits", "saw its checks pass"];
    assert_eq!(actions(&operation), expected, "{operation}");
    assert_eq!(before, after);
    let journal = Value::from(daemon.journal(&operation, "intent"));
    assert!(!journal.to_string().contains(TOKEN), "{journal}");
}

#[test]
fn the_limits_that_a_gateway_keeps_in_a_store_are_cleared_there_before_it_is_restarted() {
    let (daemon, port) = gateway(r#"{ clear = "clear-limits" }"#);
    let (operation, [before, after]) = limited(&daemon, port);
    let expected = [
        "ran `clear-limits`",
        "restarted gateway",
        "saw its checks pass",
    ];
    assert_eq!(actions(&operation), expected, "{operation}");
    assert_ne!(before, after);
}
