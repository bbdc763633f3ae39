//! How many failures of a check are one of the target.

use crate::keys::target::{HOST, incident_of};
use mainstay_tests::{Daemon, wait_for};
use std::fs;

/// Acts: `target.check.fail_of.failures`, `target.check.fail_of.of`
#[test]
fn so_many_failures_among_the_last_looks_are_one_of_the_target() {
    // Each fails and passes by turns.
    let target = |name: &str, rule: &str| {
        let run = format!(
            "n=$(($(cat {name}.n 2>/dev/null || echo 0) + 1)); echo $n > {name}.n; test $((n % 2)) = 0"
        );
        format!(
            "[[target]]\nname = \"{name}\"\n[[target.check]]\nkind = \"exec\"\nrun = [\"sh\", \"-c\", \"{run}\"]\n\
             every = \"300ms\"\ntimeout = \"300ms\"\nfailure = \"flaps\"\n{rule}\n"
        )
    };
    let rules = [
        ("in-a-row", "fail_after = 6"),
        ("half", "fail_of = { failures = 3, of = 5 }"),
        ("most", "fail_of = { failures = 11, of = 12 }"),
    ];
    let targets = rules.map(|(name, rule)| target(name, rule)).concat();
    let daemon = Daemon::start(&format!("{HOST}{targets}"), &[]);
    assert_eq!(incident_of(&daemon, "half")["failure"], "flaps");
    wait_for("the others to look as often", || {
        let looks = ["in-a-row", "most"].map(|name| {
            let looks = fs::read_to_string(daemon.path(&format!("{name}.n")));
            looks.unwrap_or_default().trim().parse().unwrap_or(0)
        });
        let enough = looks.iter().all(|&looks: &u32| looks >= 14);
        enough.then_some(()).ok_or_else(|| format!("{looks:?}"))
    });
    let incidents = daemon.json(&["incidents"]);
    let mut incidents = incidents.as_array().unwrap().iter();
    assert!(incidents.all(|incident| incident["target"] == "half"));
}
