//! What the reload task and the host share: the registry, and what was last published.

use super::{
    ApplyError, Specs,
    diff::{PluginDiff, SpecsByDigest},
    rows::{Ledger, Waiting},
};
use crate::{
    loader::Now,
    observer::{Observer, PluginEvent},
    plugin::Plugin,
    registry::Registry,
};
use mainstay_domain::{name::PluginName, plugin::PluginRow, time::Monotonic};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};
use tokio::sync::watch;

/// What the reload task and the host share.
pub(super) struct HostShared {
    registry: Registry<Plugin>,
    state: Mutex<Published>,
    pub(super) observer: Arc<dyn Observer>,
    now: Now,
    /// What lay there at the start has been judged.
    judged: watch::Sender<bool>,
}

/// What was last published, and what became of the rest.
#[derive(Default)]
struct Published {
    current: SpecsByDigest,
    ledger: Ledger,
}

impl HostShared {
    pub(super) fn new(observer: Arc<dyn Observer>, now: Now) -> Self {
        Self {
            registry: Registry::default(),
            state: Mutex::default(),
            observer,
            now,
            judged: watch::Sender::new(false),
        }
    }

    pub(super) fn registry(&self) -> &Registry<Plugin> {
        &self.registry
    }

    pub(super) fn rows(&self) -> Vec<PluginRow> {
        let serving = self.registry.all();
        self.state().ledger.rows(&serving)
    }

    /// Whether settings that are in force are those of plugins that take them: of each that is named one version does.
    pub(super) fn check_settings(&self, specs: &Specs) -> Result<(), ApplyError> {
        let serving = self.registry.all();
        let serves = |name: &PluginName| {
            let mut serving = serving.iter();
            serving.any(|plugin| plugin.identity().name == *name)
        };
        let state = self.state();
        let refusing = state.ledger.refusing();
        let refusing = refusing
            .filter(|(plugin, _)| specs.contains_key(&plugin.name) && !serves(&plugin.name));
        let refusals: Vec<_> = refusing
            .map(|(plugin, reason)| (plugin.clone(), reason.clone()))
            .collect();
        match refusals.is_empty() {
            true => Ok(()),
            false => Err(ApplyError { refusals }),
        }
    }

    pub(super) fn judged(&self) -> watch::Receiver<bool> {
        self.judged.subscribe()
    }

    pub(super) fn set_judged(&self) {
        self.judged.send_replace(true);
    }

    pub(super) fn now(&self) -> Monotonic {
        (self.now)()
    }

    fn state(&self) -> MutexGuard<'_, Published> {
        self.state.lock()
    }

    pub(super) fn current(&self) -> SpecsByDigest {
        self.state().current.clone()
    }

    /// Swaps the registry, then tells what happened: whoever hears of it finds it so.
    pub(super) fn publish(
        &self,
        diff: &PluginDiff,
        mut staged: BTreeMap<String, Plugin>,
        desired: &SpecsByDigest,
        restored: &BTreeSet<String>,
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
                state.ledger.withdraw(plugin);
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
                is_restored: restored.contains(&plugin.identity().digest),
            });
        }
        for plugin in gone {
            let plugin = plugin.identity().clone();
            self.observer.observe(PluginEvent::Draining { plugin });
        }
    }
}
