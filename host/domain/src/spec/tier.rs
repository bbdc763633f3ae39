//! Places where backups are stored, as configured.

use std::path::PathBuf;

/// A place beside the state directory where backups are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierSpec {
    /// A directory that is there, on another disk or mounted from another machine. Absolute.
    pub path: PathBuf,
    /// What it is for where a job does not name it; default `network`.
    pub role: TierRole,
}

/// What a tier is for [seed 003]; see [`crate::tier_order::tier_order`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TierRole {
    /// Differential backups.
    Network,
    /// Full backups.
    Cloud,
    /// No backup that is not told to.
    Archive,
}
