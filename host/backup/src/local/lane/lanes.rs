//! The lanes of all tiers, and how long is waited in them.

use super::{Inner, Lane};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(in crate::local) struct Patience {
    /// For what only looks.
    pub(in crate::local) look: Duration,
    /// For what reads or writes a piece of content, changes names, or makes something durable.
    pub(in crate::local) change: Duration,
    /// For either where the host stops.
    pub(in crate::local) end: Duration,
    /// Before a tier that does not answer is tried again.
    pub(in crate::local) rest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(30),
            change: Duration::from_secs(300),
            end: Duration::from_secs(5),
            rest: Duration::from_secs(60),
        }
    }
}

/// Those of all tiers that are directories, but for the one in the state directory; clones are the same.
#[derive(Clone)]
pub(in crate::local) struct Lanes {
    patience: Patience,
    stop: CancellationToken,
    known: Arc<Mutex<HashMap<PathBuf, Lane>>>,
}

impl Lanes {
    /// None is asked for longer than that, nor long after `stop`.
    pub(in crate::local) fn new(patience: Patience, stop: CancellationToken) -> Self {
        Self {
            patience,
            stop,
            known: Arc::default(),
        }
    }

    /// That of the tier in this directory.
    pub(in crate::local) fn of(&self, root: &Path) -> Lane {
        let mut known = self.known.lock();
        let lane = known.entry(root.to_owned()).or_insert_with(|| {
            Lane(Arc::new(Inner {
                root: root.to_owned(),
                patience: self.patience,
                stop: self.stop.clone(),
                place: Mutex::default(),
                state: Mutex::default(),
            }))
        });
        lane.clone()
    }
}
