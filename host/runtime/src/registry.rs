//! The handler registry: which versions of which plugins serve, and which of them a name and a requirement mean.
//!
//! Invariant: readers see one immutable snapshot; a publication replaces it in one atomic swap, so no reader ever
//! finds a plugin half there. Writers are serial.
//! Invariant: of one name, a version is there once.

mod not_serving;

pub use not_serving::NotServing;

use crate::plugin::Plugin;
use arc_swap::ArcSwap;
use mainstay_domain::{
    name::{FailureType, PluginName},
    plugin::{PluginKind, contested, satisfies},
};
use parking_lot::Mutex;
use semver::{Version, VersionReq};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the registry needs to know of an entry.
pub trait Versioned {
    /// What it is.
    fn kind(&self) -> PluginKind;
    /// Its name.
    fn name(&self) -> &PluginName;
    /// Its version.
    fn version(&self) -> &Version;
    /// Failure types that it is meant for.
    fn handles(&self) -> &[FailureType];
    /// It failed too often and is not to be called now.
    fn is_resting(&self) -> bool;
}

impl Versioned for Plugin {
    fn kind(&self) -> PluginKind {
        Plugin::kind(self)
    }
    fn name(&self) -> &PluginName {
        &self.identity().name
    }
    fn version(&self) -> &Version {
        &self.identity().version
    }
    fn handles(&self) -> &[FailureType] {
        &self.descriptor().handles
    }
    fn is_resting(&self) -> bool {
        Plugin::is_resting(self)
    }
}

/// Whether it serves where a plugin of this kind is asked for.
fn serves<P: Versioned>(entry: &Arc<P>, kind: PluginKind) -> bool {
    entry.kind().serves_as() == kind.serves_as()
}

/// A version that is registered already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}@{version} is registered already")]
pub struct AlreadyRegistered {
    /// Its name.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
}

/// Several plugins that are meant for one failure type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The failure type.
    pub failure: FailureType,
    /// Their names, sorted.
    pub plugins: Vec<PluginName>,
}

/// The versions of each name, newest first.
type Snapshot<P> = BTreeMap<PluginName, Vec<Arc<P>>>;

/// Which plugins serve.
pub struct Registry<P> {
    current: ArcSwap<Snapshot<P>>,
    writing: Mutex<()>,
}

impl<P> Default for Registry<P> {
    fn default() -> Self {
        Self {
            current: ArcSwap::from_pointee(Snapshot::new()),
            writing: Mutex::default(),
        }
    }
}

impl<P: Versioned> Registry<P> {
    /// Adds one version.
    pub fn register(&self, entry: Arc<P>) -> Result<(), AlreadyRegistered> {
        self.register_batch(vec![entry])
    }

    /// Adds all, visible at once, or none.
    pub fn register_batch(&self, entries: Vec<Arc<P>>) -> Result<(), AlreadyRegistered> {
        self.publish(entries, |_| false).map(drop)
    }

    /// Removes those that `leaves` names and adds others, in one swap. Gives those that were removed.
    pub fn publish(
        &self,
        add: Vec<Arc<P>>,
        leaves: impl Fn(&P) -> bool,
    ) -> Result<Vec<Arc<P>>, AlreadyRegistered> {
        let _serial = self.writing.lock();
        let mut removed = Vec::new();
        let mut next = Snapshot::<P>::clone(&self.current.load());
        for versions in next.values_mut() {
            removed.extend(versions.extract_if(.., |entry| leaves(entry)));
        }
        for entry in add {
            let versions = next.entry(entry.name().clone()).or_default();
            match versions.binary_search_by(|there| entry.version().cmp(there.version())) {
                Err(place) => versions.insert(place, entry),
                Ok(_) => {
                    return Err(AlreadyRegistered {
                        name: entry.name().clone(),
                        version: entry.version().clone(),
                    });
                }
            }
        }
        next.retain(|_, versions| !versions.is_empty());
        self.current.store(Arc::new(next));
        Ok(removed)
    }

    /// The newest version that matches and does not rest. A pre-release matches only where the requirement names one,
    /// build metadata never where it names one version; of two that differ in it alone, the greater is the newer.
    pub fn get(
        &self,
        kind: PluginKind,
        name: &PluginName,
        requirement: &VersionReq,
    ) -> Result<Arc<P>, NotServing> {
        let current = self.current.load();
        let versions = current.get(name).map(Vec::as_slice).unwrap_or_default();
        let mut of_kind = versions.iter().filter(|entry| serves(entry, kind));
        let mut matching = of_kind
            .clone()
            .filter(|entry| satisfies(requirement, entry.version()));
        if let Some(entry) = matching.clone().find(|entry| !entry.is_resting()) {
            return Ok(entry.clone());
        }
        let versions_of = |entries: &mut dyn Iterator<Item = &Arc<P>>| -> Vec<String> {
            entries.map(|entry| entry.version().to_string()).collect()
        };
        let name = name.clone();
        let requirement = requirement.to_string();
        let resting = versions_of(&mut matching);
        let there = versions_of(&mut of_kind);
        Err(match (resting.is_empty(), there.is_empty()) {
            (false, _) => NotServing::Resting {
                name,
                requirement,
                resting,
            },
            (true, false) => NotServing::NoMatch {
                name,
                requirement,
                there,
            },
            (true, true) => {
                let all = current.values().flatten();
                let all = all.filter(|entry| serves(entry, kind));
                let names: BTreeSet<String> = all.map(|entry| entry.name().to_string()).collect();
                NotServing::Unknown {
                    kind,
                    name,
                    there: names.into_iter().collect(),
                }
            }
        })
    }

    /// Whether any version of the name serves.
    pub fn has(&self, kind: PluginKind, name: &PluginName) -> bool {
        let current = self.current.load();
        let versions = current.get(name);
        versions.is_some_and(|versions| versions.iter().any(|entry| serves(entry, kind)))
    }

    /// Removes one version, and gives it where it was there.
    pub fn unregister(&self, name: &PluginName, version: &Version) -> Option<Arc<P>> {
        let removed = self.publish(Vec::new(), |entry| {
            entry.name() == name && entry.version() == version
        });
        removed.ok()?.pop()
    }

    /// Removes all, and gives them.
    pub fn clear(&self) -> Vec<Arc<P>> {
        self.publish(Vec::new(), |_| true).unwrap_or_default()
    }

    /// Every version, by name, newest first.
    pub fn all(&self) -> Vec<Arc<P>> {
        self.current.load().values().flatten().cloned().collect()
    }

    /// The handlers that say that they are meant for a failure type, newest version of each, by name.
    pub fn handlers_of(&self, failure: &FailureType) -> Vec<Arc<P>> {
        let current = self.current.load();
        let newest = current
            .values()
            .filter_map(|versions| versions.iter().find(|entry| entry.version().pre.is_empty()));
        newest
            .filter(|entry| serves(entry, PluginKind::RecoveryHandler))
            .filter(|entry| entry.handles().contains(failure))
            .cloned()
            .collect()
    }

    /// Failure types that more than one plugin says it is meant for.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let current = self.current.load();
        // A detector tells of failures, and handles none.
        let handlers = current.values().flatten();
        let handlers = handlers.filter(|entry| serves(entry, PluginKind::RecoveryHandler));
        let handled = handlers.flat_map(|entry| {
            let failures = entry.handles().iter();
            failures.map(move |failure| (failure, entry.name()))
        });
        let contested = contested(handled);
        contested
            .into_iter()
            .map(|(failure, plugins)| Conflict {
                failure: failure.clone(),
                plugins: plugins.into_iter().cloned().collect(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
