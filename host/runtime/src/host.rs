//! The plugin host: follows a directory and the operator's settings, and gives out the plugins that serve.
//!
//! Invariant: one task changes what serves, one change after the other; whoever asks for a plugin never waits for it.
//! Invariant: a change that fails leaves what served before, and is reported to the observer.

mod apply;
mod build;
mod diff;
mod file_history;
mod follow;
mod judged;
mod kept;
mod loads;
mod options;
mod process_files;
mod reload;
mod rows;
mod shared;
mod watch;

pub use diff::{PluginDiff, SpecsByDigest};
pub use file_history::plugin_files;
pub use options::{ApplyError, HostError, HostOptions};

use crate::{
    cache::CompileCache,
    effects::EffectPort,
    engine::Engine,
    error::LoadError,
    inspect::Inspection,
    loader::{Loader, LoaderOptions},
    observer::Observer,
    plugin::Plugin,
    registry::{NotServing, Registry},
};
use follow::{Request, follow};
use kept::Kept;
use mainstay_domain::{
    name::PluginName,
    plugin::{PluginKind, PluginRow},
    spec::PluginSpec,
};
use reload::Reloader;
use semver::{Version, VersionReq};
use shared::HostShared;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::Arc,
};
use tokio::{
    sync::{SetOnce, mpsc, oneshot},
    task::JoinHandle,
};

/// What the operator says of plugins, by name.
pub type Specs = BTreeMap<PluginName, PluginSpec>;

/// Hosts the plugins of one directory.
pub struct PluginHost {
    shared: Arc<HostShared>,
    loader: Loader,
    kept: Option<Kept>,
    requests: mpsc::Sender<Request>,
    task: JoinHandle<()>,
    /// Set where the reload task has panicked.
    broken: Arc<SetOnce<String>>,
}

impl PluginHost {
    /// Starts a host; when this returns, every plugin that lies in the directory serves or is refused, but for files
    /// that are being written, and for what a compiler that works apart has to compile first.
    pub async fn start(
        options: HostOptions,
        effects: Arc<dyn EffectPort>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, HostError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| HostError::Directory { path, source }
        };
        std::fs::create_dir_all(&options.plugin_dir).map_err(at(&options.plugin_dir))?;
        let mut loading = LoaderOptions::new(Engine::new()?, effects);
        loading.observer = observer.clone();
        loading.quarantine = options.quarantine;
        loading.compiler = options.compiler;
        let mut kept = None;
        if let Some(state) = &options.state_dir {
            let (plugins, compiled) = (state.join("plugins"), state.join("compiled"));
            kept = Some(Kept::open(&plugins).map_err(at(&plugins))?);
            loading.cache = CompileCache::open_if_possible(&compiled);
        }
        let shared = Arc::new(HostShared::new(observer, loading.now.clone()));
        let loader = Loader::new(loading)?;
        let mut reloader = Reloader::new(
            options.plugin_dir,
            loader.clone(),
            kept.clone(),
            shared.clone(),
            (options.rest, options.rescan),
            options.specs,
        );
        let due = reloader.first_scan().await;
        let (requests, asked) = mpsc::channel(16);
        let following = tokio::spawn(follow(reloader, asked, options.rescan, due));
        let broken = Arc::new(SetOnce::new());
        let report = broken.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = following.await
                && error.is_panic()
            {
                let what = format!("the plugin directory is followed no more: {error}");
                let _ = report.set(what);
            }
        });
        Ok(Self {
            shared,
            loader,
            kept,
            requests,
            task,
            broken,
        })
    }

    /// Resolves with what happened where the task that follows the directory breaks off, by a defect of this crate or
    /// of the observer. What serves goes on; later changes are ignored, so start another host.
    pub fn broken(&self) -> impl Future<Output = String> + Send + use<> {
        let broken = self.broken.clone();
        async move { broken.wait().await.clone() }
    }

    /// The newest version that matches, is of the kind, and does not rest; or its instance with this name.
    pub fn get(
        &self,
        kind: PluginKind,
        name: &PluginName,
        requirement: &VersionReq,
    ) -> Result<Arc<Plugin>, NotServing> {
        let registry = self.shared.registry();
        let mut serving = registry.all().into_iter();
        let Some(of) = serving.find(|plugin| plugin.instance(name).is_some()) else {
            return registry.get(kind, name, requirement);
        };
        let plugin = registry.get(kind, &of.identity().name, requirement)?;
        Ok(plugin.instance(name).cloned().unwrap_or(plugin))
    }

    /// What serves.
    pub fn registry(&self) -> &Registry<Plugin> {
        self.shared.registry()
    }

    /// Where every file and version stands.
    pub fn rows(&self) -> Vec<PluginRow> {
        self.shared.rows()
    }

    /// Puts other grants, limits and settings in force: all of them, or none where a plugin refuses its own. Of
    /// several that come at the same time, the newest counts and answers for all.
    pub async fn apply(&self, specs: Specs) -> Result<(), ApplyError> {
        let (done, answer) = oneshot::channel();
        // The task ends only with the host, so there is always one to answer.
        let _ = self.requests.send(Request::Apply(specs, done)).await;
        answer.await.unwrap_or(Ok(()))
    }

    /// Whether settings that are in force are taken: whether of each plugin that they name, and that lies in the directory,
    /// one version does. Settings that are not in force are for [`Self::apply`].
    pub fn check_settings(&self, specs: &Specs) -> Result<(), ApplyError> {
        self.shared.check_settings(specs)
    }

    /// Looks at the directory now, and returns when what it shows is in force, but for what is compiled apart.
    pub async fn rescan(&self) {
        let (done, answer) = oneshot::channel();
        let _ = self.requests.send(Request::Look(done)).await;
        let _ = answer.await;
    }

    /// The build with this digest, to resume an operation that it began: the serving one, else one built from the
    /// stored component under the given settings; that one serves no other call.
    pub async fn by_digest(
        &self,
        digest: &str,
        spec: &PluginSpec,
    ) -> Result<Arc<Plugin>, LoadError> {
        let serving = self
            .shared
            .registry()
            .all()
            .into_iter()
            .find(|plugin| plugin.identity().digest == digest);
        if let Some(plugin) = serving {
            return Ok(plugin);
        }
        let Some(kept) = &self.kept else {
            let missing = format!("there is no plugin store to find the digest {digest} in");
            return Err(LoadError::Host(missing));
        };
        let bytes = kept.read(digest).await?;
        let candidate = self.loader.load(bytes.into()).await?;
        kept.pins.lock().check(&candidate)?;
        Ok(Arc::new(self.loader.configure(&candidate, spec).await?))
    }

    /// Lets other bytes go by this name and version than those that were accepted first. Gives whether any were.
    pub async fn forget(&self, name: PluginName, version: Version) -> io::Result<bool> {
        let (done, answer) = oneshot::channel();
        // The task ends only with the host, so there is always one to answer.
        let _ = self
            .requests
            .send(Request::Forget(name, version, done))
            .await;
        answer.await.unwrap_or(Ok(false))
    }

    /// Says what a file is, without serving it.
    pub async fn inspect(&self, path: &Path) -> Result<Inspection, LoadError> {
        Ok(Inspection::from(&self.loader.load_file(path).await?))
    }

    /// Removes from the store every build that neither serves, nor is what a file last held, nor is in `needed`, and what was compiled of it. Gives how
    /// many builds went.
    pub fn prune_store(&self, mut needed: BTreeSet<String>) -> io::Result<usize> {
        let serving = self.shared.registry().all();
        needed.extend(
            serving
                .iter()
                .map(|plugin| plugin.identity().digest.clone()),
        );
        if let Some(kept) = &self.kept {
            needed.extend(kept.pins.lock().held());
        }
        // Only a cache: the store is pruned whatever becomes of it.
        if let Err(error) = self.loader.prune_cache(&needed) {
            tracing::warn!(%error, "the compile cache cannot be pruned");
        }
        self.kept
            .as_ref()
            .map_or(Ok(0), |kept| kept.store.prune(&needed))
    }

    /// Stops following the directory, and returns when the task has ended. Calls in flight go on.
    pub async fn stop(self) {
        drop(self.requests);
        let _ = self.task.await;
    }
}

#[cfg(test)]
mod tests;
