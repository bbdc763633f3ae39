//! Secrets: `[secrets]`.
