//! How the attempts of an operation are spaced: `[route.strategy]`.

use mainstay_tests::{Daemon, HOST, guest, millis_between, plugin, sleeper, wait_for};
use serde_json::Value;

/// Each attempt leaves its time in the operation's journal, then fails. The delays are those that the host announces,
/// and at least so much passes between the attempts. A delay that was not capped would outlast the test.
///
/// Acts: `route.strategy(exponential)`, `route.strategy(exponential).max_attempts`
/// Acts: `route.strategy(exponential).initial_delay`, `route.strategy(exponential).multiplier`
/// Acts: `route.strategy(exponential).max_delay`
/// Acts: `route.strategy(linear)`, `route.strategy(linear).max_attempts`, `route.strategy(linear).initial_delay`
/// Acts: `route.strategy(linear).max_delay`
/// Acts: `route.strategy(immediate).max_attempts`, `route.strategy(manual).max_attempts`
#[test]
fn attempts_are_as_many_and_as_far_apart_as_the_strategy_says() {
    let strategies: [(&str, &str, &[u64]); 5] = [
        (
            "exponential",
            r#"max_attempts = 4, initial_delay = "100ms", multiplier = 3.0, max_delay = "1m""#,
            &[100, 300, 900],
        ),
        (
            "capped",
            r#"max_attempts = 3, initial_delay = "100ms", multiplier = 10000.0, max_delay = "250ms""#,
            &[100, 250],
        ),
        (
            "linear",
            r#"max_attempts = 5, initial_delay = "150ms", max_delay = "400ms""#,
            &[150, 300, 400, 400],
        ),
        ("immediate", "max_attempts = 3", &[0, 0]),
        ("manual", "max_attempts = 2", &[0]),
    ];
    let routes = strategies.map(|(failure, keys, _)| {
        let kind = failure.replace("capped", "exponential");
        format!(
            r#"
[[route]]
failure = "{failure}"
strategy = {{ kind = "{kind}", {keys} }}
chain = [
    {{ handler = "probe", params = {{ do = "count" }} }},
    {{ handler = "probe", params = {{ do = "retryable" }} }},
]
"#
        )
    });
    let grants = "\n[plugin.probe]\ngrants = { kv = \"1KiB\" }\n";
    let config = [HOST, &sleeper("job"), &routes.concat(), grants].concat();
    let daemon = Daemon::start(&config, &[&guest("probe", &[])]);
    daemon.wait_for_plugins(1);
    for (failure, _, delays) in strategies {
        let operation = daemon.recover("job", failure);
        assert_eq!(operation["state"], "failed", "{operation}");
        assert_eq!(operation["attempts"], delays.len() + 1, "{failure}");

        assert_eq!(announced(&daemon, &operation), delays, "{failure}");

        let mut marks = daemon.journal(&operation, "intent");
        marks.retain(|entry| entry["effect"] == "kv.compare-and-set");
        let gaps: Vec<u64> = marks
            .windows(2)
            .map(|pair| millis_between(&pair[0]["at"], &pair[1]["at"]))
            .collect();
        assert_eq!(gaps.len(), delays.len(), "{failure}");
        let held = gaps.iter().zip(delays).all(|(gap, delay)| gap >= delay);
        assert!(held, "{failure}: {gaps:?} is not {delays:?}");
    }
}

/// Acts: `route.strategy(linear).delay_first`
#[test]
fn with_delay_first_the_first_attempt_waits_too() {
    let routes = r#"
[[route]]
strategy = { kind = "linear", max_attempts = 3, initial_delay = "300ms", max_delay = "1m", delay_first = true }
chain = [
    { handler = "probe", params = { do = "retryable" } },
]
"#;
    let config = [HOST, &sleeper("job"), routes].concat();
    let daemon = Daemon::start(&config, &[&guest("probe", &[])]);
    daemon.wait_for_plugins(1);
    daemon.kill_child("job");
    let failed = wait_for("three attempts to fail", || {
        let history = daemon.json(&["history", "--target", "job", "--state", "failed"]);
        match history[0].is_object() {
            true => Ok(history[0].clone()),
            false => Err(history.to_string()),
        }
    });
    assert_eq!(failed["attempts"], 3, "{failed}");
    let scheduled = daemon.events_of("operation.scheduled");
    let first = scheduled
        .iter()
        .find(|event| event["operation"] == failed["id"])
        .unwrap();
    let waited = millis_between(&failed["detected_at"], &failed["started_at"]);
    assert!(
        first["data"]["due"].is_string() && waited >= 299,
        "{first} {waited}"
    );
    assert_eq!(announced(&daemon, &failed), [600, 900]);
}

/// Acts: `route.strategy(exponential).jitter`
#[test]
fn jitter_spreads_the_delays_around_those_of_the_strategy() {
    let routes = r#"
[[route]]
failure = "odd"
strategy = { kind = "exponential", max_attempts = 7, initial_delay = "100ms", multiplier = 1.0, max_delay = "1m", jitter = "full" }
chain = [
    { handler = "probe", params = { do = "retryable" } },
]
"#;
    let config = [HOST, &sleeper("job"), routes].concat();
    let daemon = Daemon::start(&config, &[&guest("probe", &[])]);
    daemon.wait_for_plugins(1);
    let delays = announced(&daemon, &daemon.recover("job", "odd"));
    assert_eq!(delays.len(), 6);
    assert!(
        delays.iter().all(|delay| (50..=150).contains(delay)),
        "{delays:?}"
    );
    assert!(delays.iter().any(|delay| *delay != 100), "{delays:?}");
}

/// The delays before the second and each later attempt, as the host announced them.
fn announced(daemon: &Daemon, operation: &Value) -> Vec<u64> {
    let retries = daemon.events_of("operation.retrying");
    let own = retries
        .iter()
        .filter(|event| event["operation"] == operation["id"]);
    own.map(|event| event["data"]["delay_ms"].as_u64().unwrap())
        .collect()
}

/// A plugin says how far apart the attempts are, and where nobody of its name serves, the rest of the strategy does.
///
/// Acts: `route.strategy(exponential).plugin`, `route.strategy(exponential).version`
/// Acts: `route.strategy(exponential).params`
#[test]
fn a_plugin_decides_when_it_is_tried_again_and_who_gives_no_answer_is_no_hindrance() {
    let strategies = [
        (
            "fibonacci",
            r#"plugin = "fibonacci-strategy", version = "^1", params = { unit = "50ms" }, max_attempts = 5"#,
            vec![50, 50, 100, 150],
        ),
        (
            "by-settings",
            r#"plugin = "fibonacci-strategy", max_attempts = 3"#,
            vec![70, 70],
        ),
        (
            "another-version",
            r#"plugin = "fibonacci-strategy", version = "^9", kind = "linear", max_attempts = 3, initial_delay = "20ms""#,
            vec![20, 40],
        ),
    ];
    let routes = strategies.clone().map(|(failure, keys, _)| {
        format!(
            "[[route]]\nfailure = \"{failure}\"\nstrategy = {{ {keys} }}\n\
             chain = [{{ handler = \"probe\", params = {{ do = \"retryable\" }} }}]\n"
        )
    });
    let settings = "\n[plugin.fibonacci-strategy]\nsettings = { unit = \"70ms\" }\n";
    let config = [HOST, &sleeper("job"), &routes.concat(), settings].concat();
    let daemon = Daemon::start(
        &config,
        &[&guest("probe", &[]), &plugin("fibonacci-strategy")],
    );
    daemon.wait_for_plugins(2);
    for (failure, _, delays) in strategies {
        let operation = daemon.recover("job", failure);
        assert_eq!(operation["state"], "failed", "{operation}");
        assert_eq!(operation["attempts"], delays.len() + 1, "{failure}");
        let retries = daemon.events_of("operation.retrying");
        let own = retries
            .iter()
            .filter(|event| event["operation"] == operation["id"]);
        let announced: Vec<u64> = own
            .map(|event| event["data"]["delay_ms"].as_u64().unwrap())
            .collect();
        assert_eq!(announced, delays, "{failure}");
    }
}
