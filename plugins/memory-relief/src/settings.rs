//! What frees memory, checked when the configuration is.

use mainstay_plugin_sdk::recovery::Signal;
use mainstay_plugin_sdk::settings::DurationText;
use schemars::JsonSchema;
use serde::Deserialize;

/// What frees memory. The gentler comes first: the signal, the commands, the restart.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReliefSettings {
    /// A signal by which the target's process frees memory: `SIGHUP`, `SIGUSR1` or `SIGUSR2`. Needs the grant
    /// `target = ["signal"]`.
    pub(crate) signal: Option<Release>,
    /// Commands of the config that free memory, in order, e.g. `["clear-cache", "demote-cold", "collect-garbage"]`. Need
    /// the grant `command`.
    pub(crate) commands: Vec<String>,
    /// How long the checks may take to pass after each step; default 5s. Needs the grant `target = ["check"]`.
    pub(crate) settle: Option<DurationText>,
    /// Whether the target is restarted where nothing else helped; default true. Needs the grant `target = ["restart"]`.
    pub(crate) restart: Option<bool>,
}

/// A signal that ends no process that expects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Release {
    /// SIGHUP
    #[serde(rename = "SIGHUP")]
    Hup,
    /// SIGUSR1
    #[serde(rename = "SIGUSR1")]
    Usr1,
    /// SIGUSR2
    #[serde(rename = "SIGUSR2")]
    Usr2,
}

impl Release {
    /// As the contract has it.
    pub(crate) fn signal(self) -> Signal {
        match self {
            Self::Hup => Signal::Hup,
            Self::Usr1 => Signal::Usr1,
            Self::Usr2 => Signal::Usr2,
        }
    }

    /// As people write it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Hup => "SIGHUP",
            Self::Usr1 => "SIGUSR1",
            Self::Usr2 => "SIGUSR2",
        }
    }
}
