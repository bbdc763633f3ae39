//! Where numbers are written: one recorder for all who count.
//!
//! Invariant: raw samples of histograms never pile up, however long nobody asks for the numbers.

use super::catalog::{CATALOG, Kind};
use mainstay_domain::statsd::Series;
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Label, Metadata, Recorder, SharedString,
    Unit, describe_counter, describe_gauge, describe_histogram, histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};
use tokio::sync::mpsc;

/// Histograms keep raw samples until upkeep; it is run after so many, and whenever the numbers are asked for.
const UPKEEP_AFTER: u32 = 1_000;
/// Upkeep goes through every series, so that with many it must not follow each thousand samples: after one that took `t`
/// the next is due after this many `t`, which keeps it at half a percent of one core. Samples wait in 8 bytes each.
const UPKEEP_SHARE: u32 = 200;

/// The name of a number, and its label where it has one, with that one's value.
type OneLabel = (&'static str, Option<(&'static str, &'static str)>);

/// All numbers of the daemon; clones are the same ones.
#[derive(Clone)]
pub struct Numbers {
    recorder: Arc<PrometheusRecorder>,
    /// Since the last upkeep.
    samples: Arc<AtomicU32>,
    /// When the next upkeep that nobody asked for may be; none before the first. Held during it.
    rested: Arc<Mutex<Option<Instant>>>,
    /// Histograms that many hold.
    shared: Arc<Mutex<HashMap<OneLabel, Histogram>>>,
    /// Who wants each sample of a histogram; nobody by default.
    each: Option<mpsc::Sender<Sample>>,
}

/// One sample of a histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Of which one.
    pub(crate) series: Series,
    /// As it was put in.
    pub(crate) value: f64,
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
            shared: Arc::default(),
            each: None,
        };
        numbers.write(describe);
        Ok(numbers)
    }

    /// The same ones, of whose histograms each sample is sent too; where there is no room it is left out.
    pub fn with_each_sample(mut self, each: mpsc::Sender<Sample>) -> Self {
        self.each = Some(each);
        self
    }

    /// Does what counts; the macros of `metrics` write here meanwhile.
    pub(crate) fn write<T>(&self, count: impl FnOnce() -> T) -> T {
        let recorder = &*self.recorder;
        match &self.each {
            None => with_local_recorder(recorder, count),
            Some(each) => with_local_recorder(&EachSample { recorder, each }, count),
        }
    }

    /// A histogram that as many hold as ask for it: a handle of its own for each would be memory for each.
    pub(crate) fn shared_histogram(
        &self,
        name: &'static str,
        label: Option<(&'static str, &'static str)>,
    ) -> Histogram {
        let create = || {
            let label = label.map(|(name, value)| Label::new(name, value));
            let labels: Vec<Label> = label.into_iter().collect();
            self.write(|| histogram!(name, labels))
        };
        let mut shared = self.shared.lock();
        shared.entry((name, label)).or_insert_with(create).clone()
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

/// Writes all, and sends each sample.
struct EachSample<'a> {
    recorder: &'a PrometheusRecorder,
    each: &'a mpsc::Sender<Sample>,
}

impl Recorder for EachSample<'_> {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.recorder.describe_counter(name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.recorder.describe_gauge(name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.recorder.describe_histogram(name, unit, help);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.recorder.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.recorder.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let label = |label: &Label| (label.key().to_owned(), label.value().to_owned());
        Histogram::from_arc(Arc::new(SentHistogram {
            inner: self.recorder.register_histogram(key, metadata),
            series: Series {
                name: key.name().to_owned(),
                labels: key.labels().map(label).collect(),
            },
            each: self.each.clone(),
        }))
    }
}

/// A histogram of which each sample is sent.
struct SentHistogram {
    inner: Histogram,
    series: Series,
    each: mpsc::Sender<Sample>,
}

impl HistogramFn for SentHistogram {
    fn record(&self, value: f64) {
        self.inner.record(value);
        let series = self.series.clone();
        // Who cannot keep up, or is gone, goes without.
        let _ = self.each.try_send(Sample { series, value });
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
