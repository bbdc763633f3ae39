//! Which steps of a chain are called, and when: `[[route.chain]]`.

use mainstay_tests::{Daemon, HOST, guest, millis_between, sleeper};
use serde_json::{Value, json};

fn start(routes: &str) -> Daemon {
    let grants = "\n[plugin.probe]\ngrants = { kv = \"1KiB\" }\n";
    let config = [HOST, &sleeper("job"), routes, grants].concat();
    let daemon = Daemon::start(&config, &[&guest("probe", &[])]);
    daemon.wait_for_plugins(1);
    daemon
}

#[test]
fn a_step_is_called_under_its_condition_and_the_record_says_which_were_not() {
    let chain = r#"
chain = [
    { handler = "probe", params = { do = "echo", word = "the worst" }, when = "severity == critical" },
    { handler = "probe", params = { do = "echo", word = "the rest" }, when = "not severity >= 0.9 and step == 2 and attempt == 1" },
]
"#;
    let routes = ["odd", "data-corruption"];
    let routes = routes.map(|failure| format!("\n[[route]]\nfailure = \"{failure}\"{chain}"));
    let daemon = start(&routes.concat());
    let odd = daemon.recover("job", "odd");
    assert_eq!(odd["state"], "succeeded", "{odd}");
    assert_eq!(
        odd["actions"],
        json!([
            "step 1, probe, was not called: severity == critical was not met [condition-not-met]",
            "probe 1.0.0",
            "the rest",
        ])
    );
    let corrupt = daemon.recover("job", "data-corruption");
    assert_eq!(corrupt["actions"][1], "the worst", "{corrupt}");

    let planned = daemon.json(&["recover", "job", "--failure", "odd", "--dry-run"]);
    let expected = json!([
        odd["actions"][0],
        "planned: probe 1.0.0",
        "planned: the rest",
        "step 2, probe, was only planned [dry-run]",
    ]);
    assert_eq!(planned["actions"], expected, "a dry run asks the same");
}

/// Acts: `route.chain.on_failure`
#[test]
fn what_a_failed_step_means_for_the_next_is_what_it_says() {
    let daemon = start(
        r#"
[[route]]
failure = "goes-on"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [
    { handler = "probe", params = { do = "retryable" }, on_failure = "continue" },
    { handler = "probe", params = { do = "echo", word = "all the same" } },
]

[[route]]
failure = "stops"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [
    { handler = "probe", params = { do = "permanent" }, on_failure = "stop" },
    { handler = "probe", params = { do = "echo", word = "no more" } },
    { handler = "probe", params = { do = "echo", word = "in any case" }, when = "always" },
]
"#,
    );
    let words = |operation: &Value| operation["actions"][1].as_str().unwrap().to_owned();
    let went_on = daemon.recover("job", "goes-on");
    assert_eq!(
        (words(&went_on).as_str(), &went_on["state"]),
        ("all the same", &json!("succeeded"))
    );
    let stopped = daemon.recover("job", "stops");
    assert_eq!(
        (words(&stopped).as_str(), &stopped["state"]),
        ("in any case", &json!("failed"))
    );
}

/// Acts: `route.chain.pause`
#[test]
fn a_pause_lies_between_a_step_and_the_one_before_it() {
    let daemon = start(
        r#"
[[route]]
failure = "odd"
chain = [
    { handler = "probe", params = { do = "count" } },
    { handler = "probe", params = { do = "count" }, pause = "400ms" },
]
"#,
    );
    let operation = daemon.recover("job", "odd");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    let mut marks = daemon.journal(&operation, "intent");
    marks.retain(|entry| entry["effect"] == "kv.compare-and-set");
    let [first, second] = &marks[..] else {
        panic!("two steps counted: {marks:?}");
    };
    assert!(
        millis_between(&first["at"], &second["at"]) >= 400,
        "{marks:?}"
    );
}
