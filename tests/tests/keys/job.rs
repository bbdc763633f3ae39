//! Backup jobs: `[[job]]`.

mod hooks;
mod http;
mod plugin;
mod reading;
mod redis;
mod retention;
mod sqlite;
mod tiers;

use mainstay_tests::{Daemon, HOST, campaign::Random, wait_for};
use serde_json::Value;
use std::fs;

/// A config without targets that has these jobs, and what they back up: `data/words.txt`, in the directory `below`.
fn prepare(jobs: &str) -> Daemon {
    let daemon = Daemon::prepare(&[HOST, jobs].concat());
    for directory in ["data", "below"] {
        fs::create_dir(daemon.path(directory)).unwrap();
    }
    fs::write(daemon.path("data/words.txt"), words()).unwrap();
    daemon
}

/// Text that can be compressed well or better.
fn words() -> String {
    let words = ["restart", "verify", "backup", "target", "incident", "chain"];
    let mut random = Random::new(1);
    let word = |_| {
        let place = usize::try_from(random.below(6)).unwrap();
        format!("{} {}\n", words[place], random.below(100))
    };
    (0..20_000).map(word).collect()
}

/// The verified backups of a job, newest first.
fn verified(daemon: &Daemon, job: &str) -> Vec<Value> {
    let backups = daemon.json(&["backup", "list", "--job", job]);
    let mut backups = backups.as_array().unwrap().clone();
    backups.retain(|backup| backup["status"] == "verified");
    backups
}

fn status(daemon: &Daemon, job: &str) -> Value {
    let status = daemon.json(&["status"]);
    let mut jobs = status["jobs"].as_array().unwrap().iter();
    jobs.find(|row| row["name"] == job).unwrap().clone()
}

/// Acts: `job.name`, `job.compression`
/// Acts: `job.source(directory)`, `job.source(directory).path`, `job.source(directory).prefix`
/// Acts: `job.source(command)`, `job.source(command).run`, `job.source(command).key`, `job.source(command).cwd`
/// Acts: `job.source(command).timeout`
#[test]
fn a_job_stores_what_its_sources_yield_as_tightly_as_it_says() {
    let mut daemon = prepare(
        r#"
[[job]]
encryption = "none"
name = "loose"
compression = 1
source = [
    { kind = "directory", path = "data" },
    { kind = "command", run = ["/bin/pwd"], key = "where" },
]

[[job]]
encryption = "none"
name = "tight"
compression = 19
source = [
    { kind = "directory", path = "data", prefix = "files" },
    { kind = "command", run = ["/bin/pwd"], key = "dump/where", cwd = "below" },
]

[[job]]
encryption = "none"
name = "slow"
source = [{ kind = "command", run = ["/bin/sleep", "1000"], key = "never", timeout = "250ms" }]
"#,
    );
    daemon.run();
    let home = daemon.directory.path().canonicalize().unwrap();
    let stored = [
        ("loose", "words.txt", "where", home.clone()),
        ("tight", "files/words.txt", "dump/where", home.join("below")),
    ]
    .map(|(job, file, printed, place)| {
        daemon.json(&["backup", "create", job]);
        let into = daemon.path(&format!("restored-{job}"));
        daemon.json(&["backup", "restore", job, "--into", into.to_str().unwrap()]);
        assert_eq!(fs::read_to_string(into.join(file)).unwrap(), words());
        let printed = fs::read_to_string(into.join(printed)).unwrap();
        assert_eq!(printed.trim(), place.to_str().unwrap(), "{job}");
        let newest = verified(&daemon, job)[0].clone();
        assert_eq!(newest["job"], job);
        newest["stored_bytes"].as_u64().unwrap()
    });
    assert!(stored[0] > stored[1], "{stored:?}");

    let output = daemon.cli(&["backup", "create", "slow"]);
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("did not end within 250ms"), "{stderr}");
}

/// Acts: `job.source(file)`, `job.source(file).path`, `job.source(file).key`
#[test]
fn a_file_is_a_source_by_itself() {
    let mut daemon = prepare(
        r#"
[[job]]
name = "state"
encryption = "none"
source = [
    { kind = "file", path = "data/words.txt" },
    { kind = "file", path = "data/words.txt", key = "etc/again" },
]
"#,
    );
    fs::write(daemon.path("data/beside"), "not meant").unwrap();
    daemon.run();
    daemon.json(&["backup", "create", "state"]);
    let into = daemon.path("into");
    daemon.json(&[
        "backup",
        "restore",
        "state",
        "--into",
        into.to_str().unwrap(),
    ]);
    for name in ["words.txt", "etc/again"] {
        assert_eq!(fs::read_to_string(into.join(name)).unwrap(), words());
    }
    assert!(!into.join("beside").exists());
}

/// Acts: `job.source(command).env`, `job.source(command).user`
#[test]
fn what_a_job_has_printed_has_its_variables_and_its_user() {
    let mut daemon = prepare(
        r#"
[secrets]
pin = { env = "PIN_OF_THE_DAEMON" }

[[job]]
name = "told"
encryption = "none"
source = [{ kind = "command", run = ["/bin/sh", "-c", "echo $PIN"], key = "said", env = { PIN = "is ${secret:pin}" } }]

[[job]]
name = "other"
encryption = "none"
source = [{ kind = "command", run = ["/bin/sh", "-c", "id -un; echo $USER"], key = "said", cwd = "/", user = "nobody" }]
"#,
    );
    daemon.set_env("PIN_OF_THE_DAEMON", "1234");
    daemon.run();
    let said = |job: &str| {
        let into = daemon.path(&format!("said-{job}"));
        daemon.json(&["backup", "restore", job, "--into", into.to_str().unwrap()]);
        fs::read_to_string(into.join("said")).unwrap()
    };
    daemon.json(&["backup", "create", "told"]);
    assert_eq!(said("told"), "is 1234\n");
    let taken = daemon.cli(&["backup", "create", "other"]);
    if rustix::process::geteuid().is_root() {
        assert!(taken.status.success(), "{taken:?}");
        assert_eq!(said("other"), "nobody\nnobody\n");
    } else {
        let why = String::from_utf8_lossy(&taken.stderr);
        assert!(why.contains("the user `nobody`"), "{why}");
    }
}

#[test]
fn a_job_that_does_not_say_how_its_backups_are_encrypted_is_refused() {
    for (written, is_refused) in [("", true), ("encryption = \"none\"", false)] {
        let source = "source = [{ kind = \"directory\", path = \"data\" }]";
        let daemon = prepare(&format!(
            "\n[[job]]\nname = \"state\"\n{source}\n{written}\n"
        ));
        let output = daemon.cli(&["check", "--json"]);
        let problems = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.success(), !is_refused, "{problems}");
        let says_so = problems.contains("job `state` has no `encryption`");
        assert_eq!(says_so, is_refused, "{problems}");
    }
}

/// Acts: `job.verify.every`, `job.verify.sample`
#[test]
fn what_is_stored_is_read_back_and_drilled_when_the_job_says() {
    let source = "source = [{ kind = \"directory\", path = \"data\" }]\nencryption = \"none\"";
    let job = |name: &str, keys: &str| format!("\n[[job]]\nname = \"{name}\"\n{keys}\n{source}\n");
    let mut daemon = prepare(
        &[
            job(
                "read",
                "verify = { every = \"300ms\", sample = \"50%\" }\ndrill = \"never\"",
            ),
            job("drilled", "verify = \"never\"\ndrill = \"300ms\""),
        ]
        .concat(),
    );
    daemon.run();
    let last_read = |job: &str| {
        let first = verified(&daemon, job).first().cloned();
        first.map_or(Value::Null, |backup| backup["verified_at"].clone())
    };
    let first = |job: &str| {
        wait_for(&format!("a backup of {job}"), || {
            let at = last_read(job);
            (!at.is_null()).then_some(at).ok_or_else(String::new)
        })
    };
    let (read, drilled) = (first("read"), first("drilled"));
    wait_for("a look at what is stored", || {
        let at = last_read("read");
        (at != read).then_some(()).ok_or(at.to_string())
    });
    daemon.wait_for_event("a drill", |event| event["kind"] == "drill.passed");
    assert_eq!(last_read("drilled"), drilled);
    let drills = daemon.events_of("drill.passed");
    assert!(drills.iter().all(|event| event["job"] == "drilled"));
}

/// Acts: `job.jitter`, `job.window.cron`, `job.window.zone`, `job.window.duration`
#[test]
fn backups_begin_some_time_after_their_slots_and_only_in_the_window() {
    let source = "source = [{ kind = \"directory\", path = \"data\" }]\nencryption = \"none\"";
    let yearly = "full = { cron = \"0 0 1 1 *\" }";
    let job = |name: &str, keys: &str| format!("\n[[job]]\nname = \"{name}\"\n{keys}\n{source}\n");
    let window = |length: &str| {
        format!(
            "window = {{ cron = \"0 0 1 7 *\", zone = \"Asia/Tokyo\", duration = \"{length}\" }}"
        )
    };
    let mut daemon = prepare(
        &[
            job("late", &format!("{yearly}\njitter = \"12h\"")),
            job("open", &window("3650d")),
            job("shut", &window("1ms")),
        ]
        .concat(),
    );
    daemon.run();
    for job in ["late", "open"] {
        wait_for(&format!("a backup of {job}"), || {
            let is_there = !verified(&daemon, job).is_empty();
            is_there.then_some(()).ok_or_else(String::new)
        });
    }
    let due = |job: &str| {
        status(&daemon, job)["next_due"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    wait_for("a slot that is late", || {
        let late = due("late");
        let is_late = late.contains("-01-01T") && !late.ends_with("T00:00:00.000Z");
        is_late.then_some(()).ok_or(late)
    });
    let shut = due("shut");
    assert!(shut.ends_with("-06-30T15:00:00.000Z"), "{shut}");
    assert!(verified(&daemon, "shut").is_empty());
}

/// Acts: `job.schedule`
#[test]
fn the_schedules_of_the_seed_meet_an_objective_that_one_full_backup_a_day_cannot() {
    for (written, warned) in [("", true), ("schedule = \"seed\"", false)] {
        let source = "source = [{ kind = \"directory\", path = \"data\" }]\nencryption = \"none\"";
        let daemon = prepare(&format!(
            "\n[[job]]\nname = \"state\"\nrpo = \"15m\"\n{source}\n{written}\n"
        ));
        let problems = daemon.json(&["check"])["problems"].to_string();
        let is_warned = problems.contains("the schedules cannot meet an `rpo` of 15m");
        assert_eq!(is_warned, warned, "{problems}");
    }
}

/// Acts: `job.after`
#[test]
fn a_backup_waits_until_the_targets_that_its_job_names_are_healthy() {
    let mut daemon = prepare(
        r#"
[[target]]
name = "pg"
run = ["/bin/sh", "-c", "exec sleep 1000"]
[[target.check]]
kind = "file"
path = "ready"
max_age = "1h"
every = "100ms"
timeout = "100ms"
failure = "postgres-down"

[[job]]
name = "dump"
after = ["pg"]
encryption = "none"
rpo = "1s"
source = [{ kind = "command", run = ["/bin/cat", "ready"], key = "dump" }]
"#,
    );
    daemon.run();
    daemon.wait_for_event("that it waits", |event| event["kind"] == "backup.waiting");
    daemon.wait_for_event("that its objective is missed", |event| {
        event["kind"] == "backup.rpo-missed"
    });
    let waits = status(&daemon, "dump")["waits"].clone();
    assert!(waits.as_str().unwrap().starts_with("pg is "), "{waits}");
    assert!(daemon.events_of("backup.started").is_empty());
    assert_eq!(daemon.events_of("backup.waiting").len(), 1);
    fs::write(daemon.path("ready"), "yes").unwrap();
    daemon.wait_for_event("the backup", |event| event["kind"] == "backup.verified");
    assert_eq!(daemon.events_of("backup.failed").len(), 0);
    assert_eq!(status(&daemon, "dump")["waits"], Value::Null);
}

/// Acts: `job.incremental`, `job.differential`, `job.full.cron`, `job.full.zone`, `job.rpo`
#[test]
fn backups_are_taken_when_they_are_due() {
    let source = "source = [{ kind = \"directory\", path = \"data\" }]\nencryption = \"none\"\n";
    let job = |name: &str, keys: &str| format!("\n[[job]]\nname = \"{name}\"\n{keys}\n{source}");
    let mut daemon = prepare(
        &[
            job("often", "differential = \"2s\"\nincremental = \"300ms\""),
            job("seldom", "rpo = \"1h\""),
            job(
                "tokyo",
                "full = { cron = \"30 3 * * *\", zone = \"Asia/Tokyo\" }\nrpo = \"1ms\"",
            ),
            job("utc", "full = { cron = \"45 3 * * *\" }"),
        ]
        .concat(),
    );
    daemon.run();
    wait_for("a backup of each kind", || {
        let backups = verified(&daemon, "often");
        let has = |kind: &str| backups.iter().any(|backup| backup["type"] == kind);
        let seen = format!("{backups:?}");
        (has("full") && has("differential") && has("incremental"))
            .then_some(())
            .ok_or(seen)
    });
    for job in ["seldom", "tokyo", "utc"] {
        let backups = wait_for(&format!("a backup of {job}"), || {
            let backups = verified(&daemon, job);
            let is_there = !backups.is_empty();
            is_there.then_some(backups).ok_or_else(String::new)
        });
        let only_one = backups.len() == 1 && backups[0]["type"] == "full";
        assert!(only_one, "{job}: {backups:?}");
    }
    let time_of_day = |job: &str| {
        let due = status(&daemon, job)["next_due"].clone();
        due.as_str().unwrap().split('T').nth(1).unwrap().to_owned()
    };
    assert_eq!(time_of_day("tokyo"), "18:30:00.000Z");
    assert_eq!(time_of_day("utc"), "03:45:00.000Z");
    assert_eq!(status(&daemon, "seldom")["rpo_met"], true);
    assert_eq!(status(&daemon, "tokyo")["rpo_met"], false);
    assert_eq!(status(&daemon, "utc")["rpo_met"], Value::Null);
}
