//! Targets: `[[target]]`.
