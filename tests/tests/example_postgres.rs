//! `examples/postgres`, broken as reality breaks it.

use mainstay_tests::{Example, Stranger, actions, wait_for};
use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
};

/// With looks that come sooner, where the test breaks it.
fn example() -> Example {
    Example::prepare("postgres", 5432)
        .fill(
            "every = \"30s\"\ntimeout = \"5s\"",
            "every = \"5s\"\ntimeout = \"5s\"",
        )
        .fill(
            "every = \"5s\"\ntimeout = \"3s\"",
            "every = \"2s\"\ntimeout = \"1s\"",
        )
        .fill("start_period = \"10m\"", "start_period = \"10s\"")
        .fill("grace = \"90s\"", "grace = \"5s\"")
        .fill(
            "validation_timeout = \"10m\"",
            "validation_timeout = \"30s\"",
        )
}

/// What psql prints, its errors too.
fn ask(example: &Example, sql: &str) -> String {
    let port = example.port;
    let asked = format!("psql -h 127.0.0.1 -p {port} -U postgres -XAtqc \"{sql}\" 2>&1 || true");
    example.shell(&asked).trim().to_owned()
}

#[test]
fn the_commands_of_its_readme_run() {
    let example = example().started();
    let printed = example.walk();
    assert!(printed.contains("(1 row)"), "{printed}");
}

#[test]
fn it_has_its_data_again_after_a_kill_and_after_a_hang() {
    let example = example().started();
    assert_eq!(ask(&example, "create table kept as select 7 as it"), "");
    let before = example.daemon.pids()["postgres"];
    example.daemon.kill_child("postgres");
    let killed = example.daemon.wait_for_successes("postgres", 1);
    assert!(
        actions(&killed[0]).contains("restarted postgres"),
        "{killed:?}"
    );
    let told = example.wait_for_alert("incident.opened", "postgres-down");
    assert!(told.contains("ready to accept connections"), "{told}");
    example.wait_until_healthy();
    let second = example.daemon.pids()["postgres"];
    assert_ne!(second, before);
    example.hang();
    example.daemon.wait_for_successes("postgres", 2);
    example.wait_until_healthy();
    assert_ne!(example.daemon.pids()["postgres"], second);
    assert_eq!(ask(&example, "select it from kept"), "7");
}

#[test]
fn damaged_pages_are_replaced_out_of_a_base_backup_and_no_change_is_lost() {
    let example = example().started();
    let daemon = &example.daemon;
    let made = "create table kept as select n from generate_series(1, 1000) n";
    assert_eq!(ask(&example, made), "");
    daemon.json(&["backup", "create", "pg"]);
    assert_eq!(ask(&example, "insert into kept values (7777)"), "");
    let file = ask(&example, "select pg_relation_filepath('kept')");
    // What is in its memory it does not read.
    let stopped = daemon.cli(&["stop", "postgres", "--wait"]);
    assert!(stopped.status.success(), "{stopped:?}");
    let relation = daemon.path("pg/data").join(file);
    let mut relation = fs::File::options().write(true).open(relation).unwrap();
    relation.seek(SeekFrom::Start(200)).unwrap();
    relation.write_all(&[0x5a; 900]).unwrap();
    let started = daemon.cli(&["start", "postgres", "--wait"]);
    assert!(started.status.success(), "{started:?}");
    example.wait_until_healthy();
    let torn = ask(&example, "select count(*) from kept");
    assert!(torn.contains("invalid page in block 0"), "{torn}");

    let operation = daemon.wait_for_operation("postgres", "succeeded");
    assert_eq!(operation["failure"], "data-corruption", "{operation}");
    let done = actions(&operation);
    for part in ["ran `fetch-base`", "restarted postgres"] {
        assert!(done.contains(part), "{part}: {done}");
    }
    let told = example.wait_for_alert("incident.opened", "data-corruption");
    assert!(told.contains("damaged pages that were read: "), "{told}");
    example.wait_until_healthy();
    let rows = ask(&example, "select count(*), max(n) from kept");
    assert_eq!(rows, "1001|7777");
}

#[test]
fn a_config_that_it_refuses_is_left_to_a_person_with_its_own_words() {
    let example = example().started();
    let config = example.daemon.path("postgresql.conf");
    let good = fs::read_to_string(&config).unwrap();
    example.break_while_dead(|| fs::write(&config, format!("{good}bogus = on\n")).unwrap());
    let words = "unrecognized configuration parameter \"bogus\"";
    example.escalates("postgres-down", words, || {
        fs::write(&config, &good).unwrap();
    });
}

#[test]
fn a_port_that_is_taken_is_left_to_a_person_with_its_own_words() {
    let example = example().started();
    let stranger = example.break_while_dead(|| Stranger::take(example.port));
    example.escalates("postgres-down", "Address already in use", || drop(stranger));
    let corrupted = example.daemon.json(&["history", "--target", "postgres"]);
    assert!(
        !corrupted.to_string().contains("data-corruption"),
        "{corrupted}"
    );
}

#[test]
fn a_file_that_it_may_not_read_is_left_to_a_person_with_its_own_words() {
    let example = example().started();
    let file = example.daemon.path("pg/data/global/pg_control");
    let set = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    example.break_while_dead(|| set(0));
    example.escalates("postgres-down", "Permission denied", || set(0o600));
}

#[test]
fn a_full_disk_is_freed_of_old_segments_and_it_takes_writes_again() {
    let mut example = example();
    if let Err(why) = example.mount("pg", "300m") {
        println!("SKIPPED, nothing was tested: {why}");
        return;
    }
    example.start();
    assert_eq!(ask(&example, "create table kept (n int)"), "");
    example.disk().fill("wal/000000010000000000000000");
    let full = ask(
        &example,
        "insert into kept select n from generate_series(1, 1000000) n",
    );
    assert!(full.contains("No space left on device"), "{full}");
    example.shell("touch -d '10 days ago' pg/wal/000000010000000000000000");
    // By the recovery of the full disk, whether that ends before or after the failure is seen to be over.
    let old = example.daemon.path("pg/wal/000000010000000000000000");
    wait_for("the old segment to go", || match old.exists() {
        true => Err(example.daemon.json(&["history"]).to_string()),
        false => Ok(()),
    });
    example.wait_until_healthy();
    assert_eq!(ask(&example, "insert into kept values (1)"), "");
}
