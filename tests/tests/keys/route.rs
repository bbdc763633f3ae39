//! Routes, strategies and chains: `[[route]]`.
