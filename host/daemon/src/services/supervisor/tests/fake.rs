//! Processes that are none, for what real ones do not do when they are told to, and a supervisor over them.

use super::*;
use crate::ports::{Boxed, Exit, ProcessError};
use mainstay_domain::time::Timestamp;
use std::sync::atomic::AtomicU32;

/// The number of the first process; each further one has the next.
pub(super) const FIRST: u32 = 4_000_000;

/// What the processes do. Where a test says nothing else they start at once, run without end, and end when they are
/// stopped.
pub(super) trait Behaviour: Send + Sync + 'static {
    /// Why a start comes to nothing, once that is known; none where there is a process.
    fn fails_to_start(&self, _target: &TargetName) -> Option<Boxed<'static, ProcessError>> {
        None
    }
    /// Resolves when no start hangs.
    fn start_ended(&self) -> Boxed<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    fn is_alive(&self) -> bool {
        true
    }
    fn wait(&self, _identity: ProcessIdentity) -> Boxed<'static, Exit> {
        Box::pin(std::future::pending())
    }
    fn stop(&self, _signal: Signal, _grace: Duration) -> Boxed<'static, Exit> {
        Box::pin(std::future::ready(Exit::Signal(9)))
    }
}

/// Such processes.
pub(super) struct FakeProcesses<B> {
    pub(super) behaviour: B,
    starts: AtomicU32,
    looks: AtomicU32,
}

impl<B> FakeProcesses<B> {
    /// How often the rest of one that ended was looked for.
    pub(super) fn looks(&self) -> u32 {
        self.looks.load(Ordering::SeqCst)
    }

    /// How often one was started, or was to be.
    pub(super) fn starts(&self) -> u32 {
        self.starts.load(Ordering::SeqCst)
    }
}

impl<B: Behaviour> Processes for FakeProcesses<B> {
    fn spawn(
        &self,
        target: &TargetName,
        _: &ProcessSpec,
        restarts: u32,
    ) -> Boxed<'_, Result<ProcessIdentity, ProcessError>> {
        let number = self.starts.fetch_add(1, Ordering::SeqCst);
        if let Some(failure) = self.behaviour.fails_to_start(target) {
            return Box::pin(async move { Err(failure.await) });
        }
        let identity = ProcessIdentity {
            pid: FIRST + number,
            start_ticks: 1,
            boot_id: self.boot_id().to_owned(),
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
        self.behaviour.start_ended()
    }
    fn look_for_rest(&self, _: &TargetName) {
        self.looks.fetch_add(1, Ordering::SeqCst);
    }
    fn find(&self, _: Vec<(TargetName, String)>) -> Boxed<'_, Vec<(TargetName, ProcessIdentity)>> {
        Box::pin(std::future::ready(Vec::new()))
    }
    fn boot_id(&self) -> &str {
        "boot"
    }
    fn is_alive(&self, _: &ProcessIdentity) -> bool {
        self.behaviour.is_alive()
    }
    fn wait(&self, identity: ProcessIdentity) -> Boxed<'static, Exit> {
        self.behaviour.wait(identity)
    }
    fn signal(&self, _: &ProcessIdentity, _: Signal) -> Result<(), ProcessError> {
        Ok(())
    }
    fn stop(&self, _: ProcessIdentity, signal: Signal, grace: Duration) -> Boxed<'static, Exit> {
        self.behaviour.stop(signal, grace)
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

/// A supervisor of these, with the real monitor behind it.
pub(super) struct Faked<B> {
    pub(super) supervisor: Supervisor,
    pub(super) processes: Arc<FakeProcesses<B>>,
    pub(super) findings: mpsc::Receiver<Finding>,
    pub(super) config: watch::Sender<Arc<Spec>>,
    pub(super) stop: CancellationToken,
    pub(super) service: JoinHandle<Result<(), Stragglers>>,
}

impl<B> Faked<B> {
    pub(super) fn pid(&self, target: &str) -> Option<u32> {
        let status = self.supervisor.status(&name(target));
        status.and_then(|status| status.pid)
    }
}

impl<B> Drop for Faked<B> {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// One that runs.
pub(super) fn supervise<B: Behaviour>(behaviour: B, config: Arc<Spec>) -> Faked<B> {
    let (sender, findings) = mpsc::channel(64);
    let (config, receiver) = watch::channel(config);
    let shared = Shared {
        journal: MemoryJournal::new(),
        clock: Arc::new(SystemClock::new()),
        spec: receiver,
    };
    let numbers = Numbers::new().unwrap();
    let monitor = Monitor::new(shared.clone(), ScriptedProbe::new(), numbers, sender);
    let processes = Arc::new(FakeProcesses {
        behaviour,
        starts: AtomicU32::new(0),
        looks: AtomicU32::new(0),
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
    let service = tokio::spawn(supervisor.clone().run(stop.clone()));
    Faked {
        supervisor,
        processes,
        findings,
        config,
        stop,
        service,
    }
}
