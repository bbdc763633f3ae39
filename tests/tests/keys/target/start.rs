//! Children that are slow to start.

use super::{HOST, crash, incident_of, row_of};
use mainstay_tests::{Daemon, free_port};

/// A server that listens only once it may.
fn server(name: &str, start_period: &str) -> String {
    let port = free_port();
    format!(
        "[[target]]\nname = \"{name}\"\nexit_failure = \"crashed\"\nstart_period = \"{start_period}\"\n\
         run = [\"sh\", \"-c\", \"until [ -e go ]; do sleep 0.1; done; exec python3 -m http.server {port} --bind 127.0.0.1\"]\n\
         [[target.check]]\nkind = \"tcp\"\naddress = \"127.0.0.1:{port}\"\nevery = \"200ms\"\nfail_after = 2\nfailure = \"deaf\"\n"
    )
}

/// Acts: `target.start_period`
#[test]
fn a_check_that_fails_while_its_child_starts_is_no_failure_but_an_exit_is() {
    let config = [
        HOST.to_owned(),
        server("hasty", "0s"),
        server("patient", "1h"),
        server("mortal", "1h"),
        server("brief", "1s"),
    ];
    let daemon = Daemon::start(&config.concat(), &[]);
    for target in ["hasty", "brief"] {
        assert_eq!(incident_of(&daemon, target)["failure"], "deaf");
    }
    crash(&daemon, "mortal");
    daemon.wait_for_event("the exit to be an incident", |event| {
        let is_opened = event["kind"] == "incident.opened" && event["target"] == "mortal";
        is_opened && event["data"]["failure"] == "crashed"
    });
    let status = daemon.json(&["status"]);
    let row = row_of(&status, "patient");
    assert_eq!(
        (&row["health"], &row["circuit"]),
        (&"starting".into(), &"closed".into())
    );

    std::fs::write(daemon.path("go"), "").unwrap();
    daemon.wait_for_status("it to have started", |status| {
        row_of(status, "patient")["health"] == "healthy"
    });
    daemon.wait_for_event_of("check.recovered", "hasty");
    let events = daemon.events();
    let of_patient = events.iter().filter(|event| event["target"] == "patient");
    let kinds: Vec<_> = of_patient.map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["process.started"]);
}
