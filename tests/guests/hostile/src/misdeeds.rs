//! What a hostile guest does.

use mainstay_plugin_sdk::recovery::*;
use schemars::JsonSchema;
use serde::Deserialize;
use std::hint::black_box;
use std::time::Duration;

/// What to do.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Misdeed {
    /// Behaves, as a control.
    Nothing,
    /// Never ends, without any call to the host.
    Loop,
    /// Never ends, with a call to the host in each turn.
    LoopWithCalls,
    /// Calls itself until the stack is used up.
    Recurse,
    /// Allocates without end.
    Memory,
    /// Executes `unreachable`.
    Trap,
    /// Panics with a message.
    Panic,
    /// Ends the process with status 0.
    Exit,
    /// Gives a report of `amount` bytes; 64 MiB by default.
    HugeResult,
    /// Gives a report of `amount` actions; a million by default.
    ManyActions,
    /// Fails with a message of `amount` bytes; 64 MiB by default.
    HugeError,
    /// Writes `amount` log lines; a million by default.
    LogFlood,
    /// Writes one log line of `amount` bytes; 16 MiB by default.
    HugeLog,
    /// Writes log lines that forge others: line feeds and terminal escapes.
    ForgedLog,
    /// Asks for the target's status `amount` times; a million by default.
    EffectFlood,
    /// Sends a request with a body of `amount` bytes to the URL `name`; 16 MiB by default.
    HugeEffect,
    /// Stores `amount` bytes under one key; 16 MiB by default.
    KvBomb,
    /// Stores `amount` keys of 1 kB; 100,000 by default.
    KvKeys,
    /// Sleeps `amount` milliseconds; a day by default.
    Sleep,
    /// Restarts the target `name`, which it was not granted.
    ForeignTarget,
    /// Runs the command `name`, which it was not granted.
    ForeignCommand,
    /// Requests the URL `name`, which it was not granted.
    ForeignUrl,
    /// Restores the newest backup of the job `name`, which it was not granted.
    ForeignBackup,
    /// Reads the file `name`, which it was not granted.
    ReadFile,
    /// Opens the file or directory `name` again and again, and closes none.
    HoldFiles,
    /// Reads the environment; reports what it saw.
    Environment,
    /// Asks for a name of `amount` bytes; 1 MiB by default.
    HugeName,
    /// Stores the time of WASI's wall clock, so that a replay diverges unless the host answers it from the record.
    Undeterministic,
}

impl Misdeed {
    pub(crate) fn commit(
        self,
        op: &Operation,
        host: &mut impl Host,
        amount: Option<usize>,
        name: &str,
    ) -> Result<Report> {
        let or = |default: usize| amount.unwrap_or(default);
        match self {
            Self::Nothing => {}
            Self::Loop => spin(),
            Self::LoopWithCalls => loop {
                black_box(host.now());
            },
            Self::Recurse => {
                black_box(recurse(0));
            }
            Self::Memory => allocate_without_end(),
            Self::Trap => std::process::abort(),
            #[allow(clippy::panic, reason = "it is what this guest is for")]
            Self::Panic => panic!("the hostile guest panics"),
            Self::Exit => std::process::exit(0),
            Self::HugeResult => return Ok(Report::action(text_of(or(64 << 20)))),
            Self::ManyActions => {
                return Ok(Report {
                    actions: vec!["acted".into(); or(1_000_000)],
                    data_loss: None,
                });
            }
            Self::HugeError => return Err(RecoveryFailure::Retryable(text_of(or(64 << 20)))),
            Self::LogFlood => {
                for line in 0..or(1_000_000) {
                    host.log(Level::Error, "flood", &[("line", &line.to_string())]);
                }
            }
            Self::HugeLog => host.log(Level::Error, &text_of(or(16 << 20)), &[]),
            Self::ForgedLog => {
                let forged = "fine\n2026-01-01T00:00:00Z ERROR the host is on fire\u{1b}[2J";
                host.log(Level::Info, forged, &[("plugin\n", "another\u{1b}[31m")]);
            }
            Self::EffectFlood => {
                for _ in 0..or(1_000_000) {
                    host.target(&op.target).status()?;
                }
            }
            Self::HugeEffect => {
                host.http(Request::post_json(name, text_of(or(16 << 20))))?;
            }
            Self::KvBomb => host.kv().set("bomb", text_of(or(16 << 20)))?,
            Self::KvKeys => {
                for key in 0..or(100_000) {
                    host.kv().set(&format!("key-{key}"), [0; 1_024])?;
                }
            }
            Self::Sleep => host.sleep(Duration::from_millis(or(86_400_000) as u64)),
            Self::ForeignTarget => host.target(name).restart()?,
            Self::ForeignCommand => {
                host.command(name, &[])?;
            }
            Self::ForeignUrl => {
                host.http(Request::get(name))?;
            }
            Self::ForeignBackup => {
                let newest = host.backup(name).newest()?;
                let id = newest.map_or_else(|| "ful-none".to_owned(), |backup| backup.id);
                host.backup(name).restore(&id)?;
            }
            Self::ReadFile => {
                return seen(std::fs::read_to_string(name).map_err(|error| error.to_string()));
            }
            Self::HoldFiles => {
                let mut held = Vec::new();
                loop {
                    match std::fs::File::open(name) {
                        Ok(file) => held.push(black_box(file)),
                        Err(error) => return seen(Err(error.to_string())),
                    }
                }
            }
            Self::Environment => {
                return seen(Ok(format!("{:?}", std::env::vars().collect::<Vec<_>>())));
            }
            Self::HugeName => host.target(&text_of(or(1 << 20))).restart()?,
            Self::Undeterministic => {
                let time = std::time::SystemTime::now();
                host.kv().set("time", format!("{time:?}"))?;
            }
        }
        Ok(Report::action(format!("committed {self:?}")))
    }
}

/// Reports what was read, or fails for good with why it could not be.
fn seen(read: core::result::Result<String, String>) -> Result<Report> {
    match read {
        Ok(text) => Ok(Report::action(text)),
        Err(error) => Err(RecoveryFailure::Permanent(error)),
    }
}

/// Never ends.
pub(crate) fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Allocates and touches a mebibyte after the other. Where memory is refused the allocation aborts.
pub(crate) fn allocate_without_end() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// A text of a length.
pub(crate) fn text_of(bytes: usize) -> String {
    "x".repeat(bytes)
}

#[allow(unconditional_recursion, reason = "it is what this guest is for")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    black_box(recurse(depth + 1)) + black_box(frame).iter().sum::<u64>()
}
