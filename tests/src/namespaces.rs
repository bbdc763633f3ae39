//! Where a test may mount, where it may make networks, and where it is alone.

use std::process::Command;

/// Tells a test that it was run again.
const AGAIN: &str = "MAINSTAY_TEST_AGAIN";

/// Runs this very test in a mount namespace of its own, where it may mount. Whether this is the process in it. What the test needs is
/// built outside, by `build`: it belongs to who builds it.
pub fn in_a_mount_namespace(test: &str, build: impl FnOnce()) -> bool {
    in_a_namespace("mount", "-rm", &["true"], test, build)
}

/// The same in a network namespace, where it may make devices and routes; its loopback device is up.
pub fn in_a_network_namespace(test: &str, build: impl FnOnce()) -> bool {
    let up = ["ip", "link", "set", "lo", "up"];
    if !in_a_namespace("network", "-rn", &up, test, build) {
        return false;
    }
    assert!(
        Command::new(up[0])
            .args(&up[1..])
            .status()
            .unwrap()
            .success()
    );
    true
}

/// `tried` is what has to succeed in such a namespace.
fn in_a_namespace(
    kind: &str,
    flags: &str,
    tried: &[&str],
    test: &str,
    build: impl FnOnce(),
) -> bool {
    if std::env::var_os(AGAIN).is_some() {
        return true;
    }
    let allowed = Command::new("unshare").arg(flags).args(tried).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED, nothing was tested: this machine allows no {kind} namespace");
        return false;
    }
    build();
    let mut again = Command::new("unshare");
    again.arg(flags).arg(std::env::current_exe().unwrap());
    run_again(again, test);
    false
}

/// Runs this very test in a process where no other one runs, as its memory is looked at. Whether this is that process.
pub fn in_a_process_of_its_own(test: &str) -> bool {
    let is_that = std::env::var_os(AGAIN).is_some();
    if !is_that {
        run_again(Command::new(std::env::current_exe().unwrap()), test);
    }
    is_that
}

/// Runs this program with that test alone, which must pass.
fn run_again(mut program: Command, test: &str) {
    program.args([test, "--nocapture"]).env(AGAIN, "1");
    let output = program.output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let [printed, log] = said;
    println!("{printed}\n{log}");
    let is_one = printed.contains("test result: ok. 1 passed");
    assert!(is_one, "{test}: it alone should run, and pass");
}
