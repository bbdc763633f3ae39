//! Hints that something changed in the plugin directory.
//!
//! Invariant: events are hints: what is lost, doubled or late only changes when the directory is looked at, never
//! what is seen there. The directory is watched and not its files, for a file may be replaced by a rename.

use super::file_history;
use mainstay_domain::plugin_file::FileStamp;
use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind, RenameMode},
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{self, Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::sync::Notify;

/// Names that are remembered between two looks; where more files are closed, they wait until they have settled.
const MAX_NAMES: usize = 4_096;

/// Files that were closed or renamed since they were last taken, and a wakeup.
#[derive(Default)]
pub(crate) struct Hints {
    closed: Mutex<BTreeSet<OsString>>,
    /// The directory came, went or was replaced: its inode may be the one of before.
    is_replaced: AtomicBool,
    wakeup: Notify,
}

impl Hints {
    pub(crate) fn take(&self) -> BTreeSet<OsString> {
        std::mem::take(&mut self.closed.lock())
    }

    pub(crate) fn ring(&self) {
        self.wakeup.notify_one();
    }

    pub(crate) async fn wait(&self) {
        self.wakeup.notified().await;
    }

    /// Of an event in the plugin directory, or in the one that it would be in.
    fn on_event(&self, event: notify::Result<Event>, directory: &Path) {
        let Ok(event) = event else {
            return self.wakeup.notify_one();
        };
        let mut paths = event.paths.iter();
        // One without paths means that events were lost.
        if !event.paths.is_empty() && !paths.any(|path| path.starts_with(directory)) {
            return;
        }
        let is_of_names = matches!(
            event.kind,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        if event.paths.is_empty()
            || (is_of_names && event.paths.iter().any(|path| path == directory))
        {
            self.is_replaced.store(true, Ordering::Release);
        }
        let closed = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => true,
            // Reading a file is an event too, and this host reads.
            EventKind::Access(_) => return,
            _ => false,
        };
        if closed {
            let mut names = self.closed.lock();
            if names.len() < MAX_NAMES {
                names.extend(
                    event
                        .paths
                        .iter()
                        .filter_map(|path| Some(path.file_name()?.to_owned())),
                );
            }
        }
        self.wakeup.notify_one();
    }
}

/// What is watched, by path and inode: the plugin directory, or where that is not there, what it would be in.
type Watched = (PathBuf, u64);

/// Watches one directory, and goes on when it is replaced by another of the same name.
pub(crate) struct DirectoryWatch {
    directory: PathBuf,
    hints: Arc<Hints>,
    watcher: Option<(RecommendedWatcher, Watched)>,
}

impl DirectoryWatch {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            hints: Arc::default(),
            watcher: None,
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Everything that is taken for a plugin, with what tells its content and how old that is.
    pub(crate) async fn list(&self) -> io::Result<BTreeMap<PathBuf, (FileStamp, Duration)>> {
        let directory = self.directory.clone();
        let listing = tokio::task::spawn_blocking(move || {
            let now = SystemTime::now();
            let found = file_history::plugin_files(&directory)?.into_iter();
            let found = found.map(|(path, metadata)| {
                let age = file_history::age(&metadata, now);
                (path, (file_history::stamp(&metadata), age))
            });
            Ok(found.collect())
        });
        listing.await.map_err(io::Error::other)?
    }

    pub(crate) fn hints(&self) -> &Arc<Hints> {
        &self.hints
    }

    /// Watches the directory that is there now. If that fails, changes are found by the next rescan.
    pub(crate) fn rewatch(&mut self) {
        let directory = path::absolute(&self.directory).unwrap_or_else(|_| self.directory.clone());
        loop {
            let found = there(&directory);
            let is_replaced = self.hints.is_replaced.swap(false, Ordering::AcqRel);
            let watched = self.watcher.as_ref().map(|(_, watched)| watched);
            if !is_replaced && watched == found.as_ref() {
                return;
            }
            self.watcher = None;
            let Some(found) = found else { return };
            match self.watch(&directory, &found.0) {
                // It may have come meanwhile.
                Ok(watcher) => self.watcher = Some((watcher, found)),
                Err(error) => {
                    tracing::warn!(
                        directory = %self.directory.display(), %error,
                        "cannot watch the plugin directory; changes are found at the next rescan"
                    );
                    return;
                }
            }
        }
    }

    fn watch(&self, directory: &Path, watched: &Path) -> notify::Result<RecommendedWatcher> {
        let (hints, directory) = (self.hints.clone(), directory.to_owned());
        let mut watcher =
            notify::recommended_watcher(move |event| hints.on_event(event, &directory))?;
        watcher.watch(watched, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    }
}

fn there(directory: &Path) -> Option<Watched> {
    let inode = |path: &Path| fs::metadata(path).ok().map(|found| found.ino());
    let mut places = [Some(directory), directory.parent()].into_iter().flatten();
    places.find_map(|path| Some((path.to_owned(), inode(path)?)))
}
