//! Plugins that are replaced. The swap campaign, with a small count; `examples/swap_campaign.rs` runs it with any. And
//! files that are replaced by what is broken, or by other bytes of the same version.

use mainstay_tests::{Daemon, guest, wait_for};
use std::fs;

const CONFIG: &str = r#"
[host]
state_dir = "state"
plugin_dir = "plugins"

[[target]]
name = "job"
run = ["/bin/sh", "-c", "exec sleep 1000"]

[[route]]
failure = "good-deed"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "probe", version = "=1.0.0" }]
"#;

/// A component with a section that says nothing: other bytes of the same plugin.
fn other_bytes(component: &[u8]) -> Vec<u8> {
    let section = [0, 5, 4, b'n', b'o', b't', b'e'];
    [component, &section[..]].concat()
}

#[test]
fn the_last_good_plugin_serves_after_a_restart_beside_its_broken_file() {
    let component = guest("probe", &[]);
    let mut daemon = Daemon::start(CONFIG, &[&component]);
    daemon.wait_for_plugins(1);
    daemon.kill();
    let file = daemon.path("plugins").join(component.file_name().unwrap());
    fs::write(&file, "broken").unwrap();
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_event("the event that says so", |event| {
        let message = event["message"].as_str().unwrap_or_default();
        event["kind"] == "plugin.serving" && message.contains("last good one")
    });
    let name = file.file_name().unwrap().to_str().unwrap();
    daemon.wait_for_event("the refusal", |event| {
        event["kind"] == "plugin.rejected" && event["data"]["file"] == name
    });
    let operation = daemon.recover("job", "good-deed");
    assert_eq!(operation["state"], "succeeded", "{operation}");
}

#[test]
fn other_bytes_of_an_accepted_version_are_refused_over_restarts_until_the_operator_says_otherwise()
{
    let component = guest("probe", &[]);
    let mut daemon = Daemon::start(CONFIG, &[&component]);
    daemon.wait_for_plugins(1);
    daemon.kill();
    let file = daemon.path("plugins").join(component.file_name().unwrap());
    let other = other_bytes(&fs::read(&component).unwrap());
    fs::write(&file, &other).unwrap();
    daemon.run();
    let row = |state: &str| {
        wait_for(state, || {
            let rows = daemon.json(&["plugin", "list"]);
            let mut found = rows.as_array().unwrap().iter();
            let found = found.find(|row| row["state"] == state).cloned();
            found.ok_or_else(|| rows.to_string())
        })
    };
    let refused = row("rejected");
    let reason = refused["last_error"].as_str().unwrap();
    assert!(
        reason.contains("`mainstay plugin forget probe@1.0.0`"),
        "{reason}"
    );
    let digest = row("serving")["digest"].clone();
    let forgotten = daemon.json(&["plugin", "forget", "probe@1.0.0", "--by", "ann"]);
    assert_eq!(forgotten["version"], "1.0.0");
    daemon.wait_for_status("the other bytes to serve", |status| {
        let rows = status["plugins"].as_array().unwrap();
        let mut serving = rows.iter().filter(|row| row["state"] == "serving");
        serving.any(|row| row["digest"] != digest)
    });
    let again = daemon.cli(&["plugin", "forget", "probe@3.0.0"]);
    assert!(!again.status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_is_replaced_under_load_and_no_call_fails() {
    let report = mainstay_tests::campaign::swap(20).await;
    println!("{report:?}");
    assert!(report.calls > 20 && report.retired >= 20);
}
