//! Tells people of alerters that routes name and that do not deliver, for they do not serve or their receiver fails, and when
//! they do again.
//!
//! Invariant: nothing is told before the plugins that lie in their directory at the start were looked at.
//! Invariant: no alerter is to tell of itself that it fails; see `domain::alert`. `status` shows it in any case.

use super::{
    gap_looks::{look_again, serving},
    shared::Shared,
};
use crate::ports::{Delivery, PluginView};
use mainstay_domain::{
    alert::{AlerterState, OutboxEntry, Receiving},
    event::{Event, EventKind},
    name::PluginName,
    plugin::PluginKind,
    route::{GapNews, GapWatch},
    severity::Severity,
    spec::Spec,
    time::Timestamp,
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Whether the alerters deliver; clones are the same. Shared by who delivers, who watches and who shows it.
#[derive(Clone, Default)]
pub struct AlerterHealth(Arc<Known>);

#[derive(Default)]
struct Known {
    receiving: Mutex<Receiving>,
    back: Mutex<BTreeSet<PluginName>>,
    has_back: Notify,
    is_proved: Notify,
}

impl AlerterHealth {
    fn receiving(&self) -> MutexGuard<'_, Receiving> {
        self.0.receiving.lock()
    }

    /// How each alerter stands that this config names.
    pub fn states(&self, spec: &Spec) -> Vec<AlerterState> {
        self.receiving().states(&spec.alerts)
    }

    /// What the daemon before left undelivered.
    pub(super) fn resume(&self, undelivered: &[OutboxEntry]) {
        self.receiving().resume(undelivered);
    }

    /// So many alerts wait or are under way.
    pub(super) fn wait(&self, waiting: &BTreeMap<PluginName, usize>) {
        self.receiving().wait(waiting);
    }

    /// A delivery has ended.
    pub(super) fn ended(&self, alerter: &PluginName, delivery: &Delivery, now: Timestamp) {
        let mut receiving = self.receiving();
        match delivery {
            Delivery::Delivered { .. } => receiving.delivered(alerter),
            Delivery::Delayed { why, .. } => receiving.failed(alerter, why, now),
            Delivery::Refused(why) => receiving.given_up(alerter, why, now),
        }
    }

    /// The alerters that serve and did not before; waits until there are some. May be dropped.
    pub(super) async fn came_back(&self) -> Vec<PluginName> {
        loop {
            let back = std::mem::take(&mut *self.0.back.lock());
            if !back.is_empty() {
                return back.into_iter().collect();
            }
            self.0.has_back.notified().await;
        }
    }

    /// A test alert was delivered: what waits need not wait any more.
    pub(super) fn proved(&self, alerter: &PluginName) {
        self.receiving().delivered(alerter);
        self.serve_again(vec![alerter.clone()]);
        self.0.is_proved.notify_one();
    }

    fn serve_again(&self, alerters: Vec<PluginName>) {
        if !alerters.is_empty() {
            self.0.back.lock().extend(alerters);
            self.0.has_back.notify_one();
        }
    }
}

/// The service.
pub struct AlerterWatch {
    /// The config has the routes, the journal gets the events.
    pub shared: Shared,
    /// What serves.
    pub plugins: Arc<dyn PluginView>,
    /// Whether they deliver.
    pub health: AlerterHealth,
    /// With what the daemon before told of.
    pub watch: GapWatch,
}

impl AlerterWatch {
    /// Runs until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let (shared, plugins) = (self.shared.clone(), Arc::clone(&self.plugins));
        let known = Arc::clone(&self.health.0);
        let of = (&shared, &*plugins);
        look_again(of, matters, &known.is_proved, || self.look(), stop).await;
    }

    /// Tells what is news; gives after how long there may be more.
    fn look(&mut self) -> Option<Duration> {
        let spec = Arc::clone(&self.shared.spec.borrow());
        let serving = serving(&*self.plugins, PluginKind::Alerter);
        let at = self.shared.clock.now();
        let (back, faults) = {
            let mut receiving = self.health.receiving();
            let back = receiving.serve(&spec.alerts, &spec.plugins, &serving, at);
            (back, receiving.faults(&spec.alerts))
        };
        self.health.serve_again(back);
        let now = self.shared.clock.monotonic();
        for news in self.watch.observe(&faults, now) {
            self.tell(news, at);
        }
        self.watch.due(now)
    }

    fn tell(&self, news: GapNews, at: Timestamp) {
        let event = match news {
            GapNews::Opened { handler, message } => {
                Event::new(EventKind::AlerterFailing, Severity::High, at, message)
                    .with_plugin(handler)
            }
            GapNews::Closed { handler } => {
                let message = format!(
                    "alerter {handler} serves and its deliveries do not fail, or no route names it any more"
                );
                Event::new(EventKind::AlerterRecovered, Severity::Low, at, message)
                    .with_plugin(handler)
            }
        };
        self.shared.submit_event(event);
    }
}

/// Another version serves, or one does no more, or a delivery has ended.
fn matters(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::PluginServing
            | EventKind::PluginDraining
            | EventKind::AlertDelivered
            | EventKind::AlertDelayed
            | EventKind::AlertAbandoned
    )
}
