//! An object store that answers wrong, dies or takes nothing, and an application that stores things in it, or locally meanwhile.

use mainstay_tests::{Daemon, HOST, S3Server, actions, note_recovery, now, plugin, said, wait_for};
use serde_json::Value;
use std::{fs, process::Command};

/// `store NAME` is what the application does, wherever things are stored now; `go-back` is the way back.
const APPLICATION: &str = r#"
import os, sys
import boto3
from botocore.config import Config

bucket = boto3.client(
    "s3",
    endpoint_url=os.environ["ENDPOINT"],
    region_name="eu-central-1",
    aws_access_key_id=os.environ["BUCKET_ID"],
    aws_secret_access_key=os.environ["BUCKET_KEY"],
    config=Config(retries={"total_max_attempts": 1}),
)

def put(name, body):
    bucket.put_object(Bucket="backups", Key="app/" + name, Body=body)

def move():
    for name in sorted(os.listdir("local")):
        path = os.path.join("local", name)
        with open(path, "rb") as file:
            put(name, file.read())
        os.remove(path)

if sys.argv[1] == "go-back":
    move()
    os.symlink("store", "next")
    os.replace("next", "storage")
    move()
    with open("switches", "a") as file:
        file.write("store\n")
elif os.readlink("storage") == "store":
    put(sys.argv[2], sys.argv[2].encode())
else:
    with open(os.path.join("local", sys.argv[2]), "w") as file:
        file.write(sys.argv[2])
"#;

const REST: &str = r#"
[command.storage-serving]
run = ["readlink", "storage"]
idempotent = true

[command.to-local]
run = ["/bin/sh", "-c", "echo local >> switches; ln -sfn local storage"]
idempotent = true

[[route]]
failure = "s3-unavailable"
chain = [{ handler = "storage-failover", timeout = "10m" }]

[plugin.storage-failover]
grants = { target = ["check"], command = ["storage-serving", "to-local", "to-store"] }
settings = { serving = "storage-serving", to_local = "to-local", to_store = "to-store", every = "100ms", passes = 2 }
limits = { timeout = "10m" }
"#;

/// An application whose things go to a bucket, which is healthy.
struct Storage {
    daemon: Daemon,
    store: S3Server,
}

impl Storage {
    fn open() -> Self {
        let store = S3Server::start();
        let (check, secrets) = store.check();
        let target = format!(
            r#"
[[target]]
name = "bucket"

[[target.check]]
{check}every = "500ms"
fail_after = 3
recover_after = 2
failure = "s3-unavailable"

[command.to-store]
run = [{python:?}, "application.py", "go-back"]
env = {{ ENDPOINT = "{url}", BUCKET_ID = "${{secret:bucket-id}}", BUCKET_KEY = "${{secret:bucket-key}}" }}
idempotent = true
"#,
            python = S3Server::python(),
            url = store.url,
        );
        let mut daemon = Daemon::prepare(&[HOST, secrets, &target, REST].concat());
        store.let_in(&mut daemon);
        fs::write(daemon.path("application.py"), APPLICATION).unwrap();
        fs::create_dir(daemon.path("local")).unwrap();
        std::os::unix::fs::symlink("store", daemon.path("storage")).unwrap();
        daemon.drop_plugin(&plugin("storage-failover"));
        daemon.run();
        daemon.wait_for_plugins(1);
        daemon.wait_until_all_are_healthy();
        Self { daemon, store }
    }

    /// The application stores a thing.
    fn put(&self, name: &str) {
        let mut application = Command::new(S3Server::python());
        application
            .args(["application.py", "store", name])
            .current_dir(self.daemon.directory.path())
            .env("ENDPOINT", &self.store.url)
            .envs(S3Server::keys());
        let output = application.output().unwrap();
        assert!(output.status.success(), "{name}: {}", said(&output));
    }

    fn wait_for_place(&self, wanted: &str) {
        wait_for(&format!("things to be stored: {wanted}"), || {
            let place = fs::read_link(self.daemon.path("storage"));
            match place {
                Ok(place) if place.to_str() == Some(wanted) => Ok(()),
                seen => Err(format!("{seen:?}; {}", self.daemon.json(&["history"]))),
            }
        });
    }

    /// Waits until the handler waits for the object store.
    fn wait_for_its_wait(&self) {
        wait_for("the handler to wait", || {
            let history = self.daemon.json(&["history", "--target", "bucket"]);
            let Some(id) = history[0]["id"].as_str() else {
                return Err("no operation".to_owned());
            };
            let operation = self.daemon.json(&["operation", "show", id]);
            let slept =
                |entry: &Value| entry["effect"] == "clock.sleep" && entry["kind"] == "intent";
            match operation["journal"].as_array().unwrap().iter().any(slept) {
                true => Ok(()),
                false => Err(operation.to_string()),
            }
        });
    }

    /// The operation that ended by the way back. Each of the two was switched to once, and nothing is left behind.
    fn gone_back(&self) -> Value {
        self.wait_for_place("store");
        let operation = self.daemon.wait_for_operation("bucket", "succeeded");
        let switches = fs::read_to_string(self.daemon.path("switches")).unwrap();
        assert_eq!(switches, "local\nstore\n", "each once");
        let left = fs::read_dir(self.daemon.path("local")).unwrap();
        assert_eq!(left.count(), 0, "{operation}");
        assert!(!self.daemon.log().contains(self.store.secret_key()));
        operation
    }
}

#[test]
fn things_are_stored_locally_while_a_store_is_away_and_go_back_over_a_kill_of_the_daemon() {
    let mut storage = Storage::open();
    storage.put("before");
    let caused = now();
    storage.store.answer("503", "*", "/");
    storage.wait_for_place("local");
    storage.put("meanwhile");
    assert!(storage.daemon.path("local/meanwhile").exists());
    storage.wait_for_its_wait();
    storage.daemon.kill();
    storage.daemon.run();
    storage.store.answer_right();
    let operation = storage.gone_back();
    for action in [
        "switched to local storage: ",
        "it answered 503",
        "went back to bucket after",
    ] {
        assert!(
            actions(&operation).contains(action),
            "{action}: {operation}"
        );
    }
    storage.put("after");
    let keys = storage.store.keys_with("app/");
    assert_eq!(keys, ["app/after", "app/before", "app/meanwhile"]);
    let kept = "what was stored before, meanwhile and after";
    note_recovery(&operation, "s3-unavailable", caused, kept);
}

#[test]
fn what_was_stored_locally_is_put_into_a_store_that_died_and_was_started_again() {
    let mut storage = Storage::open();
    storage.put("before");
    storage.store.die();
    storage.wait_for_place("local");
    storage.put("meanwhile");
    storage.wait_for_its_wait();
    storage.store.come_back();
    let operation = storage.gone_back();
    assert!(
        actions(&operation).contains("connection refused"),
        "{operation}"
    );
    // It holds everything in memory.
    assert_eq!(storage.store.keys_with("app/"), ["app/meanwhile"]);
}

/// Its check passes, so no other attempt would follow.
#[test]
fn a_store_that_answers_and_takes_nothing_is_gone_back_to_when_it_takes_things() {
    let storage = Storage::open();
    storage.store.answer("503", "*", "/");
    storage.wait_for_place("local");
    storage.put("meanwhile");
    storage.store.seen_with("");
    storage.store.answer("503", "PUT", "/backups/app");
    let mut refused = 0;
    wait_for("two ways back that fail", || {
        refused += storage.store.seen_with("PUT /backups/app").len();
        match refused {
            0 | 1 => Err(format!("{refused}; {}", storage.daemon.json(&["history"]))),
            _ => Ok(()),
        }
    });
    let place = fs::read_link(storage.daemon.path("storage")).unwrap();
    assert_eq!(place.to_str(), Some("local"));
    storage.store.answer_right();
    let operation = storage.gone_back();
    assert_eq!(operation["attempts"], 1, "{operation}");
    assert!(
        actions(&operation).contains("where it failed before: `to-store` ended with exit 1"),
        "{operation}"
    );
    assert_eq!(storage.store.keys_with("app/"), ["app/meanwhile"]);
}
