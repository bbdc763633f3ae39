//! What a host keeps in its state directory of the plugins that it accepted: their bytes, and what they are.

use crate::{error::LoadError, pins::Pins, store::PluginStore};
use parking_lot::Mutex;
use std::{io, path::Path, sync::Arc};

/// What is kept. Its clones are one.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) store: PluginStore,
    pub(super) pins: Arc<Mutex<Pins>>,
}

impl Kept {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        Ok(Self {
            store: PluginStore::open(directory)?,
            pins: Arc::new(Mutex::new(Pins::open(directory)?)),
        })
    }

    /// The bytes of a build, on a thread for blocking work.
    pub(super) async fn read(&self, digest: &str) -> Result<Vec<u8>, LoadError> {
        let (store, wanted) = (self.store.clone(), digest.to_owned());
        let reading = tokio::task::spawn_blocking(move || store.get(&wanted));
        match reading.await.map_err(io::Error::other).flatten() {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(LoadError::Host(format!(
                "the plugin store has no build with the digest {digest}"
            ))),
            Err(error) => Err(LoadError::Host(format!(
                "cannot read the plugin store: {error}"
            ))),
        }
    }
}
