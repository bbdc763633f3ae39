//! Where the engine's API is, checked when the configuration is.

use mainstay_plugin_sdk::settings::DurationText;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Where the engine is, and what may be done to it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EngineSettings {
    /// Where its API begins, an `http` or `https` URL, with `/orders`, `/portfolio` and `/positions` below it. Its origin needs
    /// the grant `http`.
    pub(crate) api: Base,
    /// Headers of each request; values may hold `${secret:NAME}`.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The backup job that holds its positions: a backup is taken before any is removed. Needs the grant `backup`. Without it
    /// none is removed, and a person is asked.
    #[serde(default)]
    pub(crate) job: Option<String>,
    /// The statuses of orders that are cancelled; default: `pending`.
    #[serde(default)]
    pub(crate) pending: Option<Vec<String>>,
    /// How long the API may take to answer after a restart; default 30s.
    #[serde(default)]
    wait: Option<DurationText>,
    /// How long one request may take; default 5s.
    #[serde(default)]
    timeout: Option<DurationText>,
}

impl EngineSettings {
    /// Whether an order of this status is cancelled.
    pub(crate) fn is_pending(&self, status: &str) -> bool {
        match &self.pending {
            None => status == "pending",
            Some(all) => all.iter().any(|one| one == status),
        }
    }

    pub(crate) fn wait(&self) -> DurationText {
        self.wait
            .unwrap_or(DurationText::from(Duration::from_secs(30)))
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
            .map_or(Duration::from_secs(5), DurationText::get)
    }
}

/// Where an API begins.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub(crate) struct Base(String);

impl Base {
    /// The URL of something below it.
    pub(crate) fn below(&self, path: &str) -> String {
        format!("{}/{path}", self.0)
    }
}

impl TryFrom<String> for Base {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"));
        let is_plain = |letter: char| !letter.is_whitespace() && letter != '?' && letter != '#';
        match rest {
            Some(rest) if !rest.is_empty() && rest.chars().all(is_plain) => {
                Ok(Self(text.trim_end_matches('/').to_owned()))
            }
            _ => Err(format!(
                "found {text:?}, expected a URL that starts with \"http://\" or \"https://\", without a query"
            )),
        }
    }
}
