//! A real HTTP server that answers a request when the test says so: who asks is held in the middle of what it does.

use crate::wait_for;
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
};

/// Listens until it is dropped; nothing is answered by itself.
pub struct Gate {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    listener: TcpListener,
}

/// A request without an answer. The connection is cut where it is dropped.
pub struct Held {
    stream: TcpStream,
    /// The lines of its head, in lower case.
    head: Vec<String>,
}

impl Gate {
    /// Listens on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { url, listener }
    }

    /// Waits for the next request.
    pub fn next(&self, what: &str) -> Held {
        let stream = wait_for(what, || match self.listener.accept() {
            Ok((stream, _)) => Ok(stream),
            Err(error) => Err(error.to_string()),
        });
        stream.set_nonblocking(false).unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head = lines
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .map(|line| line.to_lowercase())
            .collect();
        Held { stream, head }
    }

    /// Waits for a request that is made again, once the daemon was killed in it. What was answered just before, with the key
    /// `before`, may not be written down where this one only looks: then that is asked again first, and answered.
    pub fn next_again(&self, before: Option<&str>) -> Held {
        let what = "the same request again";
        let again = self.next(what);
        if before.is_some() && again.header("idempotency-key") == before {
            again.answer();
            return self.next(what);
        }
        again
    }
}

impl Held {
    /// The value of a header, in lower case; `name` too.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.iter().filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(field, _)| *field == name)?;
        Some(value.trim())
    }

    /// Its request line, in lower case: `get /path http/1.1`.
    pub fn line(&self) -> &str {
        self.head.first().map_or("", String::as_str)
    }

    /// Answers 200.
    pub fn answer(mut self) {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        self.stream.write_all(answer).unwrap();
    }
}
