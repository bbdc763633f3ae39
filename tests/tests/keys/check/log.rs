//! Checks of kind `log`: what a target wrote.

use crate::keys::target::{HOST, incident_of, wait_for_health};
use mainstay_tests::Daemon;
use std::{fs, io::Write};

fn target(name: &str, run: &str, check: &str) -> String {
    format!(
        "[[target]]\nname = \"{name}\"\n{run}\nbreaker.open_for = \"1ms\"\nstart_period = \"0s\"\n\
         [[target.check]]\nkind = \"log\"\nevery = \"200ms\"\nrecover_after = 1\nfailure = \"logged\"\n{check}\n"
    )
}

fn append(daemon: &Daemon, text: &str) {
    let mut options = fs::File::options();
    let file = options.append(true).open(daemon.path("service.log"));
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

/// Acts: `target.check(log)`, `target.check(log).matches`
#[test]
fn a_child_that_writes_a_line_that_matches_has_failed_until_it_writes_none() {
    let says = "while :; do mv say said 2>/dev/null && cat said; sleep 0.1; done";
    let run = format!("run = [\"sh\", \"-c\", \"{says}\"]");
    let config = target("child", &run, "matches = '^(FATAL|PANIC): '");
    let daemon = Daemon::start(&format!("{HOST}{config}"), &[]);
    let say = |text: &str| {
        fs::write(daemon.path("next"), text).unwrap();
        fs::rename(daemon.path("next"), daemon.path("say")).unwrap();
    };
    wait_for_health(&daemon, "child", "healthy");
    say("not FATAL: as it were\n");
    say("PANIC: out of ideas\n");
    let incident = incident_of(&daemon, "child");
    let reason = incident["evidence"][0]["message"].as_str().unwrap();
    assert!(
        reason.ends_with(": 1, the last: PANIC: out of ideas"),
        "{reason}"
    );
    wait_for_health(&daemon, "child", "healthy");
    let events = daemon.events();
    let of_child = events.iter().filter(|event| event["target"] == "child");
    let failed = of_child.filter(|event| event["kind"] == "check.failed");
    assert_eq!(failed.count(), 1, "a line counts once");
}

/// Acts: `target.check(log).path`, `target.check(log).contains`
#[test]
fn a_foreign_service_is_judged_by_what_its_log_got_since_the_daemon_looks() {
    let config = target(
        "service",
        "",
        "path = \"service.log\"\ncontains = \"disk (full)\"",
    );
    let config = config.replace("start_period = \"0s\"\n", "");
    let mut daemon = Daemon::prepare(&format!("{HOST}{config}"));
    fs::write(daemon.path("service.log"), "disk (full) long ago\n").unwrap();
    daemon.run();
    wait_for_health(&daemon, "service", "healthy");
    append(&daemon, "disk full, but otherwise\ndisk (full) now\n");
    let incident = incident_of(&daemon, "service");
    let reason = incident["evidence"][0]["message"].as_str().unwrap();
    assert!(
        reason.ends_with(": 1, the last: disk (full) now"),
        "{reason}"
    );
    wait_for_health(&daemon, "service", "healthy");
}
