//! Services that others supervise.

use super::*;
use crate::ports::{Boxed, ForeignProcess, NamedEnd, NamedProcess, PidFileError, Watch};
use mainstay_domain::{
    effect::CommandOutput,
    health::Health,
    name::CommandName,
    spec::{CheckKind, CommandSpec, ForeignCommands, RunAs},
};

/// Notes what is run, and answers with an exit code for each.
#[derive(Default)]
pub(super) struct NotedCommands {
    run: Mutex<Vec<String>>,
    exit_code: Mutex<i32>,
    /// Commands that begin with this fail, whatever that says.
    failing: Mutex<Option<&'static str>>,
}

impl Commands for NotedCommands {
    fn run(
        &self,
        _name: CommandName,
        _spec: CommandSpec,
        _arguments: Vec<(String, String)>,
        _key: String,
        _max_output: u64,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>> {
        unreachable!("the supervisor runs no named commands")
    }

    fn run_foreign(
        &self,
        _of: TargetName,
        argv: Vec<String>,
        cwd: PathBuf,
        _timeout: Duration,
        _run_as: RunAs,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>> {
        let words = argv.join(" ");
        let fails = self
            .failing
            .lock()
            .is_some_and(|failing| words.starts_with(failing));
        self.run
            .lock()
            .push(format!("{words} in {}", cwd.display()));
        let output = CommandOutput {
            exit_code: if fails { 3 } else { *self.exit_code.lock() },
            stdout: Vec::new().into(),
            stderr: b"first\nno such unit\n".to_vec().into(),
            truncated: false,
        };
        Box::pin(std::future::ready(Ok(output)))
    }
}

fn words(text: &str) -> Option<Vec<String>> {
    Some(text.split(' ').map(str::to_owned).collect())
}

fn foreign(commands: ForeignCommands) -> TargetSpec {
    TargetSpec {
        commands,
        ..target("db", Vec::new())
    }
}

#[tokio::test]
async fn a_foreign_service_is_controlled_by_its_commands() {
    let dir = tempfile::tempdir().unwrap();
    let commands = ForeignCommands {
        start: words("svc start db"),
        stop: words("svc stop db"),
        ..ForeignCommands::default()
    };
    let mut daemon = Daemon::start(dir.path(), vec![foreign(commands)], PreviousRun::default());
    within(daemon.supervisor.restart(name("db"))).await.unwrap();
    within(daemon.supervisor.stop(name("db"))).await.unwrap();
    within(daemon.supervisor.start(name("db"))).await.unwrap();
    let expected = ["svc stop db", "svc start db", "svc stop db", "svc start db"];
    assert_eq!(
        *daemon.commands.run.lock(),
        expected.map(|words| format!("{words} in /etc"))
    );
    let status = daemon.supervisor.status(&name("db")).unwrap();
    assert_eq!((status.running, status.pid), (None, None));
    assert_eq!(status.restarts, 2, "by a restart and by a start");
    assert_eq!(daemon.supervisor.not_started(&name("db")), None);

    *daemon.commands.exit_code.lock() = 5;
    let error = within(daemon.supervisor.start(name("db")))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "unavailable: db: `svc start db` exited with code 5: no such unit"
    );
    let not_started = daemon.supervisor.not_started(&name("db")).unwrap();
    assert_eq!(
        not_started.why,
        "`svc start db` exited with code 5: no such unit"
    );
    let status = daemon.supervisor.status(&name("db")).unwrap();
    assert_eq!(status.restarts, 2, "it was not started");
    // An attempt of a recovery runs it again after its wait, for it may work then.
    let restarted = within(daemon.supervisor.restart(name("db"))).await;
    assert!(
        matches!(restarted, Err(EffectError::Unavailable(_))),
        "{restarted:?}"
    );
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn why_a_foreign_service_was_not_started_is_known_until_it_is_or_need_not_be() {
    let dir = tempfile::tempdir().unwrap();
    let commands = ForeignCommands {
        start: words("svc start db"),
        stop: words("svc stop db"),
        ..ForeignCommands::default()
    };
    let mut daemon = Daemon::start(dir.path(), vec![foreign(commands)], PreviousRun::default());
    let supervisor = daemon.supervisor.clone();
    for is_stopped in [false, true] {
        *daemon.commands.failing.lock() = Some("svc start");
        within(supervisor.restart(name("db"))).await.unwrap_err();
        assert!(supervisor.not_started(&name("db")).is_some());
        *daemon.commands.failing.lock() = None;
        match is_stopped {
            true => within(supervisor.stop(name("db"))).await.unwrap(),
            false => within(supervisor.start(name("db"))).await.unwrap(),
        }
        assert_eq!(supervisor.not_started(&name("db")), None);
    }
    // A stop that fails says nothing of a start.
    *daemon.commands.failing.lock() = Some("svc stop");
    within(supervisor.stop(name("db"))).await.unwrap_err();
    assert_eq!(supervisor.not_started(&name("db")), None);
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn the_process_of_a_foreign_service_is_that_of_its_pid_file_or_of_one_of_its_checks() {
    let dir = tempfile::tempdir().unwrap();
    let pid_files = Arc::new(NotedPidFiles::default());
    let with_file = ForeignCommands {
        pid_file: Some(PathBuf::from("/run/db.pid")),
        ..ForeignCommands::default()
    };
    let named = |of: &str| TargetSpec {
        name: name(of),
        ..foreign(ForeignCommands::default())
    };
    let mut checked = named("checked");
    checked.checks = vec![check("tcp"), check("process")];
    checked.checks[0].every = DEADLINE * 10;
    checked.checks[1].every = DEADLINE * 10;
    checked.checks[1].kind = CheckKind::Process {
        pid_file: Some(PathBuf::from("/run/checked.pid")),
    };
    let targets = vec![
        foreign(with_file),
        checked,
        named("unknown"),
        child("web", &SLEEP),
    ];
    let previous = PreviousRun::default();
    let mut daemon = Daemon::with(dir.path(), targets, previous, pid_files.clone());
    daemon.run();
    let supervisor = daemon.supervisor.clone();
    let seen = |of: &str| supervisor.service_pid(&name(of));
    for of in ["db", "checked"] {
        wait_until("its process is seen", || seen(of) == Some(NAMED.pid)).await;
    }
    let process = |of: &str| within(supervisor.foreign_process(name(of)));
    let known = |file: &str, pid| {
        let pid_file = Some(PathBuf::from(file));
        Some(ForeignProcess { pid_file, pid })
    };
    let pid = Ok(Some(NAMED.pid));
    assert_eq!(process("db").await, known("/run/db.pid", pid.clone()));
    assert_eq!(process("checked").await, known("/run/checked.pid", pid));
    let nobody_knows = ForeignProcess {
        pid_file: None,
        pid: Ok(None),
    };
    assert_eq!(process("unknown").await, Some(nobody_knows));
    assert_eq!(process("web").await, None, "it is the daemon's own");
    pid_files.in_doubt.store(true, Ordering::SeqCst);
    let doubt = Err("/run/db.pid: who knows".to_owned());
    assert_eq!(process("db").await, known("/run/db.pid", doubt));
    for of in ["db", "unknown", "web"] {
        assert_eq!(seen(of), None, "{of}");
    }
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_foreign_service_has_its_own_restart_and_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let commands = ForeignCommands {
        restart: words("svc restart db"),
        ..ForeignCommands::default()
    };
    let mut daemon = Daemon::start(dir.path(), vec![foreign(commands)], PreviousRun::default());
    within(daemon.supervisor.restart(name("db"))).await.unwrap();
    assert_eq!(*daemon.commands.run.lock(), ["svc restart db in /etc"]);
    let error = within(daemon.supervisor.stop(name("db")))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("neither `run` nor `commands.stop`"),
        "{error}"
    );
    let error = within(daemon.supervisor.signal(name("db"), Signal::Hup))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("no supervised process"),
        "{error}"
    );
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_foreign_service_starts_when_the_command_that_started_it_has_ended_well() {
    let dir = tempfile::tempdir().unwrap();
    let mut db = foreign(ForeignCommands {
        restart: words("svc restart db"),
        ..ForeignCommands::default()
    });
    db.start_period = DEADLINE * 10;
    db.checks = vec![check("tcp")];
    db.checks[0].every = DEADLINE * 10;
    let mut daemon = Daemon::start(dir.path(), vec![db], PreviousRun::default());
    let health = |daemon: &Daemon| daemon.monitor.health(&name("db")).unwrap().0;
    wait_until("it is looked at", || health(&daemon) == Health::Healthy).await;
    within(daemon.supervisor.restart(name("db"))).await.unwrap();
    assert_eq!(health(&daemon), Health::Starting);
    *daemon.commands.exit_code.lock() = 5;
    within(daemon.supervisor.restart(name("db")))
        .await
        .unwrap_err();
    assert_eq!(health(&daemon), Health::Healthy, "as it was last seen");
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_stop_that_fails_does_not_keep_the_start_back_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let commands = ForeignCommands {
        start: words("svc start db"),
        stop: words("svc stop db"),
        ..ForeignCommands::default()
    };
    let mut daemon = Daemon::start(dir.path(), vec![foreign(commands)], PreviousRun::default());
    *daemon.commands.failing.lock() = Some("svc stop");
    within(daemon.supervisor.restart(name("db"))).await.unwrap();
    let expected = ["svc stop db in /etc", "svc start db in /etc"];
    assert_eq!(*daemon.commands.run.lock(), expected);
    assert_eq!(
        daemon.messages(EventKind::TargetWarned),
        ["db: `svc stop db` exited with code 3: no such unit; it is started all the same"]
    );
    // A stop alone is no stop.
    within(daemon.supervisor.stop(name("db")))
        .await
        .unwrap_err();
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn what_the_pid_file_names_is_ended_where_the_stop_does_not_end_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut service = std::process::Command::new("/bin/sleep")
        .arg("1000")
        .spawn()
        .unwrap();
    let file = dir.path().join("db.pid");
    std::fs::write(&file, service.id().to_string()).unwrap();
    let commands = ForeignCommands {
        start: words("svc start db"),
        stop: words("svc stop db"),
        pid_file: Some(file),
        ..ForeignCommands::default()
    };
    let mut daemon = Daemon::start(dir.path(), vec![foreign(commands)], PreviousRun::default());
    *daemon.commands.failing.lock() = Some("svc stop");
    // Who waits for it reaps it, so that it is gone.
    let pid = service.id();
    let reaping = tokio::task::spawn_blocking(move || service.wait());
    within(daemon.supervisor.restart(name("db"))).await.unwrap();
    within(reaping).await.unwrap().unwrap();
    let expected = format!(
        "db: `svc stop db` exited with code 3: no such unit; process {pid} of its pid file was ended by SIGTERM; \
         it is started all the same"
    );
    assert_eq!(daemon.messages(EventKind::TargetWarned), [expected]);
    assert_eq!(daemon.commands.run.lock().len(), 2, "stop and start");
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn an_order_that_waited_while_its_target_was_taken_away_runs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let commands = ForeignCommands {
        start: words("svc start db"),
        stop: words("svc stop db"),
        ..ForeignCommands::default()
    };
    let targets = vec![foreign(commands), child("web", &SLEEP)];
    let mut daemon = Daemon::start(dir.path(), targets, PreviousRun::default());
    let pid = daemon.runs("web", None).await;
    let core = Arc::clone(&daemon.supervisor.core);
    let [db, web] = ["db", "web"].map(|of| core.get(&name(of)).unwrap());
    let (db_turn, web_turn) = (db.turn.lock().await, web.turn.lock().await);
    let orders = ["db", "web"].map(|of| {
        let supervisor = daemon.supervisor.clone();
        tokio::spawn(async move { supervisor.restart(name(of)).await })
    });
    wait_until("both wait", || core.tasks.len() == 2).await;
    daemon.config.send_replace(spec(Vec::new()));
    wait_until("they are gone", || !db.is_listed() && !web.is_listed()).await;
    drop((db_turn, web_turn));
    for order in orders {
        let error = within(order).await.unwrap().unwrap_err().to_string();
        assert!(error.contains("there is no target"), "{error}");
    }
    assert!(daemon.commands.run.lock().is_empty());
    wait_until("its process has ended with its target", || !lives(pid)).await;
    let started = daemon.messages(EventKind::ProcessStarted);
    assert_eq!(started.len(), 1, "{started:?}");
    daemon.shut_down().await.unwrap();
}

/// Pid files that name one process; what ends it.
#[derive(Default)]
struct NotedPidFiles {
    /// Whether it was asked to end before, and how long it then has.
    ends: Mutex<Vec<(bool, Duration)>>,
    /// Nobody can tell whether that process is meant.
    in_doubt: AtomicBool,
    /// It has ended.
    ended: AtomicBool,
}

const NAMED: NamedProcess = NamedProcess {
    pid: 4_000_000,
    start_ticks: 1,
};

impl PidFiles for NotedPidFiles {
    fn named(&self, file: PathBuf) -> Boxed<'static, Result<Option<NamedProcess>, PidFileError>> {
        let named = match self.in_doubt.load(Ordering::SeqCst) {
            true => Err(PidFileError {
                file,
                why: "who knows".to_owned(),
                claims: Some(NAMED),
            }),
            false => Ok(Some(NAMED)),
        };
        Box::pin(std::future::ready(named))
    }
    fn ended(&self, process: NamedProcess, _: Duration) -> Boxed<'static, bool> {
        assert_eq!(process, NAMED);
        Box::pin(std::future::ready(self.ended.load(Ordering::SeqCst)))
    }
    fn end(
        &self,
        process: NamedProcess,
        was_asked: bool,
        grace: Duration,
        _: PathBuf,
    ) -> Boxed<'static, Result<NamedEnd, PidFileError>> {
        assert_eq!(process, NAMED);
        self.ends.lock().push((was_asked, grace));
        Box::pin(std::future::ready(Ok(NamedEnd::ByItself)))
    }
}

#[tokio::test]
async fn what_its_stop_has_asked_to_end_has_what_is_left_of_the_time_of_its_commands() {
    let dir = tempfile::tempdir().unwrap();
    let pid_files = Arc::new(NotedPidFiles::default());
    let timeouts = [DEADLINE * 30, Duration::from_secs(1)];
    for timeout in timeouts {
        let commands = ForeignCommands {
            start: words("svc start db"),
            stop: words("svc stop db"),
            pid_file: Some(dir.path().join("db.pid")),
            timeout,
            ..ForeignCommands::default()
        };
        let (targets, previous) = (vec![foreign(commands)], PreviousRun::default());
        let mut daemon = Daemon::with(dir.path(), targets, previous, pid_files.clone());
        daemon.run();
        within(daemon.supervisor.restart(name("db"))).await.unwrap();
        *daemon.commands.failing.lock() = Some("svc stop");
        within(daemon.supervisor.restart(name("db"))).await.unwrap();
        daemon.shut_down().await.unwrap();
    }
    let ends = pid_files.ends.lock();
    let (was_asked, grace) = ends[0];
    // Less the time that the command took.
    assert!(was_asked && grace <= DEADLINE * 30 && grace > DEADLINE * 29);
    let rest = [
        (false, DEFAULT_GRACE),
        (true, DEFAULT_GRACE),
        (false, DEFAULT_GRACE),
    ];
    assert_eq!(ends[1..], rest);
}

#[tokio::test]
async fn nothing_is_started_beside_a_process_that_may_be_the_service() {
    let dir = tempfile::tempdir().unwrap();
    let pid_files = Arc::new(NotedPidFiles::default());
    pid_files.in_doubt.store(true, Ordering::SeqCst);
    let commands = ForeignCommands {
        start: words("svc start db"),
        stop: words("svc stop db"),
        pid_file: Some(PathBuf::from("/run/db.pid")),
        ..ForeignCommands::default()
    };
    let (targets, previous) = (vec![foreign(commands)], PreviousRun::default());
    let mut daemon = Daemon::with(dir.path(), targets, previous, pid_files.clone());
    daemon.run();
    for failing in [None, Some("svc stop")] {
        *daemon.commands.failing.lock() = failing;
        let error = within(daemon.supervisor.restart(name("db"))).await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("db: /run/db.pid: who knows, and it lives on, so no second copy"),
            "{error}"
        );
    }
    let stops = ["svc stop db in /etc", "svc stop db in /etc"];
    assert_eq!(*daemon.commands.run.lock(), stops);
    // A stop has done what it could.
    *daemon.commands.failing.lock() = None;
    within(daemon.supervisor.stop(name("db"))).await.unwrap();
    assert_eq!(daemon.messages(EventKind::TargetWarned).len(), 1);
    assert!(pid_files.ends.lock().is_empty(), "it got no signal");

    pid_files.ended.store(true, Ordering::SeqCst);
    within(daemon.supervisor.restart(name("db"))).await.unwrap();
    let run = daemon.commands.run.lock().clone();
    assert_eq!(run[3..], ["svc stop db in /etc", "svc start db in /etc"]);
    daemon.shut_down().await.unwrap();
}
