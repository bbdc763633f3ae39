//! A plugin that serves: calls under grants and limits, what they came to, and whether it has to rest.
//!
//! Invariant: every call has a store of its own; plugins and calls never see each other.
//! Invariant: at most `limits.concurrency` calls run at one time; a further call waits its turn in order, while its
//! own timeout runs.

mod calls;
mod record;

pub use record::CallCounts;
pub(crate) use record::Record;

use crate::{
    candidate::{Descriptor, Loaded, LoaderContext},
    contract::Shape,
    error::CallError,
    settings::Settings,
};
use mainstay_domain::{
    name::PluginName,
    plugin::{PluginIdentity, PluginKind},
    spec::{Grants, Limits, PluginSpec},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::Semaphore;

/// One version of one plugin with one set of grants, limits and settings.
pub struct Plugin {
    shared: Arc<LoaderContext>,
    pub(crate) loaded: Arc<Loaded>,
    grants: Arc<Grants>,
    limits: Limits,
    settings: Settings,
    turns: Semaphore,
    pub(crate) record: Arc<Record>,
    /// What it goes by: its own name, or that of an instance.
    identity: Arc<PluginIdentity>,
    /// The same component by other names, under grants, limits and settings of their own.
    pub(crate) instances: BTreeMap<PluginName, Arc<Plugin>>,
}

/// What a call comes to: the plugin's answer, which may be an error of its own, or no answer.
pub type Called<T, E> = Result<Result<T, E>, CallError>;

/// A call of which nothing acts any more.
#[derive(Debug, Clone)]
#[must_use]
pub struct Settled<T, E> {
    /// What it came to.
    pub called: Called<T, E>,
    /// How many effects its operation has had: the next call's go on from here. 0 where it is for no operation.
    pub effects: u32,
    /// Whether an effect of this call did something, or may have: all but those that only read, and those that
    /// did not happen.
    pub acted: bool,
}

impl Plugin {
    pub(crate) fn new(
        shared: Arc<LoaderContext>,
        loaded: Arc<Loaded>,
        spec: &PluginSpec,
        settings: Settings,
    ) -> Self {
        Self {
            shared,
            identity: loaded.identity.clone(),
            instances: BTreeMap::new(),
            loaded,
            grants: Arc::new(spec.grants.clone()),
            limits: spec.limits,
            settings,
            turns: Semaphore::new(usize::try_from(spec.limits.concurrency).unwrap_or(1).max(1)),
            record: Arc::default(),
        }
    }

    /// The same version with other settings keeps the counts of its calls.
    #[must_use]
    pub(crate) fn continuing(mut self, before: &Plugin) -> Self {
        self.record = before.record.clone();
        let instances = std::mem::take(&mut self.instances).into_iter();
        self.instances = instances
            .filter_map(|(name, instance)| {
                let instance = Arc::into_inner(instance)?;
                let instance = match before.instances.get(&name) {
                    Some(before) => instance.continuing(before),
                    None => instance,
                };
                Some((name, Arc::new(instance)))
            })
            .collect();
        self
    }

    /// The same by the name of an instance.
    #[must_use]
    pub(crate) fn named(mut self, name: &PluginName) -> Self {
        self.identity = Arc::new(PluginIdentity {
            name: name.clone(),
            ..PluginIdentity::clone(&self.identity)
        });
        self
    }

    pub(crate) fn add_instance(&mut self, instance: Plugin) {
        let name = instance.identity.name.clone();
        self.instances.insert(name, Arc::new(instance));
    }

    /// The instance with this name, if it has one.
    pub fn instance(&self, name: &PluginName) -> Option<&Arc<Plugin>> {
        self.instances.get(name)
    }

    /// Name, version, digest.
    pub fn identity(&self) -> &Arc<PluginIdentity> {
        &self.identity
    }

    /// What it is.
    pub fn kind(&self) -> PluginKind {
        self.loaded.shape.kind
    }

    /// Contract and imports.
    pub fn shape(&self) -> &Shape {
        &self.loaded.shape
    }

    /// What it says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.loaded.descriptor
    }

    /// What it may do.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What its calls came to.
    pub fn counts(&self) -> CallCounts {
        self.record.counts()
    }

    /// Whether a call made now would be refused because it failed too often.
    pub fn is_resting(&self) -> bool {
        self.record.is_resting((self.shared.now)())
    }
}

#[cfg(test)]
mod tests;
