//! Why a call gave no answer, and why a plugin was not loaded.
//!
//! Invariant: every text names the plugin, what was found, what is allowed, and what to do next where there is
//! something to do. None of these is an answer of a plugin: what a plugin returns is no error of the host.

use crate::{
    compiler::CompileError,
    contract::ContractError,
    limits::{Exceeded, Limit},
};
use mainstay_domain::{
    code::ErrorCode,
    measure::length,
    name::{InvalidName, PluginName},
    plugin::{PluginIdentity, PluginKind},
    replay::Halt,
};
use std::{sync::Arc, time::Duration};

/// Why a call gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{plugin}: `{function}` {cause}")]
pub struct CallError {
    /// Who was called.
    pub plugin: Arc<PluginIdentity>,
    /// Which function of its world.
    pub function: &'static str,
    /// What happened.
    pub cause: CallFailure,
}

/// What happened to a call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallFailure {
    /// It used more than it may.
    #[error("{exceeded}; {remedy}")]
    Limit {
        /// Which limit, and how much it allows.
        exceeded: Exceeded,
        /// How to raise it.
        remedy: String,
    },
    /// It gave no answer in the time that the caller had for it.
    #[error("gave no answer within {0:?}, which is what this call was given")]
    TimedOut(Duration),
    /// It failed too often and rests.
    #[error(
        "was not called: the plugin failed again and again and rests for another {rest}; last error: {1} [{code}]",
        rest = length(*.0),
        code = ErrorCode::Quarantined
    )]
    Resting(Duration, String),
    /// The guest trapped: a panic, an `unreachable`, an access out of bounds.
    #[error("trapped: {reason}{}", backtrace(.frames))]
    Trapped {
        /// The trap.
        reason: String,
        /// The innermost functions, where the component still has names.
        frames: Vec<String>,
    },
    /// It answered in a way that the contract does not know, or could not be instantiated.
    #[error("broke the contract: {0}")]
    Broken(String),
    /// The host runs as many calls as it can, over all plugins.
    #[error("could not start: the host runs as many calls as it can ({0}); try again")]
    Busy(String),
    /// The session of its effects does not go on with it.
    #[error("is not gone on with: {0}")]
    Halted(Halt),
    /// The plugin is of another kind.
    #[error("is not a function of its world, {0}")]
    WrongKind(PluginKind),
}

impl CallFailure {
    /// Whether the plugin is to blame, so that it counts towards its quarantine.
    pub fn is_the_plugins(&self) -> bool {
        match self {
            CallFailure::Limit { exceeded, .. } => exceeded.limit != Limit::Concurrency,
            CallFailure::TimedOut(_) | CallFailure::Trapped { .. } | CallFailure::Broken(_) => true,
            CallFailure::Resting(..)
            | CallFailure::Busy(_)
            | CallFailure::Halted(_)
            | CallFailure::WrongKind(_) => false,
        }
    }
}

fn backtrace(frames: &[String]) -> String {
    match frames {
        [] => String::new(),
        _ => format!(" (in {})", frames.join(" < ")),
    }
}

/// Why a component does not become a plugin.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// It is no regular file: a FIFO, a device, a directory.
    #[error("{path} is {found}; a plugin is a regular file")]
    NoFile {
        /// Where.
        path: String,
        /// What is there.
        found: &'static str,
    },
    /// It is larger than any plugin may be.
    #[error("it has {found} bytes or more, and a plugin may have {allowed}")]
    TooLarge {
        /// Its size.
        found: u64,
        /// What is allowed.
        allowed: u64,
    },
    /// It is no component of a supported contract.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// It does not compile.
    #[error("it does not compile: {0}")]
    Compile(String),
    /// Compiling it took too much, or ended the compiler; a whole sentence.
    #[error("{0}")]
    CompileEnded(String),
    /// The machine had not what compiling it took; a whole sentence.
    #[error("{0}")]
    CompileStarved(String),
    /// Its functions or imports have other types than the contract.
    #[error("it does not fit the contract that it names: {0}")]
    Types(String),
    /// `describe` gave no answer.
    #[error("its `describe` {0}")]
    Describe(CallFailure),
    /// `configure` gave no answer.
    #[error(transparent)]
    Configure(#[from] CallError),
    /// It calls itself something that is no name.
    #[error("its `describe` gives no valid name: {0}")]
    Name(#[from] InvalidName),
    /// Its version is none.
    #[error(
        "its `describe` gives the version `{found}`: {reason}; a semantic version is allowed, e.g. 1.2.0"
    )]
    Version {
        /// What it gave.
        found: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It names a failure type that is none.
    #[error("its `describe` gives a failure type that it handles: {0}")]
    Handles(InvalidName),
    /// It says more of itself than people can read.
    #[error("its `describe` gives {what} of {found}, and {allowed} are allowed")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length, in bytes or things.
        found: usize,
        /// What is allowed.
        allowed: usize,
    },
    /// Its settings schema is none.
    #[error("its `describe` gives a settings schema that is no JSON Schema (draft 2020-12): {0}")]
    Schema(String),
    /// Its settings are not what its schema asks for.
    #[error("`[plugin.{plugin}] settings` are not what {plugin} takes, by its schema: {reason}")]
    SettingsSchema {
        /// Who.
        plugin: PluginName,
        /// Which key, and what is wrong with it.
        reason: String,
    },
    /// It refuses its settings.
    #[error("{plugin} refuses `[plugin.{plugin}] settings`: {reason}")]
    Settings {
        /// Who.
        plugin: PluginName,
        /// What it said.
        reason: String,
    },
    /// Its name and version are those of other bytes.
    #[error(
        "{identity} is already there with other bytes (digest {there}, this one has {}); give the new build another \
         version{}",
        .identity.digest,
        other_bytes(.identity, *.is_pinned)
    )]
    SameVersion {
        /// The one that is refused.
        identity: PluginIdentity,
        /// The digest of the one that is there.
        there: String,
        /// That one was accepted before, whether its file is still there or not.
        is_pinned: bool,
    },
    /// It does not say of itself what it said when it was first accepted.
    #[error(
        "{identity} says something else of itself than when these very bytes were first accepted: {what}; a plugin is \
         what its bytes are, so do not trust this one: build it anew, under another version"
    )]
    AnotherDescriptor {
        /// What it says now.
        identity: PluginIdentity,
        /// What of it is another.
        what: String,
    },
    /// The host's own store or directory failed.
    #[error("{0}")]
    Host(String),
    /// The host lacks what it needs to look: descriptors, memory. This says nothing about the file.
    #[error("the host itself cannot look at {what} now: {why}; try again")]
    Lacking {
        /// What it wanted to look at.
        what: String,
        /// What the system said.
        why: String,
    },
}

impl From<CompileError> for LoadError {
    fn from(error: CompileError) -> Self {
        match error {
            CompileError::Component(reason) => Self::Compile(reason),
            CompileError::Fatal(reason) | CompileError::Ended(reason) => Self::CompileEnded(reason),
            CompileError::Starved(reason) => Self::CompileStarved(reason),
            CompileError::Host(reason) => Self::Host(reason),
        }
    }
}

/// What the operator can do where other bytes go by a name and version.
fn other_bytes(identity: &PluginIdentity, is_pinned: bool) -> String {
    match is_pinned {
        false => ", or remove the old file first".to_owned(),
        true => format!(
            ", or, if it is yours and both are meant to be one, say `mainstay plugin forget {identity}`"
        ),
    }
}

impl LoadError {
    /// Whether the reason is not in the component, so that the same bytes may be accepted at another time.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            LoadError::Unreadable { .. }
            | LoadError::CompileStarved(_)
            | LoadError::Host(_)
            | LoadError::Lacking { .. } => true,
            LoadError::Describe(cause) | LoadError::Configure(CallError { cause, .. }) => {
                !cause.is_the_plugins()
            }
            _ => false,
        }
    }
}
