//! What Prometheus finds at `/metrics` of a running daemon.

use mainstay_tests::{Daemon, HOST, wait_for};

#[test]
fn the_checks_of_a_running_daemon_are_exported() {
    let target = r#"
[[target]]
name = "db"

[[target.check]]
kind = "exec"
name = "slow"
run = ["sleep", "0.5"]
every = "100ms"
timeout = "100ms"
failure = "service-down"

[[target.check]]
kind = "exec"
name = "quick"
run = ["true"]
every = "1s"
failure = "service-down"
"#;
    let daemon = Daemon::start(&[HOST, target].concat(), &[]);
    for series in [
        "checks_total{target=\"db\",check=\"slow\",outcome=\"failed\"} ",
        "checks_total{target=\"db\",check=\"quick\",outcome=\"healthy\"} ",
        "check_duration_seconds_count{kind=\"exec\"} ",
        "check_lateness_seconds_count ",
    ] {
        wait_for(series, || {
            let text = daemon.metrics();
            if text.lines().any(|line| line.starts_with(series)) {
                Ok(())
            } else {
                Err(text)
            }
        });
    }
}
