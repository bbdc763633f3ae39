//! The threads of the journal, and who hears of one that breaks off.

use super::{
    error::{sentence, writer_panicked},
    queue::Queue,
};
use crate::port::{StoreError, StoreErrorKind};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    thread::JoinHandle,
};
use tokio::sync::SetOnce;

/// What is needed to start them.
pub(super) struct Threads {
    pub(super) path: PathBuf,
    /// Takes nothing more once one of them has panicked.
    pub(super) queue: Arc<Queue>,
    /// Set where one of them has panicked, to why.
    pub(super) broken: Arc<SetOnce<String>>,
}

impl Threads {
    /// Starts one.
    pub(super) fn start(
        &self,
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<JoinHandle<()>, StoreError> {
        let (path, queue) = (self.path.clone(), Arc::clone(&self.queue));
        let broken = Arc::clone(&self.broken);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
                    queue.end();
                    let _ = broken.set(writer_panicked(&path, &*panic));
                }
            })
            .map_err(|error| {
                let what = format!("cannot be written to: no thread ({error})");
                sentence(&self.path, StoreErrorKind::Unavailable, what)
            })
    }
}
