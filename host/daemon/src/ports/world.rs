//! What services need from the machine: clocks, checks, processes, programs, HTTP and the config.
//!
//! Length: each port with what its callers may rely on.

use super::{Boxed, Exit, LogEnd, NamedProcess, ProcessError, SecretError};
use mainstay_domain::{
    effect::{CommandOutput, EffectError, HttpRequest, HttpResponse, Signal},
    health::Observation,
    mail::Letter,
    name::{CommandName, TargetName},
    orders::Orders,
    record::ProcessIdentity,
    secret::SecretHandles,
    settled_clock::SettledState,
    spec::{CheckSpec, CommandSpec, HttpOrigin, MailAccount, ProcessSpec, RunAs, Spec, TargetSpec},
    time::{Monotonic, Timestamp},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Both clocks.
pub trait Clock: Send + Sync {
    /// Wall-clock time.
    fn now(&self) -> Timestamp;
    /// Time since the program started.
    fn monotonic(&self) -> Monotonic;
    /// The same, and that in which the machine was suspended too, where the clock knows of it.
    fn with_suspension(&self) -> Monotonic;
}

/// Keeps what is believed of the wall clock.
pub trait SettledStore: Send + Sync {
    /// Writes it where the next daemon finds it; it survives a crash then. The error is a sentence for people.
    fn keep(&self, state: SettledState) -> Boxed<'_, Result<(), String>>;
}

/// Who started the daemon and asks how it does, as systemd.
pub trait ServiceManager: Send + Sync {
    /// A reload begins; [`ServiceManager::ready`] ends it, whatever came of it.
    fn reloading(&self);
    /// The daemon serves, from now on or again.
    fn ready(&self);
    /// How it does, in one line that is true now.
    fn status(&self, line: &str);
}

/// Keeps what people ordered that holds over restarts.
pub trait OrderStore: Send + Sync {
    /// Writes it where the next daemon finds it; it survives a crash then. The error is a sentence for people.
    fn keep(&self, orders: Orders) -> Boxed<'_, Result<(), String>>;
}

/// Looks at targets.
pub trait Probe: Send + Sync {
    /// Runs one check once, within its timeout. `pid` is the target's supervised process. Never fails: what goes wrong
    /// is the observation. None where it is too soon to say anything. May be dropped.
    fn observe(
        &self,
        target: Arc<TargetSpec>,
        check: Arc<CheckSpec>,
        pid: Option<u32>,
    ) -> Boxed<'_, Option<Observation>>;
    /// The last lines of a target's log, without secrets; none where it has no log, or they cannot be had at once.
    fn last_lines(&self, _target: Arc<TargetSpec>) -> Boxed<'_, Option<String>> {
        Box::pin(std::future::ready(None))
    }
    /// The end of the same log, and more of it.
    fn end_of_log(&self, _target: Arc<TargetSpec>) -> Boxed<'_, Option<LogEnd>> {
        Box::pin(std::future::ready(None))
    }
}

/// Starts and ends processes.
pub trait Processes: Send + Sync {
    /// Starts a child in its own process group with its output in rotated files. Before that, all that still carries the
    /// target's mark is ended: no process of the target may live when this is called. Resolves in bounded time: a start that
    /// hangs is given up with [`ProcessError::StartHangs`], and so is each further one until it has ended.
    fn spawn(
        &self,
        target: &TargetName,
        spec: &ProcessSpec,
        restarts: u32,
    ) -> Boxed<'_, Result<ProcessIdentity, ProcessError>>;
    /// Resolves when no start of this target that was given up is left, nor what it made; at once for those that never hang.
    fn start_ended(&self, _target: &TargetName) -> Boxed<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    /// Living processes that carry the mark of a target of this state directory, oldest first; they may be descendants
    /// of a child. For children that a killed daemon started and could not write down. Anyone can write a mark, so only
    /// processes of the daemon's own user count, and for the targets in `users` those of that user.
    fn find(
        &self,
        users: Vec<(TargetName, String)>,
    ) -> Boxed<'_, Vec<(TargetName, ProcessIdentity)>>;
    /// A living process that the pid file of a program that forks names, where it carries the mark of this target: such a
    /// one may lead a session, or no group at all, which no child does. For those without marks there is none.
    fn marked(
        &self,
        _target: &TargetName,
        _named: NamedProcess,
    ) -> Boxed<'_, Option<ProcessIdentity>> {
        Box::pin(std::future::ready(None))
    }
    /// The variable, and its value, by which what is run beside this process of a target is known as the target's, so that it
    /// ends with it; none for those without marks.
    fn mark_of(&self, _: &TargetName, _: &ProcessIdentity) -> Option<(String, String)> {
        None
    }
    /// What tells this boot from others, as in [`ProcessIdentity::boot_id`].
    fn boot_id(&self) -> &str;
    /// How long ago it was started, also where the wall clock was set since; none where nobody knows.
    fn age(&self, _: &ProcessIdentity) -> Option<Duration> {
        None
    }
    /// Whether this very process lives.
    fn is_alive(&self, identity: &ProcessIdentity) -> bool;
    /// Resolves when it has ended, at once where it does not live. May be dropped and called again.
    fn wait(&self, identity: ProcessIdentity) -> Boxed<'static, Exit>;
    /// Sends a signal to its whole group; nothing happens where it has ended.
    fn signal(&self, identity: &ProcessIdentity, signal: Signal) -> Result<(), ProcessError>;
    /// Sends a signal to the process alone; nothing happens where it has ended.
    fn signal_alone(&self, identity: &ProcessIdentity, signal: Signal) -> Result<(), ProcessError> {
        self.signal(identity, signal)
    }
    /// This signal to the group, grace, SIGKILL; resolves when the process has ended, or some seconds after a SIGKILL
    /// that does not end it.
    fn stop(
        &self,
        identity: ProcessIdentity,
        signal: Signal,
        grace: Duration,
    ) -> Boxed<'static, Exit>;
    /// Ends all that still carries the target's mark, in whatever group and session, when none of its processes should
    /// live; resolves when that is gone, or with what not even SIGKILL ends. For those without marks there is nothing
    /// to do.
    fn end_rest(&self, _target: &TargetName) -> Boxed<'_, Result<(), ProcessError>> {
        Box::pin(std::future::ready(Ok(())))
    }
    /// Its process has ended by itself, and nothing of it should live: begins to look for the rest, which
    /// [`Processes::end_rest`] then need not. For those without marks there is nothing to do.
    fn look_for_rest(&self, _target: &TargetName) {}
    /// How often the kernel's out-of-memory killer has ended a process of this machine; none where nobody knows.
    fn oom_kills(&self) -> Option<u64> {
        None
    }
    /// The same of the target's own processes, since its last start; none where it has no bounds that hold.
    fn oom_kills_of(&self, _target: &TargetName) -> Option<u64> {
        None
    }
    /// Why the bounds of the target's config do not hold for the process that was last started; none where they do.
    fn unbounded(&self, _target: &TargetName) -> Option<String> {
        None
    }
    /// Gives what belongs to the process of a target that is called otherwise from now on, its log, the new name `to`. Where
    /// that fails nothing has changed. For those without logs there is nothing to do.
    fn rename(
        &self,
        _identity: &ProcessIdentity,
        _from: &TargetName,
        _to: &TargetName,
        _spec: &ProcessSpec,
    ) -> Boxed<'_, Result<(), ProcessError>> {
        Box::pin(std::future::ready(Ok(())))
    }
    /// All that carries the mark of this process is the target's, whatever name is in it; see
    /// [`ProcessIdentity::marked_as`]. Before [`Processes::find`], and when a target is renamed. For those without marks
    /// there is nothing to do.
    fn carries_mark(&self, _target: &TargetName, _identity: &ProcessIdentity) {}
    /// What writes to the file that this process was given for its output is the target's, whatever name the file has; see
    /// [`ProcessIdentity::output`]. Before [`Processes::find`]. For those without logs there is nothing to do.
    fn writes_to(&self, _target: &TargetName, _identity: &ProcessIdentity) {}
    /// That a process of an earlier daemon writes to a file which is the target's log no more, or that the output of one
    /// which was just started is lost, for people; told once.
    fn moved_log(&self, _target: &TargetName) -> Option<String> {
        None
    }
    /// The config has this target no more, and nothing of it lives: what is kept for it can go.
    fn forget(&self, _target: &TargetName) {}
    /// Rotates the target's output file where it has grown above its size; the child, which is this process, goes on
    /// writing.
    fn rotate(
        &self,
        target: &TargetName,
        spec: &ProcessSpec,
        process: &ProcessIdentity,
    ) -> Boxed<'_, Result<(), ProcessError>>;
}

/// How a command went that was to run until it was not needed any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedCommand {
    /// As shells have it; none where it was killed, for it was not needed any more.
    pub exit_code: Option<i32>,
    /// The last lines that it printed, without secrets; none where it printed none.
    pub last_lines: Option<String>,
}

/// Runs programs to their end.
pub trait Commands: Send + Sync {
    /// Runs an operator's command with the guest's values for its placeholders. `key` is the idempotency key, handed on
    /// as `MAINSTAY_IDEMPOTENCY_KEY`; `MAINSTAY_EFFECT`, with the same, marks what the command leaves running.
    fn run(
        &self,
        name: CommandName,
        spec: CommandSpec,
        arguments: Vec<(String, String)>,
        key: String,
        max_output: u64,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>>;
    /// Ends what still runs of a command that was run with this key, in whatever group or session; returns when nothing of
    /// it is left, or it does not end.
    fn end(&self, _key: String) -> Boxed<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    /// The same of commands of a foreign service that another daemon began; what they put into sessions of its own lives on.
    fn end_foreign(&self, _of: TargetName) -> Boxed<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    /// Runs an operator's command as [`Commands::run`] does, but for its `timeout`: until it ends or `until` resolves. Then,
    /// and where this is dropped, it is killed with its group; what it has left running when it ends with exit code 0 lives
    /// on, until [`Commands::end`].
    fn serve(
        &self,
        name: CommandName,
        _spec: CommandSpec,
        _arguments: Vec<(String, String)>,
        _key: String,
        _until: Boxed<'static, ()>,
    ) -> Boxed<'_, Result<ServedCommand, EffectError>> {
        let why = format!("nobody here runs the command `{name}`");
        Box::pin(std::future::ready(Err(EffectError::Unavailable(why))))
    }
    /// A TCP port of this machine at which nothing listens now. The error is for people.
    fn free_port(&self) -> Result<u16, String> {
        Err("nobody here knows of a free port".to_owned())
    }
    /// Whether somebody has such a port by now.
    fn is_port_taken(&self, _port: u16) -> bool {
        false
    }
    /// Starts, stops or restarts a foreign service; `argv` and how it runs come from its config.
    fn run_foreign(
        &self,
        of: TargetName,
        argv: Vec<String>,
        cwd: PathBuf,
        timeout: Duration,
        run_as: RunAs,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>>;
}

/// Sends HTTP requests for plugins: puts secrets in, follows redirects only within the grant, takes echoed secrets out.
pub trait HttpClient: Send + Sync {
    /// One request, one bounded response. Values are put in place of these handles and of nothing else; errors hold no
    /// handle. `key` is sent as `Idempotency-Key` where the request has none. A redirect is followed with method and
    /// body; one that would lose them is the response.
    fn send(
        &self,
        request: HttpRequest,
        granted: Vec<HttpOrigin>,
        secrets: Arc<SecretHandles>,
        key: Option<String>,
        timeout: Duration,
        bound: AnswerBound,
    ) -> Boxed<'_, Result<HttpResponse, EffectError>>;
}

/// Hands mail over to SMTP servers, always encrypted.
pub trait MailSender: Send + Sync {
    /// One letter, through this account, within the account's timeout. `Unavailable`: the server was not reached, or says
    /// that it may work later; `TimedOut`: the letter was sent and no answer came; `Failed`: the server refuses it. Errors
    /// hold no secret.
    fn send(&self, letter: Letter, account: MailAccount) -> Boxed<'_, Result<(), EffectError>>;
}

/// How many bytes of a response are taken, headers and body together, and what becomes of a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerBound {
    /// A longer one is the error `limited`, and one that breaks off `timed-out`.
    Whole(u64),
    /// The status decides: the body is cut where it is longer, breaks off, or does not come in time.
    Cut(u64),
}

/// Why a config does not serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is not valid: rendered diagnostics, with file, line and column.
    #[error("{0}")]
    Invalid(String),
    /// Secrets that it names cannot be used.
    #[error("{}", lines(.0))]
    Secrets(Vec<SecretError>),
}

fn lines(errors: &[SecretError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Where configs come from.
pub trait ConfigSource: Send + Sync {
    /// Reads, parses and validates.
    fn load(&self) -> Boxed<'_, Result<Spec, ConfigError>>;
    /// Reads what a config names outside itself: its secrets. Until [`ConfigSource::adopt`] these stand beside those of
    /// before, which win where a name is in both. On an error nothing changes.
    fn prepare<'a>(&'a self, spec: &'a Spec) -> Boxed<'a, Result<(), ConfigError>>;
    /// From now on what was prepared counts alone.
    fn adopt(&self);
    /// What was prepared never counts.
    fn abandon(&self);
    /// BLAKE3 over the text of all its files; `None` where they cannot be read.
    fn digest(&self) -> Boxed<'_, Option<String>>;
    /// Why the host can read no file at all now, where it cannot: then nothing is said about the config.
    fn lack(&self) -> Option<String>;
}
