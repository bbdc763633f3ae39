//! Routes, strategies and chains: `[[route]]`.

mod chain;
mod person;
mod strategy;
mod workflow;

use mainstay_tests::{Daemon, HOST, guest, millis_between, plugin, sleeper};

/// Acts: `route.failure`, `route.target`, `route.severity`, `route.chain.params`
#[test]
fn the_most_specific_route_gets_the_incident() {
    let routes = [
        ("", "any"),
        (r#"severity = "high""#, "high"),
        (r#"severity = "critical""#, "critical"),
        (r#"failure = "slow""#, "failure"),
        (r#"target = "b""#, "target"),
        (r#"target = "b", failure = "slow""#, "both"),
    ];
    let routes = routes.map(|(filters, word)| {
        let filters = filters.replace(", ", "\n");
        let params = format!(r#"{{ do = "echo", word = "{word}" }}"#);
        format!("\n[[route]]\n{filters}\nchain = [{{ handler = \"probe\", params = {params} }}]\n")
    });
    // What it can be recovered from by a person; none of its checks fails.
    let checks = ["odd\"\nseverity = \"low", "redis-down", "data-corruption"]
        .map(|failure| format!("[[target.check]]\nkind = \"process\"\nfailure = \"{failure}\"\n"))
        .concat();
    let (a, b) = (sleeper("a"), sleeper("b"));
    let config = [HOST, &a, &checks, &b, &checks, &routes.concat()].concat();
    let daemon = Daemon::start(&config, &[&guest("probe", &[])]);
    daemon.wait_for_plugins(1);
    for (target, failure, word) in [
        ("a", "odd", "any"),
        ("a", "redis-down", "high"),
        ("a", "data-corruption", "critical"),
        ("a", "slow", "failure"),
        ("b", "odd", "target"),
        ("b", "data-corruption", "target"),
        ("b", "slow", "both"),
    ] {
        let operation = daemon.recover(target, failure);
        assert_eq!(operation["actions"][1], word, "{target} {failure}");
    }
}

/// Acts: `route.chain.handler`, `route.chain.version`, `route.chain.when`, `route.chain.timeout`
#[test]
fn a_chain_calls_the_version_it_asks_for_under_the_conditions_it_gives() {
    let routes = r#"
[[route]]
failure = "first"
chain = [{ handler = "probe", version = "^1" }]

[[route]]
failure = "second"
chain = [{ handler = "probe", version = "^2" }]

[[route]]
failure = "other"
chain = [{ handler = "restart-service" }]

[[route]]
failure = "broken"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [
    { handler = "probe", params = { do = "retryable" } },
    { handler = "probe", params = { do = "echo", word = "only after a success" } },
    { handler = "probe", params = { do = "echo", word = "in any case" }, when = "always" },
]

[[route]]
failure = "slow"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "probe", params = { do = "sleep", length = "10m" }, timeout = "250ms" }]

[plugin.restart-service]
grants = { target = ["restart"] }
"#;
    let config = [HOST, &sleeper("job"), routes].concat();
    let plugins = [
        guest("probe", &[]),
        guest("probe", &["v2_0_0"]),
        plugin("restart-service"),
    ];
    let daemon = Daemon::start(&config, &plugins.each_ref().map(|path| path.as_path()));
    daemon.wait_for_plugins(3);

    for (failure, handler, version) in [
        ("first", "probe", "1.0.0"),
        ("second", "probe", "2.0.0"),
        ("other", "restart-service", "1.0.0"),
    ] {
        let operation = daemon.recover("job", failure);
        assert_eq!(operation["state"], "succeeded", "{operation}");
        assert_eq!(operation["handler"], handler);
        assert_eq!(operation["handler_version"], version);
    }

    let broken = daemon.recover("job", "broken");
    assert_eq!(broken["state"], "failed");
    assert_eq!(
        broken["actions"],
        serde_json::json!(["probe 2.0.0", "in any case"])
    );

    let slow = daemon.recover("job", "slow");
    assert_eq!(slow["state"], "failed");
    assert!(
        slow["error"].as_str().unwrap().contains("250ms"),
        "the reason names the time that it was given: {slow}"
    );
    assert!(millis_between(&slow["started_at"], &slow["finished_at"]) >= 250);
}

/// Acts: `route.cooldown`
#[test]
fn nothing_automatic_is_done_while_a_success_cools_down() {
    let routes = r#"
[[route]]
target = "rests"
cooldown = "1500ms"
relapse_window = "0s"
chain = [{ handler = "restart-service" }]

[[route]]
target = "goes-on"
cooldown = "0s"
relapse_window = "0s"
chain = [{ handler = "restart-service" }]

[plugin.restart-service]
grants = { target = ["restart"] }
"#;
    let config = [HOST, &sleeper("rests"), &sleeper("goes-on"), routes].concat();
    let daemon = Daemon::start(&config, &[&plugin("restart-service")]);
    daemon.wait_for_plugins(1);
    let kill_twice = |target| {
        daemon.kill_child(target);
        daemon.wait_for_successes(target, 1);
        daemon.kill_child(target);
        let operations = daemon.wait_for_successes(target, 2);
        // How far ahead the second one was scheduled, as the host says it.
        let scheduled = daemon.events_of("operation.scheduled");
        let about = |event: &&serde_json::Value| event["operation"] == operations[1]["id"];
        let event = scheduled.iter().find(about).unwrap();
        let due = Some(&event["data"]["due"]).filter(|due| due.is_string());
        let ahead = due.map_or(0, |due| millis_between(&event["at"], due));
        let rested = millis_between(&operations[0]["finished_at"], &operations[1]["started_at"]);
        (ahead, rested)
    };
    let (ahead, rested) = kill_twice("rests");
    assert!(ahead > 0);
    assert!(rested >= 1_500, "it rested for {rested} ms only");
    let (ahead, _) = kill_twice("goes-on");
    assert_eq!(ahead, 0);
}
