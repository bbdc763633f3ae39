//! Tells people of routes that are left without any handler that serves, and when they have one again.
//!
//! Invariant: nothing is told before the plugins that lie in their directory at the start were looked at.

use super::{
    gap_looks::{look_again, serving},
    shared::Shared,
};
use crate::ports::PluginView;
use mainstay_domain::{
    event::{Event, EventKind},
    plugin::PluginKind,
    route::{GapNews, GapWatch, gaps},
    severity::Severity,
};
use parking_lot::RwLock;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What is left without a handler now, a sentence for each that is missing; shared with `status`.
#[derive(Debug, Clone, Default)]
pub struct UnhandledRoutes(Arc<RwLock<Vec<String>>>);

impl UnhandledRoutes {
    /// The sentences.
    pub fn get(&self) -> Vec<String> {
        self.0.read().clone()
    }
}

/// The service.
pub struct RouteWatch {
    /// The config has the routes, the journal gets the events.
    pub shared: Shared,
    /// What serves.
    pub plugins: Arc<dyn PluginView>,
    /// What `status` shows.
    pub unhandled: UnhandledRoutes,
    /// With what the daemon before told of.
    pub watch: GapWatch,
}

impl RouteWatch {
    /// Runs until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let (shared, plugins) = (self.shared.clone(), Arc::clone(&self.plugins));
        let (of, nothing_else) = ((&shared, &*plugins), Notify::new());
        look_again(of, matters, &nothing_else, || self.look(), stop).await;
    }

    /// Tells what is news; gives after how long there may be more.
    fn look(&mut self) -> Option<Duration> {
        let spec = Arc::clone(&self.shared.spec.borrow());
        let handlers = serving(&*self.plugins, PluginKind::RecoveryHandler);
        let gaps = gaps(&spec.routes, &spec.plugins, &handlers);
        *self.unhandled.0.write() = gaps.values().cloned().collect();
        let now = self.shared.clock.monotonic();
        for news in self.watch.observe(&gaps, now) {
            self.tell(news);
        }
        self.watch.due(now)
    }

    fn tell(&self, news: GapNews) {
        let at = self.shared.clock.now();
        let event = match news {
            GapNews::Opened { handler, message } => {
                Event::new(EventKind::RouteUnhandled, Severity::High, at, message)
                    .with_plugin(handler)
            }
            GapNews::Closed { handler } => {
                let message = format!(
                    "no route that names {handler} lacks a handler any more: each has one that serves, or is gone"
                );
                Event::new(EventKind::RouteHandled, Severity::Low, at, message).with_plugin(handler)
            }
        };
        self.shared.submit_event(event);
    }
}

/// Another version serves, or one does no more.
fn matters(kind: EventKind) -> bool {
    matches!(kind, EventKind::PluginServing | EventKind::PluginDraining)
}
