//! Requests to the admin API that are nearly right, over its socket and over TCP.
//!
//! Each must be answered soon, with what was asked for or with a status of 4xx, a sentence and what to do; none may end the
//! daemon's work, make it grow, or get the secret out of it; and after all of them it serves, and stops in time while
//! half requests hang on it.

mod request;
mod wire;

use super::Random;
use crate::{Daemon, HOST, free_port, peak_kb, plugin, sleeper};
use request::{Maker, Request, There};
use serde_json::Value;
use std::{
    collections::VecDeque,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};
use wire::{Answer, Connection, LONGEST, Way, parse};

/// How much memory the daemon may take, in kilobytes.
const MOST_KB: u64 = 500 << 10;

/// Half requests that hang on the daemon.
const HANGING: usize = 40;

/// How long it may take to stop, and a little for looking.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// Below the usual host.
const CONFIG: &str = r#"
[secrets]
canary = { file = "token" }

[[target]]
name = "nightly"
[[target.check]]
kind = "heartbeat"
every = "1h"
failure = "late"

[[target]]
name = "ill"
run = ["/bin/sh", "-c", "exec sleep 1000"]
env = { TOKEN = "${secret:canary}" }
[[target.check]]
kind = "tcp"
address = "127.0.0.1:1"
every = "1h"
timeout = "1s"
fail_after = 1
failure = "deaf"

[[job]]
name = "data"
full = "7d"
encryption = "none"
source = [{ kind = "directory", path = "data" }]

[[route]]
failure = "deaf"
strategy = { kind = "manual" }
chain = [{ handler = "restart-service" }]

[[route]]
failure = "service-down"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "restart-service" }]

[plugin.restart-service]
grants = { target = ["restart"] }
"#;

/// What a campaign did.
#[derive(Debug, Default)]
pub struct ApiReport {
    /// Done as asked.
    pub done: u32,
    /// Refused in the API's form.
    pub refused: u32,
    /// Refused by whoever speaks HTTP, before the API.
    pub no_http: u32,
    /// Cut off or left without an answer, as they were no whole requests.
    pub unanswered: u32,
    /// Left half on purpose.
    pub half: u32,
    /// The longest that an answer took.
    pub longest: Duration,
    /// The most memory that the daemon held, in kilobytes.
    pub most_kb: u64,
}

/// Sends `count` requests; panics at the first broken promise.
pub fn api(count: u32, seed: u64) -> ApiReport {
    let mut random = Random::new(seed);
    let canary = format!("canary-{:016x}{:016x}", random.number(), random.number());
    let maker = Maker::read();
    let mut world = World::start(canary);
    for number in 0..count {
        if number % 200 == 0 {
            world.look_around();
        }
        let request = maker.request(&world.there, &mut random);
        world.ask(&request, &mut random);
        if number % 1_000 == 999 {
            println!("{} of {count}: {:?}", number + 1, world.report);
        }
    }
    world.end()
}

struct World {
    daemon: Daemon,
    canary: String,
    socket: Way,
    tcp: Way,
    there: There,
    hanging: VecDeque<Connection>,
    report: ApiReport,
}

impl World {
    fn start(canary: String) -> Self {
        let port = free_port();
        let api = format!(
            "shutdown_deadline = \"{}s\"\napi = {{ listen = \"127.0.0.1:{port}\", token = \"canary\" }}\n",
            STOPS_WITHIN.as_secs()
        );
        let mut daemon = Daemon::prepare(&[HOST, &api, CONFIG, &sleeper("web")].concat());
        daemon.set_env("RUST_LOG", "debug");
        fs::create_dir(daemon.path("data")).unwrap();
        fs::write(daemon.path("data/a"), "a").unwrap();
        fs::write(daemon.path("token"), &canary).unwrap();
        fs::set_permissions(daemon.path("token"), fs::Permissions::from_mode(0o600)).unwrap();
        daemon.drop_plugin(&plugin("restart-service"));
        daemon.run();
        daemon.wait_for_plugins(1);
        daemon.wait_for_operation("ill", "awaiting-manual");
        daemon.json(&["backup", "create", "data"]);
        Self {
            canary,
            socket: Way::Socket(daemon.path("state/mainstay.sock")),
            tcp: Way::Tcp(SocketAddr::from(([127, 0, 0, 1], port))),
            there: There {
                operations: Vec::new(),
                backups: Vec::new(),
                into: daemon.path("restored").display().to_string(),
            },
            hanging: VecDeque::new(),
            report: ApiReport::default(),
            daemon,
        }
    }

    /// Whether it serves, and what there is to be asked for.
    fn look_around(&mut self) {
        self.daemon.must_live();
        let peak = peak_kb(self.daemon.pid()).unwrap();
        self.report.most_kb = peak;
        assert!(peak <= MOST_KB, "the daemon took {peak} kB");
        let ids = |path: &str| -> Vec<String> {
            let (status, text) = self.daemon.get(path);
            assert_eq!(status, 200, "{path}: {text}");
            let rows: Value = serde_json::from_str(&text).unwrap();
            let ids = rows.as_array().unwrap().iter();
            ids.map(|row| row["id"].as_str().unwrap().to_owned())
                .take(20)
                .collect()
        };
        let (operations, backups) = (ids("/v1/operations"), ids("/v1/backups"));
        self.there.operations = operations;
        self.there.backups = backups;
    }

    fn ask(&mut self, request: &Request, random: &mut Random) {
        let is_tcp = random.once_in(3);
        let way = if is_tcp { &self.tcp } else { &self.socket };
        let mut bytes = request.bytes();
        let mut is_known = true;
        if is_tcp {
            let authorization = match random.below(10) {
                0 => "authorization: Bearer wrong\r\n".to_owned(),
                1 => "authorization: Basic YTpi\r\n".to_owned(),
                2 => String::new(),
                _ => format!("authorization: Bearer {}\r\n", self.canary),
            };
            is_known = authorization.contains(&self.canary);
            let end = bytes.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
            bytes.splice(end..end, authorization.into_bytes());
        }
        let start = Instant::now();
        let mut connection = way.connect();
        connection.send(&bytes);
        if request.is_half() {
            self.report.half += 1;
            match random.below(3) {
                0 => {}
                1 => {
                    connection.finish();
                    self.must_end(connection, request);
                }
                _ => {
                    self.hanging.push_back(connection);
                    if self.hanging.len() > HANGING {
                        self.hanging.pop_front();
                    }
                }
            }
            return;
        }
        let only_head = request.follows();
        let received = connection.receive(only_head);
        let took = start.elapsed();
        self.report.longest = self.report.longest.max(took);
        let received = match received {
            Ok(received) if took <= 2 * LONGEST => received,
            Ok(_) => panic!("answered after {took:?}: {}", shown(request)),
            Err(why) => panic!("{why}: {}", shown(request)),
        };
        self.must_not_tell(&received, request);
        // An answer to what was not read to its end may be lost on the way.
        let must_answer = request.is_whole() && (!is_tcp || is_known && bytes.len() < 4 << 10);
        match parse(&received) {
            Some(answer) => self.must_be_in_form(&answer, request, only_head),
            None if must_answer => panic!("no answer: {}", shown(request)),
            None => self.report.unanswered += 1,
        }
    }

    /// Half a request that is given up ends soon.
    fn must_end(&mut self, mut connection: Connection, request: &Request) {
        match connection.receive(request.follows()) {
            Ok(received) => self.must_not_tell(&received, request),
            Err(why) => panic!("half a request hangs on: {why}: {}", shown(request)),
        }
    }

    fn must_be_in_form(&mut self, answer: &Answer, request: &Request, only_head: bool) {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let told = || {
            let start: String = text.chars().take(1_000).collect();
            format!("{} {start}: {}", answer.status, shown(request))
        };
        match answer.status {
            200 | 202 | 204 => {
                self.report.done += 1;
                if only_head || request.method == "HEAD" {
                    return;
                }
                let is_json = |text: &str| serde_json::from_str::<Value>(text).is_ok();
                let is_good = match answer.media.as_str() {
                    "application/json" => is_json(&text),
                    "application/x-ndjson" => text.lines().all(is_json),
                    _ => true,
                };
                assert!(is_good, "no JSON: {}", told());
            }
            // 503: a bound of the daemon, such as that of connections.
            400..=499 | 503 => {
                if request.method == "HEAD" || only_head {
                    self.report.refused += 1;
                    return;
                }
                if request.is_odd || !request.is_whole() && text.is_empty() {
                    self.report.no_http += 1;
                    return;
                }
                self.report.refused += 1;
                assert_eq!(answer.media, "application/json", "{}", told());
                let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
                let is_said = body["error"].as_str().is_some_and(|text| text.len() > 5);
                assert!(is_said, "without a sentence: {}", told());
                let help = &body["help"];
                let is_helped = help.is_null() || help.as_str().is_some_and(|text| text.len() > 5);
                assert!(is_helped, "with an odd help: {}", told());
            }
            _ => panic!("{}", told()),
        }
    }

    fn must_not_tell(&self, bytes: &[u8], request: &Request) {
        let canary = self.canary.as_bytes();
        let tells = bytes.windows(canary.len()).any(|some| some == canary);
        assert!(!tells, "the secret comes out: {}", shown(request));
    }

    /// It serves on, and stops in time with half requests that hang on it.
    fn end(mut self) -> ApiReport {
        self.look_around();
        let (status, text) = self.daemon.get("/v1/status");
        assert_eq!(status, 200, "{text}");
        for way in [&self.socket, &self.tcp] {
            for part in [
                "",
                "GET /v1/sta",
                "POST /v1/pause HTTP/1.1\r\ncontent-length: 100\r\n\r\n{",
            ] {
                let mut connection = way.connect();
                connection.send(part.as_bytes());
                self.hanging.push_back(connection);
            }
        }
        let start = Instant::now();
        let ended_well = self.daemon.stop();
        let took = start.elapsed();
        let log = self.daemon.log();
        assert!(ended_well, "half requests fail the stop after {took:?}");
        assert!(took < STOPS_WITHIN, "it stopped after {took:?}");
        let panic = log.lines().find(|line| line.contains("panicked at"));
        assert!(panic.is_none(), "{panic:?}");
        assert!(!log.contains(&self.canary), "the secret is in the log");
        self.report
    }
}

/// A request for people.
fn shown(request: &Request) -> String {
    let Request {
        method,
        target,
        version,
        headers,
        body,
        framing,
        is_odd,
    } = request;
    let short = |text: &str| -> String { text.chars().take(300).collect() };
    let body = short(&String::from_utf8_lossy(body));
    let headers = short(&format!("{headers:?}"));
    let target = short(target);
    format!("{method} {target} {version}, {headers}, {framing:?}, odd: {is_odd}, {body:?}")
}
