//! Grants, limits and settings of plugins: `[plugin.NAME]`.
