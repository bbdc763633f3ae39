//! Servers that speak TLS, and what checks make of their certificates.

use super::{case, judge};
use mainstay_tests::{Daemon, repository};
use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

const SERVER: &str = r#"
import socket, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
if len(sys.argv) > 3:
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other.load_cert_chain(sys.argv[3], sys.argv[2])
    def choose(stream, name, _):
        if name == "other.example":
            stream.context = other
    context.sni_callback = choose
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
def serve(peer):
    try:
        with context.wrap_socket(peer, server_side=True) as stream:
            if stream.recv(65536):
                stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwell")
    except OSError:
        pass
while True:
    peer, _ = listener.accept()
    threading.Thread(target=serve, args=(peer,), daemon=True).start()
"#;

/// A file of `tests/fixtures/tls`: `authority.pem`, `server.pem`, which it signed for localhost until 2119, and
/// `expired.pem`, which signed itself until 2021; `server.key` is the key of both.
pub(super) fn fixture(name: &str) -> PathBuf {
    repository().join("tests/fixtures/tls").join(name)
}

/// Answers `well` to every request; ends with this.
pub(super) struct TlsServer {
    process: Child,
    pub(super) port: u16,
}

impl TlsServer {
    /// With the certificate of this name.
    pub(super) fn start(certificate: &str) -> Self {
        Self::run(&[fixture(certificate), fixture("server.key")])
    }

    /// With the second one for who asks for `other.example`.
    fn with_other(certificate: &str, other: &str) -> Self {
        let key = fixture("server.key");
        Self::run(&[fixture(certificate), key, fixture(other)])
    }

    fn run(arguments: &[PathBuf]) -> Self {
        let mut process = Command::new("python3")
            .args(["-c", SERVER])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Self { process, port }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Acts: `target.check(tls)`, `target.check(tls).address`, `target.check(tls).min_days`, `target.check(tls).warn_days`
#[test]
fn a_certificate_is_judged_by_the_days_that_it_has_left_whoever_signed_it() {
    let (valid, expired) = (
        TlsServer::start("server.pem"),
        TlsServer::start("expired.pem"),
    );
    let tls = |server: &TlsServer, more: &str| {
        let port = server.port;
        format!("kind = \"tls\"\naddress = \"localhost:{port}\"\n{more}")
    };
    let deaf = "kind = \"tls\"\naddress = \"127.0.0.1:1\"";
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    let closes = format!("kind = \"tls\"\naddress = \"127.0.0.1:{port}\"");
    std::thread::spawn(move || while plain.accept().is_ok() {});
    // It ends in 2119.
    let cases = [
        case(tls(&valid, ""), "healthy", ""),
        case(tls(&valid, "min_days = 36500"), "failed", "at least 36500"),
        case(tls(&valid, "warn_days = 36500"), "degraded", ""),
        case(tls(&valid, "warn_days = 8"), "healthy", ""),
        case(tls(&expired, ""), "failed", "days ago"),
        case(tls(&expired, "min_days = 0"), "failed", "days ago"),
        case(deaf, "failed", "connection refused"),
        case(closes, "failed", "no certificate"),
    ];
    judge(&mut Daemon::prepare(""), &cases);
}

/// Acts: `target.check(tls).server_name`
#[test]
fn a_server_of_many_names_is_asked_for_the_one_of_the_check() {
    let server = TlsServer::with_other("server.pem", "expired.pem");
    let tls = |more: &str| {
        let port = server.port;
        format!("kind = \"tls\"\naddress = \"127.0.0.1:{port}\"\n{more}")
    };
    let cases = [
        case(tls(""), "healthy", ""),
        case(tls("server_name = \"shop.example\""), "healthy", ""),
        case(tls("server_name = \"other.example\""), "failed", "days ago"),
    ];
    judge(&mut Daemon::prepare(""), &cases);
}
