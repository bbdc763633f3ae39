//! Processes, programs, files, disks, memory and CPU use.

use super::*;
use crate::{
    adapters::{environment::OF_THE_TESTS, process::stat::ProcessStat},
    services::testing::{ManualClock, wait_until},
};
use mainstay_domain::spec::ExecCheck;
use std::{collections::BTreeMap, os::unix::process::CommandExt};

#[tokio::test]
async fn a_process_is_known_by_its_number_or_its_pid_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let by_file = || CheckKind::Process {
        pid_file: Some(file.clone()),
    };
    check(by_file(), Outcome::Failed, "does not exist").await;
    for (content, outcome, message) in [
        (
            format!("{}\n", std::process::id()),
            Outcome::Healthy,
            "runs",
        ),
        (
            "4194999".to_owned(),
            Outcome::Failed,
            "process 4194999 does not run",
        ),
        (
            "-1".to_owned(),
            Outcome::Failed,
            "holds `-1`, which is no process number",
        ),
        (String::new(), Outcome::Failed, "holds ``"),
    ] {
        std::fs::write(&file, content).unwrap();
        check(by_file(), outcome, message).await;
    }
    // What never ends, or waits for a writer that never comes.
    let fifo = dir.path().join("fifo");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).unwrap();
    for file in [fifo, PathBuf::from("/dev/zero"), dir.path().to_owned()] {
        let pid_file = Some(file);
        check(
            CheckKind::Process { pid_file },
            Outcome::Unknown,
            "no regular file",
        )
        .await;
    }
    let supervised = CheckKind::Process { pid_file: None };
    check(
        supervised.clone(),
        Outcome::Failed,
        "the supervised process does not run",
    )
    .await;
    let seen = look(supervised, Some(std::process::id()), SECOND).await;
    assert_eq!(seen.outcome, Outcome::Healthy);
}

fn exec(script: &str, degraded_exit: Option<i32>) -> CheckKind {
    CheckKind::Exec(ExecCheck {
        degraded_exit,
        ..shell(script)
    })
}

fn shell(script: &str) -> ExecCheck {
    ExecCheck {
        run: ["/bin/sh", "-c", script].map(str::to_owned).into(),
        cwd: PathBuf::from("/usr"),
        env: BTreeMap::new(),
        user: None,
        degraded_exit: None,
        output_contains: None,
        degraded_output: None,
    }
}

#[tokio::test]
async fn a_program_is_judged_by_its_exit_and_its_last_line_is_the_evidence() {
    check(
        exec("pwd", None),
        Outcome::Healthy,
        "exited with code 0: /usr",
    )
    .await;
    check(
        exec("echo one; echo two >&2; echo; exit 1", None),
        Outcome::Failed,
        "code 1: two",
    )
    .await;
    check(
        exec("echo slow; exit 1", Some(1)),
        Outcome::Degraded,
        "code 1: slow",
    )
    .await;
    check(
        exec("kill -9 $$", Some(9)),
        Outcome::Failed,
        "ended by signal 9",
    )
    .await;
    check(exec("seq 100000", None), Outcome::Healthy, "code 0: 100000").await;
    check(
        exec("sleep 1000 & echo left", None),
        Outcome::Healthy,
        "code 0: left",
    )
    .await;
}

#[tokio::test]
async fn a_program_that_cannot_be_run_has_seen_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let plain = plain.to_str().unwrap();
    for (run, cwd, message) in [
        (
            "/no/such",
            "/usr",
            "cannot run `/no/such`: it does not exist",
        ),
        (plain, "/usr", "permission denied"),
        ("/usr", "/usr", "permission denied"),
        (
            "/bin/true",
            "/no/where",
            "cannot run `/bin/true`: there is no directory /no/where",
        ),
    ] {
        let kind = CheckKind::Exec(ExecCheck {
            run: vec![run.to_owned()],
            cwd: PathBuf::from(cwd),
            ..shell("")
        });
        check(kind, Outcome::Unknown, message).await;
    }
}

#[tokio::test]
async fn the_output_of_a_program_is_judged_as_far_as_the_check_asks() {
    let judged = |script: &str, wanted: Option<&str>, degraded: Option<&str>| {
        CheckKind::Exec(ExecCheck {
            output_contains: wanted.map(str::to_owned),
            degraded_output: degraded.map(str::to_owned),
            ..shell(script)
        })
    };
    let full = "echo 'FATAL: too many clients' >&2; echo bye; exit 2";
    let early = "echo PONG; seq 10000";
    let too_early = "echo PONG; seq 20000";
    for (kind, outcome, message) in [
        (
            judged("echo PONG", Some("PONG"), None),
            Outcome::Healthy,
            "code 0: PONG",
        ),
        (
            judged("echo LOADING", Some("PONG"), None),
            Outcome::Failed,
            "code 0, but its output does not hold `PONG`: LOADING",
        ),
        (
            judged("exit 0", Some("PONG"), None),
            Outcome::Failed,
            "does not hold `PONG`",
        ),
        (
            judged("echo PONG; exit 3", Some("PONG"), None),
            Outcome::Failed,
            "code 3: PONG",
        ),
        (
            judged(early, Some("PONG"), None),
            Outcome::Healthy,
            "code 0: 10000",
        ),
        (
            judged(too_early, Some("PONG"), None),
            Outcome::Failed,
            "does not hold",
        ),
        (
            judged(full, None, Some("too many clients")),
            Outcome::Degraded,
            "code 2: FATAL: too many clients",
        ),
        (
            judged(full, None, Some("no such words")),
            Outcome::Failed,
            "code 2: bye",
        ),
        (
            judged("echo slow", Some("fast"), Some("slow")),
            Outcome::Degraded,
            "code 0: slow",
        ),
        (
            judged("echo slow; kill -9 $$", None, Some("slow")),
            Outcome::Failed,
            "ended by signal 9 (SIGKILL): slow",
        ),
    ] {
        check(kind, outcome, message).await;
    }
}

#[tokio::test]
async fn a_program_gets_the_variables_of_its_check_with_secrets_in_their_places() {
    let env = |value: &str| BTreeMap::from([("WORD".to_owned(), value.to_owned())]);
    let script = "test \"$WORD\" = 'is hunter2!' && echo \"$WORD\"";
    let kind = CheckKind::Exec(ExecCheck {
        env: env("is ${secret:db}!"),
        ..shell(script)
    });
    check(kind, Outcome::Healthy, "code 0: is ${secret:db}!").await;
    // That says nothing about the target.
    let unknown = CheckKind::Exec(ExecCheck {
        env: env("${secret:other}"),
        ..shell("exit 1")
    });
    check(unknown, Outcome::Unknown, "environment variable WORD: ").await;
}

#[tokio::test]
async fn a_program_runs_as_the_user_of_its_check() {
    let of = |user: &str| {
        CheckKind::Exec(ExecCheck {
            user: Some(user.to_owned()),
            ..shell("echo $(id -un) $USER")
        })
    };
    let missing = "as the user `no-such-user-here`: ";
    check(of("no-such-user-here"), Outcome::Unknown, missing).await;
    let (outcome, message) = match rustix::process::geteuid().is_root() {
        true => (Outcome::Healthy, "code 0: nobody nobody"),
        // Only root may become another.
        false => (Outcome::Unknown, "as the user `nobody`: "),
    };
    check(of("nobody"), outcome, message).await;
}

#[tokio::test]
async fn a_log_that_somebody_elses_link_leads_to_is_unknown_and_shown_to_nobody() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can make a link of somebody else.
    }
    let directory = tempfile::tempdir().unwrap();
    let (private, log) = (
        directory.path().join("private"),
        directory.path().join("log"),
    );
    std::fs::write(&private, "FATAL words\n").unwrap();
    std::os::unix::fs::symlink(&private, &log).unwrap();
    std::os::unix::fs::lchown(&log, Some(65_534), Some(65_534)).unwrap();
    let kind = CheckKind::Log {
        path: Some(log),
        pattern: mainstay_domain::spec::LogPattern::Text("FATAL".to_owned()),
    };
    let message = "a link of user 65534 leads to a file of user 0";
    check(kind.clone(), Outcome::Unknown, message).await;
    let mut target = (*target()).clone();
    target.checks = vec![(*check_of(kind, 20 * SECOND)).clone()];
    assert_eq!(probe().long_log_end(&target).await, None);
}

#[tokio::test]
async fn what_can_hang_at_its_start_waits_on_a_thread_of_its_own_and_within_the_timeout() {
    let (probe, check) = (probe(), check_of(exec("true", None), 20 * SECOND));
    let (release, hang) = std::sync::mpsc::channel::<()>();
    // As a program on a file system that does not answer.
    let target = target();
    let hanging = probe.blocking.look(&target.name, &check, move || {
        let _ = hang.recv();
    });
    let hanging = tokio::time::timeout(Duration::from_millis(1), hanging).await;
    assert!(hanging.is_err());
    let seen = probe.observe(target, check.clone(), None).await;
    let seen = seen.unwrap();
    let message = &seen.evidence.message;
    assert!(message.contains("an earlier look"), "{message}");
    assert_eq!(seen.outcome, Outcome::Unknown, "it has not looked");
    drop(release);
}

#[tokio::test]
async fn a_program_inherits_the_daemons_environment_without_the_variables_of_secrets() {
    let script = format!("echo ${{PATH:+a path}}, ${{{OF_THE_TESTS}-no secret}}");
    check(exec(&script, None), Outcome::Healthy, ": a path, no secret").await;
}

#[tokio::test]
async fn what_a_program_prints_is_shown_without_the_values_of_secrets() {
    let script = "printf hun; echo ter2; exit 1";
    check(exec(script, None), Outcome::Failed, "code 1: ${secret:db}").await;
}

#[tokio::test]
async fn what_a_file_says_is_shown_without_the_values_of_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    std::fs::write(&file, "hunter2").unwrap();
    let pid_file = Some(file);
    check(
        CheckKind::Process { pid_file },
        Outcome::Failed,
        "holds `${secret:db}`, which is no process number",
    )
    .await;
}

#[tokio::test]
async fn a_program_that_runs_too_long_is_killed_with_all_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    let script = format!("sleep 1000 & echo $! $$ >{}; wait", pids.display());
    let seen = look(exec(&script, None), None, Duration::from_millis(300)).await;
    assert!(
        seen.evidence
            .message
            .contains("did not end within 300 ms and was killed"),
        "{seen:?}"
    );
    let start = Instant::now();
    let pids = std::fs::read_to_string(&pids).unwrap();
    for pid in pids.split_ascii_whitespace() {
        let stat = || ProcessStat::read(pid.parse().unwrap()).unwrap();
        while stat().is_some_and(|stat| !stat.has_ended()) {
            assert!(start.elapsed() < 20 * SECOND, "process {pid} still runs");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_file_is_judged_by_age_size_and_content() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report");
    let file = |max_age: Option<u64>, min_bytes, contains: Option<&str>| CheckKind::File {
        path: path.clone(),
        max_age: max_age.map(Duration::from_secs),
        min_bytes,
        contains: contains.map(str::to_owned),
    };
    check(file(None, None, None), Outcome::Failed, "does not exist").await;
    std::fs::write(&path, "all good").unwrap();
    check(
        file(Some(60), Some(8), Some("good")),
        Outcome::Healthy,
        "is there, 8 bytes",
    )
    .await;
    check(
        file(None, Some(9), None),
        Outcome::Failed,
        "has 8 bytes, at least 9 bytes are needed",
    )
    .await;
    check(
        file(None, None, Some("bad")),
        Outcome::Failed,
        "does not hold `bad`",
    )
    .await;
    let old = std::time::SystemTime::now() - Duration::from_secs(100);
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(old)
        .unwrap();
    check(
        file(Some(60), None, None),
        Outcome::Failed,
        "old, at most 60 s is allowed",
    )
    .await;
}

#[tokio::test]
async fn a_file_that_is_too_old_by_a_wall_clock_that_was_just_set_is_unknown() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock = ManualClock::new();
    let environment = without_that_of_the_tests();
    let probe = HostProbe::new(Arc::new(OneSecret), environment, clock.clone()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report");
    std::fs::write(&path, "all good").unwrap();
    let file = |path: &Path| CheckKind::File {
        path: path.to_owned(),
        max_age: Some(SECOND),
        min_bytes: None,
        contains: None,
    };
    let check = check_of(file(&path), 20 * SECOND);
    let gone = check_of(file(&dir.path().join("gone")), 20 * SECOND);
    let look = |check: &Arc<CheckSpec>| probe.observe(target(), check.clone(), None);
    assert_eq!(look(&check).await.unwrap().outcome, Outcome::Healthy);
    // The clock of the test is of 2023.
    clock.set_ahead(Duration::from_secs(100 * 365 * 86_400));
    let seen = look(&check).await.unwrap();
    assert_eq!(seen.outcome, Outcome::Unknown, "{}", seen.evidence.message);
    assert!(seen.evidence.message.contains("its wall clock was set by"));
    assert_eq!(look(&gone).await.unwrap().outcome, Outcome::Failed);
    clock.advance(Duration::from_secs(601));
    assert_eq!(look(&check).await.unwrap().outcome, Outcome::Failed);
}

#[tokio::test]
async fn disk_and_memory_are_measured() {
    let disk = |max_percent| CheckKind::Disk {
        path: "/".into(),
        max_percent,
        warn_percent: Some(0.0),
    };
    check(disk(100.0), Outcome::Degraded, "worth a warning").await;
    check(disk(0.0), Outcome::Failed, "at most 0 % is allowed").await;
    let gone = CheckKind::Disk {
        path: "/no/such".into(),
        max_percent: 95.0,
        warn_percent: None,
    };
    check(gone, Outcome::Failed, "/no/such: it does not exist").await;
    let host = |max_percent| CheckKind::Memory {
        max_percent,
        max_bytes: None,
        pid_file: None,
    };
    check(host(100.0), Outcome::Healthy, "the memory of the host is").await;
    check(host(0.0), Outcome::Failed, "% full").await;
    let group = |max_bytes| CheckKind::Memory {
        max_percent: 90.0,
        max_bytes: Some(max_bytes),
        pid_file: None,
    };
    check(group(1), Outcome::Failed, "does not run").await;
    let own = rustix::process::getpgrp()
        .as_raw_nonzero()
        .get()
        .cast_unsigned();
    let seen = look(group(1), Some(own), SECOND).await;
    assert!(
        seen.evidence.message.contains("at most 1 byte are allowed"),
        "{seen:?}"
    );
    assert!(seen.evidence.value > Some(1e6), "{seen:?}");
    assert_eq!(
        look(group(u64::MAX), Some(own), SECOND).await.outcome,
        Outcome::Healthy
    );
}

/// A shell and what it starts, in a process group of their own, which ends with this.
struct Group(std::process::Child);

impl Group {
    fn run(script: &str) -> Self {
        let mut shell = std::process::Command::new("/bin/sh");
        Self(shell.args(["-c", script]).process_group(0).spawn().unwrap())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.0.wait();
    }
}

/// The clocks of the system, moved on by hand.
struct MovedClock(SystemClock, parking_lot::Mutex<Duration>);

impl Clock for MovedClock {
    fn now(&self) -> mainstay_domain::time::Timestamp {
        self.0.now()
    }
    fn monotonic(&self) -> mainstay_domain::time::Monotonic {
        self.0.monotonic() + *self.1.lock()
    }
    fn with_suspension(&self) -> mainstay_domain::time::Monotonic {
        self.monotonic()
    }
}

#[tokio::test]
async fn the_use_of_the_cpu_is_measured_from_the_second_look_on() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock = Arc::new(MovedClock(
        SystemClock::new(),
        parking_lot::Mutex::default(),
    ));
    let environment = without_that_of_the_tests();
    let probe = HostProbe::new(Arc::new(OneSecret), environment, clock.clone()).unwrap();
    let idle = Group::run("exec sleep 1000");
    let kind = CheckKind::Cpu {
        max_percent: 100_000.0,
        degraded_percent: None,
        pid_file: None,
    };
    let check = check_of(kind, 20 * SECOND);
    let look = |pid| probe.observe(target(), Arc::clone(&check), pid);
    let pid = idle.0.id();
    assert_eq!(look(Some(pid)).await, None, "it is the first");
    *clock.1.lock() += mainstay_domain::cpu::SHORTEST_SPAN;
    let seen = look(Some(pid)).await.unwrap();
    assert_eq!(seen.outcome, Outcome::Healthy, "{seen:?}");
    let message = &seen.evidence.message;
    assert!(
        message.contains(&format!("process {pid} and its group use")),
        "{message}"
    );
    assert!(seen.evidence.value.is_some(), "{seen:?}");

    drop(idle);
    assert_eq!(look(Some(pid)).await, None, "it has ended");
    let seen = look(None).await.unwrap();
    assert_eq!(seen.outcome, Outcome::Failed);
    let message = &seen.evidence.message;
    assert!(message.contains("does not run"), "{message}");
}

#[tokio::test]
async fn what_a_child_of_the_process_uses_counts_too() {
    let (groups, clock) = (Groups::default(), SystemClock::new());
    // The shell waits; its child is what spins.
    let group = Group::run("sh -c 'while :; do :; done' & wait");
    let read = || cpu::read(group.0.id(), groups::Kin::Group, &groups, &clock).unwrap();
    let first = read();
    wait_until("it uses the CPU", || {
        let now = read();
        assert_eq!((now.pid, now.start_ticks), (first.pid, first.start_ticks));
        now.used > first.used + Duration::from_millis(100)
    })
    .await;
}

#[tokio::test]
async fn a_foreign_service_is_measured_with_all_that_descends_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let memory = |max_bytes| CheckKind::Memory {
        max_percent: 90.0,
        max_bytes: Some(max_bytes),
        pid_file: Some(file.clone()),
    };
    let seen = |kind| {
        let check = check_of(kind, 20 * SECOND);
        async move { probe().observe(target(), check, None).await }
    };
    // As the backends of PostgreSQL: in a session of its own.
    let service = Group::run("setsid sleep 1000 & wait");
    assert_eq!(seen(memory(1)).await, None, "there is no file");
    std::fs::write(&file, "4194999").unwrap();
    assert_eq!(seen(memory(1)).await, None, "it does not run");
    std::fs::write(&file, service.0.id().to_string()).unwrap();
    check(memory(1), Outcome::Failed, "and its descendants hold").await;
    check(memory(1 << 40), Outcome::Healthy, "B of memory").await;
    let group = |pid: u32| ProcessStat::read(pid).unwrap().map(|stat| stat.group);
    let kin = || Groups::default().members(service.0.id(), groups::Kin::Descendants);
    wait_until("its descendant, in a group of its own", || {
        let kin = kin();
        kin.len() == 2 && group(kin[1]) == Some(kin[1])
    })
    .await;
    let descendant = rustix::process::Pid::from_raw(kin()[1].cast_signed()).unwrap();
    let _ = rustix::process::kill_process(descendant, rustix::process::Signal::KILL);
}
