//! What the host's world does for plugins: the port, the session of effects that it begins for each call, and what it is
//! told of the call.
//!
//! Invariant: an effect reaches the session only after the grants allowed it and the call's limits had room for it.
//! Invariant: a session has one effect at a time, and is settled after its call, however that ended, before the caller
//! learns of the end.

use mainstay_domain::{
    call_record::CallRecord,
    effect::{Answer, Effect, EffectError, EffectResult},
    id::{AlertId, OperationId},
    name::{CheckName, JobName, TargetName},
    plugin::{PluginIdentity, PluginKind},
    replay::{Halt, Recorded},
    secret::SecretHandles,
    spec::{Grants, Limits},
    time::Timestamp,
};
use std::{future::Future, pin::Pin, sync::Arc};

/// A boxed future, for traits that are used as objects.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where effects and log lines of every call go. One for the whole host.
pub trait EffectPort: Send + Sync + 'static {
    /// Begins the effects of one call; must be quick, for a call that asks for nothing has them too.
    fn begin(&self, call: &Arc<Call>) -> Box<dyn EffectSession>;

    /// Keeps a line that the plugin logged; must be quick.
    fn log(&self, call: &Call, line: LogLine);
}

/// The effects of one call.
pub trait EffectSession: Send {
    /// Performs an effect that the grants allow. The future is dropped when the call's timeout ends before it: who
    /// must finish what was begun, or write down what became of it, does so in a task of its own.
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult>;

    /// Whether what is performed now is answered from the record, after a crash of the host.
    fn is_replaying(&self) -> bool {
        false
    }

    /// Why the call is not gone on with, where that is so: asked after each effect.
    fn halted(&self) -> Option<Halt> {
        None
    }

    /// Waits for a signal of this name to the call's operation, and gives the text that came with it; timed out where
    /// none came until then. The future is dropped as that of [`perform`](Self::perform) is.
    fn await_signal(
        &mut self,
        name: String,
        _until: Timestamp,
    ) -> Boxed<'_, Result<String, EffectError>> {
        let why = format!("this host takes no signals, so `{name}` cannot come");
        Box::pin(std::future::ready(Err(EffectError::Unavailable(why))))
    }

    /// Ends the session and says what still acts. The call's timeout does not apply, so each effect needs its own
    /// bound. If the caller is dropped, this is not called.
    fn settle(self: Box<Self>) -> Settling;
}

/// What is left to wait for when a call has ended. The number is how many effects the operation has had: what
/// [`Purpose::effects`] says and those of this call; 0 where the call is for no operation.
#[must_use = "what still acts is to be waited for"]
pub enum Settling {
    /// Nothing.
    Done(u32),
    /// Something still acts; resolves when it has its result.
    Waits(Boxed<'static, u32>),
}

impl Settling {
    /// Waits until nothing acts any more.
    pub async fn wait(self) -> u32 {
        match self {
            Settling::Done(effects) => effects,
            Settling::Waits(acting) => acting.await,
        }
    }
}

/// One call of one plugin, as its effects see it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who is called.
    pub plugin: Arc<PluginIdentity>,
    /// What it is.
    pub kind: PluginKind,
    /// What for.
    pub purpose: Purpose,
    /// What it may do. Already checked; here for adapters that check again (redirects) or need the amount (kv).
    pub grants: Arc<Grants>,
    /// What stands in it for the secrets that its settings name. An effect may hold these handles; a port that puts
    /// values in place of them does so toward granted places only, and keeps and shows the effect with
    /// [`mainstay_domain::secret::Masked`]. What the guest logs and answers is shown so already.
    pub secrets: Arc<SecretHandles>,
    /// How much of it.
    pub limits: Limits,
    /// What everything is drawn from that is to be unguessable, and the same where the call is made again from its
    /// record.
    pub seed: [u8; 32],
    /// What it takes to make it again; only where the caller asked for it to be recorded.
    pub record: Option<Arc<CallRecord>>,
    /// What the journal has of it, where it is made again.
    pub replay: Option<Arc<Recorded>>,
}

/// What a plugin is called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// To say what it is; without grants.
    Describe,
    /// To check its settings; without grants.
    Configure,
    /// To recover a target.
    Recover {
        /// The operation.
        operation: OperationId,
        /// Its target.
        target: TargetName,
        /// Effects are only planned.
        dry_run: bool,
        /// How many effects the operation had before this call: their numbers go on.
        effects: u32,
    },
    /// To deliver an alert.
    Deliver {
        /// The alert.
        alert: AlertId,
    },
    /// To judge backups.
    Judge {
        /// Whose.
        job: JobName,
    },
    /// To look at a target.
    Probe {
        /// The target.
        target: TargetName,
        /// For which of its checks.
        check: CheckName,
    },
    /// To decide what comes after a failed attempt.
    Next {
        /// The target that failed.
        target: TargetName,
    },
    /// To give the documents of a backup.
    Collect {
        /// Of which job.
        job: JobName,
    },
}

impl Purpose {
    /// The target of the operation that the call is for.
    pub fn own_target(&self) -> Option<&TargetName> {
        match self {
            Purpose::Recover { target, .. } => Some(target),
            _ => None,
        }
    }

    /// How many effects the operation that the call is for had before it; 0 where it is for none.
    pub fn effects(&self) -> u32 {
        match self {
            Purpose::Recover { effects, .. } => *effects,
            _ => 0,
        }
    }
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names of log.wit say it")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Where a log line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogSource {
    /// The interface `log`.
    Log,
    /// Standard output, one line.
    Stdout,
    /// Standard error, one line; panics end up here.
    Stderr,
}

/// One line that a plugin logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters; info for standard output, warn for standard error.
    pub level: LogLevel,
    /// Where it came from.
    pub source: LogSource,
    /// For people.
    pub message: String,
    /// For programs.
    pub fields: Vec<(String, String)>,
}

/// Bytes of an answer that a guest has to take.
pub(crate) fn answer_bytes(answer: &Answer) -> usize {
    match answer {
        Answer::Output(output) => output.stdout.0.len() + output.stderr.0.len(),
        Answer::Response(response) => {
            let headers = response
                .headers
                .iter()
                .map(|(name, value)| name.len() + value.len());
            response.body.0.len() + headers.sum::<usize>()
        }
        Answer::Value(Some(value)) => value.0.len(),
        Answer::Signal { text, .. } => text.len(),
        Answer::Keys(keys) => keys.iter().map(String::len).sum(),
        Answer::Evidence(evidence) => evidence
            .iter()
            .map(|seen| {
                let output = seen.output.as_ref().map_or(0, |output| output.len() + 1);
                seen.check.len() + seen.message.len() + output
            })
            .sum(),
        Answer::Done
        | Answer::Now(_)
        | Answer::Status(_)
        | Answer::Value(None)
        | Answer::Swapped(_)
        | Answer::Backup(_)
        | Answer::Restored { .. } => 0,
    }
}
