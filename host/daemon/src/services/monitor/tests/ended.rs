//! What a process wrote before it ended, and who waits for that.

use super::*;
use crate::ports::{Boxed, Probe};
use mainstay_domain::spec::CheckSpec;

/// Reads last lines, or hangs.
struct Lines(Option<&'static str>);

impl Probe for Lines {
    fn observe(
        &self,
        _target: Arc<TargetSpec>,
        _check: Arc<CheckSpec>,
        _pid: Option<u32>,
    ) -> Boxed<'_, Option<Observation>> {
        Box::pin(std::future::ready(None))
    }

    fn last_lines(&self, _target: Arc<TargetSpec>) -> Boxed<'_, Option<String>> {
        match self.0 {
            Some(lines) => Box::pin(std::future::ready(Some(lines.to_owned()))),
            None => Box::pin(std::future::pending()),
        }
    }
}

/// The evidence of an exit, after what was written was asked for.
async fn evidence_of_exit(lines: Lines) -> Evidence {
    let (sender, mut findings) = mpsc::channel(16);
    let (_config, receiver) = watch::channel(spec(vec![child("web", &["/bin/sleep", "1000"])]));
    let shared = Shared {
        journal: MemoryJournal::new(),
        clock: ManualClock::new(),
        spec: receiver,
    };
    let numbers = Numbers::new().unwrap();
    let monitor = Monitor::new(shared, Arc::new(lines), numbers, sender);
    let web = name("web");
    monitor.process_changed(&web, ProcessUpdate::Started(Some(7)));
    within(monitor.has_ended(&web)).await;
    let why = "process 7 exited with code 1".to_owned();
    monitor.process_changed(&web, ProcessUpdate::Exited(why));
    match findings.try_recv().unwrap() {
        Finding::Exited { evidence, .. } => evidence,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_process_wrote_last_goes_with_its_exit_and_where_that_cannot_be_read_the_exit_is_told_without()
 {
    let evidence = evidence_of_exit(Lines(Some("FATAL: no space"))).await;
    assert_eq!(evidence.output.as_deref(), Some("FATAL: no space"));
    let evidence = evidence_of_exit(Lines(None)).await;
    assert_eq!(evidence.output, None);
}
