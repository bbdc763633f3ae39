//! Presets of breakers: `[breaker.NAME]`.

use mainstay_tests::{Daemon, HOST, time};
use serde_json::Value;
use std::fs;

fn has_event(daemon: &Daemon, target: &str, kind: &str) -> bool {
    let events = daemon.events_of(kind);
    events.iter().any(|event| event["target"] == target)
}

/// Acts: `target.breaker`, `breaker.*.fail_after`, `breaker.*.recover_after`, `breaker.*.open_for`
#[test]
fn a_target_opens_and_closes_as_the_preset_says_that_it_names() {
    let presets = "\n[breaker.brisk]\nfail_after = 1\nrecover_after = 1\nopen_for = \"400ms\"\n\
                   [breaker.slow]\nfail_after = 1\nrecover_after = 1000\nopen_for = \"400ms\"\n";
    let deaf = |name: &str, breaker: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\n{breaker}\n[[target.check]]\nkind = \"tcp\"\naddress = \"127.0.0.1:1\"\n\
             every = \"1h\"\nfailure = \"deaf\"\n"
        )
    };
    // Healthy while a file of its name is there.
    let by_file = |name: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\nbreaker = \"{name}\"\n[[target.check]]\nkind = \"exec\"\n\
             run = [\"test\", \"-e\", \"{name}.ok\"]\nevery = \"100ms\"\nfailure = \"{name}-down\"\n"
        )
    };
    let config = [
        HOST,
        presets,
        &deaf("deaf", "breaker = \"brisk\""),
        &deaf("usual", ""),
        &by_file("brisk"),
        &by_file("slow"),
    ]
    .concat();
    let daemon = Daemon::start(&config, &[]);
    // One look is enough for it, and not for a check that says nothing of a target without a preset.
    let opened = daemon.wait_for_event_of("circuit.opened", "deaf");
    let half_opened = daemon.wait_for_event_of("circuit.half-opened", "deaf");
    let millis = |at: &Value| time(at).as_millis();
    let open_for = millis(&half_opened["at"]) - millis(&opened["at"]);
    // The clock of records counts whole milliseconds.
    assert!(open_for >= 399, "{open_for} ms");
    assert!(!has_event(&daemon, "usual", "circuit.opened"));

    for target in ["brisk", "slow"] {
        daemon.wait_for_event_of("circuit.opened", target);
        fs::write(daemon.path(&format!("{target}.ok")), "").unwrap();
    }
    daemon.wait_for_event_of("circuit.half-opened", "slow");
    daemon.wait_for_event_of("circuit.closed", "brisk");
    assert!(!has_event(&daemon, "slow", "circuit.closed"));
}
