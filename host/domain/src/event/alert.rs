//! What events of alerts say.

use crate::{id::AlertId, name::PluginName};
use serde::{Deserialize, Serialize};

/// An alert is in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertQueued {
    /// Which.
    pub alert: AlertId,
    /// Who is to deliver it.
    pub alerter: PluginName,
    /// The key of what it says to be over, where no event ends that: it was taken out of the config, or a daemon
    /// started; none for any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolves: Option<String>,
}

/// An alert is held back, told in the alert of a group, or nobody is told of it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertHeld {
    /// Which.
    pub alert: AlertId,
    /// Who was to deliver it.
    pub alerter: PluginName,
    /// Why, for people.
    pub why: String,
}

/// What an attempt to deliver an alert came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertDelivery {
    /// Which.
    pub alert: AlertId,
    /// Who was to deliver it.
    pub alerter: PluginName,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The receiver's reference where it was delivered, else why it was not; may be empty.
    pub detail: String,
    /// The alerts that it told in their place, where it is of a group. No record has them: another daemon does not know.
    #[serde(skip)]
    pub in_place_of: Vec<AlertId>,
}
