//! Tells the driver of handlers that serve from now on.

use super::RecoveryEngine;
use crate::ports::Journal;
use mainstay_domain::{
    event::{Event, EventKind},
    name::PluginName,
    recovery::Input,
};
use std::sync::Arc;
use tokio::sync::{broadcast::error::RecvError, mpsc};

impl RecoveryEngine {
    /// A handler serves from now on; none: whichever was missed.
    pub(super) fn serves(&mut self, handler: Option<PluginName>) {
        let handlers = match handler {
            Some(handler) => {
                let spec = Arc::clone(&self.spec.borrow());
                let plugin = spec.plugins.get(&handler);
                let instances = plugin
                    .into_iter()
                    .flat_map(|plugin| plugin.instances.keys());
                let instances: Vec<PluginName> = instances.cloned().collect();
                std::iter::once(handler).chain(instances).collect()
            }
            None => self.machine.missing(),
        };
        for handler in handlers {
            self.input(Input::Serves(handler));
        }
    }
}

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
