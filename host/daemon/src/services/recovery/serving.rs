//! Tells the driver of handlers that serve from now on.

use crate::ports::Journal;
use mainstay_domain::{
    event::{Event, EventKind},
    name::PluginName,
};
use tokio::sync::{broadcast::error::RecvError, mpsc};

/// Tells of handlers that serve from now on; of none by name where some may have been missed.
pub(super) fn forward_serving_handlers(
    journal: &dyn Journal,
    serving: mpsc::Sender<Option<PluginName>>,
) -> impl Future<Output = ()> + Send + use<> {
    let mut events = journal.subscribe();
    async move {
        loop {
            let event = match events.recv().await {
                Ok(event) => match serving_in(&event) {
                    Some(handler) => Some(handler),
                    None => continue,
                },
                Err(RecvError::Lagged(_)) => None,
                Err(RecvError::Closed) => return,
            };
            if serving.send(event).await.is_err() {
                return;
            }
        }
    }
}

fn serving_in(event: &Event) -> Option<PluginName> {
    let serves = matches!(
        event.kind,
        EventKind::PluginServing | EventKind::PluginReleased
    );
    let plugin = event.plugin.as_deref().filter(|_| serves)?;
    let name = plugin.split('@').next().unwrap_or(plugin);
    PluginName::parse(name).ok()
}
