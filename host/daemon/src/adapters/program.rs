//! A program that the daemon starts and waits for: a command, a check, the source of a backup.
//!
//! Invariant: each leads a process group of its own and carries a mark in its environment; all of that group, and all that
//! carries the mark in other sessions, is killed where the program is given up, or who waits for it is dropped.
//! Invariant: each has the limit of open files that the daemon was started with.
//!
//! A supervised process is none: it outlives the daemon, and is known by more than a handle; see `process`.

mod outputs;
mod remains;
mod starts;

pub(super) use outputs::Output;
pub use outputs::Outputs;
pub(crate) use remains::finish as finish_remains;
pub(super) use starts::Starts;

use super::{limits, reaper, secrets::MAX_CONCEALED_BYTES};
use crate::ports::Secrets;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    future::Future,
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

/// How long output is awaited once the program itself has ended; a daemon that it left behind may hold the pipe open
/// for ever.
const OUTPUT_GRACE: Duration = Duration::from_millis(250);
/// How long the end of a killed program is awaited.
const KILL_GRACE: Duration = Duration::from_millis(250);

/// A program that runs; all of its group ends with this value.
pub(super) struct Program {
    group: Group,
    leader: Child,
}

/// What becomes of what the program has started, once it has ended itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remains {
    /// It lives on, as the daemon that a start command starts.
    LiveOn,
    /// It is killed before anything is awaited, in other sessions soon after; only what it has printed by then is read.
    AreKilled,
    /// It is killed as well; what was printed by then is waited for, as a whole.
    AreKilledAndHeard,
}

impl Program {
    /// Starts it without input; `command` says where its outputs go. Blocks until the program is loaded, or could not
    /// be: for ever on a file system that does not answer; see [`Starts`].
    pub(super) fn start(command: std::process::Command) -> io::Result<Self> {
        let mut command = Command::from(command);
        let mark = remains::mark();
        let leader = command
            .stdin(Stdio::null())
            .env(remains::VARIABLE, &mark)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        if let Some(pid) = leader.id() {
            reaper::leave(pid);
            limits::restore_limit(pid);
        }
        let group = Group::of(&leader, mark);
        Ok(Self { group, leader })
    }

    /// The program's end, once its output is read as far as `remains` says. The error is why it was `given_up`: its
    /// group was killed.
    pub(super) async fn end<T>(
        self,
        reading: impl Future<Output = ()>,
        given_up: impl Future<Output = T>,
        remains: Remains,
    ) -> Result<io::Result<ExitStatus>, T> {
        let Self { group, mut leader } = self;
        end_of(group, leader.wait(), reading, given_up, remains).await
    }
}

async fn end_of<T>(
    mut group: Group,
    waiting: impl Future<Output = io::Result<ExitStatus>>,
    reading: impl Future<Output = ()>,
    given_up: impl Future<Output = T>,
    remains: Remains,
) -> Result<io::Result<ExitStatus>, T> {
    tokio::pin!(waiting, reading, given_up);
    let mut is_read = false;
    let status = loop {
        // The reading last: of one that prints without end it is always ready.
        tokio::select! { biased;
            status = &mut waiting => break status,
            why = &mut given_up => {
                drop(group);
                // What cannot even be killed, in uninterruptible sleep, is reaped by tokio when it ends.
                let _ = tokio::time::timeout(KILL_GRACE, waiting).await;
                return Err(why);
            }
            () = &mut reading, if !is_read => is_read = true,
        }
    };
    let grace = match remains {
        Remains::LiveOn | Remains::AreKilledAndHeard => OUTPUT_GRACE,
        Remains::AreKilled => Duration::ZERO,
    };
    match remains {
        // Before anything else is awaited: what it left behind in its group is to live.
        Remains::LiveOn if status.is_ok() => group.has_ended(),
        Remains::LiveOn => {}
        Remains::AreKilled | Remains::AreKilledAndHeard => group.kill(),
    }
    if !is_read {
        let _ = tokio::time::timeout(grace, reading).await;
    }
    Ok(status)
}

/// Reads to the end, so that the program is never blocked by a full pipe, and keeps at least so many bytes of the end, and
/// before them as many as [`concealed_end`] needs.
pub(super) async fn read_end(pipe: Option<impl AsyncRead + Unpin>, kept: usize, end: &mut Vec<u8>) {
    let kept = kept.saturating_add(MAX_CONCEALED_BYTES);
    let Some(mut pipe) = pipe else { return };
    // On the heap, for what waits here is part of what waits for it.
    let mut chunk = vec![0; 4096];
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        end.extend_from_slice(chunk.get(..count).unwrap_or_default());
        // Not for every chunk: what is kept is moved each time.
        if end.len() > kept.saturating_mul(2) {
            end.drain(..end.len().saturating_sub(kept));
        }
    }
}

/// What [`read_end`] has kept, without secrets.
pub(super) fn concealed_end(end: Vec<u8>, kept: usize, secrets: &dyn Secrets) -> Vec<u8> {
    let is_cut = end.len() >= kept.saturating_add(MAX_CONCEALED_BYTES);
    let mut shown = secrets.conceal_piece(end);
    if is_cut {
        // The first bytes may be half of a secret.
        shown.drain(..MAX_CONCEALED_BYTES.min(shown.len()));
    }
    shown.drain(..shown.len().saturating_sub(kept));
    shown
}

/// Kills the group, and what carries the mark, when it is dropped before its leader has ended.
struct Group(Option<Pid>, String);

impl Group {
    fn of(leader: &Child, mark: String) -> Self {
        let pid = leader.id();
        Self(pid.and_then(|pid| Pid::from_raw(pid.cast_signed())), mark)
    }

    /// The leader was awaited: its number may be another's from now on.
    fn has_ended(&mut self) {
        self.0 = None;
    }

    fn kill(&mut self) {
        if let Some(pid) = self.0.take() {
            let _ = kill_process_group(pid, Signal::KILL);
            remains::end(std::mem::take(&mut self.1));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests;
