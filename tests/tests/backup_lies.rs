//! What a backup, a check or a store must not say: that all is well where something cannot be given back.

use mainstay_tests::{Daemon, HOST};
use serde_json::Value;
use std::{fs, os::unix::fs::symlink};

fn job(source: &str) -> String {
    format!("{HOST}\n[[job]]\nname = \"state\"\nencryption = \"none\"\nsource = [{source}]\n")
}

#[test]
fn check_refuses_sources_that_are_no_directories_or_are_one_by_a_link() {
    let of_data = "{ kind = \"directory\", path = \"data\", prefix = \"a\" }";
    let second = "{ kind = \"directory\", path = \"second\", prefix = \"b\" }";
    let daemon = Daemon::prepare(&job(&format!("{of_data}, {second}")));
    fs::create_dir(daemon.path("data")).unwrap();
    let check = |says: Option<&str>| {
        let output = daemon.cli(&["check", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let problems = report["problems"].to_string();
        match says {
            None => assert_eq!(output.status.code(), Some(0), "{problems}"),
            Some(says) => {
                assert_eq!(output.status.code(), Some(2), "{problems}");
                assert!(problems.contains(says), "{problems}");
            }
        }
    };
    check(None);
    let place = daemon.path("second");
    fs::write(&place, "").unwrap();
    check(Some("is no directory"));
    fs::remove_file(&place).unwrap();
    symlink("data", &place).unwrap();
    check(Some("links lead them together"));
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    check(None);
}
