//! What a backup, a check or a store must not say: that all is well where something cannot be given back.

use mainstay_tests::{Daemon, HOST, plugin, program, said, wait_for};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::symlink,
    process::{Command, Stdio},
};

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

/// What every SQLite database begins with, and what its write-ahead log does while somebody has it open.
const DATABASE: &[u8] = b"SQLite format 3\0";
const LOG: &[u8] = &[0x37, 0x7f, 0x06, 0x82];

#[test]
fn a_backup_of_a_database_in_use_is_incomplete_wherever_it_is_told_of() {
    let mut daemon = Daemon::prepare(&job("{ kind = \"directory\", path = \"data\" }"));
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.run();
    daemon.wait_for_first_backup();
    let status = daemon.cli(&["status", "--exit-code"]);
    assert_eq!(status.status.code(), Some(0), "{}", said(&status));
    let whole = daemon.json(&["backup", "list"])[0]["id"].clone();

    let database = [DATABASE, &[0; 496]].concat();
    fs::write(daemon.path("data/app.db"), database).unwrap();
    fs::write(daemon.path("data/app.db-wal"), LOG).unwrap();
    let taken = daemon.cli(&["backup", "create", "state", "--json"]);
    assert_eq!(taken.status.code(), Some(3), "{}", said(&taken));
    let report: Value = serde_json::from_slice(&taken.stdout).unwrap();
    let torn = report["backups"][0].clone();
    assert_eq!(
        (&torn["status"], &torn["incomplete"]),
        (&"verified".into(), &true.into())
    );
    let warnings = torn["warnings"].to_string();
    assert!(warnings.contains("app.db is in use"), "{warnings}");

    let id = torn["id"].as_str().unwrap();
    for command in [
        ["backup", "list", "--utc"].as_slice(),
        &["backup", "show", id],
        &["status", "--all"],
    ] {
        let shown = said(&daemon.cli(command));
        assert!(shown.contains("verified, incomplete"), "{shown}");
    }
    let status = daemon.cli(&["status", "--exit-code"]);
    assert_eq!(status.status.code(), Some(1), "{}", said(&status));
    daemon.wait_for_event("that it is incomplete", |event| {
        event["backup"] == id && event["data"]["incomplete"] == true
    });

    // The newest that holds everything is restored; this one where it is asked for, and then it is said.
    let into = daemon.path("newest");
    let report = daemon.json(&[
        "backup",
        "restore",
        "state",
        "--into",
        into.to_str().unwrap(),
    ]);
    assert_eq!(report["backups"][0]["id"], whole);
    assert_eq!(report["skipped"][0]["id"], id);
    let into = daemon.path("asked-for");
    let into = into.to_str().unwrap();
    let restored = daemon.cli(&["backup", "restore", "state", "--id", id, "--into", into]);
    assert_eq!(restored.status.code(), Some(3), "{}", said(&restored));
    assert!(
        said(&restored).contains("is incomplete"),
        "{}",
        said(&restored)
    );

    // Whoever had it open has closed it.
    fs::remove_file(daemon.path("data/app.db-wal")).unwrap();
    let taken = daemon.json(&["backup", "create", "state"]);
    assert_eq!(taken["backups"][0]["incomplete"], Value::Null);
    let status = daemon.cli(&["status", "--exit-code"]);
    assert_eq!(status.status.code(), Some(0), "{}", said(&status));
}

#[test]
fn a_store_whose_disk_is_not_mounted_is_no_corrupted_one_and_no_new_one_begins_in_its_place() {
    let mut daemon = Daemon::prepare(&job("{ kind = \"directory\", path = \"data\" }"));
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.run();
    daemon.wait_for_first_backup();
    let id = daemon.json(&["backup", "list"])[0]["id"].clone();
    let id = id.as_str().unwrap();
    assert!(daemon.stop());

    let (store, away) = (daemon.path("state/backups"), daemon.path("away"));
    fs::rename(&store, &away).unwrap();
    fs::create_dir(&store).unwrap();
    daemon.run();
    let event = daemon.wait_for_event("that it is not there", |event| {
        event["kind"] == "backup.failed"
    });
    let message = event["message"].as_str().unwrap();
    assert!(
        message.contains("store.json is not there; mount"),
        "{message}"
    );
    let into = daemon.path("restored");
    for command in [
        ["backup", "create", "state"].as_slice(),
        &["backup", "verify", id],
        &["backup", "drill", "state"],
        &[
            "backup",
            "restore",
            "state",
            "--into",
            into.to_str().unwrap(),
        ],
    ] {
        let output = daemon.cli(command);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(
            said(&output).contains("is not there; mount"),
            "{}",
            said(&output)
        );
    }
    let shown = daemon.json(&["backup", "show", id]);
    assert_eq!(shown["status"], "verified", "{shown}");
    assert_eq!(fs::read_dir(&store).unwrap().count(), 0);

    assert!(daemon.stop());
    fs::remove_dir(&store).unwrap();
    fs::rename(&away, &store).unwrap();
    daemon.run();
    daemon.json(&["backup", "verify", id]);
    daemon.json(&["backup", "create", "state"]);
}

/// What is stored stays.
fn lose_journal(daemon: &Daemon) {
    for file in [
        "journal.db",
        "journal.db-wal",
        "journal.db-shm",
        "journal.mark",
    ] {
        let _ = fs::remove_file(daemon.path("state").join(file));
    }
}

#[test]
fn on_a_new_machine_the_store_is_taken_up_before_the_empty_sources_are_backed_up() {
    let source = job("{ kind = \"directory\", path = \"data\" }");
    let mut daemon = Daemon::prepare(&source.replace("encryption", "full = \"1s\"\nencryption"));
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.run();
    daemon.wait_for_first_backup();
    assert!(daemon.stop());
    lose_journal(&daemon);
    fs::remove_file(daemon.path("data/a")).unwrap();
    daemon.run();
    daemon.wait_for_event("that it waits", |event| event["kind"] == "backup.waiting");
    let backups = daemon.json(&["backup", "list"]);
    let backups = backups.as_array().unwrap();
    assert!(!backups.is_empty());
    for backup in backups {
        assert_eq!(
            (&backup["status"], &backup["size_bytes"]),
            (&"verified".into(), &3.into())
        );
    }
    let events = daemon.events();
    assert!(!events.iter().any(|event| event["kind"] == "backup.started"));
    let waits = daemon.json(&["status"])["jobs"][0]["waits"].to_string();
    assert!(
        waits.contains("`mainstay backup restore state` gives them back"),
        "{waits}"
    );

    daemon.json(&["backup", "restore", "state", "--replace"]);
    assert_eq!(fs::read_to_string(daemon.path("data/a")).unwrap(), "one");
    daemon.wait_for_event("that the schedule goes on", |event| {
        event["kind"] == "backup.verified" && event["data"]["size_bytes"] == 3
    });
}

#[test]
fn a_source_that_is_removed_while_it_is_read_gives_an_incomplete_backup_and_exit_code_3() {
    let mut daemon = Daemon::prepare(&job("{ kind = \"directory\", path = \"data\" }"));
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/later"), "one").unwrap();
    daemon.run();
    daemon.wait_for_first_backup();
    // Bytes that do not become fewer.
    let mut noise = File::open("/dev/urandom").unwrap().take(256 << 20);
    let mut large = File::create(daemon.path("data/large")).unwrap();
    io::copy(&mut noise, &mut large).unwrap();
    let mut command = Command::new(program());
    command.args(["backup", "create", "state", "--type", "full", "--json"]);
    command.arg("--config").arg(daemon.path("mainstay.toml"));
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let create = command.stdout(Stdio::piped()).spawn().unwrap();
    // `large` is being read, and `later` is not.
    wait_for("the beginning of the archive", || {
        let files = fs::read_dir(daemon.path("state/backups/state")).unwrap();
        let sizes = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len()));
        match sizes.max() {
            Some(size) if size > 1 << 20 => Ok(()),
            largest => Err(format!("{largest:?}")),
        }
    });
    fs::remove_dir_all(daemon.path("data")).unwrap();
    let created = create.wait_with_output().unwrap();
    assert_eq!(created.status.code(), Some(3), "{}", said(&created));
    let report: Value = serde_json::from_slice(&created.stdout).unwrap();
    let torn = &report["backups"][0];
    assert_eq!(torn["incomplete"], true, "{torn}");
    let warnings = torn["warnings"].to_string();
    assert!(
        warnings.contains("was taken away while it was read"),
        "{warnings}"
    );
}

/// With one backup to be kept, an empty one of the new machine would let the only good one go.
#[test]
fn on_a_new_machine_the_good_backup_does_not_expire_for_an_empty_one() {
    let policy = "retention = { policy = \"gfs-retention\", every = \"1s\" }\n\
        [plugin.gfs-retention]\n\
        settings = { last = 1, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0 }\n";
    let source = job("{ kind = \"directory\", path = \"data\" }") + policy;
    let mut daemon = Daemon::prepare(&source.replace("encryption", "full = \"1s\"\nencryption"));
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.drop_plugin(&plugin("gfs-retention"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_first_backup();
    assert!(daemon.stop());
    lose_journal(&daemon);
    fs::remove_file(daemon.path("data/a")).unwrap();
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_event("that it waits", |event| event["kind"] == "backup.waiting");
    let pruned = daemon.cli(&["backup", "prune"]);
    assert!(pruned.status.success(), "{}", said(&pruned));
    let events = daemon.events();
    assert!(!events.iter().any(|event| event["kind"] == "backup.started"));
    daemon.json(&["backup", "restore", "state", "--replace"]);
    assert_eq!(fs::read_to_string(daemon.path("data/a")).unwrap(), "one");
}

/// What it saves was broken, or nobody would restore; and no restore takes it by itself.
#[test]
fn what_a_restore_saves_does_not_displace_the_backup_of_the_day() {
    let policy = "retention = { policy = \"gfs-retention\" }\n\
        [plugin.gfs-retention]\n\
        settings = { last = 1, hourly = 0, daily = 7, weekly = 0, monthly = 0, yearly = 0 }\n";
    let mut daemon = Daemon::prepare(&(job("{ kind = \"directory\", path = \"data\" }") + policy));
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.drop_plugin(&plugin("gfs-retention"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_first_backup();
    fs::write(daemon.path("data/a"), "broken").unwrap();
    daemon.json(&["backup", "restore", "state", "--replace"]);
    assert_eq!(fs::read_to_string(daemon.path("data/a")).unwrap(), "one");
    daemon.wait_for_event("what the restore did", |event| {
        let backup = event["backup"].as_str().unwrap_or_default();
        event["kind"] == "backup.restored" && backup.starts_with("ful-")
    });
    let judged = daemon.json(&["backup", "prune", "--dry-run"]);
    let reason_of = |prefix: &str| -> String {
        let mut verdicts = judged["verdicts"].as_array().unwrap().iter();
        let is_it = |verdict: &&Value| verdict["id"].as_str().unwrap().starts_with(prefix);
        let verdict = verdicts.find(is_it).unwrap();
        assert_eq!(verdict["keep"], true, "{judged}");
        verdict["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason_of("ful-"), "last 1 of 1, daily 1 of 7");
    assert_eq!(reason_of("eme-"), "emergency 1 of 3");
}

#[test]
fn a_policy_that_is_not_there_lets_nothing_go_and_is_told_until_it_judges() {
    let policy = "retention = { policy = \"gfs-retention\" }\n\
        [plugin.gfs-retention]\n\
        settings = { last = 1, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0 }\n";
    let mut daemon = Daemon::prepare(&(job("{ kind = \"directory\", path = \"data\" }") + policy));
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.run();
    daemon.wait_for_first_backup();
    daemon.json(&["backup", "create", "state", "--type", "full"]);
    let pruned = daemon.cli(&["backup", "prune"]);
    assert!(!pruned.status.success(), "{}", said(&pruned));
    let failed = daemon.wait_for_event("that it failed", |event| {
        event["kind"] == "retention.failed"
    });
    let message = failed["message"].as_str().unwrap();
    assert!(message.contains("so everything is kept"), "{message}");
    assert!(daemon.events_of("retention.judged").is_empty());
    assert!(daemon.events_of("backup.expired").is_empty());

    daemon.drop_plugin(&plugin("gfs-retention"));
    daemon.wait_for_plugins(1);
    let pruned = daemon.cli(&["backup", "prune"]);
    assert!(pruned.status.success(), "{}", said(&pruned));
    daemon.wait_for_event("what it judged", |event| {
        let message = event["message"].as_str().unwrap_or_default();
        event["kind"] == "retention.judged" && message.ends_with("1 expired")
    });
}

#[test]
fn who_holds_a_backup_is_known_where_the_journal_is_lost() {
    let mut daemon = Daemon::prepare(&job("{ kind = \"directory\", path = \"data\" }"));
    fs::create_dir(daemon.path("data")).unwrap();
    daemon.run();
    daemon.wait_for_first_backup();
    let released = daemon.json(&["backup", "list"])[0]["id"].clone();
    let released = released.as_str().unwrap();
    let held = daemon.json(&["backup", "create", "state"])["backups"][0]["id"].clone();
    let held = held.as_str().unwrap();
    for id in [released, held] {
        daemon.json(&["backup", "hold", id, "--reason", "the audit"]);
    }
    daemon.json(&["backup", "release", released]);
    for (kind, id) in [("backup.held", held), ("backup.released", released)] {
        daemon.wait_for_event(kind, |event| event["kind"] == kind && event["backup"] == id);
    }
    assert!(daemon.stop());
    lose_journal(&daemon);
    daemon.run();
    let shown = daemon.json(&["backup", "show", held]);
    assert_eq!(shown["held"], true, "{shown}");
    assert_eq!(shown["hold"]["reason"], "the audit", "{shown}");
    let shown = daemon.json(&["backup", "show", released]);
    assert_eq!(shown["held"], false, "{shown}");
}

/// The fifth trap of the seeds' systems: the key lay in the backup directory.
#[test]
fn trap_5_check_refuses_an_identity_that_lies_where_backups_are_stored() {
    let source = job("{ kind = \"directory\", path = \"data\" }");
    for (file, code) in [("state/backups/key.txt", 2), ("keys/key.txt", 0)] {
        let key = format!("identity = {{ file = \"{file}\" }}\nencryption");
        let daemon = Daemon::prepare(&source.replace("encryption", &key));
        fs::create_dir(daemon.path("data")).unwrap();
        let output = daemon.cli(&["check", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let problems = report["problems"].to_string();
        let is_told = problems.contains("where backups are stored");
        assert_eq!(is_told, code == 2, "{problems}");
        if is_told {
            assert_eq!(output.status.code(), Some(code), "{problems}");
        }
    }
}
