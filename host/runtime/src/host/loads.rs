//! Components that are loaded beside everything else, for they have to be compiled first.
//!
//! Invariant: what no file waits for any more is ended, and what came of it forgotten.

use super::watch::Hints;
use crate::{error::LoadError, loader::Candidate};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::task::AbortHandle;

/// What is loaded, by digest.
pub(super) struct Loads {
    hints: Arc<Hints>,
    loads: Arc<Mutex<BTreeMap<String, Load>>>,
}

enum Load {
    Running(AbortHandle),
    Done(Result<Candidate, LoadError>),
}

impl Loads {
    /// None yet; the hints ring when one is done.
    pub(super) fn new(hints: Arc<Hints>) -> Self {
        Self {
            hints,
            loads: Arc::default(),
        }
    }

    /// Begins this load, unless one of this digest has begun.
    pub(super) fn begin(
        &self,
        digest: &str,
        load: impl Future<Output = Result<Candidate, LoadError>> + Send + 'static,
    ) {
        let mut loads = self.loads.lock();
        if loads.contains_key(digest) {
            return;
        }
        let (key, there, hints) = (digest.to_owned(), self.loads.clone(), self.hints.clone());
        let task = tokio::spawn(async move {
            let loaded = load.await;
            there.lock().insert(key, Load::Done(loaded));
            hints.ring();
        });
        tracing::info!(
            digest,
            "a plugin is compiled; everything else goes on meanwhile"
        );
        loads.insert(digest.to_owned(), Load::Running(task.abort_handle()));
    }

    /// What came of these bytes, once that is known.
    pub(super) fn take(&self, digest: &str) -> Option<Result<Candidate, LoadError>> {
        let mut loads = self.loads.lock();
        match loads.remove(digest)? {
            Load::Done(loaded) => Some(loaded),
            running => {
                loads.insert(digest.to_owned(), running);
                None
            }
        }
    }

    pub(super) fn is_running(&self, digest: &str) -> bool {
        matches!(self.loads.lock().get(digest), Some(Load::Running(_)))
    }

    pub(super) fn is_done(&self, digest: &str) -> bool {
        matches!(self.loads.lock().get(digest), Some(Load::Done(_)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.loads.lock().is_empty()
    }

    /// Ends what is not wanted.
    pub(super) fn keep_only(&self, wanted: &BTreeSet<&str>) {
        self.loads.lock().retain(|digest, load| {
            let is_wanted = wanted.contains(digest.as_str());
            if let Load::Running(task) = load
                && !is_wanted
            {
                task.abort();
            }
            is_wanted
        });
    }
}

impl Drop for Loads {
    fn drop(&mut self) {
        self.keep_only(&BTreeSet::new());
    }
}
