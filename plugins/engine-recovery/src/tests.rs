//! The handler against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, operation};

const SETTINGS: &str = r#"{"api": "http://engine:8080/v1/", "headers": {"authorization": "Bearer t"}, "job": "positions"}"#;
const PENDING: &str = r#"{"orders": [{"id": "o1", "status": "pending"}, {"id": 2, "status": "pending"}, {"id": "o3", "status": "filled"}]}"#;
const SETTLED: &str = r#"{"orders": [{"id": "o1", "status": "cancelled"}, {"id": 2, "status": "cancelled"}, {"id": "o3", "status": "filled"}]}"#;
const BROKEN: &str = r#"{"positions": [{"id": "p1", "symbol": "BTC-USD", "quantity": 1, "entry_price": 60000}, {"id": "p2", "symbol": "ETH-USD", "quantity": 1}]}"#;
const WHOLE: &str =
    r#"{"positions": [{"id": "p1", "symbol": "BTC-USD", "quantity": 1, "entry_price": 60000}]}"#;

fn url(path: &str) -> String {
    format!("http://engine:8080/v1/{path}")
}

fn host() -> ScriptedHost {
    let mut host = ScriptedHost::new();
    host.set_settings(SETTINGS);
    host
}

fn answers(host: &mut ScriptedHost, path: &str, status: u16, bodies: &[&str]) {
    for body in bodies {
        host.on_http(&url(path), Ok(Response::new(status, *body)));
    }
}

/// An engine that answers, with these orders and positions one look after the other.
fn engine(orders: &[&str], positions: &[&str]) -> ScriptedHost {
    let mut host = host();
    // The first look is whether it answers.
    answers(&mut host, "orders", 200, &orders[..1]);
    answers(&mut host, "orders", 200, orders);
    answers(&mut host, "portfolio", 200, &[r#"{"cash_balance": 1}"#]);
    answers(&mut host, "positions", 200, positions);
    answers(&mut host, "orders/cancel", 200, &["{}"]);
    answers(&mut host, "positions/remove", 204, &[""]);
    host
}

fn run(host: &mut ScriptedHost) -> Result<Report> {
    EngineRecovery.recover(&operation("engine", "trading-engine-crash"), host)
}

fn retryable(host: &mut ScriptedHost) -> String {
    match run(host).unwrap_err() {
        RecoveryFailure::Retryable(why) => why,
        other => panic!("not retryable: {other:?}"),
    }
}

/// What was asked for, in order, and what was sent with it.
fn asked(host: &ScriptedHost) -> Vec<String> {
    let effects = host.effects().iter();
    effects
        .map(|effect| match effect {
            Effect::Http {
                method, url, body, ..
            } => {
                let path = url.trim_start_matches("http://engine:8080/v1/");
                format!("{method:?} {path} {body}").trim().to_owned()
            }
            Effect::BackupCreate(job, kind) => format!("backup {job} {kind:?}"),
            Effect::Restart(target) => format!("restart {target}"),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn orders_are_cancelled_positions_saved_and_removed_and_the_engine_restarted() {
    let mut host = engine(&[PENDING, SETTLED], &[BROKEN, WHOLE]);
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions,
        [
            "cancelled 2 pending orders: o1, 2",
            "found the portfolio",
            "saved the positions in backup new-1",
            "removed 1 invalid position: p2 (no entry_price)",
            "restarted engine"
        ]
    );
    assert_eq!(
        report.data_loss.unwrap(),
        "1 invalid position: p2 (no entry_price); kept in backup new-1"
    );
    assert_eq!(
        asked(&host),
        [
            "Method::Get orders",
            "Method::Get orders",
            r#"Method::Post orders/cancel {"ids":["o1",2],"reason":"recovery op-1 of engine"}"#,
            "Method::Get orders",
            "Method::Get portfolio",
            "Method::Get positions",
            "backup positions BackupType::Emergency",
            r#"Method::Post positions/remove {"ids":["p2"],"reason":"recovery op-1 of engine: no position"}"#,
            "Method::Get positions",
            "restart engine"
        ]
    );
    let headers = host.effects().iter();
    let mut headers = headers.filter_map(|effect| match effect {
        Effect::Http { headers, .. } => Some(headers),
        _ => None,
    });
    let token = ("authorization".to_owned(), "Bearer t".to_owned());
    assert!(headers.all(|headers| headers.contains(&token)));
}

#[test]
fn an_engine_in_order_is_only_restarted() {
    let mut host = engine(&[SETTLED], &[WHOLE]);
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions,
        [
            "found no pending order",
            "found the portfolio",
            "found no invalid position",
            "restarted engine"
        ]
    );
    assert_eq!(report.data_loss, None);
    let posts = asked(&host).into_iter();
    assert_eq!(posts.filter(|ask| ask.contains("Post")).count(), 0);
}

#[test]
fn an_engine_that_does_not_answer_is_restarted_first_and_once() {
    let mut host = host();
    let refused = EffectError::Unavailable("connection refused".into());
    host.on_http(&url("orders"), Err(refused));
    answers(&mut host, "orders", 503, &["starting"]);
    answers(&mut host, "orders", 200, &[SETTLED, SETTLED]);
    answers(&mut host, "portfolio", 404, &[""]);
    answers(&mut host, "positions", 200, &[WHOLE]);
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions,
        [
            "restarted engine, which did not answer: connection refused",
            "found no pending order",
            "found no portfolio",
            "found no invalid position"
        ]
    );
    let restarts = asked(&host).into_iter();
    assert_eq!(restarts.filter(|ask| ask == "restart engine").count(), 1);
}

#[test]
fn one_that_was_restarted_reads_again_what_was_removed_behind_its_back() {
    let mut host = host();
    answers(&mut host, "orders", 500, &["panic"]);
    answers(&mut host, "orders", 200, &[SETTLED, SETTLED]);
    answers(&mut host, "portfolio", 200, &["{}"]);
    answers(&mut host, "positions", 200, &[BROKEN, WHOLE]);
    answers(&mut host, "positions/remove", 200, &["{}"]);
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions[0],
        "restarted engine, which did not answer: GET /orders was answered with 500: panic"
    );
    assert_eq!(report.actions[2], "found an empty portfolio");
    let restarts = asked(&host).into_iter();
    assert_eq!(restarts.filter(|ask| ask == "restart engine").count(), 2);
}

#[test]
fn one_that_stays_silent_is_not_called_recovered() {
    let mut host = host();
    host.set_settings(r#"{"api": "http://engine:8080/v1", "wait": "1s"}"#);
    for _ in 0..10 {
        let late = EffectError::TimedOut("no answer in 5s".into());
        host.on_http(&url("orders"), Err(late));
    }
    assert_eq!(
        retryable(&mut host),
        "restarted engine, and it did not answer within 1s: no answer in 5s"
    );
}

#[test]
fn what_is_still_pending_was_not_cancelled() {
    let mut host = engine(&[PENDING, PENDING], &[WHOLE]);
    assert_eq!(
        retryable(&mut host),
        "2 of 2 orders still pending after they were cancelled: o1, 2"
    );
    let asked = asked(&host);
    assert!(!asked.contains(&"restart engine".to_owned()), "{asked:?}");
}

#[test]
fn an_order_that_came_meanwhile_is_no_failure() {
    let newer = r#"{"orders": [{"id": "o9", "status": "pending"}]}"#;
    let mut host = engine(&[PENDING, newer], &[WHOLE]);
    assert!(run(&mut host).is_ok());
}

#[test]
fn which_orders_are_pending_can_be_set() {
    let open = r#"{"orders": [{"id": "a", "status": "open"}, {"id": "b", "status": "pending"}, {"id": "c", "status": "new"}]}"#;
    let mut host = engine(&[open, SETTLED], &[WHOLE]);
    host.set_settings(r#"{"api": "http://engine:8080/v1", "pending": ["open", "new"]}"#);
    let report = run(&mut host).unwrap();
    assert_eq!(report.actions[0], "cancelled 2 pending orders: a, c");
}

#[test]
fn nothing_is_removed_without_a_backup() {
    let mut host = engine(&[SETTLED], &[BROKEN]);
    host.set_settings(r#"{"api": "http://engine:8080/v1"}"#);
    let Err(RecoveryFailure::NeedsOperator(steps)) = run(&mut host) else {
        panic!("no operator asked")
    };
    assert_eq!(
        steps[0],
        "done so far: found no pending order, found the portfolio"
    );
    assert!(steps[1].contains("p2 (no entry_price)"), "{steps:?}");
    let mut full = engine(&[SETTLED], &[BROKEN]);
    let why = EffectError::Unavailable("another backup of positions runs".into());
    full.on_backup_create("positions", Err(why));
    assert_eq!(retryable(&mut full), "another backup of positions runs");
    for host in [host, full] {
        let posts = asked(&host).into_iter();
        assert_eq!(posts.filter(|ask| ask.contains("Post")).count(), 0);
    }
}

#[test]
fn a_position_that_has_no_id_needs_a_person() {
    let nameless = r#"{"positions": [{"symbol": "X"}, {"id": "p2", "symbol": "Y"}]}"#;
    let mut host = engine(&[SETTLED], &[nameless]);
    let Err(RecoveryFailure::NeedsOperator(steps)) = run(&mut host) else {
        panic!("no operator asked")
    };
    assert!(steps[1].contains("one without an id"), "{steps:?}");
    let asked = asked(&host);
    let touches = |ask: &&String| ask.contains("remove") || ask.starts_with("backup");
    assert_eq!(asked.iter().find(touches), None);
}

#[test]
fn what_is_still_there_was_not_removed() {
    let mut host = engine(&[SETTLED], &[BROKEN, BROKEN]);
    assert_eq!(
        retryable(&mut host),
        "1 of 1 invalid positions still there after they were removed: p2"
    );
}

#[test]
fn an_answer_says_whether_another_attempt_may_help() {
    for (status, may_help) in [
        (400, false),
        (404, false),
        (409, false),
        (429, true),
        (503, true),
    ] {
        let mut host = host();
        answers(&mut host, "orders", 200, &[PENDING, PENDING]);
        answers(&mut host, "orders/cancel", status, &["sorry"]);
        let failure = run(&mut host).unwrap_err();
        let why = format!("POST /orders/cancel was answered with {status}: sorry");
        let expected = match may_help {
            true => RecoveryFailure::Retryable(why),
            false => RecoveryFailure::Permanent(why),
        };
        assert_eq!(failure, expected);
    }
}

#[test]
fn an_api_of_another_form_is_a_mistake_of_the_config() {
    for body in ["[]", "<html>", r#"{"orders": [{"status": "pending"}]}"#] {
        let mut host = host();
        answers(&mut host, "orders", 200, &[body, body]);
        let why = match run(&mut host).unwrap_err() {
            RecoveryFailure::Permanent(why) => why,
            other => panic!("{body}: not permanent: {other:?}"),
        };
        assert!(why.starts_with("GET /orders gave something else"), "{why}");
    }
}

#[test]
fn what_is_not_granted_is_permanent() {
    let mut host = host();
    host.deny("http");
    let failure = run(&mut host).unwrap_err();
    assert_eq!(
        failure,
        RecoveryFailure::Permanent("http is not granted".into())
    );
}

#[test]
fn a_dry_run_shows_what_would_be_done() {
    let mut host = engine(&[PENDING], &[BROKEN]);
    let mut op = operation("engine", "trading-engine-crash");
    op.dry_run = true;
    let report = EngineRecovery.recover(&op, &mut host).unwrap();
    assert_eq!(report.actions.len(), 5, "{report:?}");
    let silent = EffectError::Unavailable("connection refused".into());
    let mut host = self::host();
    host.on_http(&url("orders"), Err(silent));
    let report = EngineRecovery.recover(&op, &mut host).unwrap();
    assert_eq!(
        report.actions[1],
        "would see then what is to be cancelled and removed"
    );
    assert_eq!(asked(&host).len(), 2);
}

#[test]
fn settings_that_say_too_little_or_something_unknown_are_refused() {
    assert!(EngineRecovery::configure(SETTINGS).is_ok());
    for (settings, expected) in [
        ("{}", "api"),
        (r#"{"api": "engine:8080"}"#, "\"http://\""),
        (r#"{"api": "http://engine?x=1"}"#, "without a query"),
        (r#"{"api": "http://engine", "url": "x"}"#, "url"),
    ] {
        let error = EngineRecovery::configure(settings).unwrap_err();
        assert!(error.contains(expected), "{settings}: {error}");
    }
}
