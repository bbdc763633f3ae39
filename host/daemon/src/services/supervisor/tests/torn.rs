//! What becomes of the service where a part of it breaks off.

use super::*;
use crate::ports::{Boxed, Exit, ProcessError};
use mainstay_domain::time::Timestamp;

/// Processes whose end cannot be waited for.
struct NoEnd;

impl Processes for NoEnd {
    fn spawn(
        &self,
        _: &TargetName,
        _: &ProcessSpec,
        restarts: u32,
    ) -> Boxed<'_, Result<ProcessIdentity, ProcessError>> {
        let identity = ProcessIdentity {
            pid: 4_000_000,
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
        false
    }
    fn wait(&self, _: ProcessIdentity) -> Boxed<'static, Exit> {
        Box::pin(torn())
    }
    fn signal(&self, _: &ProcessIdentity, _: Signal) -> Result<(), ProcessError> {
        Ok(())
    }
    fn stop(&self, _: ProcessIdentity, _: Signal, _: Duration) -> Boxed<'static, Exit> {
        Box::pin(std::future::ready(Exit::Unknown))
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

async fn torn() -> Exit {
    panic!("out of luck")
}

#[tokio::test]
async fn where_a_process_is_waited_for_no_more_the_service_ends_too() {
    let (sender, _findings) = mpsc::channel(64);
    let (_config, spec) = watch::channel(spec(vec![child("web", &SLEEP)]));
    let shared = Shared {
        journal: MemoryJournal::new(),
        clock: Arc::new(SystemClock::new()),
        spec,
    };
    let probe = ScriptedProbe::new();
    let numbers = crate::services::metrics::Numbers::new().unwrap();
    let monitor = Monitor::new(shared.clone(), probe, numbers, sender);
    let ports = SupervisorPorts {
        processes: Arc::new(NoEnd),
        commands: Arc::new(NotedCommands::default()),
        pid_files: Arc::new(HostPidFiles::default()),
        watch: Arc::new(monitor),
        shared,
        foreign_cwd: PathBuf::from("/"),
        ends_at: Arc::default(),
    };
    let supervisor = Supervisor::new(ports, PreviousRun::default());
    let service = tokio::spawn(supervisor.run(CancellationToken::new()));
    let end = within(service).await.unwrap_err();
    assert!(end.to_string().contains("out of luck"), "{end}");
}
