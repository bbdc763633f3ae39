//! The admin API of a daemon as a program of one's own would speak it.

use crate::Daemon;
use serde_json::Value;
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

impl Daemon {
    /// What Prometheus finds at `/metrics`, with the head of the answer.
    pub fn metrics(&self) -> String {
        let mut socket = UnixStream::connect(self.path("state/mainstay.sock")).unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nhost: mainstay\r\nconnection: close\r\n\r\n";
        socket.write_all(request).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Reads a path over the daemon's socket; the status of the answer, and its text.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut socket = UnixStream::connect(self.path("state/mainstay.sock")).unwrap();
        // So that what comes as a stream has no chunks.
        let request = format!("GET {path} HTTP/1.0\r\nhost: mainstay\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer of HTTP: {answer}"));
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, body.to_owned())
    }

    /// Sends a command over the daemon's socket; the status of the answer, and its JSON, `Null` where it is none.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_with(path, body, &[])
    }

    /// The same, with these headers.
    pub fn post_with(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> (u16, Value) {
        let body = body.to_string();
        let headers: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let headers = headers.concat();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: mainstay\r\nconnection: close\r\ncontent-type: application/json\r\n\
             {headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut socket = UnixStream::connect(self.path("state/mainstay.sock")).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer of HTTP: {answer}"));
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}
