//! A dry run runs beside what really runs.

use super::{ask, route_of, shown, start, wait_until};
use mainstay_tests::{Daemon, Gate, guest, sleeper};

/// A target that is recovered from `long` by a handler that waits at the gate, and from `short` by one that does not.
fn start_with(gate: &Gate) -> Daemon {
    let url = &gate.url;
    let long = format!(
        "chain = [{{ handler = \"probe\", params = {{ do = \"http\", name = \"{url}/\" }} }}]"
    );
    let grants = format!("\n[plugin.probe]\ngrants = {{ http = [\"{url}\"] }}\n");
    let routes = [
        route_of("long", &long),
        route_of("short", "chain = [{ handler = \"probe\" }]"),
    ];
    start(
        &[&sleeper("job"), &routes.concat(), &grants],
        &[guest("probe", &[])],
    )
}

#[test]
fn a_dry_run_runs_beside_an_operation_and_no_pause_holds_it() {
    let gate = Gate::start();
    let daemon = start_with(&gate);
    let real = ask(&daemon, "job", "long", false);
    let waiting = gate.next("the real operation");

    // Of the same failure, while its operation is in the middle of its call.
    let dry = ask(&daemon, "job", "long", true);
    gate.next("the dry run").answer();
    let ended = wait_until(&daemon, &dry, "succeeded");
    assert_eq!(ended["dry_run"], true);
    assert_eq!(ended["mode"], "manual");
    assert_eq!(shown(&daemon, &real)["state"], "in-progress");

    for paused in [&["pause"][..], &["pause", "job"]] {
        assert!(daemon.cli(paused).status.success());
    }
    let planned = daemon.json(&["recover", "job", "--failure", "short", "--dry-run"]);
    assert_eq!(planned["state"], "succeeded", "{planned}");
    assert_eq!(shown(&daemon, &real)["state"], "in-progress");

    waiting.answer();
    wait_until(&daemon, &real, "succeeded");
    let incidents = daemon.json(&["incidents"]);
    assert_eq!(incidents.as_array().unwrap().len(), 1, "{incidents}");
}

#[test]
fn a_dry_run_holds_nothing_back() {
    let gate = Gate::start();
    let daemon = start_with(&gate);
    let dry = ask(&daemon, "job", "long", true);
    let waiting = gate.next("the dry run");
    assert_eq!(daemon.recover("job", "short")["state"], "succeeded");
    let real = ask(&daemon, "job", "long", false);
    gate.next("the real operation").answer();
    wait_until(&daemon, &real, "succeeded");
    assert_eq!(shown(&daemon, &dry)["state"], "in-progress");
    waiting.answer();
    wait_until(&daemon, &dry, "succeeded");
}

#[test]
fn who_waits_for_a_dry_run_sees_each_of_its_events() {
    let gate = Gate::start();
    let daemon = start_with(&gate);
    for _ in 0..20 {
        let output = daemon.cli(&["recover", "job", "--failure", "short", "--dry-run"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let kinds = ["scheduled", "started", "succeeded"].map(|kind| format!("operation.{kind}"));
        let missing: Vec<_> = kinds.iter().filter(|kind| !text.contains(*kind)).collect();
        assert!(missing.is_empty(), "{missing:?}\n{text}");
    }
}
