//! Reads what a Redis holds by some patterns of keys, as the commands that give it back.
//!
//! Invariant: of a value no more is held in memory than a piece, whatever its size.
//! Invariant: a password goes into the connection and nowhere else, also where what is asked tells it again: of an answer to it no
//! word is shown that is quoted, and secrets are taken out before anything is cut.

use crate::ports::{BackupStoreError, OnContent, Secrets};
use mainstay_domain::{
    protocol::resp::{self, Head},
    spec::{RedisSource, ServiceAddress},
    text::visible,
};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpStream, UnixStream},
};

/// The command that a password goes with.
const AUTH: &str = "AUTH";
/// So long may the first line of a reply be.
const MOST_LINE: u64 = 64 << 10;
/// So long may a key be.
const MOST_KEY: u64 = 1 << 20;
/// So many keys may come at once, and so many bytes of them; a Redis gives about as many as it is asked for.
const MOST_KEYS: u64 = 1 << 20;
const MOST_SCANNED: u64 = 16 << 20;
/// So many keys are asked for at once.
const COUNT: &str = "200";
/// So much of a value is read at once.
const PIECE: usize = 64 << 10;
/// So many letters are told of why it cannot be read.
const MOST_TOLD: usize = 200;

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Hands on a RESTORE for each key that one of the patterns names.
pub(super) async fn dump(
    source: &RedisSource,
    secrets: &dyn Secrets,
    on_bytes: &mut OnContent<'_>,
) -> Result<(), BackupStoreError> {
    let failed = |why: String| {
        let why: String = secrets.conceal_text(&why).chars().take(MOST_TOLD).collect();
        BackupStoreError::Source(format!("the Redis at {}: {}", source.at, visible(&why)))
    };
    let password = source.password.as_ref().map(|name| secrets.value(name));
    let password = password
        .transpose()
        .map_err(|why| failed(why.to_string()))?;
    let mut redis = Connection::open(&source.at).await.map_err(&failed)?;
    if let Some(password) = &password {
        let mut words = vec![AUTH];
        words.extend(source.user.as_deref());
        words.push(password);
        redis.agreed(&words).await.map_err(&failed)?;
    }
    if source.database > 0 {
        let database = source.database.to_string();
        let selected = redis.agreed(&["SELECT", database.as_str()]).await;
        selected.map_err(&failed)?;
    }
    for pattern in &source.keys {
        let mut cursor = b"0".to_vec();
        loop {
            let (next, keys) = redis.scan(&cursor, pattern).await.map_err(&failed)?;
            for key in &keys {
                let found = redis.value_of(key).await.map_err(&failed)?;
                let Some((expires, length)) = found else {
                    continue;
                };
                on_bytes(&resp::restore_begin(key, expires, length))?;
                let mut left = length;
                while left > 0 {
                    let piece = redis.piece(left).await.map_err(&failed)?;
                    on_bytes(piece)?;
                    left = left.saturating_sub(piece.len() as u64);
                }
                redis.end_of_bulk().await.map_err(&failed)?;
                on_bytes(resp::restore_end(expires))?;
            }
            if next == b"0" {
                break;
            }
            cursor = next;
        }
    }
    Ok(())
}

/// A connection to a Redis. Errors are sentences that go on from its address.
struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    piece: Vec<u8>,
}

impl Connection {
    async fn open(at: &ServiceAddress) -> Result<Self, String> {
        let no_connection = |error: io::Error| format!("no connection opens: {error}");
        let stream: Box<dyn Stream> = match at {
            ServiceAddress::Tcp(address) => {
                Box::new(TcpStream::connect(address).await.map_err(no_connection)?)
            }
            ServiceAddress::Unix(path) => {
                Box::new(UnixStream::connect(path).await.map_err(no_connection)?)
            }
        };
        Ok(Self {
            stream: BufReader::new(stream),
            piece: vec![0; PIECE],
        })
    }

    async fn ask(&mut self, commands: &[u8]) {
        // Who takes no one more says so and closes the connection before it reads anything. What it said is read still.
        let _ = self.stream.write_all(commands).await;
        let _ = self.stream.flush().await;
    }

    /// Has a command done of which nothing but that is of interest.
    async fn agreed(&mut self, words: &[&str]) -> Result<(), String> {
        self.ask(&resp::command(words)).await;
        let what = words.first().copied().unwrap_or_default();
        match self.head(what).await? {
            Head::Text(_) => Ok(()),
            _ => Err(odd(what)),
        }
    }

    /// The next cursor, and some keys; a key may come more than once.
    async fn scan(
        &mut self,
        cursor: &[u8],
        pattern: &str,
    ) -> Result<(Vec<u8>, Vec<Vec<u8>>), String> {
        let words: [&[u8]; 6] = [
            b"SCAN",
            cursor,
            b"MATCH",
            pattern.as_bytes(),
            b"COUNT",
            COUNT.as_bytes(),
        ];
        self.ask(&resp::command(&words)).await;
        if self.head("SCAN").await? != Head::Array(2) {
            return Err(odd("SCAN"));
        }
        let next = self.bulk("SCAN").await?;
        let count = match self.head("SCAN").await? {
            Head::Array(count) if count <= MOST_KEYS => count,
            _ => return Err(odd("SCAN")),
        };
        let (mut keys, mut bytes) = (Vec::new(), 0);
        for _ in 0..count {
            let key = self.bulk("SCAN").await?;
            bytes += key.len() as u64;
            if bytes > MOST_SCANNED {
                return Err(format!(
                    "it gave more than {MOST_SCANNED} bytes of keys at once"
                ));
            }
            keys.push(key);
        }
        Ok((next, keys))
    }

    /// When a key expires, and how long its value is, which comes next; none where it is gone.
    async fn value_of(&mut self, key: &[u8]) -> Result<Option<(Option<u64>, u64)>, String> {
        let words: [&[u8]; 2] = [b"PTTL", key];
        let mut commands = resp::command(&["TIME"]);
        commands.extend(resp::command(&words));
        commands.extend(resp::command(&[b"DUMP".as_slice(), key]));
        self.ask(&commands).await;
        if self.head("TIME").await? != Head::Array(2) {
            return Err(odd("TIME"));
        }
        let (seconds, micros) = (self.number("TIME").await?, self.number("TIME").await?);
        let now = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
        let left = match self.head("PTTL").await? {
            Head::Number(left) => left,
            _ => return Err(odd("PTTL")),
        };
        match self.head("DUMP").await? {
            Head::Bulk(length) => Ok(Some((resp::expires_at(now, left), length))),
            Head::Nothing => Ok(None),
            _ => Err(odd("DUMP")),
        }
    }

    /// The first line of a reply that is no error.
    async fn head(&mut self, what: &str) -> Result<Head, String> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(MOST_LINE);
        limited.read_until(b'\n', &mut line).await.map_err(broken)?;
        if line.pop() != Some(b'\n') {
            return Err("it closed the connection without an answer".to_owned());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        match resp::head(&line)? {
            Head::Error(error) if what == AUTH => {
                // A Redis quotes what it was told where it does not know the command.
                let told = error.split(['\'', '"', '`']).next().unwrap_or_default();
                Err(format!("it answered {what} with: {}", told.trim_end()))
            }
            Head::Error(error) => Err(format!("it answered {what} with: {error}")),
            head => Ok(head),
        }
    }

    /// A short bulk string.
    async fn bulk(&mut self, what: &str) -> Result<Vec<u8>, String> {
        let length = match self.head(what).await? {
            Head::Bulk(length) => length,
            _ => return Err(odd(what)),
        };
        if length > MOST_KEY {
            return Err(format!(
                "a key has {length} bytes, and at most {MOST_KEY} are stored"
            ));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.stream.read_exact(&mut bytes).await.map_err(broken)?;
        self.end_of_bulk().await?;
        Ok(bytes)
    }

    async fn number(&mut self, what: &str) -> Result<u64, String> {
        let text = self.bulk(what).await?;
        let number = String::from_utf8_lossy(&text).parse();
        number.map_err(|_| odd(what))
    }

    /// Some of the bytes that are left of a bulk string.
    async fn piece(&mut self, left: u64) -> Result<&[u8], String> {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
        let room = self.piece.get_mut(..most).unwrap_or_default();
        let count = self.stream.read(room).await.map_err(broken)?;
        match count {
            0 => Err("it closed the connection in the middle of a value".to_owned()),
            count => Ok(self.piece.get(..count).unwrap_or_default()),
        }
    }

    async fn end_of_bulk(&mut self) -> Result<(), String> {
        let mut end = [0; 2];
        self.stream.read_exact(&mut end).await.map_err(broken)?;
        match &end {
            b"\r\n" => Ok(()),
            _ => Err("a value does not end where it said".to_owned()),
        }
    }
}

fn broken(error: io::Error) -> String {
    format!("the connection broke off: {error}")
}

fn odd(what: &str) -> String {
    format!("what it answered to {what} is none of the answers to it")
}
