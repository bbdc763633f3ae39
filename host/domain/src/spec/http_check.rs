//! Checks that ask a server over HTTP, as configured.

use crate::effect::HttpMethod;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// A request, and what makes its answer good: the status is in the range, and the body holds the text.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpCheck {
    /// `http` or `https`.
    pub url: String,
    /// Default GET; its body is empty.
    pub method: HttpMethod,
    /// By name in lower case; values may hold `${secret:NAME}`. Sent to the origin of `url` and to no other.
    pub headers: BTreeMap<String, String>,
    /// Whether the answer is looked for where a redirect leads to; default no: that it redirects is the answer.
    pub follow_redirects: bool,
    /// Whose certificate counts.
    pub trust: Trust,
    /// Lowest and highest good status; default 200 to 399.
    pub status: (u16, u16),
    /// Text that the body must hold, within its first MiB.
    pub body_contains: Option<String>,
    /// Degraded where a good answer takes longer; default: never.
    pub warn_latency: Option<Duration>,
}

/// By whom the certificate of a server has to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// An authority that this machine trusts.
    #[default]
    Machine,
    /// One of those in this PEM file, and by no other.
    Authorities(PathBuf),
    /// Anyone: it is not looked at.
    Anyone,
}
