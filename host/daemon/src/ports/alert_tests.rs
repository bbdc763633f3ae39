//! Test alerts, as operators send them.

use super::{Boxed, between::Delivery};
use mainstay_domain::{actor::Actor, name::PluginName};

/// What became of a test alert to one alerter.
#[derive(Debug, Clone, PartialEq)]
pub struct TestedAlerter {
    /// Which.
    pub alerter: PluginName,
    /// What it answered.
    pub delivery: Delivery,
}

/// Sends test alerts.
pub trait AlertTests: Send + Sync {
    /// Those to whom alert routes send, each once, in the order of the config.
    fn alerters(&self) -> Vec<PluginName>;
    /// Sends one test alert to this alerter, or to each, once, and says what each answered. Nothing is stored of it, and no
    /// silence holds it back.
    fn test(&self, alerter: Option<PluginName>, by: Actor) -> Boxed<'_, Vec<TestedAlerter>>;
}
