//! The words for the mode in which the host works.

use crate::words::words;
use mainstay_domain::fallback_mode;

words! {
    /// In which mode the host works. It follows from how its targets and recoveries do, and changes nothing of what the host
    /// does.
    #[serde(rename_all = "kebab-case")]
    FallbackMode as fallback_mode::FallbackMode {
        /// As it should.
        Primary,
        /// A circuit is open, or attempts to recover fail again and again.
        Heuristic,
        /// Two targets or more have failed.
        Safe,
    }
}
