//! Where numbers are written: one recorder for all who count.
//!
//! Invariant: raw samples of histograms never pile up, however long nobody asks for the numbers.

use super::catalog::{CATALOG, Kind};
use metrics::{describe_counter, describe_gauge, describe_histogram, with_local_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

/// Histograms keep raw samples until upkeep; it is run after so many, and whenever the numbers are asked for.
const UPKEEP_AFTER: u32 = 1_000;
/// Upkeep goes through every series, so that with many it must not follow each thousand samples: after one that took `t`
/// the next is due after this many `t`, which keeps it at some percent of one core.
const UPKEEP_SHARE: u32 = 50;

/// All numbers of the daemon; clones are the same ones.
#[derive(Clone)]
pub struct Numbers {
    recorder: Arc<PrometheusRecorder>,
    /// Since the last upkeep.
    samples: Arc<AtomicU32>,
    /// When the next upkeep that nobody asked for may be; none before the first. Held during it.
    rested: Arc<Mutex<Option<Instant>>>,
}

/// The buckets cannot be set; a defect of the program.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the metrics")]
pub struct MetricsError(#[from] metrics_exporter_prometheus::BuildError);

impl Numbers {
    /// Numbers that all start at zero.
    ///
    /// # Errors
    /// A defect of the program.
    pub fn new() -> Result<Self, MetricsError> {
        let mut builder = PrometheusBuilder::new();
        for described in CATALOG {
            if let Kind::Histogram(bounds) = described.kind {
                let name = Matcher::Full(described.name.to_owned());
                builder = builder.set_buckets_for_metric(name, bounds)?;
            }
        }
        let numbers = Self {
            recorder: Arc::new(builder.build_recorder()),
            samples: Arc::default(),
            rested: Arc::default(),
        };
        numbers.write(describe);
        Ok(numbers)
    }

    /// Does what counts; the macros of `metrics` write here meanwhile.
    pub(crate) fn write<T>(&self, count: impl FnOnce() -> T) -> T {
        with_local_recorder(&*self.recorder, count)
    }

    /// Samples were put into histograms.
    pub(crate) fn sampled(&self, samples: u32) {
        let before = self.samples.fetch_add(samples, Ordering::Relaxed);
        if before.saturating_add(samples) >= UPKEEP_AFTER {
            self.run_upkeep();
        }
    }

    fn run_upkeep(&self) {
        let Some(mut rested) = self.rested.try_lock() else {
            // Another thread is at it.
            return;
        };
        let begin = Instant::now();
        if rested.is_some_and(|rested| begin < rested) {
            return;
        }
        self.samples.store(0, Ordering::Relaxed);
        self.recorder.handle().run_upkeep();
        *rested = Some(Instant::now() + begin.elapsed() * UPKEEP_SHARE);
    }

    /// Every number in the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        let handle = self.recorder.handle();
        handle.run_upkeep();
        handle.render()
    }
}

/// Says what each number is.
fn describe() {
    for described in CATALOG {
        let (name, help) = (described.name, described.help);
        match described.kind {
            Kind::Counter => describe_counter!(name, help),
            Kind::Gauge => describe_gauge!(name, help),
            Kind::Histogram(_) => describe_histogram!(name, help),
        }
    }
}
