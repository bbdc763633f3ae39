//! Checks that speak the protocol of a service, as configured.

use crate::{effect::HttpMethod, name::SecretName};
use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

/// Where a service listens. What it is called in texts is what [`fmt::Display`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceAddress {
    /// `host:port`.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServiceAddress::Tcp(address) => formatter.write_str(address),
            ServiceAddress::Unix(path) => write!(formatter, "{}", path.display()),
        }
    }
}

/// A Redis, healthy where it answers PING, and what else is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisCheck {
    /// Where it listens.
    pub at: ServiceAddress,
    /// As whom; default: its user `default`. Needs `password`.
    pub user: Option<String>,
    /// The secret that it is given; default: none is asked for.
    pub password: Option<SecretName>,
    /// It is asked over TLS, and its certificate must be signed by one of those in this PEM file; default: in plain text, as
    /// a socket in the file system always is.
    pub ca: Option<PathBuf>,
    /// Failed where it is another one.
    pub role: Option<RedisRole>,
    /// Degraded where it uses more bytes.
    pub warn_memory: Option<u64>,
    /// Degraded where its replicas, or it as a replica, have not heard of the other side for longer.
    pub warn_lag: Option<Duration>,
    /// Failed where this key is not there.
    pub read_key: Option<String>,
    /// Failed where this key cannot be written; it is overwritten, and expires after an hour.
    pub write_key: Option<String>,
    /// Degraded where all that it is asked takes longer; default: never.
    pub warn_latency: Option<Duration>,
}

/// What a Redis is in its replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisRole {
    /// It takes writes.
    Master,
    /// It follows a master.
    Replica,
}

impl RedisRole {
    /// Each of them.
    pub const ALL: [RedisRole; 2] = [RedisRole::Master, RedisRole::Replica];

    /// The word that operators write.
    pub fn as_str(self) -> &'static str {
        match self {
            RedisRole::Master => "master",
            RedisRole::Replica => "replica",
        }
    }
}

/// A PostgreSQL, healthy where it takes a login and answers a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresCheck {
    /// Where it listens.
    pub at: ServiceAddress,
    /// As whom.
    pub user: String,
    /// The secret that it is given; default: none is asked for.
    pub password: Option<SecretName>,
    /// It is asked over TLS, and its certificate must be signed by one of those in this PEM file; default: in plain text, as
    /// a socket in the file system always is.
    pub ca: Option<PathBuf>,
    /// Default: that of the user's name.
    pub database: String,
    /// Default `select 1`.
    pub query: String,
    /// Failed where the first column of the first row is another text; default: whatever it is.
    pub expects: Option<String>,
    /// Degraded where login and query take longer; default: never.
    pub warn_latency: Option<Duration>,
}

/// A trading engine, healthy where it tells over HTTP that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineCheck {
    /// Of its API, `http` or `https`, with a slash at its end: `status`, `orders` and `positions` lie below it.
    pub api: String,
    /// By name in lower case; values may hold `${secret:NAME}`. Sent to the origin of `api` and to no other.
    pub headers: BTreeMap<String, String>,
    /// Failed where the `updated_at` of its status is older; default: it is not looked at.
    pub max_age: Option<Duration>,
    /// Failed where more of its orders are pending; default: they are not looked at.
    pub max_pending: Option<u32>,
    /// Failed where a position lacks its symbol, quantity or entry price [seed 000]; default no: they are not looked at.
    pub positions: bool,
    /// Degraded where all that takes longer; default: never.
    pub warn_latency: Option<Duration>,
}

/// A bucket of an S3, or an object in one, healthy where it can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Check {
    /// Of the bucket or the object, `http` or `https`, without a query.
    pub url: String,
    /// HEAD or GET; default HEAD.
    pub method: HttpMethod,
    /// Where the bucket is; default `us-east-1`.
    pub region: String,
    /// The secrets that it is asked with, the access key before the secret key; default: as anybody.
    pub keys: Option<(SecretName, SecretName)>,
    /// Degraded where that takes longer; default: never.
    pub warn_latency: Option<Duration>,
}
