//! Servers that speak TLS, by the certificates of `tests/fixtures/tls`.

use crate::{ChildServer, repository};
use std::path::PathBuf;

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
        with context.wrap_socket(peer, server_side=True) as stream, stream.makefile("rb") as lines:
            request, length = lines.readline(), 0
            while (line := lines.readline()) not in (b"", b"\r\n"):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            lines.read(length)
            status = b"202 Accepted" if request.startswith(b"POST /v2/enqueue ") else b"200 OK"
            if request:
                stream.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwell")
    except OSError:
        pass
while True:
    peer, _ = listener.accept()
    threading.Thread(target=serve, args=(peer,), daemon=True).start()
"#;

/// A file of `tests/fixtures/tls`: `authority.pem`, `server.pem`, which it signed for localhost until 2119, and
/// `expired.pem`, which signed itself until 2021; `server.key` is the key of both.
pub fn tls_file(name: &str) -> PathBuf {
    repository().join("tests/fixtures/tls").join(name)
}

/// Answers `well` to every request, with 202 where it is an event of PagerDuty; ends with this.
pub struct TlsServer(ChildServer);

impl TlsServer {
    /// With the certificate of this name.
    pub fn start(certificate: &str) -> Self {
        Self::run(&[tls_file(certificate), tls_file("server.key")])
    }

    /// With the second one for who asks for `other.example`.
    pub fn with_other(certificate: &str, other: &str) -> Self {
        let key = tls_file("server.key");
        Self::run(&[tls_file(certificate), key, tls_file(other)])
    }

    fn run(arguments: &[PathBuf]) -> Self {
        Self(ChildServer::of_script(SERVER, arguments))
    }

    /// Of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.0.port()
    }
}
