//! What `mainstay plugin inspect` shows of a component.

use crate::candidate::Candidate;
use mainstay_domain::{
    name::{FailureType, PluginName},
    plugin::{Capability, PluginKind},
};
use semver::Version;

/// Everything that a component says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// The name that it gives itself.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// Its kind.
    pub kind: PluginKind,
    /// The version of the contract that it was built against.
    pub contract: Version,
    /// Its world, e.g. `mainstay:plugin/recovery-handler@1.0.0`.
    pub world: String,
    /// One sentence.
    pub summary: String,
    /// Failure types that it is meant for.
    pub handles: Vec<FailureType>,
    /// What it asks for, and why.
    pub capabilities: Vec<Capability>,
    /// What it imports, sorted.
    pub imports: Vec<String>,
    /// JSON Schema of its settings.
    pub settings_schema: Option<serde_json::Value>,
    /// Its size.
    pub size_bytes: u64,
    /// BLAKE3 of its bytes, hexadecimal.
    pub digest: String,
    /// Who signed it; absent: nobody.
    pub signature: Option<String>,
}

impl From<&Candidate> for Inspection {
    fn from(candidate: &Candidate) -> Self {
        let (identity, shape) = (candidate.identity(), candidate.shape());
        let descriptor = candidate.descriptor();
        Self {
            name: identity.name.clone(),
            version: identity.version.clone(),
            kind: shape.kind,
            contract: shape.built_against.clone(),
            world: format!("mainstay:plugin/{}@{}", shape.kind, shape.built_against),
            summary: descriptor.summary.clone(),
            handles: descriptor.handles.clone(),
            capabilities: descriptor.capabilities.clone(),
            imports: shape.imports.clone(),
            settings_schema: descriptor.settings_schema.clone(),
            size_bytes: candidate.size_bytes(),
            digest: identity.digest.clone(),
            signature: None,
        }
    }
}
