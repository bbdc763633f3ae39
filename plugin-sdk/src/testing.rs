//! A host for native tests: it answers by script and records what the plugin did.
//!
//! ```
//! use mainstay_plugin_sdk::recovery::*;
//! use mainstay_plugin_sdk::testing::{Effect, ScriptedHost};
//!
//! let mut host = ScriptedHost::new();
//! host.on_restart("api", Err(EffectError::Unavailable("no answer from api".into())));
//!
//! assert!(host.target("api").restart().is_err()); // as scripted
//! assert!(host.target("api").restart().is_ok());  // the script is used up: it works
//! assert_eq!(host.effects(), [Effect::Restart("api".into()), Effect::Restart("api".into())]);
//! ```
//!
//! Answers are given in the order in which they were scripted, for each function and object apart. What is not
//! scripted works: targets start and stop (and [`Target::status`](crate::host::Target::status) shows it), checks
//! pass, commands succeed without output, values are kept, a wait moves the clock. Only what a test must say
//! itself fails without a script: an HTTP response, and a restore of a backup that is not there.

mod host;
#[cfg(feature = "contract-1-1")]
mod newer_samples;
mod samples;
mod script;

pub use host::ScriptedHost;
#[cfg(feature = "contract-1-1")]
pub use newer_samples::{collect, probe, situation};
pub use samples::{alert, backup, evidence, operation};

use crate::host::{BackupType, Method, Signal, Timestamp};
use std::time::Duration;

/// Something that a plugin asked the host to do or to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the fields are the arguments of the function that the case names"
)]
pub enum Effect {
    /// `clock.sleep`
    Sleep(Duration),
    /// `targets.status`
    Status(String),
    /// `targets.start`
    Start(String),
    /// `targets.stop`
    Stop(String),
    /// `targets.restart`
    Restart(String),
    /// `targets.send`
    Signal(String, Signal),
    /// `targets.check`
    Check(String),
    /// `commands.run`
    Command {
        name: String,
        arguments: Vec<(String, String)>,
    },
    /// `http.send`
    Http {
        method: Method,
        url: String,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// `kv.get`
    KvGet(String),
    /// `kv.set`
    KvSet(String, Vec<u8>),
    /// `kv.delete`
    KvDelete(String),
    /// `kv.compare-and-set`
    KvCompareAndSet {
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    },
    /// `kv.keys`
    KvKeys(String),
    /// `backups.newest`
    BackupNewest {
        job: String,
        before: Option<Timestamp>,
    },
    /// `backups.create`
    BackupCreate(String, BackupType),
    /// `backups.restore`
    BackupRestore { job: String, id: String },
    /// `durable.sleep-until`
    #[cfg(feature = "contract-1-1")]
    SleepUntil(Timestamp),
    /// `durable.await-signal`
    #[cfg(feature = "contract-1-1")]
    AwaitSignal { name: String, until: Timestamp },
    /// `signed-http.send`
    #[cfg(feature = "contract-1-2")]
    SignedHttp {
        method: Method,
        url: String,
        headers: Vec<(String, String)>,
        body: String,
        secret: String,
        header: String,
    },
    /// `mail.send`
    #[cfg(feature = "contract-1-2")]
    Mail {
        account: String,
        to: Vec<String>,
        subject: String,
        text: String,
        thread: Option<String>,
    },
}

impl Effect {
    /// A command with its arguments.
    pub fn command(name: &str, arguments: &[(&str, &str)]) -> Self {
        let arguments = arguments
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Self::Command {
            name: name.to_owned(),
            arguments,
        }
    }

    /// The contract's interface that it belongs to, e.g. `targets`.
    pub fn interface(&self) -> &'static str {
        match self {
            Self::Sleep(_) => "clock",
            Self::Status(_)
            | Self::Start(_)
            | Self::Stop(_)
            | Self::Restart(_)
            | Self::Signal(..)
            | Self::Check(_) => "targets",
            Self::Command { .. } => "commands",
            Self::Http { .. } => "http",
            Self::KvGet(_)
            | Self::KvSet(..)
            | Self::KvDelete(_)
            | Self::KvCompareAndSet { .. }
            | Self::KvKeys(_) => "kv",
            Self::BackupNewest { .. } | Self::BackupCreate(..) | Self::BackupRestore { .. } => {
                "backups"
            }
            #[cfg(feature = "contract-1-1")]
            Self::SleepUntil(_) | Self::AwaitSignal { .. } => "durable",
            #[cfg(feature = "contract-1-2")]
            Self::SignedHttp { .. } => "signed-http",
            #[cfg(feature = "contract-1-2")]
            Self::Mail { .. } => "mail",
        }
    }
}
