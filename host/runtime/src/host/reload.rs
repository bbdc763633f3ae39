//! The one task that changes what serves: it looks at the directory and the operator's settings, builds what is
//! new, publishes it in one swap, and lets the old drain.
//!
//! Invariant: nothing that serves is touched until all that replaces it is built, configured and stored.
//! Invariant: a file whose new content is refused goes on serving what it last held, over restarts of the host too.

use super::{
    Specs,
    diff::{PluginDiff, SpecsByDigest},
    kept::Kept,
    loads::Loads,
    options::spec_of,
    rows::Waiting,
    shared::HostShared,
    watch::DirectoryWatch,
};
use crate::{
    loader::{Candidate, Loader},
    plugin::Plugin,
};
use mainstay_domain::{
    name::PluginName,
    plugin_file::{FileHistory, FileRest, FileStamp},
};
use semver::Version;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// One file of the directory.
pub(super) struct PluginFile {
    pub(super) history: FileHistory,
    /// What it last held that was accepted.
    pub(super) accepted: Option<Candidate>,
    /// What it holds now, where that does not serve.
    pub(super) waiting: Option<Waiting>,
    /// The digest of what it holds, while that is compiled.
    pub(super) compiling: Option<String>,
    /// The digest of what it last held that was accepted, while that is compiled.
    pub(super) restoring: Option<String>,
}

pub(super) struct Reloader {
    pub(super) loader: Loader,
    pub(super) kept: Option<Kept>,
    pub(super) shared: Arc<HostShared>,
    pub(super) watch: DirectoryWatch,
    pub(super) rest: FileRest,
    /// What failed for a reason outside the file is tried again after this.
    pub(super) rescan: Duration,
    pub(super) specs: Specs,
    pub(super) files: BTreeMap<PathBuf, PluginFile>,
    /// What files held that are gone since the last publication: where one was only renamed, it goes on serving.
    pub(super) removed: Vec<Candidate>,
    /// Built and not yet published, by digest.
    pub(super) staged: BTreeMap<String, Plugin>,
    /// What came out of the store since the last publication, for its file holds nothing that serves.
    pub(super) restored: BTreeSet<String>,
    /// What is being compiled.
    pub(super) loads: Loads,
}

impl Reloader {
    pub(super) fn new(
        directory: PathBuf,
        loader: Loader,
        kept: Option<Kept>,
        shared: Arc<HostShared>,
        (rest, rescan): (FileRest, Duration),
        specs: Specs,
    ) -> Self {
        let watch = DirectoryWatch::new(directory);
        Self {
            loads: Loads::new(watch.hints().clone()),
            watch,
            loader,
            kept,
            shared,
            rest,
            rescan,
            specs,
            files: BTreeMap::new(),
            removed: Vec::new(),
            staged: BTreeMap::new(),
            restored: BTreeSet::new(),
        }
    }

    /// Looks for the first time: what lies there is taken for complete, until it proves not to be.
    pub(super) async fn first_scan(&mut self) -> Option<Duration> {
        self.look_at(|_, _| true).await
    }

    /// Looks at the directory and publishes what is new. Gives after how long a file is due that has not settled.
    pub(super) async fn look(&mut self) -> Option<Duration> {
        self.look_at(|closed, name| closed.contains(name)).await
    }

    async fn look_at(
        &mut self,
        is_closed: fn(&BTreeSet<OsString>, &OsStr) -> bool,
    ) -> Option<Duration> {
        self.watch.rewatch();
        let closed = self.watch.hints().take();
        match self.list().await {
            Ok(found) => self.track(&found, |name| is_closed(&closed, name)),
            Err(error) => tracing::warn!(
                directory = %self.watch.directory().display(), %error,
                "cannot read the plugin directory; what serves goes on"
            ),
        }
        self.take_up_compiled().await;
        let due = self.process_files().await;
        self.publish().await;
        self.forget_unwanted();
        if self.loads.is_empty() {
            self.shared.set_judged();
        }
        due
    }

    /// What lies in the directory. A file that is renamed while it is read may show under neither name, so where one is
    /// gone it is read once more.
    async fn list(&self) -> io::Result<BTreeMap<PathBuf, (FileStamp, Duration)>> {
        let found = self.watch.list().await?;
        match self.files.keys().all(|path| found.contains_key(path)) {
            true => Ok(found),
            false => self.watch.list().await,
        }
    }

    /// Unpins a version; what was refused for it is judged again at the next look.
    pub(super) async fn forget(&mut self, name: PluginName, version: Version) -> io::Result<bool> {
        let Some(kept) = self.kept.clone() else {
            return Ok(false);
        };
        let forgetting =
            tokio::task::spawn_blocking(move || kept.pins.lock().forget(&name, &version));
        let forgotten = forgetting.await.map_err(io::Error::other).flatten();
        self.recheck_waiting();
        forgotten
    }

    /// Keeps what each file holds, for the next start.
    async fn hold(&mut self) {
        let Some(kept) = self.kept.clone() else {
            return;
        };
        let name = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        let held = self.files.iter().filter_map(|(path, file)| {
            let name = name(path);
            let digest = match &file.accepted {
                Some(candidate) => candidate.identity().digest.clone(),
                None => kept.pins.lock().held_by(&name)?.clone(),
            };
            Some((name, digest))
        });
        let held: BTreeMap<String, String> = held.collect();
        let holding = tokio::task::spawn_blocking(move || kept.pins.lock().hold(held));
        if let Err(error) = holding.await.map_err(io::Error::other).flatten() {
            tracing::warn!(
                %error,
                "cannot keep what the plugin files hold; after a restart a broken one has nothing to fall back on"
            );
        }
    }

    pub(super) fn track(
        &mut self,
        found: &BTreeMap<PathBuf, (FileStamp, Duration)>,
        is_closed: impl Fn(&OsStr) -> bool,
    ) {
        let now = self.shared.now();
        let gone = self
            .files
            .extract_if(.., |path, _| !found.contains_key(path));
        let gone: Vec<(PathBuf, PluginFile)> = gone.collect();
        for (path, file) in &gone {
            self.tell_withdrawn(path, file.waiting.as_ref());
        }
        let gone = gone.into_iter();
        let left: Vec<Candidate> = gone.filter_map(|(_, file)| file.accepted).collect();
        if !left.is_empty() {
            // What was refused may be acceptable without a version that left.
            self.recheck_waiting();
        }
        self.removed.extend(left);
        for (path, (stamp, age)) in found {
            let closed = path.file_name().is_some_and(&is_closed);
            let file = self
                .files
                .entry(path.clone())
                .or_insert_with(|| PluginFile {
                    history: FileHistory::new(*stamp, *age, now),
                    accepted: None,
                    waiting: None,
                    compiling: None,
                    restoring: None,
                });
            file.history.update(*stamp, closed, &self.rest, now);
        }
    }

    pub(super) fn desired(&self, specs: &Specs) -> SpecsByDigest {
        let accepted = self
            .files
            .values()
            .filter_map(|file| file.accepted.as_ref());
        accepted
            .map(|candidate| {
                (
                    candidate.identity().digest.clone(),
                    spec_of(specs, candidate),
                )
            })
            .collect()
    }

    /// One swap from what serves to what should.
    async fn publish(&mut self) {
        let current = self.shared.current();
        let desired = self.desired(&self.specs);
        let diff = PluginDiff::between(&current, &desired);
        // A component that comes back while it is still accepted elsewhere, or whose settings changed while its file
        // was away, is not staged yet.
        for digest in diff.add.iter().chain(&diff.change) {
            if self.staged.contains_key(digest) {
                continue;
            }
            let Some(candidate) = self.accepted(digest) else {
                continue;
            };
            match self
                .loader
                .configure(&candidate, &spec_of(&self.specs, &candidate))
                .await
            {
                Ok(plugin) => drop(self.staged.insert(digest.clone(), plugin)),
                Err(error) => {
                    tracing::warn!(plugin = %candidate.identity(), %error, "a plugin cannot be built")
                }
            }
        }
        let staged = std::mem::take(&mut self.staged);
        self.removed.clear();
        let waiting = self
            .files
            .iter()
            .filter_map(|(path, file)| Some((path.clone(), file.waiting.clone()?)));
        let files = self.files.iter().rev().filter_map(|(path, file)| {
            Some((
                file.accepted.as_ref()?.identity().digest.clone(),
                path.clone(),
            ))
        });
        let restored = std::mem::take(&mut self.restored);
        self.shared.publish(
            &diff,
            staged,
            &desired,
            &restored,
            waiting.collect(),
            files.collect(),
        );
        self.hold().await;
    }
}
