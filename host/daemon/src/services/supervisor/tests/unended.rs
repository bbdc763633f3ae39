//! A process that not even SIGKILL ends, until what it waits for in the kernel answers.

use super::*;
use crate::ports::{Boxed, Exit, ProcessError};
use mainstay_domain::time::Timestamp;
use std::sync::atomic::AtomicU32;

/// Processes in uninterruptible sleep while `frozen`.
struct Frozen {
    frozen: watch::Sender<bool>,
    starts: AtomicU32,
}

impl Processes for Frozen {
    fn spawn(
        &self,
        _: &TargetName,
        _: &ProcessSpec,
        restarts: u32,
    ) -> Boxed<'_, Result<ProcessIdentity, ProcessError>> {
        let number = self.starts.fetch_add(1, Ordering::SeqCst);
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
    fn find(&self, _: Vec<(TargetName, String)>) -> Boxed<'_, Vec<(TargetName, ProcessIdentity)>> {
        Box::pin(std::future::ready(Vec::new()))
    }
    fn boot_id(&self) -> &str {
        "boot"
    }
    fn is_alive(&self, _: &ProcessIdentity) -> bool {
        true
    }
    /// The first one ends when it thaws.
    fn wait(&self, identity: ProcessIdentity) -> Boxed<'static, Exit> {
        let mut frozen = self.frozen.subscribe();
        Box::pin(async move {
            if identity.pid > 4_000_000 || frozen.wait_for(|frozen| !frozen).await.is_err() {
                std::future::pending::<()>().await;
            }
            Exit::Signal(9)
        })
    }
    fn signal(&self, _: &ProcessIdentity, _: Signal) -> Result<(), ProcessError> {
        Ok(())
    }
    fn stop(&self, _: ProcessIdentity, _: Signal, _: Duration) -> Boxed<'static, Exit> {
        let exit = match *self.frozen.borrow() {
            true => Exit::Unended { state: 'D' },
            false => Exit::Signal(9),
        };
        Box::pin(std::future::ready(exit))
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

#[tokio::test]
async fn what_cannot_be_ended_is_named_gets_no_second_copy_and_is_started_when_it_has_ended() {
    let (sender, mut findings) = mpsc::channel(64);
    let (_config, receiver) = watch::channel(spec(vec![child("web", &SLEEP)]));
    let journal = MemoryJournal::new();
    let shared = Shared {
        journal: journal.clone(),
        clock: Arc::new(SystemClock::new()),
        spec: receiver,
    };
    let numbers = Numbers::new().unwrap();
    let monitor = Monitor::new(shared.clone(), ScriptedProbe::new(), numbers, sender);
    let processes = Arc::new(Frozen {
        frozen: watch::channel(true).0,
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
    let pid = || supervisor.status(&name("web")).unwrap().pid;
    wait_until("it runs", || pid() == Some(4_000_000)).await;

    for _ in 0..2 {
        let refused = within(supervisor.restart(name("web"))).await.unwrap_err();
        assert!(
            refused.to_string().contains("process 4000000 does not end"),
            "{refused}"
        );
        assert!(refused.to_string().contains("state D"), "{refused}");
    }
    within(supervisor.start(name("web"))).await.unwrap_err();
    assert_eq!(processes.starts.load(Ordering::SeqCst), 1, "no second copy");
    assert_eq!(pid(), Some(4_000_000), "it is still there");
    let finding = within(findings.recv()).await.unwrap();
    assert!(
        format!("{finding:?}").contains("does not end"),
        "{finding:?}"
    );

    processes.frozen.send_replace(false);
    wait_until("the next one runs", || pid() == Some(4_000_001)).await;
    assert_eq!(processes.starts.load(Ordering::SeqCst), 2);
    stop.cancel();
}
