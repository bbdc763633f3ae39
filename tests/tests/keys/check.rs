//! Checks: `[[target.check]]`. What programs say of a target is in [`exec`], how servers are asked in [`http`]
//! and [`connect`].

mod checksum;
mod connect;
mod counted;
mod engine;
mod exec;
mod foreign;
mod http;
mod log;
mod plugin;
mod postgres;
pub(crate) mod redis;
mod s3;
mod tls;

use crate::keys::target::{HOST, crash, incident_of, row_of};
use mainstay_tests::{Daemon, Receiver, wait_for};
use std::{
    fs,
    time::{Duration, SystemTime},
};

/// Nobody listens there.
const DEAF: &str = "127.0.0.1:1";

/// A file system that is never full, and one that never is empty.
const EMPTY_DISK: &str = "/proc";
const USED_DISK: &str = "/";

/// What one look with these keys has to say: the target's health, and words of the reason where it failed.
struct Case {
    keys: String,
    health: &'static str,
    says: &'static str,
}

fn case(keys: impl Into<String>, health: &'static str, says: &'static str) -> Case {
    let keys = keys.into();
    Case { keys, health, says }
}

/// One target for each case, looked at once.
fn judge(daemon: &mut Daemon, cases: &[Case]) {
    judge_with(daemon, "", cases);
}

/// As [`judge`], with more of the config.
fn judge_with(daemon: &mut Daemon, more: &str, cases: &[Case]) {
    let target = |(number, case): (usize, &Case)| {
        let timeout = match case.keys.contains("timeout") {
            true => "",
            false => "timeout = \"1m\"",
        };
        format!(
            "[[target]]\nname = \"t{number}\"\n[[target.check]]\nevery = \"1h\"\nfail_after = 1\nfailure = \"seen\"\n{timeout}\n{}\n",
            case.keys
        )
    };
    let targets: String = cases.iter().enumerate().map(target).collect();
    fs::write(
        daemon.path("mainstay.toml"),
        format!("{HOST}{more}{targets}"),
    )
    .unwrap();
    daemon.run();
    for (number, case) in cases.iter().enumerate() {
        let name = format!("t{number}");
        let status = daemon.wait_for_status(&case.keys, |status| {
            row_of(status, &name)["health"] != "unknown"
        });
        let health = &row_of(&status, &name)["health"];
        let reason = match case.health {
            "failed" => incident_of(daemon, &name)["evidence"][0]["message"].to_string(),
            _ => String::new(),
        };
        assert_eq!(health, case.health, "{}: {reason}", case.keys);
        assert!(reason.contains(case.says), "{}: {reason}", case.keys);
    }
}

/// Acts: `target.check(http)`, `target.check(http).url`, `target.check(http).status`,
/// Acts: `target.check(http).body_contains`, `target.check(tcp)`, `target.check(tcp).address`
#[test]
fn what_is_asked_over_the_network_is_judged_as_its_keys_say() {
    let (well, ill) = (Receiver::start(), Receiver::start());
    well.answer_with("200 OK", "", "all is well");
    ill.answer_with("503 Service Unavailable", "", "");
    let http = |url: &str, more: &str| format!("kind = \"http\"\nurl = \"{url}/\"\n{more}");
    let tcp = |address: &str| format!("kind = \"tcp\"\naddress = \"{address}\"");
    let cases = [
        case(http(&well.url, ""), "healthy", ""),
        case(http(&ill.url, ""), "failed", "answered 503"),
        case(http(&format!("http://{DEAF}"), ""), "failed", "refused"),
        case(http(&well.url, "status = 204"), "failed", "answered 200"),
        case(http(&ill.url, "status = [500, 599]"), "healthy", ""),
        case(http(&well.url, "body_contains = \"well\""), "healthy", ""),
        case(
            http(&well.url, "body_contains = \"ill\""),
            "failed",
            "`ill`",
        ),
        case(tcp(well.url.trim_start_matches("http://")), "healthy", ""),
        case(tcp(DEAF), "failed", "refused"),
    ];
    judge(&mut Daemon::prepare(""), &cases);
}

/// Acts: `target.check(file)`, `target.check(file).path`, `target.check(file).max_age`,
/// Acts: `target.check(file).min_bytes`, `target.check(file).contains`, `target.check(disk)`,
/// Acts: `target.check(disk).path`, `target.check(disk).max_percent`, `target.check(disk).warn_percent`,
/// Acts: `target.check(memory).max_percent`, `target.check(process).pid_file`
#[test]
fn what_is_on_the_machine_is_judged_as_its_keys_say() {
    let file = |more: &str| format!("kind = \"file\"\npath = \"file\"\n{more}");
    let disk = |path: &str, more: &str| format!("kind = \"disk\"\npath = \"{path}\"\n{more}");
    let memory = |more: &str| format!("kind = \"memory\"\n{more}");
    let process = |file: &str| format!("kind = \"process\"\npid_file = \"{file}\"");
    let cases = [
        case(file(""), "healthy", ""),
        case("kind = \"file\"\npath = \"none\"", "failed", "not exist"),
        case(file("max_age = \"2h\""), "healthy", ""),
        case(file("max_age = \"30m\""), "failed", "old"),
        case(file("min_bytes = \"5B\""), "healthy", ""),
        case(file("min_bytes = \"6B\""), "failed", "5 bytes"),
        case(file("contains = \"don\""), "healthy", ""),
        case(file("contains = \"dont\""), "failed", "`dont`"),
        case(disk(USED_DISK, "max_percent = 100"), "healthy", ""),
        case(disk(USED_DISK, "max_percent = 0.001"), "failed", "% full"),
        case(disk(EMPTY_DISK, "max_percent = 0.001"), "healthy", ""),
        case(
            disk(USED_DISK, "max_percent = 100\nwarn_percent = 0.001"),
            "degraded",
            "",
        ),
        case(memory("max_percent = 100"), "healthy", ""),
        case(memory("max_percent = 0.001"), "failed", "% full"),
        case(process("mine.pid"), "healthy", ""),
        case(process("none.pid"), "failed", "not exist"),
        case(process("file"), "failed", "no process number"),
        case(process("ended.pid"), "failed", "does not run"),
    ];
    let mut daemon = Daemon::prepare("");
    let path = daemon.path("file");
    fs::write(&path, "done\n").unwrap();
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(hour_ago).unwrap();
    fs::write(daemon.path("mine.pid"), std::process::id().to_string()).unwrap();
    // Above the highest number that Linux gives to a process.
    fs::write(daemon.path("ended.pid"), "4194305\n").unwrap();
    judge(&mut daemon, &cases);
}

/// Acts: `target.check(process)`, `target.check(memory)`, `target.check(memory).max_bytes`
#[test]
fn a_child_is_judged_by_its_life_and_by_the_memory_of_its_group() {
    let target = |name: &str, run: &str, check: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\nrun = {run}\nexit_failure = \"crashed\"\nstart_period = \"0s\"\n\
             [[target.check]]\nevery = \"200ms\"\n{check}\n"
        )
    };
    let sleep = r#"["sleep", "1000"]"#;
    let group = r#"["sh", "-c", "python3 -c 'import time; kept = bytes([1]) * (64 << 20); time.sleep(1000)' & wait"]"#;
    // What it started in a session of its own counts as well.
    let far = group.replace("python3", "setsid python3");
    let memory =
        "kind = \"memory\"\nmax_bytes = \"32MiB\"\nfail_after = 2\nfailure = \"memory-overflow\"";
    let process = "kind = \"process\"\nfail_after = 8\nfailure = \"ledger-gone\"";
    let targets = [
        target("child", sleep, process),
        target("small", sleep, memory),
        target("large", group, memory),
        target("far", &far, memory),
    ];
    let daemon = Daemon::start(&format!("{HOST}{}", targets.concat()), &[]);
    daemon.wait_for_status("healthy children", |status| {
        row_of(status, "child")["health"] == "healthy"
            && row_of(status, "small")["health"] == "healthy"
    });
    for target in ["large", "far"] {
        assert_eq!(incident_of(&daemon, target)["failure"], "memory-overflow");
    }
    for target in ["small", "child"] {
        crash(&daemon, target);
    }
    daemon.wait_for_event("the process check to open", |event| {
        event["kind"] == "incident.opened" && event["data"]["failure"] == "ledger-gone"
    });
    // That a child has ended says nothing of its memory.
    let incidents = daemon.json(&["incidents"]);
    let incidents = incidents.as_array().unwrap().iter();
    let of = |target: &str| -> Vec<&str> {
        let of_target = incidents
            .clone()
            .filter(|incident| incident["target"] == target);
        let failures = of_target.map(|incident| incident["failure"].as_str().unwrap());
        failures.collect()
    };
    assert_eq!(of("small"), ["crashed"]);
    assert_eq!(of("child"), ["ledger-gone", "crashed"]);
    assert_eq!(of("large"), ["memory-overflow"]);
    assert_eq!(of("far"), ["memory-overflow"]);
}

/// Acts: `target.check(cpu)`, `target.check(cpu).max_percent`, `target.check(cpu).degraded_percent`
#[test]
fn a_child_is_judged_by_what_its_group_uses_of_the_cpu() {
    let target = |name: &str, run: &str, start_period: &str, limits: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\nrun = {run}\nexit_failure = \"crashed\"\nstart_period = \"{start_period}\"\n\
             [[target.check]]\nkind = \"cpu\"\nevery = \"500ms\"\nfail_after = 2\nfailure = \"cpu-overload\"\n{limits}\n"
        )
    };
    let sleep = r#"["sleep", "1000"]"#;
    let spin = r#"["sh", "-c", "while :; do :; done"]"#;
    let group = r#"["sh", "-c", "sh -c 'while :; do :; done' & wait"]"#;
    // Far below a core, for the machine may be busy. One that starts for an hour is `starting` until its check has passed.
    let targets = [
        target("sleeps", sleep, "1h", "max_percent = 5"),
        target("spins", group, "0s", "max_percent = 5"),
        target(
            "warned",
            spin,
            "1h",
            "max_percent = 100000\ndegraded_percent = 5",
        ),
    ];
    let daemon = Daemon::start(&format!("{HOST}{}", targets.concat()), &[]);
    let incident = incident_of(&daemon, "spins");
    assert_eq!(incident["failure"], "cpu-overload", "{incident}");
    let reason = incident["evidence"][0]["message"].as_str().unwrap();
    assert!(reason.contains("% of a core, at most 5 %"), "{reason}");
    daemon.wait_for_status("each to be judged", |status| {
        row_of(status, "sleeps")["health"] == "healthy"
            && row_of(status, "warned")["health"] == "degraded"
    });
    let incidents = daemon.json(&["incidents"]);
    let mut incidents = incidents.as_array().unwrap().iter();
    assert!(
        incidents.all(|incident| incident["target"] == "spins"),
        "{incidents:?}"
    );
}

/// Acts: `target.check(heartbeat)`
#[test]
fn a_heartbeat_is_missed_once_it_does_not_come_within_its_period() {
    let target = |name: &str, every: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\nbreaker.open_for = \"1ms\"\n[[target.check]]\nkind = \"heartbeat\"\nevery = \"{every}\"\n\
             recover_after = 1\nfailure = \"heartbeat-missed\"\n"
        )
    };
    let targets = [target("nightly", "300ms"), target("yearly", "300d")].concat();
    let daemon = Daemon::start(&format!("{HOST}{targets}"), &[]);
    let missed = incident_of(&daemon, "nightly");
    let reason = missed["evidence"][0]["message"].as_str().unwrap();
    assert!(reason.contains("one is due every 300 ms"), "{reason}");
    wait_for("heartbeats to be heard", || {
        assert!(daemon.cli(&["heartbeat", "nightly"]).status.success());
        let status = daemon.json(&["status"]);
        let health = row_of(&status, "nightly")["health"].clone();
        (health == "healthy")
            .then_some(())
            .ok_or(health.to_string())
    });
    let status = daemon.json(&["status"]);
    assert_eq!(row_of(&status, "yearly")["health"], "healthy");
}

/// Acts: `target.check.every`, `target.check.jitter`
#[test]
fn a_check_runs_at_once_then_every_so_often_and_later_by_its_jitter() {
    let target = |name: &str, times: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\n[[target.check]]\nkind = \"exec\"\nrun = [\"sh\", \"-c\", \"echo >> {name}.runs\"]\n\
             {times}\nfailure = \"seen\"\n"
        )
    };
    let targets = [
        target("often", "every = \"100ms\""),
        target("once", "every = \"300d\"\ntimeout = \"1m\""),
        // One in millions that this is within the time of the test.
        target(
            "later",
            "every = \"300d\"\ntimeout = \"1m\"\njitter = \"300d\"",
        ),
        target(
            "hardly-later",
            "every = \"300d\"\ntimeout = \"1m\"\njitter = \"2ms\"",
        ),
    ];
    let daemon = Daemon::start(&format!("{HOST}{}", targets.concat()), &[]);
    let runs = |name: &str| {
        let text = fs::read_to_string(daemon.path(&format!("{name}.runs")));
        text.unwrap_or_default().lines().count()
    };
    wait_for("the checks to run", || {
        let seen = ["often", "once", "hardly-later"].map(runs);
        let enough = seen[0] >= 5 && seen[1] > 0 && seen[2] > 0;
        enough.then_some(()).ok_or(format!("{seen:?}"))
    });
    assert_eq!(["once", "later", "hardly-later"].map(runs), [1, 0, 1]);
    let status = daemon.json(&["status"]);
    assert_eq!(row_of(&status, "later")["health"], "unknown");
}

/// Acts: `target.check.fail_after`, `target.check.recover_after`, `target.check.name`, `target.check.failure`,
/// Acts: `target.check.severity`
#[test]
fn failures_and_successes_are_counted_and_named_as_the_check_says() {
    let receiver = Receiver::start();
    receiver.answer_with("500 Internal Server Error", "", "");
    let target = |name: &str, keys: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\nbreaker.open_for = \"1ms\"\n[[target.check]]\nkind = \"http\"\n\
             url = \"{}/{name}\"\nevery = \"50ms\"\n{keys}\n",
            receiver.url
        )
    };
    let targets = [
        target(
            "slow",
            "fail_after = 4\nrecover_after = 30\nname = \"front-door\"\nfailure = \"door-shut\"\nseverity = \"critical\"",
        ),
        target(
            "quick",
            "fail_after = 1\nrecover_after = 1\nfailure = \"memory-overflow\"",
        ),
        target(
            "quick-own",
            "fail_after = 1\nrecover_after = 1\nfailure = \"door-ajar\"",
        ),
        target(
            "quick-low",
            "fail_after = 1\nrecover_after = 1\nfailure = \"memory-overflow\"\nseverity = \"low\"",
        ),
    ];
    let daemon = Daemon::start(&format!("{HOST}{}", targets.concat()), &[]);
    let expected = [
        ("slow", "front-door", "door-shut", "critical", 4),
        ("quick", "http", "memory-overflow", "critical", 1),
        ("quick-own", "http", "door-ajar", "high", 1),
        ("quick-low", "http", "memory-overflow", "low", 1),
    ];
    for (target, check, failure, severity, in_a_row) in expected {
        let incident = incident_of(&daemon, target);
        assert_eq!(incident["failure"], failure, "{incident}");
        assert_eq!(incident["severity"], severity, "{incident}");
        assert_eq!(incident["evidence"][0]["check"], check, "{incident}");
        let events = daemon.events();
        let mut of_target = events.iter().filter(|event| event["target"] == target);
        let before = of_target
            .by_ref()
            .take_while(|event| event["kind"] != "circuit.opened");
        let failed = before
            .filter(|event| event["kind"] == "check.failed")
            .last()
            .unwrap();
        assert_eq!(failed["data"]["in_a_row"], in_a_row, "{failed}");
    }

    let asked = |target: &str| {
        let line = format!("GET /{target}");
        receiver
            .received()
            .iter()
            .filter(|request| request.line == line)
            .count()
    };
    let before = asked("slow");
    receiver.answer_with("200 OK", "", "");
    daemon.wait_for_event("the slow one to close", |event| {
        event["target"] == "slow" && event["kind"] == "circuit.closed"
    });
    // One may have been asked before, and answered after.
    assert!(
        asked("slow") - before >= 29,
        "it needs 30 successes in a row"
    );
    let events = daemon.events();
    let closed = |target: &str| {
        let mut kinds = events
            .iter()
            .filter(|event| event["kind"] == "circuit.closed");
        kinds.position(|event| event["target"] == target)
    };
    assert!(closed("quick").unwrap() < closed("slow").unwrap());
}
