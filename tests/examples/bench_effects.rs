//! `cargo run --release -p mainstay-tests --example bench_effects -- [EFFECTS]`: how many effects of handlers are journaled in a
//! second, each with its intent and its result on the disk before the next.
//!
//! One operation alone, then eight at a time, whose writes share what is synced to the disk. It prints, and judges nothing.

use mainstay_tests::{Daemon, HOST, guest, millis_between, sleeper, time};
use serde_json::Value;
use std::{thread, time::Duration};

/// Operations at one time: as many calls as a plugin may have.
const AT_ONCE: usize = 8;

fn main() {
    let given = std::env::args().nth(1);
    let effects: u32 = given.map_or(500, |text| text.parse().expect("a number of effects"));
    let daemon = start(effects);
    println!(
        "{:>10} {:>8} {:>10} {:>12}",
        "operations", "effects", "ms", "effects/s"
    );
    for count in [1, AT_ONCE] {
        let operations: Vec<Value> = thread::scope(|scope| {
            let all: Vec<_> = (0..count)
                .map(|number| {
                    let (daemon, target) = (&daemon, format!("t{number}"));
                    scope.spawn(move || daemon.recover(&target, &failure(count)))
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        print(&daemon, &operations);
    }
}

/// What the operations of one round are for: another failure than that of the round before.
fn failure(count: usize) -> String {
    format!("odd-{count}")
}

fn start(effects: u32) -> Daemon {
    let mut config = HOST.to_owned();
    for number in 0..AT_ONCE {
        config += &sleeper(&format!("t{number}"));
    }
    for count in [1, AT_ONCE] {
        config += &route(&failure(count), effects);
    }
    config += r#"
[plugin.probe]
grants = { kv = "1KiB" }
"#;
    let mut daemon = Daemon::prepare(&config);
    daemon.drop_plugin(&guest("probe", &[]));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon
}

fn route(failure: &str, effects: u32) -> String {
    format!(
        r#"
[[route]]
failure = "{failure}"
relapse_window = "0s"
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [{{ handler = "probe", timeout = "50s", params = {{ do = "many", times = {effects} }} }}]
"#
    )
}

fn print(daemon: &Daemon, operations: &[Value]) {
    let mut entries = Vec::new();
    for operation in operations {
        assert_eq!(operation["state"], "succeeded", "{operation}");
        entries.extend(daemon.journal(operation, "intent"));
        entries.extend(daemon.journal(operation, "result"));
    }
    let first = entries
        .iter()
        .min_by_key(|entry| time(&entry["at"]))
        .unwrap();
    let last = entries
        .iter()
        .max_by_key(|entry| time(&entry["at"]))
        .unwrap();
    let took = Duration::from_millis(millis_between(&first["at"], &last["at"]).max(1));
    let effects = entries.iter().filter(|entry| entry["kind"] == "result");
    let effects = effects.count();
    println!(
        "{:>10} {effects:>8} {:>10} {:>12.0}",
        operations.len(),
        took.as_millis(),
        effects as f64 / took.as_secs_f64()
    );
}
