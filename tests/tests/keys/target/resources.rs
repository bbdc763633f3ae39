//! What a supervised child is given beside its program.

use super::{HOST, environment, event_of, incident_of, sleeper};
use mainstay_tests::{Daemon, wait_for};
use std::fs;

fn stat_field(pid: u32, number: usize) -> i64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let rest = stat.rsplit(") ").next().unwrap();
    rest.split(' ').nth(number - 3).unwrap().parse().unwrap()
}

fn open_files(pid: u32) -> Vec<String> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words = line.unwrap().split_whitespace();
    words.skip(3).take(2).map(str::to_owned).collect()
}

/// Acts: `target.nice`, `target.nofile`
#[test]
fn a_child_is_as_nice_and_has_as_many_files_as_it_is_told() {
    let config = [
        HOST.to_owned(),
        sleeper("plain", ""),
        sleeper("told", "nice = 7\nnofile = 77"),
    ];
    let daemon = Daemon::start(&config.concat(), &[]);
    for target in ["plain", "told"] {
        event_of(&daemon, target, "process.started");
    }
    let (plain, told) = (daemon.pids()["plain"], daemon.pids()["told"]);
    // Field 19 of proc_pid_stat(5).
    assert_eq!(stat_field(told, 19), 7);
    assert_eq!(stat_field(plain, 19), stat_field(std::process::id(), 19));
    assert_eq!(open_files(told), ["77", "77"]);
    assert_ne!(open_files(plain), ["77", "77"]);
}

/// Acts: `target.env_file`
#[test]
fn the_variables_of_a_file_are_read_at_each_start_and_a_bad_line_is_told() {
    let keys = "env_file = \"web.env\"\nenv = { OVER = \"config\" }";
    let config = format!(
        "{HOST}{}{}",
        sleeper("web", keys),
        sleeper("torn", "env_file = \"torn.env\"")
    );
    let mut daemon = Daemon::prepare(&config);
    fs::write(
        daemon.path("web.env"),
        "# of the service\nPORT=\"80 80\"\nOVER=file\n",
    )
    .unwrap();
    fs::write(daemon.path("torn.env"), "A=1\nnonsense\n").unwrap();
    daemon.run();
    event_of(&daemon, "web", "process.started");
    let first = daemon.pids()["web"];
    let variables = environment(first);
    assert_eq!(
        (variables["PORT"].as_str(), variables["OVER"].as_str()),
        ("80 80", "config")
    );
    let incident = incident_of(&daemon, "torn");
    let why = incident["evidence"][0]["message"].as_str().unwrap();
    assert!(why.contains("torn.env: line 2: it has no `=`"), "{why}");

    fs::write(daemon.path("web.env"), "PORT=81\n").unwrap();
    assert!(daemon.stop(), "{}", daemon.log());
    daemon.run();
    wait_for("the next start", || {
        let second = daemon.pids().get("web").copied();
        let second = second.filter(|second| *second != first);
        second.map(|_| ()).ok_or_else(|| daemon.log())
    });
    assert_eq!(environment(daemon.pids()["web"])["PORT"], "81");
}

/// Acts: `target.before_start.run`, `target.before_start.timeout`
#[test]
fn what_runs_before_a_start_runs_as_the_child_would_and_its_failure_fails_the_start() {
    let before = |name: &str, script: &str, more: &str| {
        sleeper(
            name,
            &format!(
                "env = {{ WORD = \"told\" }}\nbefore_start = {{ run = [\"sh\", \"-c\", \"{script}\"]{more} }}"
            ),
        )
    };
    let config = [
        HOST.to_owned(),
        before("web", "sleep 0.2; echo $WORD $MAINSTAY_TARGET > before", ""),
        before("torn", "echo no database >&2; exit 3", ""),
        before(
            "slow",
            "echo waits; exec sleep 1000",
            ", timeout = \"200ms\"",
        ),
    ];
    let daemon = Daemon::start(&config.concat(), &[]);
    event_of(&daemon, "web", "process.started");
    // It had ended before; and it is not marked as the child.
    assert_eq!(fs::read_to_string(daemon.path("before")).unwrap(), "told\n");
    for (target, expected) in [
        ("torn", "exited with code 3; it printed: no database"),
        (
            "slow",
            "did not end within 200ms and was killed; it printed: waits",
        ),
    ] {
        let incident = incident_of(&daemon, target);
        let why = incident["evidence"][0]["message"].as_str().unwrap();
        assert!(why.contains(expected), "{why}");
        assert_eq!(daemon.pids().get(target), None);
    }
}
