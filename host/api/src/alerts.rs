//! Test alerts, which of those that were sent are asked for, and how those stand who deliver alerts.

use mainstay_domain::alert::AlerterState;
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

/// The query of `GET /v1/alerts/history`: of the newest 1,000 alerts that were sent or given up.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertQuery {
    /// Only about this target.
    pub target: Option<String>,
    /// Only those of this alerter.
    pub alerter: Option<String>,
    /// Only those that were given up; default false.
    pub abandoned: Option<bool>,
    /// Only sent or given up at or after this.
    #[schemars(extend("format" = "date-time"))]
    pub since: Option<String>,
    /// At most so many; default 100, at most 1,000.
    pub limit: Option<u32>,
    /// Only those before the event with this `seq`: the last of the page before.
    pub before: Option<u64>,
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

/// How an alerter stands, in `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlerterRow {
    /// Its name.
    pub name: String,
    /// Whether each `[[alert]]` that names it has a version of it that serves.
    pub serves: bool,
    /// How many alerts wait for it or were given up since it does not serve, or its deliveries fail.
    pub undelivered: u64,
    /// What its last attempt said, where its deliveries fail; else null.
    pub last_error: Option<String>,
    /// Since when it does not serve, or its deliveries fail; null where all is well.
    #[schemars(extend("format" = "date-time"))]
    pub since: Option<String>,
}

impl From<&AlerterState> for AlerterRow {
    fn from(state: &AlerterState) -> Self {
        Self {
            name: state.name.to_string(),
            serves: state.serves,
            undelivered: u64::try_from(state.undelivered).unwrap_or(u64::MAX),
            last_error: state.last_error.clone(),
            since: state.since.map(String::from),
        }
    }
}
