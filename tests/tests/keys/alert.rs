//! Alerts: `[[alert]]`.
