//! HTTP as bytes on a socket, so that what no client would send can be sent too.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long an answer may take; without optimisation, and beside the other tests, some more.
pub(super) const LONGEST: Duration =
    Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 5 });

/// Where a request goes.
#[derive(Debug, Clone)]
pub(super) enum Way {
    Socket(PathBuf),
    Tcp(SocketAddr),
}

/// An open connection.
pub(super) enum Connection {
    Socket(UnixStream),
    Tcp(TcpStream),
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) media: String,
    pub(super) body: Vec<u8>,
}

impl Way {
    pub(super) fn connect(&self) -> Connection {
        match self {
            Self::Socket(path) => {
                let socket = UnixStream::connect(path).unwrap();
                socket.set_read_timeout(Some(LONGEST)).unwrap();
                socket.set_write_timeout(Some(LONGEST)).unwrap();
                Connection::Socket(socket)
            }
            Self::Tcp(address) => {
                let socket = TcpStream::connect(address).unwrap();
                socket.set_read_timeout(Some(LONGEST)).unwrap();
                socket.set_write_timeout(Some(LONGEST)).unwrap();
                Connection::Tcp(socket)
            }
        }
    }
}

impl Connection {
    /// Sends what is taken: who refuses a request need not read the rest of it.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let sent = match self {
            Self::Socket(socket) => socket.write_all(bytes),
            Self::Tcp(socket) => socket.write_all(bytes),
        };
        if let Err(error) = sent {
            let kinds = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
            assert!(!kinds.contains(&error.kind()), "nothing is read: {error}");
        }
    }

    /// Tells that nothing more comes.
    pub(super) fn finish(&mut self) {
        // It may have been cut off by now.
        let _ = match self {
            Self::Socket(socket) => socket.shutdown(Shutdown::Write),
            Self::Tcp(socket) => socket.shutdown(Shutdown::Write),
        };
    }

    /// Everything that comes until the other end closes; of what has no end, the head.
    ///
    /// # Errors
    /// Nothing came for too long.
    pub(super) fn receive(&mut self, only_head: bool) -> Result<Vec<u8>, String> {
        let start = Instant::now();
        let mut all = Vec::new();
        let mut some = vec![0; 64 << 10];
        loop {
            let read = match self {
                Self::Socket(socket) => socket.read(&mut some),
                Self::Tcp(socket) => socket.read(&mut some),
            };
            match read {
                Ok(0) => return Ok(all),
                Ok(length) => all.extend_from_slice(&some[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) =>
                {
                    return Err(format!("nothing came for {:?}", start.elapsed()));
                }
                // Cut off, with or without an answer before.
                Err(_) => return Ok(all),
            }
            if only_head && all.windows(4).any(|four| four == b"\r\n\r\n") {
                return Ok(all);
            }
        }
    }
}

/// The last answer in what came; none where there is none.
pub(super) fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let rest = &bytes[end + 4..];
    let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
    if (100..200).contains(&status) {
        return parse(rest);
    }
    let field = |wanted: &str| {
        let fields = head.lines().filter_map(|line| line.split_once(':'));
        let mut values = fields.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        values.next().map(|(_, value)| value.trim().to_owned())
    };
    let is_chunked = field("transfer-encoding").is_some_and(|value| value == "chunked");
    Some(Answer {
        status,
        media: field("content-type").unwrap_or_default(),
        body: match is_chunked {
            true => joined(rest),
            false => rest.to_vec(),
        },
    })
}

/// The chunks of a body, as far as they are there.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = chunks.windows(2).position(|two| two == b"\r\n") {
        let size = String::from_utf8_lossy(&chunks[..end]).into_owned();
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else {
            break;
        };
        let chunk = &chunks[end + 2..];
        let length = size.min(chunk.len());
        body.extend_from_slice(&chunk[..length]);
        if size == 0 || chunk.len() < size + 2 {
            break;
        }
        chunks = &chunk[size + 2..];
    }
    body
}
