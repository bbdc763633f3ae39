//! What events of plugins say.

use crate::plugin::PluginKind;
use serde::{Deserialize, Serialize};

/// A plugin gets calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginServing {
    /// What it does.
    pub kind: PluginKind,
    /// The BLAKE3 hash of its component, hexadecimal.
    pub digest: String,
    /// The name of its file.
    pub file: String,
}

/// A plugin file that was refused is gone, or holds again what serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginWithdrawn {
    /// The name of the file.
    pub file: String,
}

/// A plugin file was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRejected {
    /// The name of the file.
    pub file: String,
    /// Why.
    pub reason: String,
}
