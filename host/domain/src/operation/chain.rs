//! Where in the chain of its route an operation stands, and what the steps before came to.

use crate::name::PluginName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The step of an attempt whose handler is called, or is called next. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainPlace {
    /// Which, from 0.
    pub step: u32,
    /// Its handler: with another one in its place the chain is another one.
    pub handler: PluginName,
    /// What the steps before it came to.
    pub progress: AttemptProgress,
    /// Steps that failed permanently in this attempt or one before; they are not called again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub permanently_failed: BTreeSet<usize>,
}

/// What the steps of an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AttemptProgress {
    /// A step that counts is done.
    pub done: bool,
    /// A step failed permanently; the next step was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permanently_failed: Option<String>,
    /// Why the remaining steps are skipped, except those that always run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failed>,
    /// A step failed that lets those behind it go on: it counts where none of them is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_over: Option<Failed>,
    /// A step that failed for good lets none behind it go on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// The condition of a step was not met; that of another attempt may be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unmet: bool,
}

/// Why the steps of a route ended early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failed {
    /// Another attempt may help.
    Retryable(String),
    /// No version of this handler serves.
    Missing(PluginName, String),
    /// A person has to do this first.
    NeedsOperator(String, Vec<String>),
}
