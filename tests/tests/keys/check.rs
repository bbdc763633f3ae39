//! Checks: `[[target.check]]`.
