//! Checks of targets, as configured.

use super::{
    exec_check::ExecCheck,
    http_check::HttpCheck,
    plugin_check::PluginCheck,
    service_check::{EngineCheck, PostgresCheck, RedisCheck, S3Check},
};
use crate::{
    certificate::DaysLeft,
    name::{CheckName, FailureType},
    severity::Severity,
};
use std::{path::PathBuf, time::Duration};

/// One probe of a target, on a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckSpec {
    /// Unique within its target; default: its kind, numbered where there are several.
    pub name: CheckName,
    /// What is looked at.
    pub kind: CheckKind,
    /// At least 10 ms; default 10 s [seed 000]. Of a heartbeat there is no default: only who sends it knows how often it comes.
    pub every: Duration,
    /// At most `every`; default 1 s or `every`, the shorter.
    pub timeout: Duration,
    /// Failures in a row that open the circuit; default 5 [seed 002]: the death of a supervised process is known without
    /// a look (that of a foreign one in a `pid_file` is not), so this is about services that hang or are slow, and a restart of one that was only slow for half a minute costs more than it
    /// helps. Of a log 1, for a line is not written again, and of a heartbeat 1, for its period is the patience already.
    pub fail_after: u32,
    /// In place of `fail_after`: failures among the last looks that open the circuit, whatever lies between them.
    pub fail_of: Option<FailOf>,
    /// Successes in a row that close it; default 2 [seed 002].
    pub recover_after: u32,
    /// Each run is moved later by up to this much, so that checks do not beat together; default 0.
    pub jitter: Duration,
    /// What its failure is called.
    pub failure: FailureType,
    /// How bad that is; default by the failure type, see [`default_severity`](crate::failure::default_severity).
    pub severity: Severity,
}

/// So many failures among so many looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailOf {
    /// At least 1, at most `of`.
    pub failures: u32,
    /// At most [`FailOf::MOST`].
    pub of: u32,
}

impl FailOf {
    /// So many looks of a check are remembered.
    pub const MOST: u32 = 64;
}

/// What a check looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckKind {
    /// What a server answers to a request.
    Http(HttpCheck),
    /// Healthy where a connection opens.
    Tcp {
        /// `host:port`.
        address: String,
        /// Degraded where that takes longer; default: never.
        warn_latency: Option<Duration>,
    },
    /// Healthy where a connection opens to a socket in the file system.
    Unix {
        /// The socket.
        path: PathBuf,
        /// Degraded where that takes longer; default: never.
        warn_latency: Option<Duration>,
    },
    /// How long the certificate of a server is valid, whoever signed it.
    Tls {
        /// `host:port`.
        address: String,
        /// Whose certificate is asked for; default: the host of `address`.
        server_name: Option<String>,
        /// Default 7, and none to warn at.
        days: DaysLeft,
    },
    /// Healthy where the supervised child runs, or with `pid_file`, where the process named there does.
    Process {
        /// For foreign services.
        pid_file: Option<PathBuf>,
    },
    /// What a program says.
    Exec(ExecCheck),
    /// Healthy where the file exists and is as asked.
    File {
        /// The file.
        path: PathBuf,
        /// Not older than this.
        max_age: Option<Duration>,
        /// Not smaller than this, in bytes.
        min_bytes: Option<u64>,
        /// Must hold this text; at most the first MiB is read.
        contains: Option<String>,
    },
    /// Failed above `max_percent` used of the filesystem, degraded above `warn_percent`.
    Disk {
        /// A path on it.
        path: PathBuf,
        /// Above 0 and at most 100; default 95 [seed 000].
        max_percent: f64,
        /// Below `max_percent`; default: none.
        warn_percent: Option<f64>,
    },
    /// Failed above the limit: of the target's own processes in bytes, else of the host in percent.
    Memory {
        /// Of the host, above 0 and at most 100; default 90 [seed 000].
        max_percent: f64,
        /// Resident bytes of the supervised child's group, or with `pid_file` of the process named there and of what it
        /// started; instead of `max_percent`.
        max_bytes: Option<u64>,
        /// For foreign services.
        pid_file: Option<PathBuf>,
    },
    /// Failed above the limit: how much of the CPU the target's own processes used since the look before.
    Cpu {
        /// 100 is one core; default 90, at most 100000.
        max_percent: f64,
        /// Degraded above this; default: none.
        degraded_percent: Option<f64>,
        /// For foreign services.
        pid_file: Option<PathBuf>,
    },
    /// Failed where the log got lines since the look before that match.
    Log {
        /// Default: the output of the supervised child.
        path: Option<PathBuf>,
        /// What counts.
        pattern: LogPattern,
    },
    /// Failed where the target has not reported within `every`: `mainstay heartbeat TARGET`, or POST to the API.
    Heartbeat,
    /// What a detector says.
    Plugin(PluginCheck),
    /// What a Redis answers.
    Redis(RedisCheck),
    /// What a PostgreSQL answers.
    Postgres(PostgresCheck),
    /// Failed where a JSON document is not that of the checksum in it; see [`checksum`](crate::checksum).
    Checksum {
        /// At least one.
        paths: Vec<PathBuf>,
        /// Failed too where one has no checksum; default no: it is not judged [seed 000].
        required: bool,
        /// Failed too where one lacks one of these members; default: none [seed 000, critical data].
        members: Vec<String>,
    },
    /// What a trading engine tells of itself.
    Engine(EngineCheck),
    /// What an S3 answers.
    S3(S3Check),
}

impl CheckKind {
    /// Whether it measures the supervised child; while none runs there is nothing to measure.
    pub fn measures_child(&self) -> bool {
        matches!(
            self,
            CheckKind::Memory {
                max_bytes: Some(_),
                pid_file: None,
                ..
            } | CheckKind::Cpu { pid_file: None, .. }
        )
    }

    /// Whether its success means that the target itself works. The other kinds look at the machine that it runs on, or
    /// at the data that it keeps there.
    pub fn asks_the_service(&self) -> bool {
        match self {
            CheckKind::Disk { .. } | CheckKind::Checksum { .. } => false,
            CheckKind::Memory { max_bytes, .. } => max_bytes.is_some(),
            CheckKind::Http(_)
            | CheckKind::Tcp { .. }
            | CheckKind::Unix { .. }
            | CheckKind::Tls { .. }
            | CheckKind::Process { .. }
            | CheckKind::Exec(_)
            | CheckKind::File { .. }
            | CheckKind::Cpu { .. }
            | CheckKind::Log { .. }
            | CheckKind::Heartbeat
            | CheckKind::Plugin(_)
            | CheckKind::Redis(_)
            | CheckKind::Postgres(_)
            | CheckKind::Engine(_)
            | CheckKind::S3(_) => true,
        }
    }

    /// How long what it asks may take without being worth a warning.
    pub fn warn_latency(&self) -> Option<Duration> {
        match self {
            CheckKind::Http(http) => http.warn_latency,
            CheckKind::Redis(redis) => redis.warn_latency,
            CheckKind::Postgres(postgres) => postgres.warn_latency,
            CheckKind::Engine(engine) => engine.warn_latency,
            CheckKind::S3(s3) => s3.warn_latency,
            CheckKind::Tcp { warn_latency, .. } | CheckKind::Unix { warn_latency, .. } => {
                *warn_latency
            }
            _ => None,
        }
    }

    /// The unit of what it measures, where that is always the same one.
    pub fn unit(&self) -> Option<&'static str> {
        match self {
            CheckKind::Tcp { .. }
            | CheckKind::Unix { .. }
            | CheckKind::Redis(_)
            | CheckKind::Postgres(_)
            | CheckKind::Engine(_)
            | CheckKind::S3(_) => Some("ms"),
            CheckKind::Tls { .. } => Some("days"),
            CheckKind::Memory {
                max_bytes: Some(_), ..
            } => Some("bytes"),
            CheckKind::Disk { .. } | CheckKind::Memory { .. } | CheckKind::Cpu { .. } => Some("%"),
            CheckKind::Log { .. } => Some("lines"),
            // A status, an exit code, an age or a size, what a plugin measures, and nothing.
            CheckKind::Http(_)
            | CheckKind::Exec(_)
            | CheckKind::File { .. }
            | CheckKind::Process { .. }
            | CheckKind::Heartbeat
            | CheckKind::Plugin(_)
            | CheckKind::Checksum { .. } => None,
        }
    }

    /// The word that operators write.
    pub fn as_str(&self) -> &'static str {
        match self {
            CheckKind::Http(_) => "http",
            CheckKind::Tcp { .. } => "tcp",
            CheckKind::Unix { .. } => "unix",
            CheckKind::Tls { .. } => "tls",
            CheckKind::Process { .. } => "process",
            CheckKind::Exec(_) => "exec",
            CheckKind::File { .. } => "file",
            CheckKind::Disk { .. } => "disk",
            CheckKind::Memory { .. } => "memory",
            CheckKind::Cpu { .. } => "cpu",
            CheckKind::Log { .. } => "log",
            CheckKind::Heartbeat => "heartbeat",
            CheckKind::Plugin(_) => "plugin",
            CheckKind::Redis(_) => "redis",
            CheckKind::Postgres(_) => "postgres",
            CheckKind::Checksum { .. } => "checksum",
            CheckKind::Engine(_) => "engine",
            CheckKind::S3(_) => "s3",
        }
    }
}

/// What is looked for in a line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPattern {
    /// This very text.
    Text(String),
    /// What this regular expression matches, which is a good one.
    Regex(String),
}

impl LogPattern {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        match self {
            LogPattern::Text(text) | LogPattern::Regex(text) => text,
        }
    }
}
