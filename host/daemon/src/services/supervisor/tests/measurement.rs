//! From the end of a process to the finding of it; printed, not asserted.

use super::*;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: cargo test -p mainstay-daemon --release --lib -- --ignored --nocapture how_long_from_an_end"]
async fn how_long_from_an_end_to_its_finding() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(
        dir.path(),
        vec![child("web", &SLEEP)],
        PreviousRun::default(),
    );
    let (mut found, mut back) = (Vec::new(), Vec::new());
    let mut pid = None;
    for _ in 0..200 {
        pid = Some(daemon.runs("web", pid).await);
        let begin = Instant::now();
        daemon
            .supervisor
            .signal(name("web"), Signal::Kill)
            .await
            .unwrap();
        daemon.finding().await;
        found.push(begin.elapsed());
        assert!(matches!(daemon.finding().await, Finding::Raised { .. }));
        daemon.supervisor.restart(name("web")).await.unwrap();
        back.push(begin.elapsed());
        crate::ports::Watch::handler_acted(&daemon.monitor, &name("web"));
        assert!(matches!(daemon.finding().await, Finding::Cleared { .. }));
    }
    for (what, mut times) in [
        ("SIGKILL to finding", found),
        ("SIGKILL to started again", back),
    ] {
        times.sort();
        println!("{what}: {:?} median, {:?} p99", times[100], times[198]);
    }
    daemon.shut_down().await.unwrap();
}
