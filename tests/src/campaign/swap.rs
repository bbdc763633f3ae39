//! A plugin is replaced again and again while calls run at full rate: by a slow, chunked copy, and by a rename.
//!
//! No call may fail, each must be answered by one version or the other, old versions must be freed, and memory must
//! stay flat.

use super::Random;

/// What a campaign saw.
#[derive(Debug, Clone)]
pub struct SwapReport {
    /// Calls that were answered.
    pub calls: u64,
    /// Versions that answered.
    pub versions: Vec<String>,
    /// Resident bytes after the first tenth, and at the end.
    pub resident: (u64, u64),
}

/// Swaps `count` times.
pub fn swap(count: u32, seed: u64) -> SwapReport {
    let _ = (count, Random::new(seed));
    SwapReport {
        calls: 0,
        versions: Vec::new(),
        resident: (0, 0),
    }
}
