//! The limits of one call: what each is, what it says when it is exceeded, and how the operator raises it.
//!
//! Invariant: exceeding a limit ends the call that exceeds it, and nothing else. Log lines above theirs are only dropped,
//! and are no limit of these.

use mainstay_domain::name::PluginName;
use std::{fmt, time::Duration};

/// Elements of all tables of one call.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;
/// Core instances, tables and memories of one call; a Python guest has about twenty.
pub(crate) const INSTANCES: usize = 128;
/// WASI handles that one call holds at one time: open files and directories, streams, timers. A file is a descriptor of
/// the daemon's process, and eight calls of a plugin hold no more than half of the 1,024 that are common.
pub(crate) const HANDLES: usize = 64;
/// Stack of a guest, bytes.
pub(crate) const GUEST_STACK: usize = 512 << 10;
/// Bytes of all log lines of one call; what is above it is dropped.
pub(crate) const LOG_BYTES: u64 = 256 << 10;
/// The longest log line, bytes; what is longer is cut.
pub(crate) const LOG_LINE_BYTES: usize = 8 << 10;
/// Bytes that one verdict over a backup may take beside the plugin's own limit.
pub(crate) const VERDICT_BYTES: usize = 512;
/// Bytes that a page of a backup may have beside its parts: keys, cursor and watermark.
pub(crate) const PAGE_BYTES: usize = 1 << 20;

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Linear memory.
    Memory,
    /// Tables.
    Table,
    /// WASI handles: open files and directories, streams, timers.
    Handles,
    /// The stack: calls that are too deep.
    Stack,
    /// CPU time.
    Deadline,
    /// Wall time, effects included.
    Timeout,
    /// Bytes that a call answers, or that one effect asks.
    Result,
    /// Bytes that one effect is answered.
    Answer,
    /// Effects.
    Effects,
    /// Calls at one time.
    Concurrency,
    /// Random bytes at once.
    Random,
}

impl Limit {
    /// What it limits, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Limit::Memory => "memory",
            Limit::Table => "table size",
            Limit::Handles => "open files and other handles",
            Limit::Stack => "stack",
            Limit::Deadline => "CPU deadline",
            Limit::Timeout => "timeout",
            Limit::Result => "result size",
            Limit::Answer => "effect answer size",
            Limit::Effects => "effects",
            Limit::Concurrency => "concurrency",
            Limit::Random => "random bytes",
        }
    }

    /// The key under `[plugin.NAME] limits`; absent where the limit is fixed.
    fn key(self) -> Option<&'static str> {
        match self {
            Limit::Memory => Some("memory"),
            Limit::Deadline => Some("deadline"),
            Limit::Timeout => Some("timeout"),
            Limit::Result | Limit::Answer => Some("result"),
            Limit::Effects => Some("effects"),
            Limit::Concurrency => Some("concurrency"),
            Limit::Table | Limit::Handles | Limit::Stack | Limit::Random => None,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A limit that a call exceeded, with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Which.
    pub limit: Limit,
    /// How much is allowed: bytes, milliseconds or a count.
    pub allowed: u64,
}

impl Exceeded {
    /// This limit, in bytes or as a count.
    pub(crate) fn new(limit: Limit, allowed: impl TryInto<u64>) -> Self {
        let allowed = allowed.try_into().unwrap_or(u64::MAX);
        Self { limit, allowed }
    }

    /// This limit of time.
    pub(crate) fn time(limit: Limit, allowed: Duration) -> Self {
        Self::new(limit, allowed.as_millis())
    }

    /// What the operator can do about it.
    pub(crate) fn remedy(&self, plugin: &PluginName) -> String {
        match self.limit.key() {
            Some(key) => format!("raise `[plugin.{plugin}] limits.{key}` if it needs more"),
            None => "this limit is fixed; the plugin has to need less".to_owned(),
        }
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, allowed } = self;
        write!(f, "exceeded its limit of {limit}: ")?;
        match limit {
            Limit::Deadline | Limit::Timeout => write!(f, "{:?}", Duration::from_millis(*allowed)),
            Limit::Effects => write!(f, "{allowed} a call"),
            Limit::Concurrency => write!(f, "{allowed} calls at one time"),
            Limit::Table => write!(f, "{allowed} elements"),
            Limit::Handles => write!(f, "{allowed} at one time"),
            _ if allowed.is_multiple_of(1 << 20) => write!(f, "{} MiB", allowed >> 20),
            _ if allowed.is_multiple_of(1 << 10) => write!(f, "{} KiB", allowed >> 10),
            _ => write!(f, "{allowed} bytes"),
        }
    }
}

impl std::error::Error for Exceeded {}
