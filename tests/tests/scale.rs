//! Configs of a few thousand targets: they are checked, and what is wrong with all of them is told once.

use mainstay_tests::{
    Daemon,
    scale::{self, Shape},
};
use serde_json::Value;

const TARGETS: usize = 3_000;

fn checked(shape: Shape) -> (Daemon, Value) {
    let daemon = Daemon::prepare("");
    scale::write(daemon.directory.path(), TARGETS, shape);
    let report = daemon.json(&["check"]);
    (daemon, report)
}

#[test]
fn a_large_config_of_every_shape_is_checked() {
    for shape in Shape::ALL {
        let (_, report) = checked(shape);
        assert_eq!(report["ok"], true, "{shape:?}: {report}");
        let problems = report["problems"].as_array().unwrap();
        // That no route fits, or that the handler of the routes is not there; and that nobody is told.
        assert_eq!(problems.len(), 2, "{shape:?}: {report}");
        assert!(
            report.to_string().contains("there is no [[alert]]"),
            "{report}"
        );
    }
}

#[test]
fn what_every_target_is_warned_about_is_told_once_with_their_count() {
    let (daemon, report) = checked(Shape::Unrouted);
    let message = report["problems"][0]["message"].as_str().unwrap();
    assert!(message.contains("target `target-0`"), "{message}");
    assert!(message.ends_with("… and 2,999 more like it"), "{message}");
    let output = daemon.cli(&["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let warnings = text.lines().filter(|line| line.starts_with("warning:"));
    assert_eq!(
        warnings.count(),
        6,
        "five of a kind, and one of another: {text}"
    );
    assert!(text.contains("… and 2,995 more like it"), "{text}");
}

#[test]
fn a_daemon_logs_once_what_it_warns_of_about_every_target() {
    let mut daemon = Daemon::prepare("");
    scale::write(daemon.directory.path(), 300, Shape::Unrouted);
    daemon.set_env("RUST_LOG", "warn");
    daemon.run();
    assert!(daemon.stop());
    let log = daemon.log();
    let warned = log.lines();
    let warned: Vec<&str> = warned
        .filter(|line| line.contains("nobody recovers it"))
        .collect();
    assert_eq!(warned.len(), 1, "{log}");
    assert!(warned[0].contains("… and 299 more like it"), "{log}");
}
