//! Silences: alerts of which people do not want to hear for a while.

use mainstay_domain::{silence, time::Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A silence that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Silence {
    /// Its identifier.
    pub id: String,
    /// The target whose alerts are silenced; null where `alert` says which.
    pub target: Option<String>,
    /// The key of the alerts that are silenced; null where `target` says which.
    pub alert: Option<String>,
    /// When it began.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// Until when it lasts.
    #[schemars(extend("format" = "date-time"))]
    pub until: String,
    /// Why.
    pub reason: String,
    /// Who asked for it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
}

impl Silence {
    /// The form of a silence that lasts until then.
    pub fn of(silence: &silence::Silence, until: Timestamp) -> Self {
        let (target, alert) = match &silence.of {
            silence::Silenced::Target(target) => (Some(target.to_string()), None),
            silence::Silenced::Key(key) => (None, Some(key.clone())),
        };
        Self {
            id: silence.id.to_string(),
            target,
            alert,
            since: silence.since.to_string(),
            until: until.to_string(),
            reason: silence.reason.clone(),
            by: silence.by.name.clone(),
            note: silence.by.note.clone(),
        }
    }
}
