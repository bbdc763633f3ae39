//! The first-party handlers of well-known failures: an object store that is away and comes back, and, with what plays the
//! service, a database whose data is broken, and a trading engine with orders and positions.

mod object_store;

use mainstay_tests::{Daemon, HOST, Receiver, plugin, response, sleeper};
use serde_json::{Value, json};
use std::{
    fs,
    sync::{Arc, Mutex},
};

const DATABASE: &str = r#"
[[target]]
name = "db"
run = ["/bin/sh", "-c", "exec sleep 1000"]
start_period = "0s"
[[target.check]]
kind = "file"
path = "data/state.txt"
contains = "sound"
every = "1s"
fail_after = 1
recover_after = 1
failure = "postgres-down"

[[job]]
name = "state"
encryption = "none"
source = [{ kind = "directory", path = "data" }]

[[job]]
name = "marks"
encryption = "none"
source = [{ kind = "directory", path = "data" }]

[[route]]
failure = "postgres-down"
strategy = { kind = "immediate", max_attempts = 3 }
chain = [{ handler = "postgres-recovery" }]

[plugin.postgres-recovery]
grants = { target = ["check", "restart", "start", "status", "stop"], backup = ["marks", "state"] }
settings = { job = "state", checkpoints = "marks", wait = "1s" }
"#;

#[test]
fn a_database_that_a_restart_does_not_help_goes_back_to_its_checkpoint() {
    let mut daemon = Daemon::prepare(&[HOST, DATABASE].concat());
    let state = daemon.path("data/state.txt");
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(&state, "sound, of the checkpoint").unwrap();
    daemon.drop_plugin(&plugin("postgres-recovery"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.json(&["backup", "create", "marks"]);
    // In one go: a check that finds it empty would find it broken.
    fs::write(daemon.path("next"), "sound, of the backup").unwrap();
    fs::rename(daemon.path("next"), &state).unwrap();
    daemon.json(&["backup", "create", "state"]);
    let before = daemon.pids()["db"];

    fs::write(&state, "torn").unwrap();
    let operations = daemon.wait_for_successes("db", 1);
    let actions = operations[0]["actions"].to_string();
    assert!(actions.contains("restored checkpoint"), "{actions}");
    let now = fs::read_to_string(&state).unwrap();
    assert_eq!(now, "sound, of the checkpoint", "{actions}");
    assert_ne!(daemon.pids()["db"], before);
    let retried = daemon.events_of("operation.retrying");
    assert_eq!(retried.len(), 1, "one attempt restarted it: {retried:?}");
    let told = retried[0].to_string();
    assert!(told.contains("the next attempt restores"), "{told}");
}

/// What an engine holds.
type Book = Arc<Mutex<Value>>;

fn book(is_stubborn: bool) -> Book {
    Arc::new(Mutex::new(json!({
        "is_stubborn": is_stubborn,
        "orders": [{"id": "o1", "status": "pending"}, {"id": "o2", "status": "filled"}],
        "positions": [
            {"id": "p1", "symbol": "BTC-USD", "quantity": 1, "entry_price": "61000.10"},
            {"id": "p2", "symbol": "ETH-USD", "quantity": 1}
        ]
    })))
}

/// An engine over a book. A stubborn one takes what it is asked for, and does nothing.
fn engine(book: &Book) -> Receiver {
    let receiver = Receiver::start();
    let book = Arc::clone(book);
    receiver.answer_by(move |request| {
        let mut book = book.lock().unwrap();
        let ids = request.json()["ids"].clone();
        let is_stubborn = book["is_stubborn"] == true;
        let is_named = |one: &Value| {
            let ids = ids.as_array().unwrap();
            ids.contains(&one["id"]) && !is_stubborn
        };
        let body = match request.line.as_str() {
            "GET /v1/orders" => json!({ "orders": book["orders"].clone() }),
            "GET /v1/positions" => json!({ "positions": book["positions"].clone() }),
            "GET /v1/portfolio" => json!({ "cash_balance": 1 }),
            "POST /v1/orders/cancel" => {
                for order in book["orders"].as_array_mut().unwrap() {
                    if is_named(order) {
                        order["status"] = json!("cancelled");
                    }
                }
                json!({})
            }
            "POST /v1/positions/remove" => {
                let positions = book["positions"].as_array_mut().unwrap();
                positions.retain(|one| !is_named(one));
                json!({})
            }
            _ => return response("404 Not Found", "", ""),
        };
        response("200 OK", "", &body.to_string())
    });
    receiver
}

fn trading(engine: &Receiver) -> Daemon {
    let url = &engine.url;
    let rest = format!(
        r#"
[[job]]
name = "positions"
encryption = "none"
source = [{{ kind = "directory", path = "positions" }}]

[[route]]
failure = "trading-engine-crash"
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [{{ handler = "engine-recovery" }}]

[plugin.engine-recovery]
grants = {{ http = ["{url}"], target = ["restart"], backup = ["positions"] }}
settings = {{ api = "{url}/v1", job = "positions" }}
"#
    );
    let mut daemon = Daemon::prepare(&[HOST, &sleeper("engine"), &rest].concat());
    fs::create_dir(daemon.path("positions")).unwrap();
    fs::write(daemon.path("positions/p2"), "ETH-USD").unwrap();
    daemon.drop_plugin(&plugin("engine-recovery"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.json(&["backup", "create", "positions"]);
    daemon
}

#[test]
fn an_engine_has_its_orders_cancelled_and_its_broken_positions_removed_after_a_backup() {
    let book = book(false);
    let engine = engine(&book);
    let daemon = trading(&engine);
    let before = daemon.pids()["engine"];
    let backups = || daemon.json(&["backup", "list", "--job", "positions"]);
    let count = backups().as_array().unwrap().len();
    let operation = daemon.recover("engine", "trading-engine-crash");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    let actions = operation["actions"].to_string();
    for action in [
        "cancelled 1 pending order: o1",
        "found the portfolio",
        "removed 1 invalid position: p2 (no entry_price)",
        "restarted engine",
    ] {
        assert!(actions.contains(action), "{action}: {actions}");
    }
    let held = book.lock().unwrap().clone();
    assert_eq!(held["orders"][0]["status"], "cancelled");
    assert_eq!(held["orders"][1]["status"], "filled");
    let positions = held["positions"].as_array().unwrap();
    assert_eq!(positions.len(), 1);
    assert_eq!(positions[0]["id"], "p1");
    assert_eq!(backups().as_array().unwrap().len(), count + 1);
    assert_ne!(daemon.pids()["engine"], before);
    let posts = engine.received().into_iter();
    let mut posts = posts.filter(|request| request.line.starts_with("POST"));
    assert!(posts.all(|request| !request.header("idempotency-key").is_empty()));
}

#[test]
fn an_engine_that_cancels_nothing_is_not_called_recovered() {
    let book = book(true);
    let engine = engine(&book);
    let daemon = trading(&engine);
    let before = daemon.pids()["engine"];
    let operation = daemon.recover("engine", "trading-engine-crash");
    assert_eq!(operation["state"], "failed", "{operation}");
    let error = operation["error"].as_str().unwrap();
    assert!(error.contains("1 of 1 orders still pending"), "{error}");
    assert_eq!(daemon.pids()["engine"], before);
    let asked = engine.received().into_iter();
    let mut removals = asked.filter(|request| request.line.contains("remove"));
    assert!(removals.next().is_none());
}

#[test]
fn a_dry_run_changes_nothing_of_an_engine() {
    let book = book(false);
    let before = book.lock().unwrap().clone();
    let engine = engine(&book);
    let daemon = trading(&engine);
    let arguments = [
        "recover",
        "engine",
        "--failure",
        "trading-engine-crash",
        "--dry-run",
        "--wait",
        "--json",
    ];
    let output = daemon.cli(&arguments);
    let operation: Value = serde_json::from_slice(&output.stdout).unwrap();
    let actions = operation["actions"].to_string();
    assert!(
        actions.contains("cancelled 1 pending order: o1"),
        "{actions}"
    );
    assert_eq!(*book.lock().unwrap(), before);
    let asked = engine.received().into_iter();
    let mut posts = asked.filter(|request| request.line.starts_with("POST"));
    assert!(posts.next().is_none());
}
