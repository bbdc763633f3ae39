//! The host itself: `[host]`.
