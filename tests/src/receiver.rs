//! A real HTTP receiver of webhooks, on a thread of its own.

use crate::wait_for;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Instant,
};

/// One request that came in.
#[derive(Debug, Clone)]
pub struct Received {
    /// When its last byte was read.
    pub at: Instant,
    /// `POST /path`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it was sent.
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a header, whose name is in lower case; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        let found = headers.find(|(header, _)| header == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The body as JSON, `Null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// What the receiver answers to a request: the whole response. It may take its time.
type Answer = Arc<Mutex<Arc<dyn Fn(&Received) -> String + Send + Sync>>>;

/// Listens until the process ends.
pub struct Receiver {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
    answer: Answer,
}

impl Receiver {
    /// Listens on a free port and answers 200 to everything.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let answer: Answer = Arc::new(Mutex::new(Arc::new(|_| response("200 OK", "", "thanks"))));
        let receiver = Self {
            url,
            received: Arc::clone(&received),
            answer: Arc::clone(&answer),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (received, answer) = (Arc::clone(&received), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &received, &answer));
            }
        });
        receiver
    }

    /// What is answered from now on; `headers` end with CRLF each.
    pub fn answer_with(&self, status: &str, headers: &str, body: &str) {
        let text = response(status, headers, body);
        self.answer_by(move |_| text.clone());
    }

    /// How each request is answered from now on, on a thread of its own: with a whole [`response`].
    pub fn answer_by(&self, answer: impl Fn(&Received) -> String + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    /// Everything that came in so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits for a request that `wanted` accepts.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Received) -> bool) -> Received {
        wait_for(what, || {
            let received = self.received();
            let seen = format!("{} requests", received.len());
            received
                .into_iter()
                .find(|request| wanted(request))
                .ok_or(seen)
        })
    }
}

/// A whole response; `headers` end with CRLF each.
pub fn response(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn serve(stream: TcpStream, received: &Mutex<Vec<Received>>, answer: &Answer) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).unwrap_or(0) == 0 || header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':') {
            headers.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let line = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
    let request = Received {
        at: Instant::now(),
        line,
        headers,
        body,
    };
    received.lock().unwrap().push(request.clone());
    let answer = Arc::clone(&answer.lock().unwrap());
    let answer = answer(&request);
    let _ = (&stream).write_all(answer.as_bytes());
}
