//! The looks of those who tell people that something does not serve, and that it does again.
//!
//! Invariant: there is none before the plugins that lie in their directory at the start were looked at.

use super::shared::Shared;
use crate::ports::PluginView;
use mainstay_domain::{
    event::{Event, EventKind},
    name::PluginName,
    plugin::{PluginKind, PluginState},
};
use semver::Version;
use std::{future::pending, sync::Arc, time::Duration};
use tokio::sync::{
    Notify,
    broadcast::{Receiver, error::RecvError},
};
use tokio_util::sync::CancellationToken;

/// Looks, and again where the config has changed, an event of a kind that `matters` was told, `also` is notified, or the time is
/// over after which a look says that there may be more. Runs until it is stopped.
pub(super) async fn look_again(
    (shared, plugins): (&Shared, &dyn PluginView),
    matters: fn(EventKind) -> bool,
    also: &Notify,
    mut look: impl FnMut() -> Option<Duration>,
    stop: CancellationToken,
) {
    let mut events = shared.journal.subscribe();
    let mut spec = shared.spec.clone();
    loop {
        spec.mark_unchanged();
        let is_judged = plugins.are_judged();
        let due = match is_judged {
            true => look(),
            false => None,
        };
        tokio::select! { biased;
            () = stop.cancelled() => return,
            () = plugins.judged(), if !is_judged => {}
            () = told(&mut events, matters) => {}
            () = also.notified() => {}
            changed = spec.changed() => if changed.is_err() {
                // The daemon is about to end.
                return stop.cancelled().await;
            },
            () = pass(due) => {}
        }
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

/// Resolves when an event of such a kind was told.
async fn told(events: &mut Receiver<Arc<Event>>, matters: fn(EventKind) -> bool) {
    loop {
        match events.recv().await {
            Ok(event) if matters(event.kind) => return,
            Ok(_) => {}
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
