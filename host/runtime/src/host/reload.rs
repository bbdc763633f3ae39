//! The one task that changes what serves: it looks at the directory and the operator's settings, builds what is
//! new, publishes it in one swap, and lets the old drain.
//!
//! Invariant: nothing that serves is touched until all that replaces it is built, configured and stored.
//! Invariant: a file whose new content is refused goes on serving what it last held.

use super::{
    Specs,
    build::{Refusal, spec_of},
    diff::{PluginDiff, Plugins},
    rows::Waiting,
    scan::{self, Stamp, Step, Watched},
    shared::HostShared,
    watch::DirectoryWatch,
};
use crate::{
    error::LoadError,
    loader::{Candidate, Loader},
    observer::PluginEvent,
    plugin::Plugin,
    store::PluginStore,
};
use mainstay_domain::plugin::{PluginIdentity, PluginState};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// One file of the directory.
pub(super) struct Tracked {
    watched: Watched,
    /// What it last held that was accepted.
    pub(super) accepted: Option<Candidate>,
    /// What it holds now, where that does not serve.
    waiting: Option<Waiting>,
}

pub(super) struct Reloader {
    pub(super) directory: PathBuf,
    pub(super) loader: Loader,
    pub(super) store: Option<PluginStore>,
    pub(super) shared: Arc<HostShared>,
    pub(super) watch: DirectoryWatch,
    pub(super) settling: Duration,
    pub(super) specs: Specs,
    pub(super) files: BTreeMap<PathBuf, Tracked>,
    /// Built and not yet published, by digest.
    pub(super) staged: BTreeMap<String, Plugin>,
}

/// Why new settings were not applied; what served before still serves, under the settings of before.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the settings of {} not accepted: {}", count(.refusals.len()), list(.refusals))]
pub struct ApplyError {
    /// Each plugin that refuses its settings, with the reason.
    pub refusals: Vec<(Arc<PluginIdentity>, LoadError)>,
}

fn count(refusals: usize) -> String {
    match refusals {
        1 => "one plugin are".to_owned(),
        several => format!("{several} plugins are"),
    }
}

fn list(refusals: &[(Arc<PluginIdentity>, LoadError)]) -> String {
    let reasons: Vec<String> = refusals
        .iter()
        .map(|(_, reason)| reason.to_string())
        .collect();
    reasons.join("; ")
}

impl Reloader {
    pub(super) fn new(
        directory: PathBuf,
        loader: Loader,
        store: Option<PluginStore>,
        shared: Arc<HostShared>,
        settling: Duration,
        specs: Specs,
    ) -> Self {
        Self {
            watch: DirectoryWatch::new(&directory),
            directory,
            loader,
            store,
            shared,
            settling,
            specs,
            files: BTreeMap::new(),
            staged: BTreeMap::new(),
        }
    }

    /// Looks for the first time: what lies there is taken for complete, until it proves not to be.
    pub(super) async fn look_first(&mut self) -> Option<Duration> {
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
        self.watch.keep();
        let closed = self.watch.hints().take();
        match self.list().await {
            Ok(found) => self.track(&found, |name| is_closed(&closed, name)),
            Err(error) => tracing::warn!(
                directory = %self.directory.display(), %error,
                "cannot read the plugin directory; what serves goes on"
            ),
        }
        let mut due: Option<Duration> = None;
        let paths: Vec<PathBuf> = self.files.keys().cloned().collect();
        for path in paths {
            if let Some(wait) = self.take_up(&path).await {
                due = Some(due.map_or(wait, |due| due.min(wait)));
            }
        }
        self.publish().await;
        due
    }

    /// Builds every plugin whose settings change, and publishes all or none.
    pub(super) async fn apply(&mut self, specs: Specs) -> Result<(), ApplyError> {
        let current = self.shared.current();
        let desired = self.desired(&specs);
        let mut refusals = Vec::new();
        for digest in PluginDiff::between(&current, &desired).change {
            let Some(candidate) = self.accepted(&digest) else {
                continue;
            };
            match self
                .loader
                .configure(&candidate, &spec_of(&specs, &candidate))
                .await
            {
                Ok(plugin) => drop(self.staged.insert(digest, plugin)),
                Err(reason) => refusals.push((candidate.identity().clone(), reason)),
            }
        }
        if !refusals.is_empty() {
            self.staged.clear();
            return Err(ApplyError { refusals });
        }
        self.specs = specs;
        // What was refused may be acceptable under the new settings.
        for tracked in self
            .files
            .values_mut()
            .filter(|tracked| tracked.waiting.is_some())
        {
            tracked.watched.reconsider();
        }
        self.look().await;
        Ok(())
    }

    async fn list(&self) -> io::Result<BTreeMap<PathBuf, (Stamp, Duration)>> {
        let directory = self.directory.clone();
        let listing = tokio::task::spawn_blocking(move || {
            let now = SystemTime::now();
            let mut found = BTreeMap::new();
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                // Follows links; what vanished between the two calls is simply not there.
                let Ok(metadata) = fs::metadata(entry.path()) else {
                    continue;
                };
                if metadata.is_file() && scan::is_candidate(&entry.file_name()) {
                    found.insert(
                        entry.path(),
                        (Stamp::of(&metadata), scan::age(&metadata, now)),
                    );
                }
            }
            Ok(found)
        });
        listing.await.map_err(io::Error::other)?
    }

    fn track(
        &mut self,
        found: &BTreeMap<PathBuf, (Stamp, Duration)>,
        is_closed: impl Fn(&OsStr) -> bool,
    ) {
        let now = self.shared.now();
        self.files.retain(|path, _| found.contains_key(path));
        for (path, (stamp, age)) in found {
            let closed = path.file_name().is_some_and(&is_closed);
            let tracked = self.files.entry(path.clone()).or_insert_with(|| Tracked {
                watched: Watched::new(*stamp, *age, now),
                accepted: None,
                waiting: None,
            });
            tracked.watched.seen(*stamp, closed, now);
        }
    }

    /// Takes one step with one file; gives the time after which the next is due.
    async fn take_up(&mut self, path: &Path) -> Option<Duration> {
        let now = self.shared.now();
        let step = self.files.get(path)?.watched.next(self.settling, now);
        let settled = match step {
            Step::Rest => return None,
            Step::Wait(wait) => {
                self.found(path);
                return Some(wait);
            }
            Step::Read { settled } => settled,
        };
        let outcome = self.build(path).await;
        let tracked = self.files.get_mut(path)?;
        match outcome {
            Ok(candidate) => {
                tracked.watched.judge();
                tracked.accepted = Some(candidate);
                tracked.waiting = None;
                None
            }
            Err(_) if !settled => {
                tracked.watched.doubt();
                self.found(path);
                Some(self.settling)
            }
            Err(refusal) => {
                tracked.watched.judge();
                let Refusal {
                    plugin,
                    digest,
                    reason,
                } = refusal;
                let reason = reason.to_string();
                let before = tracked.waiting.replace(Waiting {
                    state: PluginState::Rejected,
                    plugin: plugin.clone(),
                    digest,
                    reason: Some(reason.clone()),
                });
                // Said once, however often it is judged again.
                if before.is_none_or(|before| before.reason.as_ref() != Some(&reason)) {
                    let file = path.to_owned();
                    self.shared.observer.observe(PluginEvent::Rejected {
                        file,
                        plugin,
                        reason,
                    });
                }
                None
            }
        }
    }

    /// A file that waits until it has settled.
    fn found(&mut self, path: &Path) {
        if let Some(tracked) = self.files.get_mut(path)
            && tracked.waiting.is_none()
        {
            tracked.waiting = Some(Waiting {
                state: PluginState::Found,
                plugin: None,
                digest: String::new(),
                reason: None,
            });
        }
    }

    fn desired(&self, specs: &Specs) -> Plugins {
        let accepted = self
            .files
            .values()
            .filter_map(|tracked| tracked.accepted.as_ref());
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
        let waiting = self
            .files
            .iter()
            .filter_map(|(path, tracked)| Some((path.clone(), tracked.waiting.clone()?)));
        let files = self.files.iter().rev().filter_map(|(path, tracked)| {
            Some((
                tracked.accepted.as_ref()?.identity().digest.clone(),
                path.clone(),
            ))
        });
        self.shared
            .publish(&diff, staged, &desired, waiting.collect(), files.collect());
    }
}
