//! Checks that plugins make, as configured.

use super::plugin::secrets_in;
use crate::name::{PluginName, SecretName};
use semver::VersionReq;
use std::collections::BTreeSet;

/// A plugin of the kind `detector`, and what it is asked. Where it gives no answer the target was not seen, which is no
/// failure.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginCheck {
    /// The detector's name.
    pub plugin: PluginName,
    /// Which of its versions; default any.
    pub version: VersionReq,
    /// Handed to it; a JSON object, with secrets as in its settings.
    pub params: serde_json::Value,
}

impl PluginCheck {
    /// The secrets that its parameters name; the detector may use them only where its settings name them too.
    pub fn secrets(&self) -> BTreeSet<SecretName> {
        secrets_in(&self.params)
    }
}
