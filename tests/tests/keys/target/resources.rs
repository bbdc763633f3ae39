//! What a supervised child is given beside its program.

use super::{HOST, environment, incident_of, sleeper};
use mainstay_tests::{Daemon, program, wait_for};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

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
        daemon.wait_for_event_of("process.started", target);
    }
    let (plain, told) = (daemon.pids()["plain"], daemon.pids()["told"]);
    // Field 19 of proc_pid_stat(5).
    assert_eq!(stat_field(told, 19), 7);
    assert_eq!(stat_field(plain, 19), stat_field(std::process::id(), 19));
    assert_eq!(open_files(told), ["77", "77"]);
    assert_ne!(open_files(plain), ["77", "77"]);
}

/// Acts: `target.memory_max`, `target.cpu_max`
#[test]
fn a_child_has_the_bounds_of_its_control_group_or_it_is_told_once_why_not() {
    let config = |percent: u32| {
        let bounds = format!("memory_max = \"64MiB\"\ncpu_max = {percent}");
        format!("{HOST}{}{}", sleeper("web", &bounds), sleeper("plain", ""))
    };
    let daemon = Daemon::start(&config(150), &[]);
    let group_of = |pid: u32| {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let group = groups.lines().find_map(|line| line.strip_prefix("0::/"));
        let group = group.filter(|group| group.contains("mainstay-") && group.ends_with("/web"));
        group.map(|group| Path::new("/sys/fs/cgroup").join(group))
    };
    let runs = |count: usize| {
        wait_for("a start", || {
            let mut starts = daemon.events_of("process.started");
            starts.retain(|event| event["target"] == "web");
            let pid = daemon.pids().get("web").copied();
            pid.filter(|_| starts.len() == count)
                .ok_or_else(|| format!("{starts:?}"))
        })
    };
    let bounds = |group: &Path| {
        ["memory.max", "cpu.max"].map(|file| {
            let text = fs::read_to_string(group.join(file)).unwrap();
            text.trim().to_owned()
        })
    };
    match group_of(runs(1)) {
        Some(group) => {
            assert_eq!(bounds(&group), ["67108864", "150000 100000"]);
            fs::write(daemon.path("mainstay.toml"), config(50)).unwrap();
            daemon.hang_up();
            let group = group_of(runs(2)).unwrap();
            assert_eq!(bounds(&group), ["67108864", "50000 100000"]);
        }
        None => {
            let warned = daemon.wait_for_event_of("target.warned", "web");
            let message = warned["message"].as_str().unwrap();
            println!("skipped, for no control group can be had here: {message}");
            let start = "web: `memory_max` and `cpu_max` are not enforced: ";
            assert!(message.starts_with(start), "{message}");
            fs::write(daemon.path("mainstay.toml"), config(50)).unwrap();
            daemon.hang_up();
            runs(2);
            assert_eq!(daemon.events_of("target.warned").len(), 1, "once");
        }
    }
    let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let is_there = controllers.contains("memory") && controllers.contains("cpu");
    let output = daemon.cli(&["check"]);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(said.contains("cannot be enforced"), !is_there, "{said}");
}

/// A control group without processes, with one below it for a daemon, as a service manager gives them away.
struct GroupOfAUnit(PathBuf);

impl GroupOfAUnit {
    /// The error is why it cannot be had here.
    fn make() -> Result<Self, String> {
        let root = Path::new("/sys/fs/cgroup");
        let controllers = fs::read_to_string(root.join("cgroup.controllers"));
        let controllers = controllers.map_err(|error| format!("{}: {error}", root.display()))?;
        if !controllers.split_whitespace().any(|one| one == "memory") {
            return Err("it bounds no memory".to_owned());
        }
        let unit = Self(root.join(format!("mainstay-test-{}", std::process::id())));
        let failed = |error: std::io::Error| error.to_string();
        fs::create_dir_all(unit.daemon()).map_err(failed)?;
        fs::write(root.join("cgroup.subtree_control"), "+memory").map_err(failed)?;
        let flags = rustix::fs::XattrFlags::empty();
        // Where there is no systemd nobody asks for it.
        let _ = rustix::fs::setxattr(unit.0.as_path(), "trusted.delegate", b"1", flags);
        Ok(unit)
    }

    fn daemon(&self) -> PathBuf {
        self.0.join("daemon")
    }
}

impl Drop for GroupOfAUnit {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.daemon());
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn an_end_by_the_kernels_out_of_memory_killer_is_told_from_one_by_kill() {
    let unit = match GroupOfAUnit::make() {
        Ok(unit) => unit,
        Err(why) => {
            println!("skipped, for no control group can be had here: {why}");
            return;
        }
    };
    let memory = fs::read_to_string("/proc/meminfo").unwrap();
    let swap = memory.lines().find(|line| line.starts_with("SwapTotal:"));
    if swap.is_some_and(|line| !line.contains(" 0 kB")) {
        println!("skipped, for what is swapped out is not bounded");
        return;
    }
    let config = format!(
        "{HOST}\n[[target]]\nname = \"eats\"\nrun = [\"tail\", \"/dev/zero\"]\nmemory_max = \"16MiB\"\n{}",
        sleeper("sleeps", "memory_max = \"64MiB\"")
    );
    let mut daemon = Daemon::prepare(&config);
    let mut command = Command::new("sh");
    command
        .args(["-c", "echo $$ > \"$1\" && shift && exec \"$@\"", "sh"])
        .arg(unit.daemon().join("cgroup.procs"))
        .arg(program())
        .args(["run", "--config"])
        .arg(daemon.path("mainstay.toml"));
    daemon.run_as(command);
    let why_of = |target: &str| {
        let exited = daemon.wait_for_event_of("process.exited", target);
        exited["message"].as_str().unwrap().to_owned()
    };
    let killer = "the kernel's out-of-memory killer has ended 1 of its processes since its start, at its `memory_max`";
    let why = why_of("eats");
    assert!(why.contains("signal 9") && why.contains(killer), "{why}");
    daemon.wait_for_event_of("process.started", "sleeps");
    let pid = rustix::process::Pid::from_raw(daemon.pids()["sleeps"].cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let why = why_of("sleeps");
    assert!(
        why.contains("signal 9") && !why.contains("out-of-memory"),
        "{why}"
    );
    assert!(daemon.stop());
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
    let before = "env_file = \"torn.env\"\nbefore_start = { run = [\"sh\", \"-c\", \"true\"] }";
    let config = config + &sleeper("both", before);
    let mut daemon = Daemon::prepare(&config);
    fs::write(
        daemon.path("web.env"),
        "# of the service\nPORT=\"80 80\"\nOVER=file\n",
    )
    .unwrap();
    fs::write(daemon.path("torn.env"), "A=1\nnonsense\n").unwrap();
    daemon.run();
    daemon.wait_for_event_of("process.started", "web");
    let first = daemon.pids()["web"];
    let variables = environment(first);
    assert_eq!(
        (variables["PORT"].as_str(), variables["OVER"].as_str()),
        ("80 80", "config")
    );
    let incident = incident_of(&daemon, "torn");
    let why = incident["evidence"][0]["message"].as_str().unwrap();
    assert!(why.contains("torn.env: line 2: it has no `=`"), "{why}");
    let begins = "torn: cannot read its `env_file` ";
    assert!(why.starts_with(begins), "{why}");
    let incident = incident_of(&daemon, "both");
    let why = incident["evidence"][0]["message"].as_str().unwrap();
    let begins = "both: cannot read its `env_file` ";
    assert!(why.starts_with(begins), "not of `before_start`: {why}");

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
        before("said", "echo migrated $WORD; printf 'to 7' >&2", ""),
        before("torn", "echo 1 of 7; echo no database >&2; exit 3", ""),
        before(
            "slow",
            "echo waits; exec sleep 1000",
            ", timeout = \"200ms\"",
        ),
    ];
    let daemon = Daemon::start(&config.concat(), &[]);
    daemon.wait_for_event_of("process.started", "web");
    // It had ended before; and it is not marked as the child.
    assert_eq!(fs::read_to_string(daemon.path("before")).unwrap(), "told\n");
    // What it printed stands in the log of the child.
    daemon.wait_for_event_of("process.started", "said");
    let log = fs::read_to_string(daemon.path("state/logs/said.log")).unwrap();
    assert_eq!(log, "migrated told\nto 7\n");
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
        let next =
            ". Repair what it says; all that it printed stands in the target's log [MS-0402]";
        assert!(why.contains(next), "{why}");
        assert_eq!(daemon.pids().get(target), None);
    }
    // What failed is told by all that it printed.
    for (target, expected) in [("torn", "1 of 7\nno database\n"), ("slow", "waits\n")] {
        let log = daemon.path(&format!("state/logs/{target}.log"));
        let log = fs::read_to_string(log).unwrap();
        assert!(log.starts_with(expected), "{target}: {log}");
    }
}
