//! Handlers in which the daemon is killed, in Rust and in Python: at random, in the campaign of
//! `examples/durable_campaign.rs` with a small count; and in each of their requests.

use mainstay_tests::{
    Daemon, Gate, HOST,
    campaign::{DurableGuest, durable, fresh_seed},
    sleeper,
};
use std::fs;

#[test]
fn a_handler_that_is_killed_at_random_does_nothing_twice_and_forgets_nothing() {
    let report = durable(DurableGuest::Rust, 8, fresh_seed());
    assert!(report.operations > 0 && report.torn > 0, "{report:?}");
}

#[test]
fn a_handler_in_python_that_is_killed_at_random_does_nothing_twice_and_forgets_nothing() {
    let report = durable(DurableGuest::Python, 8, fresh_seed());
    assert!(report.operations > 0 && report.torn > 0, "{report:?}");
}

/// Each request is cut off once, and is sent again by the next daemon, with its key. What was done before it is fed.
#[test]
fn a_handler_in_python_goes_on_where_it_stood_when_the_daemon_is_killed_in_each_of_its_requests() {
    let gate = Gate::start();
    let guest = DurableGuest::Python;
    let config = guest.config(&gate.url, &gate.url);
    let mut daemon = Daemon::prepare(&[HOST, &sleeper("job"), &config].concat());
    daemon.drop_large_plugin(&guest.component());
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.kill_child("job");
    let mut before: Option<String> = None;
    for place in ["/begin", "/once", "/end", "/look"] {
        let cut_off = gate.next(place);
        let key = cut_off.header("idempotency-key").map(str::to_owned);
        assert!(cut_off.line().contains(place), "{}", cut_off.line());
        daemon.kill();
        drop(cut_off);
        daemon.run();
        let again = gate.next_again(before.as_deref());
        assert!(again.line().contains(place), "{}", again.line());
        assert_eq!(again.header("idempotency-key"), key.as_deref(), "{place}");
        again.answer();
        before = key;
    }
    let ended = daemon.wait_for_operation("job", "succeeded");
    assert_eq!(ended["attempts"], 1, "{ended}");
    assert_eq!(ended["actions"][1], "run 1", "{ended}");
    let marks = fs::read_to_string(daemon.path("marks")).unwrap();
    assert_eq!(marks.lines().count(), 1, "what was done is fed");
}
