//! `cargo run --release -p mainstay-tests --example ten_failures`: has the ten well-known failures caused for real, each by the
//! test that does so, and prints when each was detected, by which plugin it was recovered, when that was verified, and how many
//! seconds it took from the detection to the end of the recovery, without the time in which it was verified.

use mainstay_tests::{TEN_FAILURES, noted_recovery, repository};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    println!("| failure | detected | recovered by | verified | seconds |");
    println!("|---|---|---|---|---|");
    let mut missing = 0;
    for (failure, target, test) in TEN_FAILURES {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(repository());
        command.args(["test", "--quiet", "-p", "mainstay-tests", "--test", target]);
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        command.args(["--", "--exact", test, "--nocapture"]);
        let output = command.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        match noted_recovery(&printed, failure).filter(|_| output.status.success()) {
            Some(row) => println!("{row}"),
            None => {
                missing += 1;
                let errors = String::from_utf8_lossy(&output.stderr);
                println!("| {failure} | no | | | |");
                eprintln!("{target}, {test}: {}\n{printed}{errors}", output.status);
            }
        }
    }
    match missing {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
