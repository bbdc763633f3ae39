//! The words for the mode in which the host works; what they follow from is decided in `fallback`.

use serde::{Deserialize, Serialize};

/// In which mode the host works, the best first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "kebab-case")]
pub enum FallbackMode {
    /// As it should.
    #[default]
    Primary,
    /// A circuit is open, or attempts to recover fail again and again.
    Heuristic,
    /// Two targets or more have failed.
    Safe,
}

impl FallbackMode {
    /// Every mode, the best first.
    pub const ALL: [FallbackMode; 3] = [
        FallbackMode::Primary,
        FallbackMode::Heuristic,
        FallbackMode::Safe,
    ];

    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Heuristic => "heuristic",
            Self::Safe => "safe",
        }
    }
}

impl std::fmt::Display for FallbackMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
