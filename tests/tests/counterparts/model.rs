//! A scorer that loads the model that its registry names, and says by its own validation whether that is one to serve with.

use super::{actions, start, wait_for_health};
use mainstay_tests::{Daemon, free_port, get_json, note_recovery, now, said};
use serde_json::Value;
use std::fs;

/// A model that cannot be read keeps it from starting; one that predicts wrong is loaded, and `/health` says so.
const SCORER: &str = r#"
import http.server, json, math, sys

SAMPLES = [([1, 0], 0.9), ([0, 1], 0.2), ([1, 1], 0.95)]

with open("models/fraud/current_version") as file:
    version = file.read().strip()
with open(f"models/fraud/versions/{version}/model.json") as file:
    model = json.load(file)

def predict(features):
    score = model["bias"] + sum(w * f for w, f in zip(model["weights"], features))
    return 1 / (1 + math.exp(-score))

wrong = [features for features, wanted in SAMPLES if abs(predict(features) - wanted) > 0.1]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"version": version, "wrong": wrong, "of_1_0": predict([1, 0])}).encode()
        self.send_response(503 if wrong and self.path == "/health" else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

const GOOD: &str = r#"{"bias": -1.5, "weights": [3.7, 0.1]}"#;
/// The signs were changed on the way.
const WRONG: &str = r#"{"bias": 1.5, "weights": [-3.7, -0.1]}"#;
const TORN: &str = r#"{"bias": -1.5, "wei"#;
/// Worse than the good one, and good enough.
const BASELINE: &str = r#"{"bias": -1.4, "weights": [3.4, 0.2]}"#;

/// Serves with version 7, which is good; 8 is not served yet.
fn scorer(version_8: &str) -> (Daemon, u16) {
    let port = free_port();
    let config = format!(
        r#"
[[target]]
name = "scorer"
run = ["python3", "scorer.py", "{port}"]
start_period = "3s"

[[target.check]]
kind = "http"
url = "http://127.0.0.1:{port}/health"
every = "500ms"
fail_after = 2
recover_after = 1
failure = "ml-model-failure"

[[route]]
failure = "ml-model-failure"
strategy = {{ kind = "immediate", max_attempts = 3 }}
chain = [{{ handler = "model-rollback" }}]

[plugin.model-rollback]
grants = {{ dir = [{{ path = "models", write = true }}], target = ["restart"] }}
settings = {{ registry = "models" }}
"#
    );
    let daemon = start(&config, "model-rollback", |daemon| {
        fs::write(daemon.path("scorer.py"), SCORER).unwrap();
        for (version, model) in [("7", GOOD), ("8", version_8), ("baseline", BASELINE)] {
            let directory = daemon.path("models/fraud/versions").join(version);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("model.json"), model).unwrap();
        }
        for file in ["current_version", "last_stable_version"] {
            fs::write(daemon.path("models/fraud").join(file), "7\n").unwrap();
        }
    });
    wait_for_health(&daemon, "healthy");
    assert_eq!(served(port)["version"], "7");
    (daemon, port)
}

fn served(port: u16) -> Value {
    get_json(port, "/health").unwrap()
}

/// Version 8 is served from now on.
fn deploy(daemon: &Daemon) {
    fs::write(daemon.path("models/fraud/current_version"), "8\n").unwrap();
    let restarted = daemon.cli(&["restart", "scorer"]);
    assert!(restarted.status.success(), "{}", said(&restarted));
}

#[test]
fn a_model_that_fails_its_validation_goes_back_to_the_last_stable_one_which_is_loaded() {
    let (daemon, port) = scorer(WRONG);
    let caused = now();
    deploy(&daemon);
    let operation = daemon.wait_for_operation("scorer", "succeeded");
    let expected = ["rolled fraud back from 8 to 7", "restarted scorer"];
    assert_eq!(actions(&operation), expected, "{operation}");
    let serves = served(port);
    assert_eq!(serves["version"], "7", "{serves}");
    assert_eq!(serves["wrong"], Value::Array(Vec::new()), "{serves}");
    assert!(serves["of_1_0"].as_f64() > Some(0.8), "{serves}");
    let kept = "right scores, by version 7";
    note_recovery(&operation, "ml-model-failure", caused, kept);
}

#[test]
fn where_the_last_stable_model_cannot_be_read_either_the_baseline_is_loaded() {
    let (daemon, port) = scorer(WRONG);
    fs::write(daemon.path("models/fraud/versions/7/model.json"), TORN).unwrap();
    deploy(&daemon);
    let operation = daemon.wait_for_operation("scorer", "succeeded");
    let did = actions(&operation);
    assert!(
        did.contains(&"rolled fraud back from 7 to baseline"),
        "{operation}"
    );
    assert_eq!(operation["attempts"], 2, "{operation}");
    assert_eq!(served(port)["version"], "baseline");
}

/// It has ended before anything could be asked of it.
#[test]
fn a_model_that_cannot_be_read_is_left_too() {
    let (daemon, port) = scorer(TORN);
    deploy(&daemon);
    let operation = daemon.wait_for_operation("scorer", "succeeded");
    assert!(
        actions(&operation).contains(&"rolled fraud back from 8 to 7"),
        "{operation}"
    );
    assert_eq!(served(port)["version"], "7");
}
