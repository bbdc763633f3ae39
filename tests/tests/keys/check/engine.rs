//! Checks of kind `engine`, of an API that answers as trading engines do.

use super::{DEAF, case, judge_with};
use crate::keys::target::{HOST, row_of};
use mainstay_tests::{Daemon, Receiver, response, wait_for};
use std::{fs, sync::mpsc, time::SystemTime};

const SECRETS: &str = "[secrets]\npin = { env = \"PIN_OF_THE_ENGINE\" }\n";
const PIN: &str = "2718281828";
const ORDERS: &str =
    r#"{"orders": [{"id": 1, "status": "pending"}, {"id": 2, "status": "pending"}]}"#;
const POSITIONS: &str =
    r#"{"positions": [{"id": "p-7", "symbol": "BTC-USD", "entry_price": 61000.1}]}"#;

/// Each engine has a path of its own below the same server, named after its status.
fn answer(path: &str) -> String {
    let (engine, asked) = path.trim_start_matches('/').split_once('/').unwrap();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let updated_at = match engine {
        "old" => now.as_millis() - 3_600_000,
        _ => now.as_millis(),
    };
    let body = match asked {
        "status" => format!(r#"{{"status": "{engine}", "updated_at": {updated_at}}}"#),
        "orders" => ORDERS.to_owned(),
        "positions" => POSITIONS.to_owned(),
        _ => return response("404 Not Found", "", ""),
    };
    match engine {
        "broken" => response("500 Internal Server Error", "", ""),
        _ => response("200 OK", "", &body),
    }
}

fn engine(url: &str, name: &str, more: &str) -> String {
    format!("kind = \"engine\"\napi = \"{url}/{name}\"\n{more}")
}

/// Acts: `target.check(engine)`, `target.check(engine).api`, `target.check(engine).headers`,
/// Acts: `target.check(engine).max_age`, `target.check(engine).max_pending`, `target.check(engine).positions`
#[test]
fn an_engine_is_judged_by_what_it_tells_of_itself() {
    let receiver = Receiver::start();
    receiver.answer_by(|request| match request.line.split_once(' ') {
        Some(("GET", path)) => answer(path),
        _ => response("405 Method Not Allowed", "", ""),
    });
    let engine = |name: &str, more: &str| engine(&receiver.url, name, more);
    let headers = "headers = { Authorization = \"Bearer ${secret:pin}\" }";
    let cases = [
        case(engine("running", headers), "healthy", ""),
        case(
            engine("crashed", headers),
            "failed",
            "its status is `crashed`",
        ),
        case(engine("error", ""), "failed", "its status is `error`"),
        case(engine("broken", ""), "failed", "it answered 500"),
        case(
            format!("kind = \"engine\"\napi = \"http://{DEAF}/\""),
            "failed",
            "refused",
        ),
        case(engine("old", ""), "healthy", ""),
        case(
            engine("old", "max_age = \"30m\""),
            "failed",
            "at most 30 min is allowed",
        ),
        case(engine("running", "max_age = \"30m\""), "healthy", ""),
        case(engine("running", "max_pending = 2"), "healthy", ""),
        case(
            engine("running", "max_pending = 1"),
            "failed",
            "2 of its orders are pending",
        ),
        case(
            engine("running", "positions = true"),
            "failed",
            "its position `p-7` has no quantity",
        ),
    ];
    let mut daemon = Daemon::prepare("");
    daemon.set_env("PIN_OF_THE_ENGINE", PIN);
    judge_with(&mut daemon, SECRETS, &cases);
    // The others of this engine are asked without it, and perhaps before.
    receiver.wait_for("its status, with the token", |request| {
        request.line == "GET /running/status"
            && request.header("authorization") == format!("Bearer {PIN}")
    });
    let told = daemon.json(&["incidents"]).to_string() + &daemon.log();
    assert!(!told.contains(PIN), "{told}");
}

#[test]
fn an_engine_that_starts_or_lets_nobody_in_has_not_failed() {
    let receiver = Receiver::start();
    receiver.answer_by(|request| match request.line.as_str() {
        "GET /starting/status" => response("200 OK", "", "{\"status\": \"starting\"}"),
        _ => response("403 Forbidden", "", ""),
    });
    let target = |name: &str| {
        let check = engine(&receiver.url, name, "");
        format!(
            "[[target]]\nname = \"{name}\"\n[[target.check]]\nevery = \"1h\"\ntimeout = \"1m\"\nfail_after = 1\n\
             failure = \"seen\"\n{check}\n"
        )
    };
    let config = format!("{HOST}{}{}", target("starting"), target("locked"));
    let daemon = Daemon::start(&config, &[]);
    for (name, words) in [("starting", "`starting`"), ("locked", "it answered 403")] {
        daemon.wait_for_status(words, |status| {
            let why = row_of(status, name)["unseen"]["why"].as_str();
            why.is_some_and(|why| why.contains(words))
        });
    }
    assert_eq!(daemon.json(&["incidents"]), serde_json::json!([]));
}

/// Acts: `target.check(engine).warn_latency`
#[test]
fn an_engine_that_answers_late_is_degraded() {
    let receiver = Receiver::start();
    let (let_go, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    receiver.answer_by(move |_| {
        let _ = held.lock().unwrap().recv();
        response("200 OK", "", "{\"status\": \"running\"}")
    });
    let config = format!(
        "{HOST}[[target]]\nname = \"t\"\n[[target.check]]\nevery = \"1h\"\ntimeout = \"1m\"\nfailure = \"seen\"\n{}\n\
         [[target]]\nname = \"clock\"\n[[target.check]]\nkind = \"exec\"\nrun = [\"sh\", \"-c\", \"echo >> ticks\"]\n\
         every = \"100ms\"\nfailure = \"seen\"\n",
        engine(&receiver.url, "late", "warn_latency = \"20ms\"")
    );
    let daemon = Daemon::start(&config, &[]);
    // Both checks begin together; when the other one has run so often, this one waits for long enough.
    wait_for("time to pass", || {
        let ticks = fs::read_to_string(daemon.path("ticks")).unwrap_or_default();
        let ticks = ticks.lines().count();
        (ticks >= 10).then_some(()).ok_or_else(|| ticks.to_string())
    });
    let_go.send(()).unwrap();
    daemon.wait_for_status("it to be judged", |status| {
        row_of(status, "t")["health"] == "degraded"
    });
}
