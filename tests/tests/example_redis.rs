//! `examples/redis`, broken as reality breaks it.

use mainstay_tests::{Example, Stranger, actions, wait_for};
use rustix::process::geteuid;
use std::{fs, os::unix::fs::PermissionsExt};

/// With looks that come sooner, where the test breaks it.
fn example() -> Example {
    Example::prepare("redis", 6379)
        .fill(
            "every = \"5m\"\ntimeout = \"1m\"",
            "every = \"5s\"\ntimeout = \"5s\"",
        )
        .fill("start_period = \"2m\"", "start_period = \"10s\"")
        .fill("grace = \"60s\"", "grace = \"1s\"")
        .fill(
            "validation_timeout = \"2m\"",
            "validation_timeout = \"20s\"",
        )
}

/// Asks the Redis, which answers without an error.
fn ask(example: &Example, command: &str) -> String {
    let answer = example.shell(&format!("redis-cli -e -p {} {command}", example.port));
    answer.trim().to_owned()
}

/// The value of `kept`, once it answers.
fn wait_for_value(example: &Example, wanted: &str) {
    let port = example.port;
    wait_for(&format!("the value {wanted}"), || {
        let answer = example.shell(&format!("redis-cli -p {port} GET kept 2>&1 || true"));
        match answer.trim() == wanted {
            true => Ok(()),
            false => Err(answer),
        }
    });
}

#[test]
fn the_commands_of_its_readme_run() {
    let example = example().started();
    let printed = example.walk();
    assert!(printed.lines().any(|line| line == "hello"), "{printed}");
}

#[test]
fn it_has_its_data_again_after_a_kill_and_after_a_hang() {
    let example = example().started();
    ask(&example, "SET kept 1");
    ask(&example, "SAVE");
    let before = example.daemon.pids()["redis"];
    example.daemon.kill_child("redis");
    let killed = example.daemon.wait_for_successes("redis", 1);
    assert!(
        actions(&killed[0]).contains("restarted redis"),
        "{killed:?}"
    );
    let told = example.wait_for_alert("incident.opened", "redis-down");
    assert!(told.contains("Ready to accept connections"), "{told}");
    example.wait_until_healthy();
    let second = example.daemon.pids()["redis"];
    assert_ne!(second, before);
    example.hang();
    example.daemon.wait_for_successes("redis", 2);
    example.wait_until_healthy();
    assert_ne!(example.daemon.pids()["redis"], second);
    assert_eq!(ask(&example, "GET kept"), "1");
}

#[test]
fn a_damaged_snapshot_of_one_that_runs_is_saved_anew_with_what_is_newer_than_the_backup() {
    let example = example().started();
    ask(&example, "SET kept 1");
    ask(&example, "SAVE");
    example.daemon.json(&["backup", "create", "redis"]);
    ask(&example, "SET kept 2");
    let before = example.daemon.pids()["redis"];
    fs::write(example.daemon.path("data/dump.rdb"), "torn").unwrap();
    let operation = example.daemon.wait_for_operation("redis", "succeeded");
    assert_eq!(operation["handler"], "run-command", "{operation}");
    assert!(actions(&operation).contains("ran `save`"), "{operation}");
    example.wait_until_healthy();
    assert_eq!(example.daemon.pids()["redis"], before);
    assert_eq!(ask(&example, "GET kept"), "2");
}

#[test]
fn a_damaged_snapshot_of_one_that_died_is_put_back_out_of_the_backup() {
    let example = example().started();
    ask(&example, "SET kept 1");
    ask(&example, "SAVE");
    example.daemon.json(&["backup", "create", "redis"]);
    let snapshot = example.daemon.path("data/dump.rdb");
    example.break_while_dead(|| fs::write(&snapshot, "torn").unwrap());
    wait_for_value(&example, "1");
    example.wait_until_healthy();
    let told = example.wait_for_alert("incident.opened", "data-corruption");
    assert!(told.contains("RDB ERROR DETECTED"), "{told}");
    let restored = example.wait_for_alert("operation.succeeded", "data-corruption");
    assert!(
        restored.contains("corruption-restore recovered it"),
        "{restored}"
    );
}

#[test]
fn a_config_that_it_refuses_is_left_to_a_person_with_its_own_words() {
    let example = example().started();
    let config = example.daemon.path("redis.conf");
    let good = fs::read_to_string(&config).unwrap();
    example.break_while_dead(|| fs::write(&config, format!("{good}bogus on\n")).unwrap());
    example.escalates(
        "redis-down",
        "Bad directive or wrong number of arguments",
        || {
            fs::write(&config, &good).unwrap();
        },
    );
}

#[test]
fn a_port_that_is_taken_is_left_to_a_person_with_its_own_words() {
    let example = example().started();
    let stranger = example.break_while_dead(|| Stranger::take(example.port));
    example.escalates("redis-down", "Address already in use", || drop(stranger));
}

#[test]
fn a_snapshot_that_it_may_not_read_is_left_to_a_person_with_its_own_words() {
    if !geteuid().is_root() {
        println!(
            "SKIPPED, nothing was tested: only a daemon of root may read what its service may not"
        );
        return;
    }
    let example = example().started();
    ask(&example, "SET kept 1");
    ask(&example, "SAVE");
    let snapshot = example.daemon.path("data/dump.rdb");
    let set = |mode| fs::set_permissions(&snapshot, fs::Permissions::from_mode(mode)).unwrap();
    example.break_while_dead(|| set(0));
    example.escalates("redis-down", "Permission denied", || set(0o600));
    assert_eq!(ask(&example, "GET kept"), "1");
}

#[test]
fn a_full_disk_is_freed_of_what_killed_snapshots_left_and_it_takes_writes_again() {
    let mut example = example();
    if let Err(why) = example.mount("data", "16m") {
        println!("SKIPPED, nothing was tested: {why}");
        return;
    }
    example.start();
    ask(&example, "SET kept 1");
    ask(&example, "SAVE");
    let before = example.daemon.pids()["redis"];
    example.disk().fill("temp-1.rdb");
    let full = example.shell(&format!("redis-cli -p {} SAVE", example.port));
    assert!(full.starts_with("ERR"), "{full}");
    example.shell("touch -d '2 hours ago' data/temp-1.rdb");
    let operation = example.daemon.wait_for_operation("redis", "succeeded");
    assert!(
        actions(&operation).contains("ran `drop-leftovers`"),
        "{operation}"
    );
    example.wait_until_healthy();
    ask(&example, "SAVE");
    ask(&example, "SET kept 2");
    assert_eq!(example.daemon.pids()["redis"], before);
}

/// It answers PING with an error then, too: a restart would lose what is only in its memory.
#[test]
fn one_that_refuses_writes_saves_anew_and_takes_them_again_without_a_restart() {
    let often = "every = \"1s\"\nfail_after = 2";
    let mut example = example().fill("every = \"10s\"\nfail_after = 6", often);
    example.start();
    let before = example.daemon.pids()["redis"];
    let data = example.daemon.path("data");
    let set = |mode| fs::set_permissions(&data, fs::Permissions::from_mode(mode)).unwrap();
    ask(&example, "SET kept 1");
    set(0o555);
    ask(&example, "BGSAVE");
    let told = example.wait_for_alert("incident.opened", "redis-read-only");
    assert!(told.contains("MISCONF"), "{told}");
    set(0o755);
    let told = example.wait_for_alert("operation.succeeded", "redis-read-only");
    assert!(told.contains("ran `save`"), "{told}");
    example.wait_until_healthy();
    ask(&example, "SET kept 2");
    assert_eq!(example.daemon.pids()["redis"], before);
    let failures = example.daemon.json(&["history", "--target", "redis"]);
    assert!(!failures.to_string().contains("redis-down"), "{failures}");
}
