//! Requests that are nearly right: every path of the API's own description, with one thing or another wrong.

use crate::{campaign::Random, repository};
use serde_json::{Map, Value, json};
use std::{fmt::Write, fs};

/// The longest body that the API takes.
const MOST: usize = 64 << 10;

/// Texts that no field expects.
const TEXTS: [&str; 20] = [
    "",
    " ",
    "a",
    "A",
    "-",
    "web\0",
    "web\u{1b}[2J",
    "\u{202e}",
    "${secret:canary}",
    "mainstay-secret-0000000000000000",
    "..",
    "NaN",
    "1e999",
    "-1",
    "18446744073709551616",
    "2026-13-45T99:99:99Z",
    "true",
    "null",
    "1.0.0",
    "' OR 1=1 --",
];

/// Pieces of a URL that no path expects, as they are sent.
const PIECES: [&str; 18] = [
    "",
    "%00",
    "%ff",
    "%",
    "%zz",
    "..",
    "%2e%2e",
    "%2f",
    ".",
    "~",
    "*",
    "a+b",
    "%F0%9F%92%A9",
    ";",
    "a:b",
    "@",
    "\u{e9}",
    "a b",
];

/// One path with one method, as the API describes it.
#[derive(Debug)]
struct Endpoint {
    method: String,
    path: String,
    query: Vec<String>,
    body: Vec<String>,
}

/// What exists in the daemon that is asked.
pub(super) struct There {
    pub(super) operations: Vec<String>,
    pub(super) backups: Vec<String>,
    /// A directory that backups may be restored into.
    pub(super) into: String,
}

/// How the end of a request is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By its length.
    Length,
    /// In chunks.
    Chunked,
    /// By a length, and the rest does not come.
    Half,
    /// In chunks, and one is broken off.
    HalfChunked,
    /// In ways that contradict one another.
    Absurd,
}

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) framing: Framing,
    pub(super) version: &'static str,
    /// Its head is such that whoever speaks HTTP may answer without knowing of any API.
    pub(super) is_odd: bool,
}

/// Makes requests.
pub(super) struct Maker {
    endpoints: Vec<Endpoint>,
}

impl Maker {
    pub(super) fn read() -> Self {
        let text = fs::read_to_string(repository().join("openapi/mainstay.v1.json")).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let mut endpoints = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, endpoint) in methods.as_object().unwrap() {
                let parameters = endpoint["parameters"].as_array().unwrap().iter();
                let query = parameters.filter(|parameter| parameter["in"] == "query");
                let query = query.map(|found| found["name"].as_str().unwrap().to_owned());
                let schema = &endpoint["requestBody"]["content"]["application/json"]["schema"];
                let schema = match schema["$ref"].as_str() {
                    Some(reference) => document.pointer(reference.trim_start_matches('#')),
                    None => None,
                };
                let fields = schema.and_then(|schema| schema["properties"].as_object());
                endpoints.push(Endpoint {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    query: query.collect(),
                    body: fields.map_or_else(Vec::new, |fields| fields.keys().cloned().collect()),
                });
            }
        }
        assert!(endpoints.len() > 20, "the description has lost paths");
        Self { endpoints }
    }

    pub(super) fn request(&self, there: &There, random: &mut Random) -> Request {
        let endpoint = random.pick(&self.endpoints);
        let mut is_odd = false;
        let method = match random.below(12) {
            0 => {
                let others = [
                    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO",
                ];
                (*random.pick(&others)).to_owned()
            }
            1 => {
                is_odd = true;
                (*random.pick(&["", "get", "CONNECT", "TRACE", "PRI", "G\u{e9}T"])).to_owned()
            }
            _ => endpoint.method.clone(),
        };
        let target = target(endpoint, there, random);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/_.~%?&=:,+-".contains(c);
        is_odd |= target.is_empty() || !target.chars().all(is_plain) || !target.starts_with('/');
        let body = match endpoint.body.is_empty() && !random.once_in(8) {
            true => Vec::new(),
            false => body(endpoint, there, random),
        };
        let framing = match random.below(16) {
            0 => Framing::Half,
            1 => Framing::HalfChunked,
            2 => Framing::Absurd,
            3 | 4 => Framing::Chunked,
            _ => Framing::Length,
        };
        let media = match random.below(12) {
            0 => "text/plain",
            1 => "application/json; charset=utf-16",
            2 => "",
            _ => "application/json",
        };
        let mut headers = vec![
            ("host".to_owned(), "localhost".to_owned()),
            ("content-type".to_owned(), media.to_owned()),
        ];
        if random.once_in(8) {
            is_odd |= add_odd_header(&mut headers, random);
        }
        // Without chunks of the answer, where those of the request allow it.
        let is_old = framing == Framing::Length && random.once_in(2);
        let version = match random.below(40) {
            0 => {
                is_odd = true;
                *random.pick(&["HTTP/2.0", "HTTP/9.9", "http/1.1", ""])
            }
            _ if is_old => "HTTP/1.0",
            _ => "HTTP/1.1",
        };
        Request {
            method,
            target,
            headers,
            body,
            framing,
            version,
            is_odd,
        }
    }
}

impl Request {
    /// Whether the API itself answers it.
    pub(super) fn is_whole(&self) -> bool {
        let is_framed = matches!(self.framing, Framing::Length | Framing::Chunked);
        is_framed && !self.is_odd && self.body.len() <= MOST
    }

    /// Whether it never comes to its end.
    pub(super) fn is_half(&self) -> bool {
        matches!(self.framing, Framing::Half | Framing::HalfChunked)
    }

    /// Whether it may be answered without an end.
    pub(super) fn follows(&self) -> bool {
        self.target.contains("follow=")
    }

    /// As it is sent.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} {}\r\n", self.method, self.target, self.version);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let length = self.body.len();
        let (framing, body) = match self.framing {
            Framing::Length => (format!("content-length: {length}\r\n"), self.body.clone()),
            Framing::Chunked => (
                "transfer-encoding: chunked\r\n".to_owned(),
                [chunk(&self.body), b"0\r\n\r\n".to_vec()].concat(),
            ),
            Framing::Half => {
                let more = length + 1_000;
                (format!("content-length: {more}\r\n"), self.body.clone())
            }
            Framing::HalfChunked => {
                let mut chunk = chunk(&self.body);
                chunk.truncate(chunk.len() / 2);
                ("transfer-encoding: chunked\r\n".to_owned(), chunk)
            }
            Framing::Absurd => (
                format!(
                    "content-length: {length}\r\ncontent-length: 99999999999999999999\r\n\
                     transfer-encoding: chunked\r\n"
                ),
                self.body.clone(),
            ),
        };
        let head = format!("{head}{framing}connection: close\r\n\r\n");
        [head.into_bytes(), body].concat()
    }
}

fn chunk(body: &[u8]) -> Vec<u8> {
    match body {
        [] => Vec::new(),
        body => [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat(),
    }
}

/// The path with its query.
fn target(endpoint: &Endpoint, there: &There, random: &mut Random) -> String {
    if random.once_in(30) {
        let strange = [
            "",
            "/",
            "//",
            "*",
            "/v1",
            "/v1/",
            "/v2/status",
            "/v1/status/",
            "/v1//status",
            "http://localhost/v1/status",
            "/metrics?",
            "/v1/events?&&&",
            "/?",
            "/v1/../v1/status",
        ];
        return (*random.pick(&strange)).to_owned();
    }
    let mut target: String = endpoint
        .path
        .split('/')
        .map(|part| match part {
            "{id}" if is_of_backup(endpoint) => name(&there.backups, random),
            "{id}" => name(&there.operations, random),
            "{target}" => name(&["nightly".to_owned(), "web".to_owned()], random),
            part => part.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("/");
    let mut between = '?';
    for key in &endpoint.query {
        if random.once_in(2) {
            let value = query_value(key, random);
            let _ = write!(target, "{between}{key}={value}");
            between = '&';
        }
    }
    if random.once_in(15) {
        let key = random.pick(&["limit", "since", "cursor", "%00", "", "follow[]"]);
        let value = random.pick(&PIECES);
        let _ = write!(target, "{between}{key}={value}");
    }
    target
}

/// Whether what its path names is a backup; a checkpoint is one.
fn is_of_backup(endpoint: &Endpoint) -> bool {
    let nouns = ["backups", "checkpoints"];
    nouns.iter().any(|noun| endpoint.path.contains(noun))
}

/// A name of something that is there, or none.
fn name(there: &[String], random: &mut Random) -> String {
    if !there.is_empty() && !random.once_in(3) {
        return random.pick(there).clone();
    }
    if random.once_in(20) {
        return "a".repeat(10_000);
    }
    (*random.pick(&PIECES)).to_owned()
}

fn query_value(key: &str, random: &mut Random) -> String {
    if random.once_in(3) {
        return (*random.pick(&PIECES)).to_owned();
    }
    let good: &[&str] = match key {
        "limit" => &[
            "0",
            "1",
            "50",
            "100000",
            "4294967295",
            "4294967296",
            "-1",
            "1e3",
            "07",
        ],
        "since" => &[
            "0",
            "1",
            "18446744073709551615",
            "18446744073709551616",
            "-1",
            "2026-01-01T00:00:00Z",
        ],
        "follow" | "open" => &["true", "false", "1", "TRUE"],
        "state" => &["succeeded", "awaiting-manual", "SUCCEEDED", "nothing"],
        "target" | "job" => &["web", "data", "nobody"],
        _ => &["service-down", "deaf", "a--b"],
    };
    (*random.pick(good)).to_owned()
}

fn body(endpoint: &Endpoint, there: &There, random: &mut Random) -> Vec<u8> {
    let mut fields = Map::new();
    for key in &endpoint.body {
        if !random.once_in(5) {
            fields.insert(key.clone(), field_value(key, there, random));
        }
    }
    // A path is never made by chance: a backup would be restored to it.
    let is_path = fields.contains_key("into");
    if random.once_in(4) && !fields.is_empty() {
        let keys: Vec<String> = fields
            .keys()
            .filter(|key| *key != "into")
            .cloned()
            .collect();
        if !keys.is_empty() {
            let wrong = [
                json!(null),
                json!(-1),
                json!(1e300),
                json!([]),
                json!({}),
                json!(true),
                json!([[[]]]),
                json!("a".repeat(2_000)),
                json!(*random.pick(&TEXTS)),
                json!(u64::MAX),
            ];
            fields.insert(random.pick(&keys).clone(), random.pick(&wrong).clone());
        }
    }
    if random.once_in(12) {
        fields.insert("nobody-knows".to_owned(), json!(1));
    }
    let mut bytes = Value::Object(fields).to_string().into_bytes();
    match random.below(24) {
        0 => {
            bytes.truncate(random.index(bytes.len()));
            bytes
        }
        1 => ["[".repeat(20_000), "]".repeat(20_000)]
            .concat()
            .into_bytes(),
        2 => "{\"a\":".repeat(10_000).into_bytes(),
        3 => vec![b' '; MOST + 1],
        4 => vec![b'a'; 1 << 20],
        5 => b"\xff\xfe\xfd".to_vec(),
        6 => Vec::new(),
        7 => b"null".to_vec(),
        8 => b"\"text\"".to_vec(),
        9 => b"{\"target\":\"web\",\"target\":\"web\",\"failure\":1e999}".to_vec(),
        10 => b"{\"by\":\"\\ud800\"}".to_vec(),
        11 if !is_path => {
            let at = random.index(bytes.len());
            bytes[at] ^= 1 << random.below(8);
            bytes
        }
        _ => bytes,
    }
}

/// Mostly what the field expects.
fn field_value(key: &str, there: &There, random: &mut Random) -> Value {
    if key != "into" && random.once_in(6) {
        return json!(*random.pick(&TEXTS));
    }
    let pick = |of: &[&str], random: &mut Random| json!(*random.pick(of));
    match key {
        "target" => pick(&["web", "ill", "nightly", "nobody"], random),
        "failure" => pick(&["service-down", "deaf", "unknown-to-all"], random),
        "job" => pick(&["data", "nobody"], random),
        "type" => pick(
            &[
                "full",
                "incremental",
                "differential",
                "snapshot",
                "emergency",
                "FULL",
            ],
            random,
        ),
        "dry_run" | "replace" => json!(random.once_in(2)),
        "into" => {
            let beside = format!("{}\0", there.into);
            pick(
                &[there.into.as_str(), "relative", "", beside.as_str()],
                random,
            )
        }
        "id" if !there.backups.is_empty() => json!(random.pick(&there.backups)),
        "revision" => json!(random.below(5)),
        "name" => pick(&["restart-service", "nobody"], random),
        "version" => pick(&["1.0.0", "^1", "1"], random),
        _ => pick(&["tester", "\u{1b}[2J", ""], random),
    }
}

/// Adds one; whether whoever speaks HTTP may refuse it.
fn add_odd_header(headers: &mut Vec<(String, String)>, random: &mut Random) -> bool {
    let (name, value, is_odd) = match random.below(10) {
        0 => ("host", "evil.example".to_owned(), false),
        1 => ("accept-encoding", "gzip, br, *;q=0".to_owned(), false),
        2 => ("expect", "100-continue".to_owned(), false),
        3 => ("x-long", "a".repeat(8_000), false),
        4 => ("x-longer", "a".repeat(100_000), true),
        5 => ("x-odd", "a\u{7f}\u{1}b".to_owned(), true),
        6 => ("x odd", "a".to_owned(), true),
        7 => ("upgrade", "h2c".to_owned(), true),
        8 => ("x-forwarded-for", "127.0.0.1".to_owned(), false),
        _ => {
            for number in 0..200 {
                headers.push((format!("x-{number}"), "a".to_owned()));
            }
            ("x-last", "a".to_owned(), true)
        }
    };
    headers.push((name.to_owned(), value));
    is_odd
}
