//! Checks of kind `s3`, of a server that verifies signatures by itself and has a bucket for each answer. With one out of a
//! package they are in `handlers/object_store.rs`.

use super::{DEAF, case, judge_with};
use crate::keys::target::{HOST, row_of};
use mainstay_tests::{ChildServer, Daemon, wait_for};
use std::fs;

const SECRETS: &str = "[secrets]\nid = { env = \"ID_OF_THE_STORE\" }\npin = { env = \"PIN_OF_THE_STORE\" }\n\
                       other = { env = \"PIN_OF_ANOTHER\" }\n";
const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const PIN: &str = "wJalrXUtnFEMI/K7MDENG";
const OTHER_PIN: &str = "3141592653589793238462";

/// Has the bucket `shop` with the object `a b+ä`, for who signs with the keys; and the bucket `open`, for anybody. Answers
/// about `slow` once it is told to.
const SERVER: &str = r#"
import datetime, hashlib, hmac, re, sys, urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
key_id, key = sys.argv[1:]
def code(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
def is_signed(handler):
    wanted = re.fullmatch("AWS4-HMAC-SHA256 Credential=(.+?)/(.+),SignedHeaders=(.+),Signature=(.+)", handler.headers.get("authorization", ""))
    if not wanted or wanted[1] != key_id:
        return False
    day, region, service, _ = wanted[2].split("/")
    date = handler.headers["x-amz-date"]
    sent = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs((datetime.datetime.now(datetime.timezone.utc) - sent).total_seconds()) > 900 or region != "eu-central-1":
        return False
    path = urllib.parse.quote(urllib.parse.unquote(handler.path), safe="/-._~")
    lines = [f"{name}:{handler.headers[name].strip()}" for name in wanted[3].split(";")]
    digest = handler.headers["x-amz-content-sha256"]
    canonical = "\n".join([handler.command, path, "", *lines, "", wanted[3], digest])
    signed = "\n".join(["AWS4-HMAC-SHA256", date, wanted[2], hashlib.sha256(canonical.encode()).hexdigest()])
    derived = f"AWS4{key}".encode()
    for part in [day, region, service, "aws4_request"]:
        derived = code(derived, part)
    return hmac.compare_digest(code(derived, signed).hex(), wanted[4])
class Handler(BaseHTTPRequestHandler):
    def answer(self):
        path = urllib.parse.unquote(self.path)
        if path == "/slow":
            sys.stdin.readline()
        if path == "/broken":
            status = 503
        elif path not in ("/open", "/slow") and not is_signed(self):
            status = 403
        else:
            status = 200 if path in ("/open", "/slow", "/shop", "/shop/a b+ä") else 404
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()
    do_GET = do_HEAD = answer
    def log_message(self, *_):
        print(self.command, self.path, file=sys.stderr, flush=True)
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// Ends with this.
struct Store(ChildServer);

impl Store {
    fn start() -> Self {
        Self(ChildServer::of_script(SERVER, &[ID, PIN]))
    }

    fn check(&self, path: &str, more: &str) -> String {
        let port = self.0.port();
        format!("kind = \"s3\"\nurl = \"http://127.0.0.1:{port}{path}\"\n{more}")
    }
}

fn daemon() -> Daemon {
    let mut daemon = Daemon::prepare("");
    daemon.set_env("ID_OF_THE_STORE", ID);
    daemon.set_env("PIN_OF_THE_STORE", PIN);
    daemon.set_env("PIN_OF_ANOTHER", OTHER_PIN);
    daemon
}

const KEYS: &str = "region = \"eu-central-1\"\naccess_key = \"id\"\nsecret_key = \"pin\"\n";

/// Acts: `target.check(s3)`, `target.check(s3).url`, `target.check(s3).method`, `target.check(s3).access_key`,
/// Acts: `target.check(s3).secret_key`, `target.check(s3).region`
#[test]
fn a_bucket_is_judged_by_the_answer_to_a_signed_request() {
    let store = Store::start();
    let signed = |path: &str, more: &str| store.check(path, &format!("{KEYS}{more}"));
    let cases = [
        case(signed("/shop", ""), "healthy", ""),
        case(signed("/shop", "method = \"GET\""), "healthy", ""),
        case(signed("/shop/a%20b+ä", ""), "healthy", ""),
        case(store.check("/open", ""), "healthy", ""),
        case(signed("/none", ""), "failed", "it is not there"),
        case(signed("/broken", ""), "failed", "it answered 503"),
        case(
            format!("kind = \"s3\"\nurl = \"http://{DEAF}/b\""),
            "failed",
            "refused",
        ),
    ];
    let mut first = daemon();
    judge_with(&mut first, SECRETS, &cases);
    let told = first.json(&["incidents"]).to_string() + &first.log();
    assert!(!told.contains(PIN), "{told}");

    let refused = [
        ("nobody", store.check("/shop", "")),
        ("wrong", store.check("/shop", &KEYS.replace("pin", "other"))),
        (
            "elsewhere",
            store.check("/shop", &KEYS.replace("eu-central-1", "us-east-1")),
        ),
    ];
    let targets = refused.each_ref().map(|(name, check)| {
        format!(
            "[[target]]\nname = \"{name}\"\n[[target.check]]\nevery = \"1h\"\ntimeout = \"1m\"\nfail_after = 1\n\
             failure = \"seen\"\n{check}\n"
        )
    });
    let mut daemon = daemon();
    let config = format!("{HOST}{SECRETS}{}", targets.concat());
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
    daemon.run();
    for (name, _) in &refused {
        daemon.wait_for_status(name, |status| {
            let why = row_of(status, name)["unseen"]["why"].as_str();
            why.is_some_and(|why| why.contains("it answered 403"))
        });
    }
    assert_eq!(daemon.json(&["incidents"]), serde_json::json!([]));
    let told = daemon.json(&["status"]).to_string() + &daemon.log();
    assert!(!told.contains(PIN) && !told.contains(OTHER_PIN), "{told}");
}

/// Acts: `target.check(s3).warn_latency`
#[test]
fn a_bucket_that_is_answered_for_late_is_degraded() {
    let mut store = Store::start();
    let config = format!(
        "{HOST}[[target]]\nname = \"t\"\n[[target.check]]\nevery = \"1h\"\ntimeout = \"1m\"\nfailure = \"seen\"\n{}\n\
         [[target]]\nname = \"clock\"\n[[target.check]]\nkind = \"exec\"\nrun = [\"sh\", \"-c\", \"echo >> ticks\"]\n\
         every = \"100ms\"\nfailure = \"seen\"\n",
        store.check("/slow", "warn_latency = \"20ms\"")
    );
    let daemon = Daemon::start(&config, &[]);
    // Both checks begin together; when the other one has run so often, this one waits for long enough.
    wait_for("time to pass", || {
        let ticks = fs::read_to_string(daemon.path("ticks")).unwrap_or_default();
        let ticks = ticks.lines().count();
        (ticks >= 10).then_some(()).ok_or_else(|| ticks.to_string())
    });
    store.0.end_input();
    daemon.wait_for_status("it to be judged", |status| {
        row_of(status, "t")["health"] == "degraded"
    });
}
