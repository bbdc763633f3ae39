//! A wall clock that is wrong, seen by the whole program.

use mainstay_domain::{
    settled_clock::SettledState,
    time::{Timestamp, millis},
};
use mainstay_tests::{Daemon, campaign::WallClock, plugin, sleeper, wait_for};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const CONFIG: &str = r#"
[host]
state_dir = "state"
plugin_dir = "plugins"
"#;

const DAY: Duration = Duration::from_secs(86_400);

/// What the daemon wrote down of the clock, once that is another file than before; and which file it is.
fn believed(daemon: &Daemon, before: Option<u64>) -> (SettledState, u64) {
    let file = daemon.path("state/settled-clock.json");
    wait_for("the daemon to write down what it believes", || {
        let inode = fs::metadata(&file)
            .map_err(|error| error.to_string())?
            .ino();
        if before == Some(inode) {
            return Err("it is the file of the daemon before".to_owned());
        }
        let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
        let state = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        Ok((state, inode))
    })
}

#[test]
fn a_daemon_that_is_restarted_under_a_wrong_clock_believes_what_the_one_before_did() {
    let mut daemon = Daemon::prepare(CONFIG);
    let clock = WallClock::install(&mut daemon);
    daemon.run();
    let (_, mut file) = believed(&daemon, None);
    let mode = fs::metadata(daemon.path("state/settled-clock.json"));
    assert_eq!(mode.unwrap().permissions().mode() & 0o777, 0o600);
    clock.set(91 * 86_400);
    // The first writes events by the wrong clock, the second finds them.
    for start in 1..=2 {
        daemon.kill();
        daemon.run();
        let state;
        (state, file) = believed(&daemon, Some(file));
        let right = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let right = Timestamp::from_millis(millis(right));
        let wall = state.stands[0].wall;
        assert!(wall < right + DAY, "start {start}: {state:?}");
    }
}

#[test]
fn another_version_runs_since_a_time_that_is_believed_whatever_the_clock_says() {
    let mut daemon = Daemon::prepare(CONFIG);
    let clock = WallClock::install(&mut daemon);
    daemon.run();
    believed(&daemon, None);
    daemon.kill();
    let file = daemon.path("state/program-version.json");
    let known = fs::read_to_string(&file).unwrap();
    let before = known.replace(env!("CARGO_PKG_VERSION"), "0.0.9");
    assert_ne!(before, known, "the version that ran is on record");
    fs::write(&file, before).unwrap();
    clock.set(91 * 86_400);
    daemon.run();
    let runs: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let since = Timestamp::parse(runs["upgraded_at"].as_str().unwrap()).unwrap();
    let right = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(
        since < Timestamp::from_millis(millis(right)) + DAY,
        "{runs}"
    );
}

#[test]
fn how_long_a_process_ran_is_told_by_the_time_that_was_lived() {
    let mut daemon = Daemon::prepare(&[CONFIG, &sleeper("web"), &sleeper("api")].concat());
    let clock = WallClock::install(&mut daemon);
    daemon.run();
    daemon.wait_for_event_of("process.started", "web");
    daemon.wait_for_event_of("process.started", "api");
    clock.set(400 * 86_400);
    daemon.kill_child("web");
    let restarted = daemon.cli(&["restart", "api", "--wait"]);
    assert!(restarted.status.success(), "{restarted:?}");
    for (kind, target) in [("process.exited", "web"), ("process.stopped", "api")] {
        let ended = daemon.wait_for_event_of(kind, target);
        let message = ended["message"].as_str().unwrap();
        assert!(message.contains(" after "), "{message}");
        // 400 days are 34,560,000 seconds.
        assert!(!message.contains("after 3456"), "{message}");
    }
}

#[test]
fn a_drill_is_timed_by_the_time_that_was_lived() {
    // When it is started again the clock is set by 400 days, in its place: the daemon has it mapped.
    let target = r#"
[[target]]
name = "web"
run = ["/bin/sh", "-c", '''[ -e begun ] && printf '\000\130\017\002\000\000\000\000' 1<>clock; : > begun; exec sleep 1000''']

[[route]]
chain = [{ handler = "restart-service" }]

[plugin.restart-service]
grants = { target = ["restart"] }
"#;
    let mut daemon = Daemon::prepare(&[CONFIG, target].concat());
    daemon.drop_plugin(&plugin("restart-service"));
    WallClock::install(&mut daemon);
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_event_of("process.started", "web");
    daemon.wait_until_all_are_healthy();
    let told = daemon.json(&[
        "drill",
        "web",
        "--failure",
        "service-down",
        "--method",
        "kill",
        "--yes",
    ]);
    assert_eq!(told["data"]["outcome"], "done", "{told}");
    let recovered = told["data"]["recovered_ms"].as_u64().unwrap();
    assert!(recovered < 34_560_000_000, "{told}");
    assert_ne!(fs::read(daemon.path("clock")).unwrap(), [0; 8]);
}
