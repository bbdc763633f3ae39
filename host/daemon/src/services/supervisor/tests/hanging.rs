//! Starts that hang.

use super::*;
use crate::ports::{Boxed, Exit, ProcessError};
use mainstay_domain::time::Timestamp;
use std::sync::atomic::AtomicU32;

/// Whose starts hang while `hangs`: those of `db` are given up, those of others never end.
struct Hanging {
    hangs: watch::Sender<bool>,
    starts: AtomicU32,
}

impl Processes for Hanging {
    fn spawn(
        &self,
        target: &TargetName,
        _: &ProcessSpec,
        restarts: u32,
    ) -> Boxed<'_, Result<ProcessIdentity, ProcessError>> {
        let number = self.starts.fetch_add(1, Ordering::SeqCst);
        match (target.as_str(), *self.hangs.borrow()) {
            ("db", true) => return Box::pin(std::future::ready(Err(ProcessError::StartHangs))),
            ("slow", true) => return Box::pin(std::future::pending()),
            _ => {}
        }
        let identity = ProcessIdentity {
            pid: 4_000_000 + number,
            start_ticks: 1,
            boot_id: "boot".to_owned(),
            started_at: Timestamp::from_millis(0),
            restarts,
            config: None,
            ended: None,
            completed: false,
            marked_as: None,
            output: None,
        };
        Box::pin(std::future::ready(Ok(identity)))
    }
    fn start_ended(&self, _: &TargetName) -> Boxed<'_, ()> {
        let mut hangs = self.hangs.subscribe();
        Box::pin(async move {
            hangs.wait_for(|hangs| !hangs).await.unwrap();
        })
    }
    fn find(&self, _: Vec<(TargetName, String)>) -> Boxed<'_, Vec<(TargetName, ProcessIdentity)>> {
        Box::pin(std::future::ready(Vec::new()))
    }
    fn boot_id(&self) -> &str {
        "boot"
    }
    fn is_alive(&self, _: &ProcessIdentity) -> bool {
        true
    }
    fn wait(&self, _: ProcessIdentity) -> Boxed<'static, Exit> {
        Box::pin(std::future::pending())
    }
    fn signal(&self, _: &ProcessIdentity, _: Signal) -> Result<(), ProcessError> {
        Ok(())
    }
    fn stop(&self, _: ProcessIdentity, _: Signal, _: Duration) -> Boxed<'static, Exit> {
        Box::pin(std::future::ready(Exit::Signal(9)))
    }
    fn rotate(
        &self,
        _: &TargetName,
        _: &ProcessSpec,
        _: &ProcessIdentity,
    ) -> Boxed<'_, Result<(), ProcessError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A supervisor of these targets, whose starts hang.
struct Started {
    supervisor: Supervisor,
    processes: Arc<Hanging>,
    findings: mpsc::Receiver<Finding>,
    _config: watch::Sender<Arc<Spec>>,
    stop: CancellationToken,
}

fn started(targets: Vec<TargetSpec>) -> Started {
    let (sender, findings) = mpsc::channel(64);
    let (config, receiver) = watch::channel(spec(targets));
    let shared = Shared {
        journal: MemoryJournal::new(),
        clock: Arc::new(SystemClock::new()),
        spec: receiver,
    };
    let numbers = Numbers::new().unwrap();
    let monitor = Monitor::new(shared.clone(), ScriptedProbe::new(), numbers, sender);
    let processes = Arc::new(Hanging {
        hangs: watch::channel(true).0,
        starts: AtomicU32::new(0),
    });
    let ports = SupervisorPorts {
        processes: processes.clone(),
        commands: Arc::new(NotedCommands::default()),
        pid_files: Arc::new(HostPidFiles::default()),
        watch: Arc::new(monitor.clone()),
        shared,
        foreign_cwd: PathBuf::from("/"),
        ends_at: Arc::default(),
    };
    let supervisor = Supervisor::new(ports, PreviousRun::default());
    let stop = CancellationToken::new();
    tokio::spawn(monitor.run(stop.clone()));
    tokio::spawn(supervisor.clone().run(stop.clone()));
    Started {
        supervisor,
        processes,
        findings,
        _config: config,
        stop,
    }
}

#[tokio::test]
async fn a_target_whose_start_hangs_is_down_can_be_worked_on_and_starts_once_that_has_ended() {
    let mut started = started(vec![child("db", &SLEEP)]);
    let finding = within(started.findings.recv()).await.unwrap();
    assert!(
        format!("{finding:?}").contains("its start hangs"),
        "{finding:?}"
    );
    let refused = within(started.supervisor.restart(name("db"))).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("no second copy is started"), "{refused}");
    let pid = || started.supervisor.status(&name("db")).unwrap().pid;
    assert_eq!(pid(), None);
    started.processes.hangs.send_replace(false);
    wait_until("it runs", || pid().is_some()).await;
    assert_eq!(started.processes.starts.load(Ordering::SeqCst), 3);
    started.stop.cancel();
}

#[tokio::test]
async fn what_depends_on_a_target_whose_start_does_not_end_starts_after_the_start_period() {
    let mut slow = child("slow", &SLEEP);
    slow.start_period = Duration::from_millis(50);
    let mut web = child("web", &SLEEP);
    web.depends_on = vec![name("slow")];
    let started = started(vec![slow, web]);
    let pid = |target| started.supervisor.status(&name(target)).unwrap().pid;
    wait_until("it runs", || pid("web").is_some()).await;
    assert_eq!(pid("slow"), None);
    started.stop.cancel();
}
