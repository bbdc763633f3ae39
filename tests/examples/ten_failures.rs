//! `cargo run --release -p mainstay-tests --example ten_failures -- [--json] [FAILURE]...`: has the ten well-known failures
//! caused for real, each by the test that does so, and prints what became of them.
//!
//! Of each: how long it took until it was detected, by which plugin it was recovered, how long that took from the detection
//! on, for how long it was verified after that, whether it was within the recovery time objective of its target, what the
//! handler said was lost, what the test saw to be there still, and what becomes of it by what is usually scripted. A table in
//! Markdown, a row as soon as it is known; with `--json` one object, with times in milliseconds. The tests look more often than
//! most configs do, and what only looks find is detected sooner by as much.
//!
//! Fails where one of them was not recovered in time, and where this machine does not allow to cause it: a disk is mounted
//! and filled, as root, and a link is cut in a network of its own. It takes some minutes, and says on standard error what it
//! is at, and all that a test printed that failed.

use mainstay_tests::{
    TABLE_HEAD, TEN_FAILURES, WellKnown, cargo, has_recovered, row_of, table_row,
};
use serde_json::{Value, json};
use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut as_json, mut wanted) = (false, Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => as_json = true,
            name if TEN_FAILURES.iter().any(|one| one.failure == name) => {
                wanted.push(name.to_owned());
            }
            other => {
                let names = TEN_FAILURES.map(|one| one.failure).join(", ");
                eprintln!("`{other}` is neither `--json` nor one of {names}");
                return ExitCode::from(2);
            }
        }
    }
    let is_wanted =
        |one: &&WellKnown| wanted.is_empty() || wanted.iter().any(|failure| failure == one.failure);
    if !as_json {
        println!("{TABLE_HEAD}");
    }
    let mut rows = Vec::new();
    for one in TEN_FAILURES.iter().filter(is_wanted) {
        let row = caused(one);
        if !as_json {
            println!("{}", table_row(&row));
        }
        rows.push(row);
    }
    let recovered = rows.iter().all(has_recovered);
    if as_json {
        let report = json!({ "recovered": recovered, "failures": rows });
        println!("{report:#}");
    }
    match recovered {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Runs its test; what became of it.
fn caused(one: &WellKnown) -> Value {
    eprintln!("{}: {}", one.failure, one.cause);
    let mut command = cargo();
    command.args(["test", "--quiet", "-p", "mainstay-tests", "--test", "whole"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let name = format!("{}::{}", one.topic, one.test);
    command.args(["--", "--exact", &name, "--nocapture"]);
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let row = row_of(one, &printed, output.status.success());
    if row["error"].is_string() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let (topic, test) = (one.topic, one.test);
        eprintln!("{topic}, {test}: {}\n{printed}{errors}", output.status);
    }
    row
}
