//! Where numbers go beside `/metrics`.

use std::net::SocketAddr;

/// A StatsD that numbers are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsdSpec {
    /// Where it listens, over UDP.
    pub address: SocketAddr,
    /// What every name begins with, before a dot; not empty; default `mainstay`.
    pub prefix: String,
    /// How labels are written; default plain.
    pub flavour: StatsdFlavour,
}

/// What a StatsD makes of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatsdFlavour {
    /// It knows none: their values are parts of the name, and what takes time is told in milliseconds.
    #[default]
    Plain,
    /// It knows tags, as that of Datadog does.
    Dogstatsd,
}
