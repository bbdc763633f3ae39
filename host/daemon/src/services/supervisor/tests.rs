//! The supervisor over real processes, with the real monitor behind it.

use super::*;
use crate::{
    adapters::{clock::SystemClock, pid_files::HostPidFiles, process::HostProcesses},
    ports::{Finding, SecretError, Secrets, TargetControl},
    services::{
        metrics::Numbers,
        monitor::Monitor,
        testing::{
            DEADLINE, MemoryJournal, ScriptedProbe,
            specs::{check, child, name, spec, target},
            wait_until, within,
        },
    },
};
use mainstay_domain::{
    effect::{EffectError, Signal},
    event::EventKind,
    name::SecretName,
    record::Change,
    severity::Severity,
    spec::{OnShutdown, ProcessSpec, RestartPolicy},
};
use tokio::{sync::mpsc, task::JoinHandle};

mod config;
mod ended;
mod fake;
mod foreign;
mod hanging;
mod killed;
mod measurement;
mod predecessor;
mod renaming;
mod scale;
mod shutdown;
mod torn;
mod unended;

use foreign::NotedCommands;

const SLEEP: [&str; 2] = ["/bin/sleep", "1000"];

struct NoSecrets;

impl Secrets for NoSecrets {
    fn value(&self, name: &SecretName) -> Result<String, SecretError> {
        Err(SecretError::Unknown(name.clone()))
    }
    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

/// One daemon over a state directory.
struct Daemon {
    supervisor: Supervisor,
    monitor: Monitor,
    processes: Arc<HostProcesses>,
    commands: Arc<NotedCommands>,
    journal: Arc<MemoryJournal>,
    findings: mpsc::Receiver<Finding>,
    config: watch::Sender<Arc<Spec>>,
    stop: CancellationToken,
    service: Option<JoinHandle<Result<(), Stragglers>>>,
}

impl Daemon {
    fn new(state_dir: &std::path::Path, targets: Vec<TargetSpec>, previous: PreviousRun) -> Self {
        Self::with(
            state_dir,
            targets,
            previous,
            Arc::new(HostPidFiles::default()),
        )
    }

    fn with(
        state_dir: &std::path::Path,
        targets: Vec<TargetSpec>,
        previous: PreviousRun,
        pid_files: Arc<dyn PidFiles>,
    ) -> Self {
        let clock = Arc::new(SystemClock::new());
        let secrets = Arc::new(NoSecrets);
        let processes = HostProcesses::new(state_dir, secrets, Arc::default(), clock.clone());
        let (processes, journal) = (Arc::new(processes.unwrap()), MemoryJournal::new());
        let commands = Arc::new(NotedCommands::default());
        let (sender, findings) = mpsc::channel(64);
        let (config, receiver) = watch::channel(spec(targets));
        let shared = Shared {
            journal: journal.clone(),
            clock,
            spec: receiver,
        };
        let numbers = Numbers::new().unwrap();
        let monitor = Monitor::new(shared.clone(), ScriptedProbe::new(), numbers, sender);
        let ports = SupervisorPorts {
            processes: processes.clone(),
            commands: commands.clone(),
            pid_files,
            watch: Arc::new(monitor.clone()),
            shared,
            foreign_cwd: PathBuf::from("/etc"),
            ends_at: Arc::default(),
        };
        Self {
            supervisor: Supervisor::new(ports, previous),
            monitor,
            processes,
            commands,
            journal,
            findings,
            config,
            stop: CancellationToken::new(),
            service: None,
        }
    }

    fn start(state_dir: &std::path::Path, targets: Vec<TargetSpec>, previous: PreviousRun) -> Self {
        let mut daemon = Self::new(state_dir, targets, previous);
        daemon.run();
        daemon
    }

    fn run(&mut self) {
        tokio::spawn(self.monitor.clone().run(self.stop.clone()));
        let service = self.supervisor.clone().run(self.stop.clone());
        self.service = Some(tokio::spawn(service));
    }

    fn pid(&self, target: &str) -> Option<u32> {
        self.supervisor
            .status(&name(target))
            .and_then(|status| status.pid)
    }

    /// The number of the target's process, once it has one that is not `other`.
    async fn runs(&self, target: &str, other: Option<u32>) -> u32 {
        let other_runs = || self.pid(target).is_some_and(|pid| Some(pid) != other);
        wait_until("it runs", other_runs).await;
        self.pid(target).unwrap()
    }

    async fn finding(&mut self) -> Finding {
        within(self.findings.recv()).await.unwrap()
    }

    /// What the journal holds of a target's process.
    fn record(&self, target: &str) -> Option<ProcessIdentity> {
        let changes = self.journal.changes().into_iter().rev();
        let mut records = changes.filter_map(|change| match change {
            Change::Process(of, identity) if of.as_str() == target => Some(identity),
            _ => None,
        });
        records.next().flatten()
    }

    /// The messages of its events of this kind.
    fn messages(&self, kind: EventKind) -> Vec<String> {
        let events = self
            .journal
            .events()
            .into_iter()
            .filter(|event| event.kind == kind);
        events.map(|event| event.message).collect()
    }

    async fn shut_down(&mut self) -> Result<(), Stragglers> {
        self.stop.cancel();
        within(self.service.take().unwrap()).await.unwrap()
    }
}

impl Drop for Daemon {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for identity in self
                .supervisor
                .core
                .all()
                .iter()
                .filter_map(|supervised| supervised.process())
            {
                let _ = self.processes.signal(&identity, Signal::Kill);
            }
        }
    }
}

fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
}

#[tokio::test]
async fn a_process_that_ends_by_itself_is_told_and_left_to_recovery() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(
        dir.path(),
        vec![child("web", &SLEEP)],
        PreviousRun::default(),
    );
    let pid = daemon.runs("web", None).await;
    assert_eq!(
        daemon
            .record("web")
            .map(|record| (record.pid, record.restarts)),
        Some((pid, 0))
    );
    daemon
        .supervisor
        .signal(name("web"), Signal::Kill)
        .await
        .unwrap();
    let Finding::Exited {
        evidence: found, ..
    } = daemon.finding().await
    else {
        panic!("its exit should be told");
    };
    let Finding::Raised {
        failure,
        severity,
        evidence,
        ..
    } = daemon.finding().await
    else {
        panic!("it should be raised");
    };
    assert_eq!(found, evidence);
    assert_eq!(
        (failure.as_str(), severity),
        ("crashed", Severity::Critical)
    );
    assert!(
        evidence
            .message
            .starts_with(&format!("process {pid} was ended by signal 9")),
        "{evidence:?}"
    );
    assert_eq!(daemon.messages(EventKind::ProcessExited).len(), 1);
    let status = daemon.supervisor.status(&name("web")).unwrap();
    assert_eq!((status.running, status.pid), (Some(false), None));
    assert!(
        daemon.record("web").is_some(),
        "it should live, so the next daemon must know"
    );
    assert!(
        daemon
            .supervisor
            .signal(name("web"), Signal::Hup)
            .await
            .is_err()
    );

    within(daemon.supervisor.restart(name("web")))
        .await
        .unwrap();
    let status = daemon.supervisor.status(&name("web")).unwrap();
    assert_eq!((status.running, status.restarts), (Some(true), 1));
    assert_ne!(status.pid, Some(pid));
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_stopped_process_is_no_failure_and_starts_again_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(
        dir.path(),
        vec![child("web", &SLEEP)],
        PreviousRun::default(),
    );
    let pid = daemon.runs("web", None).await;
    within(daemon.supervisor.stop(name("web"))).await.unwrap();
    assert!(!lives(pid));
    assert_eq!(daemon.record("web"), None);
    assert!(daemon.messages(EventKind::ProcessStopped)[0].contains("was ended by signal 15"));
    within(daemon.supervisor.start(name("web"))).await.unwrap();
    let again = daemon.runs("web", Some(pid)).await;
    within(daemon.supervisor.start(name("web"))).await.unwrap();
    assert_eq!(daemon.pid("web"), Some(again), "it runs already");
    assert!(daemon.findings.try_recv().is_err(), "nothing failed");
    let error = within(daemon.supervisor.start(name("other")))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("there is no target `other`"),
        "{error}"
    );
    daemon.shut_down().await.unwrap();
    assert!(!lives(again));
}

#[tokio::test]
async fn restarts_that_are_asked_for_at_once_are_one_and_one_that_is_given_up_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(
        dir.path(),
        vec![child("web", &SLEEP)],
        PreviousRun::default(),
    );
    let pid = daemon.runs("web", None).await;
    let restart = || daemon.supervisor.restart(name("web"));
    let (a, b, c) = within(async { tokio::join!(restart(), restart(), restart()) }).await;
    a.and(b).and(c).unwrap();
    let once = daemon.runs("web", Some(pid)).await;
    assert_eq!(daemon.supervisor.status(&name("web")).unwrap().restarts, 1);
    tokio::select! { biased;
        _ = restart() => panic!("it cannot be done at once"),
        () = std::future::ready(()) => {} // Begun and given up.
    }
    daemon.runs("web", Some(once)).await;
    assert_eq!(daemon.messages(EventKind::ProcessStarted).len(), 3);
    assert!(daemon.findings.try_recv().is_err(), "nothing failed");
    daemon.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_process_that_cannot_be_started_is_a_failure_that_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(
        dir.path(),
        vec![child("web", &["/no/such"])],
        PreviousRun::default(),
    );
    let Finding::Raised { evidence, .. } = daemon.finding().await else {
        panic!("it should be raised");
    };
    assert!(
        evidence.message.contains("cannot start `/no/such`"),
        "{evidence:?}"
    );
    let error = within(daemon.supervisor.restart(name("web")))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, EffectError::Unavailable(why) if why.contains("no such program")),
        "{error}"
    );
    daemon.shut_down().await.unwrap();
}
