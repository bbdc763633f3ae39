//! What a plugin may ask the host to do, and what the host answers.
//!
//! Invariant: an effect holds handles and never a secret's value; what is journaled and shown is the effect as
//! [`crate::secret::Masked`] makes it, with `${secret:NAME}` in place of each handle. Shapes follow the interfaces in
//! `plugin-sdk/wit/1.0.0/effects.wit`.
//!
//! Length: one type for each item of that file, and most lines are their docs.

use crate::{
    backup::{BackupSummary, BackupType},
    blob::Blob,
    health::{Evidence, Health},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// One request of a plugin. Serialised with its WIT name in `effect`, e.g. `targets.restart`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect")]
pub enum Effect {
    /// The wall clock, as part of the record.
    #[serde(rename = "clock.now")]
    ClockNow,
    /// Wait this long.
    #[serde(rename = "clock.sleep")]
    ClockSleep {
        /// Milliseconds.
        length_ms: u64,
    },
    /// Wait for a signal to the operation of the call.
    #[serde(rename = "durable.await-signal")]
    AwaitSignal {
        /// What it is called.
        name: String,
        /// Until when.
        until: Timestamp,
    },
    /// What the host knows of a target.
    #[serde(rename = "targets.status")]
    TargetStatus {
        /// Its name.
        target: String,
    },
    /// Start a target that does not run.
    #[serde(rename = "targets.start")]
    TargetStart {
        /// Its name.
        target: String,
    },
    /// Stop a target: its stop signal, grace, SIGKILL; or its stop command.
    #[serde(rename = "targets.stop")]
    TargetStop {
        /// Its name.
        target: String,
    },
    /// Stop it if it runs, then start it.
    #[serde(rename = "targets.restart")]
    TargetRestart {
        /// Its name.
        target: String,
    },
    /// Send a signal to a target's process group.
    #[serde(rename = "targets.send")]
    TargetSend {
        /// Its name.
        target: String,
        /// The signal.
        signal: Signal,
    },
    /// Run the target's checks now.
    #[serde(rename = "targets.check")]
    TargetCheck {
        /// Its name.
        target: String,
    },
    /// Run a command that the operator named.
    #[serde(rename = "commands.run")]
    CommandRun {
        /// Its name in the config.
        name: String,
        /// Values of its declared placeholders.
        arguments: Vec<(String, String)>,
    },
    /// One HTTP request.
    #[serde(rename = "http.send")]
    HttpSend(HttpRequest),
    /// One mail.
    #[serde(rename = "mail.send")]
    MailSend(MailMessage),
    /// A value of the plugin's own namespace.
    #[serde(rename = "kv.get")]
    KvGet {
        /// Its key.
        key: String,
    },
    /// Set a value.
    #[serde(rename = "kv.set")]
    KvSet {
        /// Its key.
        key: String,
        /// The value.
        value: Blob,
    },
    /// Delete a value; none there is no error.
    #[serde(rename = "kv.delete")]
    KvDelete {
        /// Its key.
        key: String,
    },
    /// Set a value only where the present one is `expected`.
    #[serde(rename = "kv.compare-and-set")]
    KvCompareAndSet {
        /// Its key.
        key: String,
        /// What must be there; absent: nothing.
        expected: Option<Blob>,
        /// The value.
        value: Blob,
    },
    /// The keys with a prefix, sorted.
    #[serde(rename = "kv.keys")]
    KvKeys {
        /// The prefix; empty for all.
        prefix: String,
    },
    /// The newest verified backup of a job.
    #[serde(rename = "backups.newest")]
    BackupNewest {
        /// The job's name.
        job: String,
        /// At or before this time.
        before: Option<Timestamp>,
    },
    /// Take a backup.
    #[serde(rename = "backups.create")]
    BackupCreate {
        /// The job's name.
        job: String,
        /// What kind.
        backup_type: BackupType,
    },
    /// Restore a backup in place, over what the job's sources hold; an emergency backup is taken first.
    #[serde(rename = "backups.restore")]
    BackupRestore {
        /// The job's name.
        job: String,
        /// The backup's identifier.
        id: String,
    },
}

impl Effect {
    /// The WIT name, e.g. `targets.restart`.
    pub fn name(&self) -> &'static str {
        match self {
            Effect::ClockNow => "clock.now",
            Effect::ClockSleep { .. } => "clock.sleep",
            Effect::AwaitSignal { .. } => "durable.await-signal",
            Effect::TargetStatus { .. } => "targets.status",
            Effect::TargetStart { .. } => "targets.start",
            Effect::TargetStop { .. } => "targets.stop",
            Effect::TargetRestart { .. } => "targets.restart",
            Effect::TargetSend { .. } => "targets.send",
            Effect::TargetCheck { .. } => "targets.check",
            Effect::CommandRun { .. } => "commands.run",
            Effect::HttpSend(_) => "http.send",
            Effect::MailSend(_) => "mail.send",
            Effect::KvGet { .. } => "kv.get",
            Effect::KvSet { .. } => "kv.set",
            Effect::KvDelete { .. } => "kv.delete",
            Effect::KvCompareAndSet { .. } => "kv.compare-and-set",
            Effect::KvKeys { .. } => "kv.keys",
            Effect::BackupNewest { .. } => "backups.newest",
            Effect::BackupCreate { .. } => "backups.create",
            Effect::BackupRestore { .. } => "backups.restore",
        }
    }

    /// The BLAKE3 hash of its JSON, hexadecimal: by it a request is known again. Of an effect whose secrets are masked,
    /// for a handle is another one in each call.
    pub fn request_hash(&self) -> String {
        // A request that is no JSON cannot be journaled either.
        let json = serde_json::to_vec(self).unwrap_or_default();
        blake3::hash(&json).to_hex().to_string()
    }

    /// Whether it only looks: such an effect needs no intent before it, only its result after it.
    pub fn only_reads(&self) -> bool {
        match self {
            Effect::ClockNow
            | Effect::ClockSleep { .. }
            | Effect::AwaitSignal { .. }
            | Effect::TargetStatus { .. }
            | Effect::TargetCheck { .. }
            | Effect::KvGet { .. }
            | Effect::KvKeys { .. }
            | Effect::BackupNewest { .. } => true,
            Effect::HttpSend(request) => matches!(
                request.method,
                HttpMethod::Get | HttpMethod::Head | HttpMethod::Options
            ),
            _ => false,
        }
    }

    /// Whether what it does ends with the machine: only processes are started or ended, of a target that the host runs. Its intent
    /// has to outlive the daemon, and not the machine, so that a target does not wait for the disk. What the commands of a foreign
    /// service do may reach further.
    pub fn ends_with_the_machine(&self, is_supervised: impl Fn(&str) -> bool) -> bool {
        match self {
            Effect::TargetStart { target }
            | Effect::TargetStop { target }
            | Effect::TargetRestart { target } => is_supervised(target),
            _ => false,
        }
    }

    /// Whether it may begin while its intent is only held in memory, because the disk is full: a daemon that ends then
    /// forgets it, and may do it once more. A target is started or stopped again, and a backup taken or restored again,
    /// without harm, and recovery goes on; what reaches further must not happen without a trace.
    pub fn may_begin_unrecorded(&self) -> bool {
        match self {
            Effect::TargetStart { .. }
            | Effect::TargetStop { .. }
            | Effect::TargetRestart { .. }
            | Effect::TargetSend { .. }
            | Effect::BackupCreate { .. }
            | Effect::BackupRestore { .. } => true,
            _ => self.only_reads(),
        }
    }
}

/// A signal that a process is sent; a plugin may send each but `Quit`, which only asks a child to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the POSIX names say it")]
pub enum Signal {
    Hup,
    Int,
    Term,
    Kill,
    Usr1,
    Usr2,
    Quit,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names of RFC 9110 say it")]
pub enum HttpMethod {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl HttpMethod {
    /// The name of RFC 9110.
    pub fn as_str(self) -> &'static str {
        match self {
            HttpMethod::Get => "GET",
            HttpMethod::Head => "HEAD",
            HttpMethod::Post => "POST",
            HttpMethod::Put => "PUT",
            HttpMethod::Patch => "PATCH",
            HttpMethod::Delete => "DELETE",
            HttpMethod::Options => "OPTIONS",
        }
    }
}

/// One HTTP request; URL, header values and body may hold handles of secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// The method.
    pub method: HttpMethod,
    /// `http` or `https`.
    pub url: String,
    /// In order.
    pub headers: Vec<(String, String)>,
    /// May be empty.
    pub body: Blob,
    /// Milliseconds; the host's own limit where absent.
    pub timeout_ms: Option<u64>,
    /// How it is signed; not where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<HttpSigning>,
}

/// With what a request is signed at egress, and where the signature stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpSigning {
    /// The handle of the secret that is the key, and nothing else.
    pub secret: String,
    /// The name of the header.
    pub header: String,
}

/// One mail of plain text. It holds handles of secrets as text: none is put in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailMessage {
    /// The account, by its name in the config.
    pub account: String,
    /// Addresses.
    pub to: Vec<String>,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// What it is about; the same for each mail of a thread.
    pub thread: Option<String>,
}

/// One HTTP response; `[secret:NAME]` stands for each secret that the server echoed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpResponse {
    /// 100 to 599.
    pub status: u16,
    /// In order.
    pub headers: Vec<(String, String)>,
    /// Bounded by the plugin's limits.
    pub body: Blob,
}

/// What a command printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandOutput {
    /// The exit code; 128 + signal where a signal ended it.
    pub exit_code: i32,
    /// Bounded.
    pub stdout: Blob,
    /// Bounded.
    pub stderr: Blob,
    /// Whether something was cut.
    pub truncated: bool,
}

/// What the host knows of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetStatus {
    /// By its checks.
    pub health: Health,
    /// Absent where the host does not supervise it.
    pub running: Option<bool>,
    /// Of the supervised process.
    pub pid: Option<u32>,
    /// Of the supervised process.
    pub started_at: Option<Timestamp>,
    /// How often the daemon has started it again: its process, or a foreign service by its commands.
    pub restarts: u32,
}

/// What the host answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It was done.
    Done,
    /// `clock.now`.
    Now(Timestamp),
    /// `durable.await-signal`.
    Signal {
        /// The number of the signal within its operation; 0 where a plan answers.
        number: u32,
        /// What came with it; may be empty.
        text: String,
    },
    /// `targets.status`.
    Status(TargetStatus),
    /// `targets.check`.
    Evidence(Vec<Evidence>),
    /// `commands.run`.
    Output(CommandOutput),
    /// `http.send`.
    Response(HttpResponse),
    /// `kv.get`.
    Value(Option<Blob>),
    /// `kv.compare-and-set`.
    Swapped(bool),
    /// `kv.keys`.
    Keys(Vec<String>),
    /// `backups.newest` and, always present, `backups.create`.
    Backup(Option<BackupSummary>),
    /// `backups.restore`.
    Restored {
        /// How many documents were written.
        documents: u64,
        /// How many bytes they have.
        bytes: u64,
    },
}

/// Why an effect did not happen, or may not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum EffectError {
    /// The operator has not granted this; the text names the missing grant.
    #[error("denied: {0}")]
    Denied(String),
    /// A limit of this plugin is used up; the text names it.
    #[error("limited: {0}")]
    Limited(String),
    /// No answer in time. The effect may have happened.
    #[error("timed out: {0}")]
    TimedOut(String),
    /// It did not happen, and may work later.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It did not happen, and will not.
    #[error("failed: {0}")]
    Failed(String),
}

/// What became of an effect.
pub type EffectResult = Result<Answer, EffectError>;
