//! The plugin host: follows a directory and the operator's settings, and gives out the plugins that serve.
//!
//! Invariant: one task changes what serves, one change after the other; whoever asks for a plugin never waits for it.
//! Invariant: a change that fails leaves what served before, and is told to the observer.

mod diff;
mod reload;
mod rows;
mod scan;
mod watch;

pub use diff::{PluginDiff, Plugins};
pub use reload::ApplyError;

use crate::{
    cache::CompileCache,
    effects::EffectPort,
    engine::{Engine, EngineError},
    error::LoadError,
    inspect::Inspection,
    loader::{Loader, LoaderOptions, Now},
    observer::{Observer, PluginEvent},
    plugin::Plugin,
    quarantine::QuarantinePolicy,
    registry::{NotServing, Registry},
    store::PluginStore,
};
use mainstay_domain::{
    name::PluginName,
    plugin::{PluginKind, PluginRow},
    spec::PluginSpec,
    time::Monotonic,
};
use reload::Reloader;
use rows::{Ledger, Waiting};
use semver::VersionReq;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// What the operator says of plugins, by name.
pub type Specs = BTreeMap<PluginName, PluginSpec>;

/// How a host is started.
pub struct HostOptions {
    /// Where plugins are dropped; made where it is not there.
    pub plugin_dir: PathBuf,
    /// Where accepted components and compiled code are kept; none keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// Grants, limits and settings.
    pub specs: Specs,
    /// When a failing plugin rests.
    pub quarantine: QuarantinePolicy,
    /// How often the directory is looked at without being told; default 3 s.
    pub rescan: Duration,
    /// How long a file that nobody closed must lie unchanged; default 250 ms.
    pub settling: Duration,
}

impl HostOptions {
    /// The defaults for a directory.
    pub fn new(plugin_dir: impl Into<PathBuf>) -> Self {
        Self {
            plugin_dir: plugin_dir.into(),
            state_dir: None,
            specs: Specs::new(),
            quarantine: QuarantinePolicy::default(),
            rescan: Duration::from_secs(3),
            settling: Duration::from_millis(250),
        }
    }
}

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A directory cannot be made or opened.
    #[error("cannot open {path}: {source}")]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Hosts the plugins of one directory.
pub struct PluginHost {
    shared: Arc<HostShared>,
    loader: Loader,
    store: Option<PluginStore>,
    requests: mpsc::Sender<Request>,
    task: JoinHandle<()>,
}

/// What is asked of the reload task.
enum Request {
    Apply(Specs, oneshot::Sender<Result<(), ApplyError>>),
    Look(oneshot::Sender<()>),
}

impl PluginHost {
    /// Starts a host; when this returns, every plugin that lies in the directory serves or is refused, but for files
    /// that are being written.
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
        let mut store = None;
        if let Some(state) = &options.state_dir {
            let (kept, compiled) = (state.join("plugins"), state.join("compiled"));
            store = Some(PluginStore::open(&kept).map_err(at(&kept))?);
            loading.cache = Some(CompileCache::open(&compiled).map_err(at(&compiled))?);
        }
        let shared = Arc::new(HostShared {
            registry: Registry::default(),
            state: Mutex::default(),
            observer,
            now: loading.now.clone(),
        });
        let loader = Loader::new(loading)?;
        let mut reloader = Reloader::new(
            options.plugin_dir,
            loader.clone(),
            store.clone(),
            shared.clone(),
            options.settling,
            options.specs,
        );
        let due = reloader.look_first().await;
        let (requests, asked) = mpsc::channel(16);
        let task = tokio::spawn(follow(reloader, asked, options.rescan, due));
        Ok(Self {
            shared,
            loader,
            store,
            requests,
            task,
        })
    }

    /// The newest version that matches, is of the kind, and does not rest.
    pub fn get(
        &self,
        kind: PluginKind,
        name: &PluginName,
        requirement: &VersionReq,
    ) -> Result<Arc<Plugin>, NotServing> {
        self.shared.registry.get(kind, name, requirement)
    }

    /// What serves.
    pub fn registry(&self) -> &Registry<Plugin> {
        &self.shared.registry
    }

    /// Where every file and version stands.
    pub fn rows(&self) -> Vec<PluginRow> {
        let serving = self.shared.registry.all();
        self.shared.state().ledger.rows(&serving)
    }

    /// Puts other grants, limits and settings in force: all of them, or none where a plugin refuses its own. Of
    /// several that come at the same time, the newest counts and answers for all.
    pub async fn apply(&self, specs: Specs) -> Result<(), ApplyError> {
        let (done, answer) = oneshot::channel();
        // The task ends only with the host, so there is always one to answer.
        let _ = self.requests.send(Request::Apply(specs, done)).await;
        answer.await.unwrap_or(Ok(()))
    }

    /// Looks at the directory now, and returns when what it shows is in force.
    pub async fn rescan(&self) {
        let (done, answer) = oneshot::channel();
        let _ = self.requests.send(Request::Look(done)).await;
        let _ = answer.await;
    }

    /// The very build with this digest, to go on with an operation that it began: the one that serves, else one made
    /// of the kept bytes under the given settings, which then serves no one else.
    pub async fn by_digest(
        &self,
        digest: &str,
        spec: &PluginSpec,
    ) -> Result<Arc<Plugin>, LoadError> {
        let serving = self
            .shared
            .registry
            .all()
            .into_iter()
            .find(|plugin| plugin.identity().digest == digest);
        if let Some(plugin) = serving {
            return Ok(plugin);
        }
        let (store, wanted) = (self.store.clone(), digest.to_owned());
        let reading =
            tokio::task::spawn_blocking(move || store.map_or(Ok(None), |store| store.get(&wanted)));
        let kept = reading.await.map_err(io::Error::other).flatten();
        match kept {
            Ok(Some(bytes)) => {
                let candidate = self.loader.load(bytes.into()).await?;
                Ok(Arc::new(self.loader.configure(&candidate, spec).await?))
            }
            Ok(None) => Err(LoadError::Host(format!(
                "the plugin store has no build with the digest {digest}"
            ))),
            Err(error) => Err(LoadError::Host(format!(
                "cannot read the plugin store: {error}"
            ))),
        }
    }

    /// Says what a file is, without serving it.
    pub async fn inspect(&self, path: &Path) -> Result<Inspection, LoadError> {
        Ok(Inspection::from(&self.loader.load_file(path).await?))
    }

    /// Removes from the store every build that neither serves nor is in `needed`. Gives how many went.
    pub fn prune_store(&self, mut needed: BTreeSet<String>) -> io::Result<usize> {
        let serving = self.shared.registry.all();
        needed.extend(
            serving
                .iter()
                .map(|plugin| plugin.identity().digest.clone()),
        );
        self.store
            .as_ref()
            .map_or(Ok(0), |store| store.prune(&needed))
    }

    /// Stops following the directory, and returns when the task has ended. Calls in flight go on.
    pub async fn stop(self) {
        drop(self.requests);
        let _ = self.task.await;
    }
}

/// The reload task: waits, and looks when something rings, is asked or is due.
async fn follow(
    mut reloader: Reloader,
    mut asked: mpsc::Receiver<Request>,
    rescan: Duration,
    due: Option<Duration>,
) {
    let hints = reloader.watch.hints().clone();
    let mut wait = due.unwrap_or(rescan).min(rescan);
    loop {
        let request = tokio::select! { biased;
            request = asked.recv() => match request {
                Some(request) => Some(request),
                None => return,
            },
            () = hints.rung() => None,
            () = tokio::time::sleep(wait) => None,
        };
        // Of settings that came together only the newest count; everyone who asked gets their answer.
        let (mut newest, mut applied, mut looked) = (None, Vec::new(), Vec::new());
        let together = std::iter::from_fn(|| asked.try_recv().ok());
        for request in request.into_iter().chain(together) {
            match request {
                Request::Apply(specs, done) => {
                    newest = Some(specs);
                    applied.push(done);
                }
                Request::Look(done) => looked.push(done),
            }
        }
        if let Some(specs) = newest {
            let outcome = reloader.apply(specs).await;
            for done in applied {
                // Whoever stopped waiting does not need the answer.
                let _ = done.send(outcome.clone());
            }
        }
        wait = reloader.look().await.unwrap_or(rescan).min(rescan);
        for done in looked {
            let _ = done.send(());
        }
    }
}

/// What the reload task and the host share.
struct HostShared {
    registry: Registry<Plugin>,
    state: Mutex<Published>,
    observer: Arc<dyn Observer>,
    now: Now,
}

/// What was last published, and what became of the rest.
#[derive(Default)]
struct Published {
    current: Plugins,
    ledger: Ledger,
}

impl HostShared {
    fn now(&self) -> Monotonic {
        (self.now)()
    }

    fn state(&self) -> MutexGuard<'_, Published> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Plugins {
        self.state().current.clone()
    }

    /// Swaps the registry, then tells what happened: whoever hears of it finds it so.
    fn publish(
        &self,
        diff: &PluginDiff,
        mut staged: BTreeMap<String, Plugin>,
        desired: &Plugins,
        waiting: BTreeMap<PathBuf, Waiting>,
        files: BTreeMap<String, PathBuf>,
    ) {
        let present = self.registry.all();
        let before = |digest: &str| {
            present
                .iter()
                .find(|plugin| plugin.identity().digest == digest)
        };
        let changed = diff.change.iter().filter_map(|digest| {
            let plugin = staged.remove(digest)?;
            Some(Arc::new(match before(digest) {
                Some(before) => plugin.continuing(before),
                None => plugin,
            }))
        });
        let mut incoming: Vec<Arc<Plugin>> = changed.collect();
        let added = diff
            .add
            .iter()
            .filter_map(|digest| staged.remove(digest).map(Arc::new));
        let added: Vec<Arc<Plugin>> = added.collect();
        incoming.extend(added.iter().cloned());
        let replaced: BTreeSet<String> = incoming
            .iter()
            .map(|plugin| plugin.identity().digest.clone())
            .collect();
        let leaves = |plugin: &Plugin| {
            let digest = &plugin.identity().digest;
            replaced.contains(digest) || diff.remove.contains(digest)
        };
        drop(present);
        let outgoing = match diff.is_empty() {
            true => Vec::new(),
            false => self.registry.publish(incoming, leaves).unwrap_or_else(|error| {
                tracing::error!(%error, "two builds of one version; what served before still serves");
                Vec::new()
            }),
        };
        let gone: Vec<&Arc<Plugin>> = outgoing
            .iter()
            .filter(|plugin| diff.remove.contains(&plugin.identity().digest))
            .collect();
        {
            let mut state = self.state();
            for plugin in &gone {
                state.ledger.depart(plugin);
            }
            let serving = self.registry.all();
            let serves = |digest: &String| {
                serving
                    .iter()
                    .any(|plugin| plugin.identity().digest == *digest)
            };
            state.current = desired.clone();
            state.current.retain(|digest, _| serves(digest));
            state.ledger.set_files(waiting, files.clone());
        }
        for plugin in &added {
            plugin
                .loaded
                .retirement
                .announce(plugin.identity().clone(), self.observer.clone());
            self.observer.observe(PluginEvent::Serving {
                plugin: plugin.identity().clone(),
                kind: plugin.kind(),
                file: files
                    .get(&plugin.identity().digest)
                    .cloned()
                    .unwrap_or_default(),
            });
        }
        for plugin in gone {
            let plugin = plugin.identity().clone();
            self.observer.observe(PluginEvent::Draining { plugin });
        }
    }
}

#[cfg(test)]
mod tests;
