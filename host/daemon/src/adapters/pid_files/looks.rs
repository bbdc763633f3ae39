//! Looks at pid files, on threads of their own.
//!
//! Invariant: of one file there is one look at a time, which all share who ask while it lasts. So one on a file system that
//! does not answer holds one thread, and none of those that the whole daemon shares.

use super::{Known, Refused, named};
use crate::{adapters::threads::Threads, ports::NamedProcess};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::oneshot;

/// Files that are looked at at a time, those of which the look hangs among them.
const MAX_THREADS: usize = 64;

/// What a file names.
pub(super) type Found = Result<Option<NamedProcess>, Refused>;

/// Who waits for the look at each file.
type Waiting = Mutex<HashMap<PathBuf, Vec<oneshot::Sender<Found>>>>;

/// The looks that last. Clones are the same.
#[derive(Clone)]
pub(super) struct Looks {
    waiting: Arc<Waiting>,
    threads: Threads,
}

/// One of them. Where it breaks off, or never begins, who waits for it learns of that.
struct Look {
    file: PathBuf,
    waiting: Arc<Waiting>,
    is_done: bool,
}

impl Look {
    /// Who waited for it; who asks from now on has another one.
    fn done(&mut self) -> Vec<oneshot::Sender<Found>> {
        self.is_done = true;
        self.waiting.lock().remove(&self.file).unwrap_or_default()
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        if !self.is_done {
            drop(self.done());
        }
    }
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            waiting: Arc::default(),
            threads: Threads::new("pid-files", MAX_THREADS),
        }
    }
}

impl Looks {
    /// What the file names. May be dropped: the look goes on.
    pub(super) async fn look(&self, file: PathBuf, known: Arc<Known>) -> Found {
        self.share(file, move |file| named(file, &known)).await
    }

    async fn share(
        &self,
        file: PathBuf,
        look: impl FnOnce(&Path) -> Found + Send + 'static,
    ) -> Found {
        let (sender, found) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting.lock();
            let others = waiting.entry(file.clone()).or_default();
            let is_first = others.is_empty();
            // Those that have given up; the first one stays, by which others know of the look.
            let mut place = 0;
            others.retain(|sender| {
                place += 1;
                place == 1 || !sender.is_closed()
            });
            others.push(sender);
            is_first
        };
        if is_first {
            let waiting = Arc::clone(&self.waiting);
            let mut this = Look {
                file,
                waiting,
                is_done: false,
            };
            let begun = self.threads.run(move || {
                let found = look(&this.file);
                for sender in this.done() {
                    // Nobody may wait for it any more.
                    let _ = sender.send(found.clone());
                }
            });
            begun.map_err(|error| format!("no thread can be started: {error}"))?;
        }
        let interrupted = |error| format!("the look was interrupted: {error}");
        found.await.map_err(interrupted)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::within;
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering::SeqCst},
            mpsc,
        },
        time::Duration,
    };

    #[tokio::test]
    async fn who_asks_while_a_look_at_a_file_hangs_shares_it_and_other_files_are_looked_at() {
        let (looks, count) = (Looks::default(), Arc::new(AtomicUsize::new(0)));
        let (release, hang) = mpsc::channel::<()>();
        let hang = Arc::new(std::sync::Mutex::new(hang));
        let slow = || {
            let (count, hang) = (Arc::clone(&count), Arc::clone(&hang));
            looks.share(PathBuf::from("/slow"), move |_| {
                count.fetch_add(1, SeqCst);
                let _ = hang.lock().map(|hang| hang.recv());
                Ok(None)
            })
        };
        for _ in 0..100 {
            let given_up = tokio::time::timeout(Duration::from_millis(1), slow()).await;
            assert!(given_up.is_err());
        }
        assert!(looks.waiting.lock()[Path::new("/slow")].len() <= 2);
        let other = looks.share(PathBuf::from("/other"), |_| {
            Err("refused".to_owned().into())
        });
        assert_eq!(within(other).await.unwrap_err().why, "refused");
        drop(release);
        assert_eq!(within(slow()).await, Ok(None));
        assert!(count.load(SeqCst) <= 2, "{count:?}");
    }

    #[tokio::test]
    async fn a_look_that_breaks_off_is_told_and_the_next_one_looks_anew() {
        let looks = Looks::default();
        let file = || PathBuf::from("/file");
        let broken = looks.share(file(), |_| panic!("as it was told"));
        let error = within(broken).await.unwrap_err();
        assert!(error.why.contains("interrupted"), "{error:?}");
        assert_eq!(within(looks.share(file(), |_| Ok(None))).await, Ok(None));
    }
}
