//! Where a test may mount, and where it may make networks.

use std::process::Command;

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
    const MARK: &str = "MAINSTAY_TEST_IN_NAMESPACE";
    if std::env::var_os(MARK).is_some() {
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
    again.args([test, "--nocapture"]).env(MARK, "1");
    let output = again.output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let [printed, log] = said;
    println!("{printed}\n{log}");
    let is_one = printed.contains("test result: ok. 1 passed");
    assert!(is_one, "{test}: it alone should run, and pass");
    false
}
