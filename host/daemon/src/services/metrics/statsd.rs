//! Sends the numbers to a StatsD, each ten seconds and at the end; samples of histograms as they come.
//!
//! Invariant: what StatsD does, or that it is not there, holds up nothing and fails nothing: UDP loses what nobody takes.

use super::{Metrics, Sample};
use crate::ports::RecoveryControl;
use mainstay_domain::{
    spec::StatsdSpec,
    statsd::{Counts, Datagram, Series, Told, line},
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

/// As StatsD itself flushes.
const EVERY: Duration = Duration::from_secs(10);

/// Sends a datagram, and waits for nothing.
pub(crate) type SendDatagram = Box<dyn Fn(&[u8]) -> io::Result<()> + Send + Sync>;

/// Tells a StatsD.
pub struct StatsdService {
    /// Which one, and how.
    pub to: StatsdSpec,
    /// What is told.
    pub metrics: Arc<Metrics>,
    /// Who knows how the gate is.
    pub recovery: Arc<dyn RecoveryControl>,
    /// Each sample of a histogram.
    pub samples: mpsc::Receiver<Sample>,
    /// How.
    pub send: SendDatagram,
}

impl StatsdService {
    /// Tells until `stop`, and what is left then.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut telling = Telling::default();
        let mut due = interval(EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! { biased;
                () = stop.cancelled() => break,
                _ = due.tick() => self.tell(&mut telling).await,
                Some(sample) = self.samples.recv() => self.sample(&mut telling, &sample),
            }
        }
        while let Ok(sample) = self.samples.try_recv() {
            self.sample(&mut telling, &sample);
        }
        self.tell(&mut telling).await;
    }

    async fn tell(&self, telling: &mut Telling) {
        let gate = self.recovery.gate().await;
        let text = self.metrics.render(gate.as_ref());
        for (series, told) in telling.counts.news(&text) {
            self.add(telling, &series, told);
        }
        if let Some(last) = telling.datagram.take() {
            self.send(telling, &last);
        }
    }

    fn sample(&self, telling: &mut Telling, sample: &Sample) {
        self.add(telling, &sample.series, Told::Sample(sample.value));
    }

    fn add(&self, telling: &mut Telling, series: &Series, told: Told) {
        let full = telling.datagram.add(&line(&self.to, series, told));
        if let Some(full) = full {
            self.send(telling, &full);
        }
    }

    fn send(&self, telling: &mut Telling, datagram: &str) {
        if let Err(error) = (self.send)(datagram.as_bytes())
            && !telling.has_warned
        {
            let address = self.to.address;
            tracing::warn!(%error, %address, "numbers were not taken by StatsD; this is said once");
            telling.has_warned = true;
        }
    }
}

/// What was told, and what waits to be sent.
#[derive(Default)]
struct Telling {
    counts: Counts,
    datagram: Datagram,
    /// It was said that one could not be sent.
    has_warned: bool,
}
