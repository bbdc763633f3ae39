//! What a host tells of its plugins as they come, serve and go.

use mainstay_domain::plugin::{PluginIdentity, PluginKind};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Something happened to a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginEvent {
    /// It gets calls now.
    Serving {
        /// Which.
        plugin: Arc<PluginIdentity>,
        /// What it is.
        kind: PluginKind,
        /// Its file.
        file: PathBuf,
        /// It is what the file held before, as it was kept: what the file holds now does not serve.
        is_restored: bool,
    },
    /// A file was refused; what served before still serves.
    Rejected {
        /// The file.
        file: PathBuf,
        /// Which plugin it would be, where it came that far.
        plugin: Option<Arc<PluginIdentity>>,
        /// Why.
        reason: String,
    },
    /// A file that was refused is gone, holds again what serves, or is named by nothing any more.
    Withdrawn {
        /// The file.
        file: PathBuf,
        /// Which plugin it would have been, where it came that far.
        plugin: Option<Arc<PluginIdentity>>,
    },
    /// It gets no new calls.
    Draining {
        /// Which.
        plugin: Arc<PluginIdentity>,
    },
    /// Its last call ended and its code and memory are freed.
    Retired {
        /// Which.
        plugin: Arc<PluginIdentity>,
    },
    /// It failed too often and rests.
    Quarantined {
        /// Which.
        plugin: Arc<PluginIdentity>,
        /// For how long.
        rest: Duration,
        /// What the last failure said.
        reason: String,
    },
    /// Its rest is over: it answered.
    Released {
        /// Which.
        plugin: Arc<PluginIdentity>,
    },
}

/// Is told what happens to plugins, in order; must be quick and must not call back into the host.
pub trait Observer: Send + Sync + 'static {
    /// This happened.
    fn observe(&self, event: PluginEvent);
}

/// An observer that only writes to the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogObserver;

impl Observer for LogObserver {
    fn observe(&self, event: PluginEvent) {
        match event {
            PluginEvent::Rejected { file, reason, .. } => {
                tracing::warn!(file = %file.display(), reason, "plugin rejected");
            }
            PluginEvent::Quarantined {
                plugin,
                rest,
                reason,
            } => {
                tracing::warn!(%plugin, ?rest, reason, "plugin quarantined");
            }
            other => tracing::info!(event = ?other, "plugin changed"),
        }
    }
}
