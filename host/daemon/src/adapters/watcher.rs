//! Hints that the config may have changed.
//!
//! Invariant: the directories are watched, not the files: editors replace files. A hint is no more than that; what
//! changed is found by reading.
//! Invariant: a directory that comes, goes or is replaced is followed, `conf.d` above all: a new host has none.

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::ModifyKind};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{self, Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::mpsc;

/// What tells a directory from another one in its place, as far as both are there.
type Inode = (u64, u64);

/// Watches the directory of a config, and `conf.d` in it. A full channel holds hints enough, so none is waited for.
pub struct ConfigWatch {
    directories: Arc<[PathBuf; 2]>,
    hints: mpsc::Sender<()>,
    /// An event says that one of the directories came, went or was replaced: its inode may be the one of before.
    is_replaced: Arc<AtomicBool>,
    /// What watches, and which directories.
    watching: Option<(RecommendedWatcher, [Option<Inode>; 2])>,
    is_blind: bool,
}

impl ConfigWatch {
    /// Watches from now on.
    pub fn new(config: &Path, hints: mpsc::Sender<()>) -> Self {
        let config = path::absolute(config).unwrap_or_else(|_| config.to_owned());
        let directory = config.parent().unwrap_or(Path::new("/"));
        let mut watch = Self {
            directories: Arc::new([directory.to_owned(), directory.join("conf.d")]),
            hints,
            is_replaced: Arc::default(),
            watching: None,
            is_blind: false,
        };
        watch.renew();
        watch
    }

    /// Watches what is there now. Who reads the config does so afterwards: what changes meanwhile is a hint then.
    pub fn renew(&mut self) {
        loop {
            let is_replaced = self.is_replaced.swap(false, Ordering::AcqRel);
            let found = self.directories.each_ref().map(|path| inode(path));
            let watched = self.watching.as_ref().map(|(_, watched)| *watched);
            if !is_replaced && watched == Some(found) {
                return;
            }
            self.watching = None;
            match self.watch(&found) {
                Ok(watcher) => {
                    self.watching = Some((watcher, found));
                    self.is_blind = false;
                }
                // The files are looked at every few seconds anyway.
                Err(error) => {
                    if !std::mem::replace(&mut self.is_blind, true) {
                        let [directory, _] = &*self.directories;
                        let directory = directory.display();
                        tracing::warn!(
                            %directory, %error,
                            "cannot watch the config; changes are found within seconds"
                        );
                    }
                    return;
                }
            }
        }
    }

    fn watch(&self, found: &[Option<Inode>; 2]) -> Result<RecommendedWatcher, notify::Error> {
        let (directories, hints) = (Arc::clone(&self.directories), self.hints.clone());
        let is_replaced = Arc::clone(&self.is_replaced);
        let hear = move |event: Result<Event, notify::Error>| {
            let replaces = |event| replaces(event, directories.as_slice());
            if event.as_ref().map_or(true, replaces) {
                is_replaced.store(true, Ordering::Release);
            }
            let may_be_a_change = |event| may_be_a_change(event, directories.as_slice());
            if event.as_ref().map_or(true, may_be_a_change) {
                let _ = hints.try_send(());
            }
        };
        let mut watcher = notify::recommended_watcher(hear)?;
        for (directory, found) in self.directories.iter().zip(found) {
            if found.is_none() {
                continue;
            }
            match watcher.watch(directory, RecursiveMode::NonRecursive) {
                // It has gone meanwhile, which is found at once.
                Err(_) if inode(directory).is_none() => {}
                watching => watching?,
            }
        }
        Ok(watcher)
    }
}

fn inode(directory: &Path) -> Option<Inode> {
    let found = fs::metadata(directory).ok()?;
    found.is_dir().then(|| (found.dev(), found.ino()))
}

/// Whether one of the directories may be another one now. An event without paths means that events were lost.
fn replaces(event: &Event, directories: &[PathBuf]) -> bool {
    let is_of_names = matches!(
        event.kind,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
    );
    let is_one = |path: &PathBuf| directories.contains(path);
    event.paths.is_empty() || (is_of_names && event.paths.iter().any(is_one))
}

/// Ignores reads, and files in the directory that are not config.
fn may_be_a_change(event: &Event, directories: &[PathBuf]) -> bool {
    let is_config = |path: &PathBuf| {
        let extension = path.extension();
        extension.is_some_and(|extension| extension == "toml") || directories.contains(path)
    };
    !matches!(event.kind, EventKind::Access(_))
        && (event.paths.is_empty() || event.paths.iter().any(is_config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::fs::symlink, time::Duration};

    /// Looks where there are hints alone, as the reload service does, until the file says this.
    async fn seen(
        watch: &mut ConfigWatch,
        hints: &mut mpsc::Receiver<()>,
        (file, says): (&Path, &str),
        way: &str,
    ) {
        let seeing = async {
            while hints.recv().await.is_some() {
                watch.renew();
                if fs::read_to_string(file).is_ok_and(|text| text == says) {
                    return;
                }
            }
        };
        // A bound against hanging.
        let seeing = tokio::time::timeout(Duration::from_secs(60), seeing);
        assert!(seeing.await.is_ok(), "{way}: no hint of {says:?}");
    }

    /// Brings a `conf.d` into being.
    type Make = fn(&Path);

    #[tokio::test]
    async fn a_conf_d_that_comes_later_is_watched_and_so_is_one_that_takes_its_place() {
        let ways: [(&str, bool, Make); 5] = [
            ("made later", false, |conf_d| {
                fs::create_dir(conf_d).unwrap();
            }),
            ("a link that is made later", false, |conf_d| {
                let real = conf_d.with_file_name("real");
                fs::create_dir(&real).unwrap();
                symlink(real, conf_d).unwrap();
            }),
            ("removed and made again", true, |conf_d| {
                fs::remove_dir_all(conf_d).unwrap();
                fs::create_dir(conf_d).unwrap();
            }),
            ("another in its place", true, |conf_d| {
                fs::rename(conf_d, conf_d.with_file_name("old")).unwrap();
                fs::create_dir(conf_d).unwrap();
            }),
            ("a link in its place", true, |conf_d| {
                fs::rename(conf_d, conf_d.with_file_name("old")).unwrap();
                let real = conf_d.with_file_name("real");
                fs::create_dir(&real).unwrap();
                symlink(real, conf_d).unwrap();
            }),
        ];
        for (way, is_there, make) in ways {
            let directory = tempfile::tempdir().unwrap();
            let conf_d = directory.path().join("conf.d");
            if is_there {
                fs::create_dir(&conf_d).unwrap();
                fs::write(conf_d.join("web.toml"), "old").unwrap();
            }
            let (sender, mut hints) = mpsc::channel(16);
            let mut watch = ConfigWatch::new(&directory.path().join("mainstay.toml"), sender);
            make(&conf_d);
            let file = conf_d.join("web.toml");
            // The first may be seen with the directory; the second is seen in it.
            for says in ["first", "second"] {
                fs::write(&file, says).unwrap();
                seen(&mut watch, &mut hints, (file.as_path(), says), way).await;
            }
        }
    }
}
