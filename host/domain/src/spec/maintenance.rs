//! Maintenance windows, as configured.

use super::Schedule;
use crate::{name::TargetName, time::Timestamp};
use std::time::Duration;

/// A time in which work is done on targets.
#[derive(Debug, Clone, PartialEq)]
pub struct MaintenanceSpec {
    /// On which; none: on the whole host.
    pub targets: Vec<TargetName>,
    /// When it begins.
    pub begins: MaintenanceBegin,
    /// How long it lasts.
    pub length: Duration,
    /// Whether alerts are held back.
    pub holds_alerts: bool,
    /// Whether automatic recovery is paused.
    pub pauses_recovery: bool,
}

/// When a window begins.
#[derive(Debug, Clone, PartialEq)]
pub enum MaintenanceBegin {
    /// Once.
    At(Timestamp),
    /// Again and again; checked.
    Every(Schedule),
}
