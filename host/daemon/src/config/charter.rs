//! The file of the charter: what may never be done automatically.

use mainstay_domain::{
    name::{PluginName, TargetName},
    policy::sha256_hex,
};
use mainstay_runtime::regular_file;
use serde::Deserialize;
use std::{num::NonZeroU32, path::Path};

/// A charter says little.
const MAX_BYTES: u64 = 64 << 10;

/// What it says.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CharterRules {
    /// Targets that are never recovered automatically.
    pub(super) targets: Vec<TargetName>,
    /// Handlers that are never called automatically.
    pub(super) handlers: Vec<PluginName>,
    /// No budget of the host is above this.
    pub(super) concurrent: Option<NonZeroU32>,
    /// No budget of the host is above this.
    pub(super) per_hour: Option<NonZeroU32>,
}

/// Its digest, and what it says; an error for people.
pub(super) fn read(file: &Path) -> Result<(String, Result<CharterRules, String>), String> {
    let bytes = regular_file::read_whole(file, MAX_BYTES).map_err(|error| error.to_string())?;
    let digest = sha256_hex(&bytes);
    let text = std::str::from_utf8(&bytes).map_err(|error| error.to_string());
    let rules = text.and_then(|text| {
        toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
    });
    Ok((digest, rules))
}
