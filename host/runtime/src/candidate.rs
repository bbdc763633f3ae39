//! A component that was loaded: what it says of itself, its compiled code, and the moment when that is freed.

use crate::{
    bindings::{Linkers, Program, RawDescriptor},
    cache::CompileCache,
    compiler::Compiler,
    contract::Shape,
    effects::EffectPort,
    engine::Engine,
    error::LoadError,
    observer::{Observer, PluginEvent},
    quarantine::QuarantinePolicy,
    seeds::Seeds,
    settings_schema,
};
use mainstay_domain::{
    name::FailureType,
    plugin::{Capability, PluginIdentity},
    time::Monotonic,
};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};

/// Tells the time since some fixed point; tests give their own.
pub type Now = Arc<dyn Fn() -> Monotonic + Send + Sync>;

/// What all plugins of a host share.
pub(crate) struct LoaderContext {
    pub(crate) engine: Engine,
    pub(crate) effects: Arc<dyn EffectPort>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) quarantine: QuarantinePolicy,
    pub(crate) now: Now,
    pub(crate) linkers: Linkers,
    pub(crate) cache: Option<CompileCache>,
    pub(crate) compiler: Arc<dyn Compiler>,
    pub(crate) seeds: Seeds,
}

/// What a plugin says of itself, checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Descriptor {
    /// One sentence.
    pub summary: String,
    /// Failure types that it is meant for.
    pub handles: Vec<FailureType>,
    /// What it asks for, and why.
    pub capabilities: Vec<Capability>,
    /// JSON Schema of its settings.
    pub settings_schema: Option<serde_json::Value>,
}

/// The longest summary, bytes.
const MAX_SUMMARY: usize = 2_000;
/// Failure types and capabilities that a plugin may name.
const MAX_NAMED: usize = 256;
/// The longest name of a capability, and the longest reason for it, bytes.
const MAX_CAPABILITY: usize = 2_000;

impl Descriptor {
    pub(crate) fn parse(raw: RawDescriptor) -> Result<Self, LoadError> {
        check_length("a summary", raw.summary.len(), MAX_SUMMARY)?;
        check_length("a list of failure types", raw.handles.len(), MAX_NAMED)?;
        check_length("a list of capabilities", raw.capabilities.len(), MAX_NAMED)?;
        for Capability { name, why } in &raw.capabilities {
            check_length("a capability", name.len().max(why.len()), MAX_CAPABILITY)?;
        }
        let handles = raw.handles.iter().map(|name| FailureType::parse(name));
        let schema = raw.settings_schema.as_deref().map(settings_schema::parse);
        Ok(Self {
            summary: raw.summary,
            handles: handles
                .collect::<Result<_, _>>()
                .map_err(LoadError::Handles)?,
            capabilities: raw.capabilities,
            settings_schema: schema.transpose().map_err(LoadError::Schema)?,
        })
    }
}

fn check_length(what: &'static str, found: usize, allowed: usize) -> Result<(), LoadError> {
    match found > allowed {
        true => Err(LoadError::TooLong {
            what,
            found,
            allowed,
        }),
        false => Ok(()),
    }
}

/// A component that was checked, compiled and described, and has no settings yet. Cheap to clone.
#[derive(Clone)]
pub struct Candidate(pub(crate) Arc<Loaded>);

/// What all settings of one build share.
pub(crate) struct Loaded {
    pub(crate) identity: Arc<PluginIdentity>,
    pub(crate) shape: Shape,
    pub(crate) descriptor: Descriptor,
    pub(crate) program: Program,
    size_bytes: u64,
    /// Last, so that it is dropped when everything above is freed.
    pub(crate) retirement: Retirement,
}

impl Loaded {
    pub(crate) fn new(
        identity: PluginIdentity,
        descriptor: Descriptor,
        shape: Shape,
        program: Program,
        size_bytes: u64,
    ) -> Self {
        Self {
            identity: Arc::new(identity),
            shape,
            descriptor,
            program,
            size_bytes,
            retirement: Retirement::default(),
        }
    }
}

/// Tells the observer when a build that served is freed.
#[derive(Default)]
pub(crate) struct Retirement(OnceLock<(Arc<PluginIdentity>, Arc<dyn Observer>)>);

impl Retirement {
    /// Reports the retirement from now on; a second call changes nothing.
    pub(crate) fn announce(&self, plugin: Arc<PluginIdentity>, observer: Arc<dyn Observer>) {
        let _ = self.0.set((plugin, observer));
    }
}

impl Drop for Retirement {
    fn drop(&mut self) {
        if let Some((plugin, observer)) = self.0.take() {
            observer.observe(PluginEvent::Retired { plugin });
        }
    }
}

impl Candidate {
    /// What it calls itself.
    pub fn identity(&self) -> &Arc<PluginIdentity> {
        &self.0.identity
    }

    /// Kind, contract and imports.
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// What else it says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.0.descriptor
    }

    /// The size of the component.
    pub fn size_bytes(&self) -> u64 {
        self.0.size_bytes
    }
}
