//! A taint campaign: texts from outside that name secrets, hold handles of secrets, or hold their very values in some
//! dress, at every place where a text can come in.
//!
//! No value may arrive anywhere but at the receiver that it is for and there where the operator wrote it; none may stand
//! in the journal, the log, an answer of the API or what the command line prints; a name of a secret must stay the text
//! that it is; and every alert must be delivered, whatever is in it.

use super::Random;
use crate::{Daemon, HOST, Received, Receiver, guest, plugin, sleeper, wait_for};
use serde_json::Value;
use std::{fmt::Write, fs, os::unix::fs::PermissionsExt, path::Path};

/// What a campaign did.
#[derive(Debug, Clone)]
pub struct TaintReport {
    /// Texts that came in.
    pub texts: u32,
    /// Of these, how many held a value in some dress.
    pub values: usize,
    /// Alerts that arrived.
    pub alerts: usize,
}

/// Where a text comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entrance {
    /// A program of a check prints it.
    Check,
    /// A server answers a handler with it, in its body and in a header.
    Answer,
    /// As [`Entrance::Answer`], where the handler has posted the secret.
    AnswerToPost,
    /// A command prints it.
    Command,
    /// Who pauses a target is called that.
    Name,
    /// A person gives it as a reason.
    Reason,
    /// The source of a backup complains in these words.
    Source,
    /// A file that is no plugin has it in its name.
    FileName,
    /// A handler keeps it as a value, and reports it.
    KeptValue,
    /// Somebody reports a failure in these words.
    Report,
    /// It is in the last lines of a process that ended.
    Log,
}

const ENTRANCES: [Entrance; 11] = [
    Entrance::Check,
    Entrance::Answer,
    Entrance::AnswerToPost,
    Entrance::Command,
    Entrance::Name,
    Entrance::Reason,
    Entrance::Source,
    Entrance::FileName,
    Entrance::KeptValue,
    Entrance::Report,
    Entrance::Log,
];

impl Entrance {
    /// Whether somebody who has the value by accident could say it there. A process writes its log itself, as it is.
    fn takes_values(self) -> bool {
        !matches!(self, Self::FileName | Self::KeptValue | Self::Log)
    }
}

/// A text that comes in.
#[derive(Debug)]
struct Tainted {
    entrance: Entrance,
    /// What is in no other.
    mark: String,
    text: String,
    /// What stands behind the mark and is to arrive as it is, where it is no value.
    plain: Option<String>,
}

/// The values, and every dress of them that was told.
struct Secrets {
    hook: String,
    pin: String,
    told: Vec<String>,
}

impl Secrets {
    fn new(random: &mut Random) -> Self {
        let mut value = || {
            let [a, b, c] = [(); 3].map(|()| random.number() % 0xffff);
            format!("v{a:x}\"q\\{b:x}/w %41&+<{c:x}>=z")
        };
        let (hook, pin) = (value(), value());
        let mut told = Vec::new();
        for value in [&hook, &pin] {
            told.extend([
                value.clone(),
                json(value),
                percent(value),
                hex(value),
                base64(value, false),
            ]);
        }
        Self { hook, pin, told }
    }

    /// A dress of one of them, which is never to be seen again.
    fn tell(&mut self, random: &mut Random) -> String {
        let value = match random.below(2) {
            0 => self.hook.clone(),
            _ => self.pin.clone(),
        };
        let dressed = dressed(&value, random);
        self.told.push(dressed.clone());
        dressed
    }

    fn must_not_be_in(&self, what: &str, text: &str) {
        for told in &self.told {
            assert!(!text.contains(told), "{what} has {told}:\n{text}");
            let in_json = json(told);
            assert!(!text.contains(&in_json), "{what} has {in_json}:\n{text}");
        }
    }

    /// As [`Self::must_not_be_in`], of all files below a directory but those that say them.
    fn must_not_be_below(&self, directory: &Path) {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            let is_source = ["said", "token"].iter().any(|name| path.ends_with(name));
            if is_source {
                continue;
            }
            if path.is_dir() {
                self.must_not_be_below(&path);
            } else if path.is_file() {
                let bytes = fs::read(&path).unwrap();
                let text = String::from_utf8_lossy(&bytes);
                self.must_not_be_in(&path.display().to_string(), &text);
            }
        }
    }
}

/// Says `count` tainted texts; panics at the first that does what it should not.
pub fn taint(count: u32, seed: u64) -> TaintReport {
    let mut random = Random::new(seed);
    let mut secrets = Secrets::new(&mut random);
    let plain_told = secrets.told.len();
    let texts: Vec<Tainted> = (0..count)
        .map(|number| tainted(number, &mut random, &mut secrets))
        .collect();
    let world = World::start(&texts, &mut random, &mut secrets);
    for tainted in &texts {
        world.say(tainted, &secrets);
        world.must_arrive(tainted, &secrets);
    }
    world.must_not_follow_a_redirect();
    world.must_have_told_nobody(&secrets);
    TaintReport {
        texts: count,
        values: secrets.told.len() - plain_told,
        alerts: world.hook.received().len(),
    }
}

fn tainted(number: u32, random: &mut Random, secrets: &mut Secrets) -> Tainted {
    let entrance = ENTRANCES[usize::try_from(random.below(ENTRANCES.len() as u64)).unwrap()];
    let mark = format!("mark-{number}-end");
    let mut text = mark.clone();
    let mut plain = None;
    for piece in 0..1 + random.below(3) {
        let said = if entrance.takes_values() && random.below(2) == 0 {
            secrets.tell(random)
        } else {
            let said = name_of_a_secret(random);
            if piece == 0 {
                plain = Some(said.clone());
            }
            said
        };
        let _ = write!(text, " {said}");
    }
    Tainted {
        entrance,
        mark,
        text,
        plain,
    }
}

/// What names a secret, or looks as if.
fn name_of_a_secret(random: &mut Random) -> String {
    match random.below(6) {
        0 => "${secret:hook}".to_owned(),
        1 => "${secret:pin}".to_owned(),
        2 => "${secret:nosuch}".to_owned(),
        3 => "${secret:".to_owned(),
        4 => "${secret:No Name}".to_owned(),
        _ => format!(
            "mainstay-secret-{:016x}{:016x}",
            random.number(),
            random.number()
        ),
    }
}

/// The value as somebody could print it.
fn dressed(value: &str, random: &mut Random) -> String {
    let code = |c: char| format!("\\u{:04x}", u32::from(c));
    match random.below(12) {
        0 => value.to_owned(),
        1 => json(value),
        2 => value.chars().map(code).collect(),
        3 => {
            let mut some = |c: char| match random.below(2) {
                0 => code(c),
                _ => json(&c.to_string()),
            };
            value.chars().map(&mut some).collect()
        }
        4 => value.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        5 => {
            let mut some = |byte: u8| match random.below(3) {
                0 => format!("%{byte:02x}"),
                _ if byte == b'%' => "%25".to_owned(),
                _ => char::from(byte).to_string(),
            };
            value.bytes().map(&mut some).collect()
        }
        6 => percent(value).replace("%20", "+"),
        7 => hex(value),
        8 => hex(value).to_uppercase(),
        9 => {
            let before = "u".repeat(usize::try_from(random.below(3)).unwrap());
            base64(&format!("{before}{value}:x"), false)
        }
        10 => base64(value, true),
        _ => json(&json(value)),
    }
}

/// As it stands between the quotes of a text.
fn json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Without padding.
fn base64(text: &str, for_urls: bool) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let last: &[u8] = if for_urls { b"-_" } else { b"+/" };
    let digits = [DIGITS, last].concat();
    let mut encoded = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = three
            .iter()
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for digit in 0..=three.len() {
            encoded.push(char::from(digits[bits >> (18 - 6 * digit) & 63]));
        }
    }
    encoded
}

/// A daemon, and those that it speaks to.
struct World {
    daemon: Daemon,
    /// The receiver of alerts.
    hook: Receiver,
    /// The server that handlers ask.
    echo: Receiver,
    /// Granted too, and nobody's business.
    second: Receiver,
}

impl World {
    fn start(texts: &[Tainted], random: &mut Random, secrets: &mut Secrets) -> Self {
        let (hook, echo, second) = (Receiver::start(), Receiver::start(), Receiver::start());
        // What receivers answer reaches the journal too.
        let (header, body) = (secrets.tell(random), secrets.tell(random));
        hook.answer_with("200 OK", &format!("x-request-id: {header}\r\n"), &body);
        let mut config = [HOST, &sleeper("job"), CONFIG].concat();
        for tainted in texts {
            config.push_str(&config_of(tainted));
        }
        let config = config
            .replace("HOOK", &hook.url)
            .replace("ECHO", &echo.url)
            .replace("SECOND", &second.url);
        let mut daemon = Daemon::prepare(&config);
        fs::create_dir(daemon.path("said")).unwrap();
        let own_log: Vec<String> = (0..20).map(|_| name_of_a_secret(random)).collect();
        fs::write(daemon.path("said/loud"), own_log.join("\n")).unwrap();
        for tainted in texts {
            if matches!(tainted.entrance, Entrance::Check | Entrance::Log) {
                fs::write(
                    daemon.path(&format!("said/{}", tainted.mark)),
                    &tainted.text,
                )
                .unwrap();
            }
        }
        fs::write(daemon.path("token"), format!("{}\n", secrets.hook)).unwrap();
        fs::set_permissions(daemon.path("token"), fs::Permissions::from_mode(0o600)).unwrap();
        daemon.set_env("PIN_OF_THE_CAMPAIGN", &secrets.pin);
        daemon.drop_plugin(&plugin("webhook"));
        daemon.drop_plugin(&guest("probe", &[]));
        daemon.run();
        daemon.wait_for_plugins(2);
        Self {
            daemon,
            hook,
            echo,
            second,
        }
    }

    /// Has it come in.
    fn say(&self, tainted: &Tainted, secrets: &Secrets) {
        let Tainted { mark, text, .. } = tainted;
        let daemon = &self.daemon;
        match tainted.entrance {
            Entrance::Check | Entrance::Log => {}
            Entrance::Answer => {
                self.echo
                    .answer_with("200 OK", &format!("x-said: {text}\r\n"), text);
                let operation = daemon.recover("job", "echoed");
                assert_eq!(operation["state"], "succeeded", "{operation}");
                let asked = self.echo.received().pop().unwrap();
                let written = percent(&secrets.hook);
                let expected = format!("GET /?t={written}&u=${{secret:nosuch}}");
                assert_eq!(asked.line, expected);
            }
            Entrance::AnswerToPost => {
                self.echo
                    .answer_with("200 OK", &format!("x-said: {text}\r\n"), text);
                let operation = daemon.recover("job", "posted");
                assert_eq!(operation["state"], "succeeded", "{operation}");
                let asked = self.echo.received().pop().unwrap();
                assert_eq!(asked.json()["word"], secrets.hook, "{asked:?}");
            }
            Entrance::Command => {
                fs::write(daemon.path("said/command"), text).unwrap();
                let operation = daemon.recover("job", "commanded");
                assert_eq!(operation["state"], "succeeded", "{operation}");
            }
            Entrance::Name => {
                self.command(&["pause", "job", "--by", text]);
                self.command(&["resume", "job", "--by", text]);
            }
            Entrance::Reason => {
                let operation = daemon.wait_for_operation(mark, "awaiting-manual");
                let id = operation["id"].as_str().unwrap();
                self.command(&["reject", id, "--reason", text]);
            }
            Entrance::Source => {
                fs::write(daemon.path("said/source"), text).unwrap();
                let output = daemon.cli(&["backup", "create", "dump"]);
                assert!(!output.status.success());
                secrets.must_not_be_in("the answer", &String::from_utf8_lossy(&output.stderr));
            }
            Entrance::FileName => {
                fs::write(daemon.path(&format!("plugins/{text}.wasm")), "no plugin").unwrap();
            }
            Entrance::KeptValue => {
                let operation = daemon.recover("job", mark);
                assert_eq!(operation["state"], "succeeded", "{operation}");
            }
            Entrance::Report => {
                self.command(&["report", mark, "--failure", "odd", "--message", text]);
            }
        }
    }

    fn command(&self, arguments: &[&str]) {
        let output = self.daemon.cli(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
    }

    /// The alert about it arrives, with the secret where the operator wrote it.
    fn must_arrive(&self, tainted: &Tainted, secrets: &Secrets) {
        let mark = &tainted.mark;
        let has = |text: &str, request: &Received| words(&request.json()).contains(text);
        let kinds: &[&str] = match tainted.entrance {
            Entrance::Check | Entrance::Report | Entrance::Log => &["incident.opened"],
            Entrance::Answer | Entrance::AnswerToPost => &["operation.succeeded"],
            Entrance::Command | Entrance::KeptValue => &["operation.succeeded"],
            Entrance::Name => &["host.paused", "host.resumed"],
            Entrance::Reason => &["operation.escalated"],
            Entrance::Source => &["backup.failed"],
            Entrance::FileName => &["plugin.rejected"],
        };
        for kind in kinds {
            let wanted = |request: &Received| {
                request.json()["kind"] == *kind
                    && has(mark, request)
                    && tainted
                        .plain
                        .as_deref()
                        .is_none_or(|plain| has(plain, request))
            };
            let request = self
                .hook
                .wait_for(&format!("{kind} about {tainted:?}"), wanted);
            must_be_as_written(&request, secrets);
        }
    }

    /// A body with a secret goes to the origin that was asked, and to no other that is granted.
    fn must_not_follow_a_redirect(&self) {
        let location = format!("location: {}/next\r\n", self.second.url);
        for (target, status) in [
            ("job", "307 Temporary Redirect"),
            ("loud", "308 Permanent Redirect"),
        ] {
            self.echo.answer_with(status, &location, "");
            let operation = self.daemon.recover(target, "posted");
            let error = operation["error"].as_str().unwrap_or_default();
            let says_so = error.contains("no grant lets a secret follow a redirect");
            assert!(says_so, "{status}: {operation}");
        }
    }

    /// Looks at everything that there is to see.
    fn must_have_told_nobody(&self, secrets: &Secrets) {
        let daemon = &self.daemon;
        wait_for("every alert to be delivered", || {
            // One that came before the plugins served is delayed.
            let abandoned = daemon.events_of("alert.abandoned");
            assert!(abandoned.is_empty(), "{abandoned:?}");
            let delivered = daemon.events_of("alert.delivered").len();
            let received = self.hook.received().len();
            match delivered == received && delivered > 0 {
                true => Ok(()),
                false => Err(format!("{delivered} of {received}")),
            }
        });
        for request in self.hook.received() {
            must_be_as_written(&request, secrets);
            let body = String::from_utf8_lossy(&request.body).into_owned();
            secrets.must_not_be_in("an alert", &body);
            secrets.must_not_be_in("an alert", &words(&request.json()));
        }
        for request in self.echo.received() {
            let is_get = request.line.starts_with("GET /?t=");
            assert!(
                is_get || request.json()["word"] == secrets.hook,
                "{request:?}"
            );
            for (name, value) in &request.headers {
                secrets.must_not_be_in(name, value);
            }
        }
        let second = self.second.received();
        assert!(second.is_empty(), "{second:?}");
        for shown in ["status", "incidents", "history"] {
            let shown = daemon.json(&[shown]);
            secrets.must_not_be_in("what is shown", &shown.to_string());
            secrets.must_not_be_in("what is shown", &words(&shown));
        }
        for shown in [
            &["plugin", "list"][..],
            &["status"],
            &["history"],
            &["events", "--since", "0"],
        ] {
            let output = daemon.cli(shown);
            assert!(output.status.success(), "{shown:?}");
            secrets.must_not_be_in("what is printed", &String::from_utf8_lossy(&output.stdout));
        }
        for event in daemon.events() {
            secrets.must_not_be_in("an event", &words(&event));
        }
        for operation in daemon
            .json(&["history", "--limit", "1000"])
            .as_array()
            .unwrap()
        {
            let shown = daemon.json(&["operation", "show", operation["id"].as_str().unwrap()]);
            secrets.must_not_be_in("an operation", &words(&shown));
        }
        secrets.must_not_be_in("/metrics", &daemon.metrics());
        secrets.must_not_be_below(daemon.directory.path());
    }
}

/// The value is where the operator wrote it.
fn must_be_as_written(request: &Received, secrets: &Secrets) {
    let line = format!("POST /hook?t={}", percent(&secrets.hook));
    assert_eq!(request.line, line);
    let authorization = (
        "authorization".to_owned(),
        format!("Bearer {}", secrets.hook),
    );
    assert!(request.headers.contains(&authorization), "{request:?}");
    let others = request
        .headers
        .iter()
        .filter(|header| **header != authorization);
    for (name, value) in others {
        secrets.must_not_be_in(name, value);
    }
}

/// All texts in it, one in a line, keys too.
fn words(json: &Value) -> String {
    let mut found = String::new();
    collect(json, &mut found);
    found
}

fn collect(json: &Value, found: &mut String) {
    match json {
        Value::String(text) => {
            found.push_str(text);
            found.push('\n');
        }
        Value::Array(items) => {
            for item in items {
                collect(item, found);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                found.push_str(key);
                found.push('\n');
                collect(field, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What there is whatever is said.
const CONFIG: &str = r#"
[secrets]
hook = { file = "token" }
pin = { env = "PIN_OF_THE_CAMPAIGN" }

[[target]]
name = "loud"
run = ["/bin/sh", "-c", "cat said/loud; exec sleep 1000"]
env = { TOKEN = "${secret:hook}-${secret:pin}" }

[command.show]
run = ["/bin/sh", "-c", "cat said/command", "{target}"]
placeholders = ["target"]
env = { TOKEN = "${secret:pin}" }

[[job]]
name = "dump"
full = "7d"
encryption = "none"
source = [{ kind = "command", run = ["/bin/sh", "-c", "cat said/source >&2; exit 1"], key = "dump" }]

[[route]]
failure = "odd"
strategy = { kind = "manual" }
chain = [{ handler = "probe" }]

[[route]]
failure = "echoed"
relapse_window = "0s"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "probe", params = { do = "http", name = "ECHO/?t=${secret:hook}&u=$[secret:nosuch]" } }]

[[route]]
failure = "posted"
relapse_window = "0s"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "probe", params = { do = "post", name = "ECHO/post" } }]

[[route]]
failure = "commanded"
relapse_window = "0s"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "probe", params = { do = "command", name = "show" } }]

[plugin.probe]
grants = { http = ["ECHO", "SECOND"], command = ["show"], kv = "1MiB" }
settings = { word = "${secret:hook}" }

[[alert]]
min_severity = "low"
events = ["incident.opened", "operation.succeeded", "operation.failed", "operation.escalated", "host.paused",
    "host.resumed", "backup.failed", "plugin.rejected"]
alerter = "webhook"

[plugin.webhook]
grants = { http = ["HOOK"] }
settings = { url = "HOOK/hook?t=${secret:hook}", headers = { authorization = "Bearer ${secret:hook}" } }
"#;

/// What a text needs to come in.
fn config_of(tainted: &Tainted) -> String {
    let mark = &tainted.mark;
    let check = |kind: &str| {
        format!(
            "\n[[target]]\nname = \"{mark}\"\n[[target.check]]\n{kind}\nevery = \"1h\"\ntimeout = \"1m\"\n\
             fail_after = 1\nfailure = \"odd\"\n"
        )
    };
    match tainted.entrance {
        Entrance::Check => check(&format!(
            "kind = \"exec\"\nrun = [\"/bin/sh\", \"-c\", \"cat said/{mark}; exit 1\"]"
        )),
        Entrance::Reason => check("kind = \"tcp\"\naddress = \"127.0.0.1:1\""),
        Entrance::Report => check("kind = \"exec\"\nrun = [\"/bin/true\"]"),
        Entrance::Log => format!(
            "\n[[target]]\nname = \"{mark}\"\nexit_failure = \"odd\"\n\
             run = [\"/bin/sh\", \"-c\", \"cat said/{mark}; exit 1\"]\n"
        ),
        Entrance::KeptValue => {
            // As the guest makes names of secrets by itself.
            let word = tainted.text.replace("${", "$[").replace('}', "]");
            format!(
                "\n[[route]]\nfailure = \"{mark}\"\nstrategy = {{ kind = \"immediate\", max_attempts = 1 }}\n\
                 chain = [{{ handler = \"probe\", params = {{ do = \"keep\", word = \"{word}\" }} }}]\n"
            )
        }
        _ => String::new(),
    }
}
