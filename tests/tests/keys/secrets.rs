//! Secrets: `[secrets]`.

use crate::keys::target::{HOST, environment};
use mainstay_tests::Daemon;
use std::{fs, os::unix::fs::PermissionsExt};

/// The token is in this file, or in a variable of the daemon's own environment.
fn config(token: &str) -> String {
    format!(
        r#"{HOST}
[secrets]
pin = {{ env = "PIN_OF_THE_DAEMON" }}
token = {{ {token} }}

[[target]]
name = "safe"
run = ["sleep", "1000"]
env = {{ PIN = "${{secret:pin}}", BOTH = "${{secret:pin}}-${{secret:token}}" }}
"#
    )
}

/// Acts: `secrets.*.env`, `secrets.*.file`
#[test]
fn a_secret_is_read_from_where_its_key_says() {
    let mut daemon = Daemon::prepare(&config(r#"file = "token""#));
    daemon.set_env("PIN_OF_THE_DAEMON", "2718");
    for (file, mode) in [("token", 0o600), ("open-token", 0o644)] {
        fs::write(daemon.path(file), "feigenbaum\n").unwrap();
        fs::set_permissions(daemon.path(file), fs::Permissions::from_mode(mode)).unwrap();
    }
    daemon.run();
    daemon.wait_for_event("the child", |event| event["kind"] == "process.started");
    let environment = environment(daemon.pids()["safe"]);
    assert_eq!(environment["PIN"], "2718");
    assert_eq!(environment["BOTH"], "2718-feigenbaum");

    for (token, reason) in [
        (r#"file = "open-token""#, "open-token"),
        (r#"file = "no-token""#, "no-token"),
        (r#"env = "NO_SUCH_VARIABLE""#, "NO_SUCH_VARIABLE"),
    ] {
        fs::write(daemon.path("mainstay.toml"), config(token)).unwrap();
        let refused = daemon.wait_for_event("the refusal", |event| {
            event["kind"] == "config.rejected" && event.to_string().contains(reason)
        });
        assert!(refused.to_string().contains("secret `token`"), "{refused}");
    }
}
