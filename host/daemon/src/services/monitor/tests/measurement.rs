//! How many checks a second, and how late; printed, not asserted.

use super::*;
use crate::{
    adapters::clock::SystemClock,
    ports::{Boxed, Probe},
    services::testing::specs,
};
use mainstay_domain::{health::Evidence, spec::CheckSpec};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};
use tokio::time::sleep;

/// Sees health, and how late it is called.
struct Counting {
    looks: AtomicU64,
}

impl Probe for Counting {
    fn observe(
        &self,
        target: Arc<TargetSpec>,
        check: Arc<CheckSpec>,
        _pid: Option<u32>,
    ) -> Boxed<'_, Option<Observation>> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let evidence = Evidence {
            check: check.name.to_string(),
            observed_at: mainstay_domain::time::Timestamp::from_millis(0),
            message: "as it should be".to_owned(),
            value: None,
            output: None,
            score: None,
        };
        let seen = Observation {
            target: target.name.clone(),
            check: check.name.clone(),
            outcome: Outcome::Healthy,
            evidence,
        };
        Box::pin(std::future::ready(Some(seen)))
    }
}

async fn measure(count: u32, every: Duration) {
    let targets = (0..count).map(|number| {
        let mut check = specs::check("tcp");
        check.every = every;
        target(&format!("t-{number}"), vec![check])
    });
    let probe = Arc::new(Counting {
        looks: AtomicU64::new(0),
    });
    let (sender, _findings) = mpsc::channel(16);
    let (_config, receiver) = watch::channel(spec(targets.collect()));
    let begin = Instant::now();
    let clock = Arc::new(SystemClock::new());
    let (journal, numbers) = (MemoryJournal::new(), Numbers::new().unwrap());
    let shared = Shared {
        journal,
        clock,
        spec: receiver,
    };
    let monitor = Monitor::new(shared, probe.clone(), numbers, sender);
    let built = begin.elapsed();
    let stop = CancellationToken::new();
    let service = tokio::spawn(monitor.run(stop.clone()));
    sleep(every).await;
    let (begin, cpu, looks) = (
        Instant::now(),
        cpu_time(),
        probe.looks.load(Ordering::Relaxed),
    );
    let mut lateness = Vec::new();
    while begin.elapsed() < every {
        let (before, planned) = (Instant::now(), Duration::from_millis(5));
        sleep(planned).await;
        lateness.push(before.elapsed().saturating_sub(planned));
    }
    let looks = probe.looks.load(Ordering::Relaxed) - looks;
    let rate = looks as f64 / begin.elapsed().as_secs_f64();
    let each = (cpu_time() - cpu) / u32::try_from(looks.max(1)).unwrap();
    lateness.sort();
    let late = lateness[lateness.len() * 99 / 100];
    println!(
        "{count} checks every {every:?}: built in {built:?}; {rate:.0} a second, {each:?} of CPU each, timers p99 {late:?} late"
    );
    stop.cancel();
    service.await.unwrap();
}

/// User and system time of this program; 10 ms fine.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_ascii_whitespace()
        .collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: cargo test -p mainstay-daemon --release --lib -- --ignored --nocapture how_many_checks"]
async fn how_many_checks_a_second() {
    for (count, every) in [(1_000, 1), (10_000, 1), (100_000, 10), (50_000, 1)] {
        measure(count, Duration::from_secs(every)).await;
    }
}
