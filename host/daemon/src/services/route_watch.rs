//! Tells people of routes that are left without any handler that serves, and when they have one again.
//!
//! Invariant: nothing is told before the plugins that lie in their directory at the start were looked at.

use super::shared::Shared;
use crate::ports::PluginView;
use mainstay_domain::{
    event::{Event, EventKind},
    name::PluginName,
    plugin::{PluginKind, PluginState},
    route::{GapNews, GapWatch, gaps},
    severity::Severity,
};
use parking_lot::RwLock;
use semver::Version;
use std::{future::pending, sync::Arc, time::Duration};
use tokio::sync::broadcast::{Receiver, error::RecvError};
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
        let mut events = self.shared.journal.subscribe();
        let mut spec = self.shared.spec.clone();
        loop {
            spec.mark_unchanged();
            let is_judged = self.plugins.are_judged();
            let due = match is_judged {
                true => self.look(),
                false => None,
            };
            tokio::select! { biased;
                () = stop.cancelled() => return,
                () = self.plugins.judged(), if !is_judged => {}
                () = plugins_changed(&mut events) => {}
                changed = spec.changed() => if changed.is_err() {
                    // The daemon is about to end.
                    return stop.cancelled().await;
                },
                () = pass(due) => {}
            }
        }
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
                    "no route lacks {handler} any more: each that named it has a handler that serves, or is gone"
                );
                Event::new(EventKind::RouteHandled, Severity::Low, at, message).with_plugin(handler)
            }
        };
        self.shared.submit_event(event);
    }
}

/// Every version of a plugin of this kind that serves, by the plugin's name.
pub(super) fn serving(plugins: &dyn PluginView, kind: PluginKind) -> Vec<(PluginName, Version)> {
    let rows = plugins.rows().into_iter();
    let serving = rows.filter_map(|row| {
        let serves =
            row.state == PluginState::Serving && row.kind.map(PluginKind::serves_as) == Some(kind);
        row.name.zip(row.version).filter(|_| serves)
    });
    serving.collect()
}

/// Resolves when another version serves, or one does no more.
async fn plugins_changed(events: &mut Receiver<Arc<Event>>) {
    loop {
        match events.recv().await {
            Ok(event) => {
                if matches!(
                    event.kind,
                    EventKind::PluginServing | EventKind::PluginDraining
                ) {
                    return;
                }
            }
            // One of them may have been missed.
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => return pending().await,
        }
    }
}

async fn pass(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => pending().await,
    }
}
