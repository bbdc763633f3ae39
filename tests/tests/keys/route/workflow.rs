//! How much is validated, and for how long: `route.workflow`.

use mainstay_tests::{Daemon, HOST, guest, sleeper, time};
use serde_json::Value;

/// The milliseconds from the end of the handler to the end of the operation.
fn validated(daemon: &Daemon, operation: &Value) -> u64 {
    let begun = daemon.wait_for_event("a validation", |event| {
        event["operation"] == operation["id"] && event["kind"] == "operation.validating"
    });
    time(&operation["finished_at"]).as_millis() - time(&begun["at"]).as_millis()
}

/// Acts: `route.workflow`
#[test]
fn a_thorough_recovery_has_to_last_and_a_fast_one_is_given_up_soon() {
    let routes = r#"
[[route]]
target = "well"
failure = "odd"
workflow = "thorough"
chain = [{ handler = "probe" }]

[[route]]
target = "ill"
workflow = "fast"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "probe" }]

[[target]]
name = "ill"
validation_timeout = "1h"

[[target.check]]
kind = "tcp"
address = "127.0.0.1:1"
every = "1h"
failure = "deaf"
"#;
    let config = [HOST, &sleeper("well"), routes].concat();
    let daemon = Daemon::start(&config, &[&guest("probe", &[])]);
    daemon.wait_for_plugins(1);
    let (lasted, given_up) = std::thread::scope(|scope| {
        let lasted = scope.spawn(|| daemon.recover("well", "odd"));
        let given_up = scope.spawn(|| daemon.recover("ill", "deaf"));
        (lasted.join().unwrap(), given_up.join().unwrap())
    });
    assert_eq!(lasted["state"], "succeeded", "{lasted}");
    let length = validated(&daemon, &lasted);
    assert!(length >= 4_999, "{length} ms");
    assert_eq!(given_up["state"], "partial", "{given_up}");
    let length = validated(&daemon, &given_up);
    assert!((4_999..600_000).contains(&length), "{length} ms");
}
