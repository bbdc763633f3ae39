//! Test alerts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a test alert to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestedAlert {
    /// The alerter's name.
    pub alerter: String,
    /// Whether it was taken.
    pub delivered: bool,
    /// The plugin that delivered it, `NAME@VERSION`; null where none did.
    pub by: Option<String>,
    /// The receiver's own word for it; null where it gave none.
    pub reference: Option<String>,
    /// Why it was not taken; null where it was.
    pub error: Option<String>,
}

/// The body of `POST /v1/alerts/test`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertTestBody {
    /// Only to this alerter; absent: to each to whom an alert route sends.
    #[serde(default)]
    pub alerter: Option<String>,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}
