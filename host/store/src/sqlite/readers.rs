//! Read-only connections, on the runtime's blocking threads.
//!
//! Invariant: of one pool at most [`MAX_READERS`] read at one time, the others wait; none can write. A query has its place until
//! it ends, also where nobody waits for its answer any more: so many who ask and go away read no more than that.

use super::{
    error::{explain, sentence, writer_gone},
    open::open_to_read,
};
use crate::port::{Reading, StoreError, StoreErrorKind};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::{path::PathBuf, sync::Arc};
use tokio::sync::Semaphore;

/// Connections that read at one time.
const MAX_READERS: usize = 4;

/// The connections that nobody uses now, and how many may be used.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            idle: Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(MAX_READERS)),
        }
    }

    /// Runs a query once a connection is free.
    pub(super) fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Reading<'static, T> {
        let readers = Arc::clone(self);
        Box::pin(async move {
            let Ok(permit) = Arc::clone(&readers.permits).acquire_owned().await else {
                return Err(writer_gone(&readers.path));
            };
            let path = readers.path.clone();
            let reading = {
                let readers = Arc::clone(&readers);
                tokio::task::spawn_blocking(move || {
                    let _permit = permit;
                    readers.run(query)
                })
            };
            let panicked = "was not read: the query has panicked";
            reading
                .await
                .unwrap_or_else(|_| Err(sentence(&path, StoreErrorKind::Unreadable, panicked)))
        })
    }

    fn run<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let explained = |error: rusqlite::Error| explain(&self.path, &error);
        // Not in the match: the lock would be held while a connection is opened.
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_to_read(&self.path).map_err(explained)?,
        };
        // A connection that has failed is not used again.
        let answer = query(&connection).map_err(explained)?;
        if !self.permits.is_closed() {
            self.idle().push(connection);
        }
        Ok(answer)
    }

    fn idle(&self) -> parking_lot::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock()
    }

    /// Closes the connections that nobody uses; no other is opened.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::mpsc, time::Duration};
    use tokio::{sync::oneshot, time::timeout};

    #[tokio::test]
    async fn a_query_that_nobody_waits_for_any_more_keeps_its_place_until_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        let journal = Connection::open(&path).unwrap();
        journal.execute_batch("CREATE TABLE rows (row)").unwrap();
        let readers = Arc::new(Readers::new(path));
        let mut hanging = Vec::new();
        for _ in 0..MAX_READERS {
            let (release, hang) = mpsc::channel::<()>();
            let (begun, begins) = oneshot::channel();
            let reading = tokio::spawn(readers.read(move |_| {
                let _ = begun.send(());
                let _ = hang.recv();
                Ok(())
            }));
            begins.await.unwrap();
            // Who asked has gone.
            reading.abort();
            assert!(reading.await.unwrap_err().is_cancelled());
            hanging.push(release);
        }
        let mut next = readers.read(|_| Ok(7));
        let early = timeout(Duration::from_millis(20), &mut next).await;
        assert!(early.is_err(), "more read than there are places");
        drop(hanging.pop());
        let read = timeout(Duration::from_secs(20), next).await;
        assert_eq!(read.unwrap().unwrap(), 7);
    }
}
