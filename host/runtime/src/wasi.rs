//! What a guest sees of WASI: nothing but the directories it was granted, and standard output as log lines.
//!
//! Invariant: no environment, no arguments, no sockets, no standard input. Clocks and random numbers are there,
//! since the standard libraries of guest languages cannot start without them. They are fixed where a plugin says what it
//! is, and follow from the record in a call that is on record, so that a replay has the same.
//! Invariant: what a guest opens and does not drop is bounded; it is the daemon's descriptors and memory.
//! Invariant: a guest that never uses WASI costs nothing for it: the context is made at its first use.

mod clock;
mod files;

use crate::{
    call_context::CallContext,
    effects::{LogLevel, LogLine, LogSource, Purpose},
    limits::{HANDLES, LOG_LINE_BYTES},
};
use bytes::Bytes;
pub(crate) use clock::Timers;
use clock::{GuardedClocks, GuardedTimers};
use files::{GuardedFiles, GuardedFilesystem};
use mainstay_domain::spec::DirectoryGrant;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::io::AsyncWrite;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{
    FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView, async_trait,
    cli::{IsTerminal, StdoutStream},
    clocks::WasiClocksView,
    filesystem::WasiFilesystemView,
    p2::{
        OutputStream, Pollable, StreamResult,
        bindings::{clocks::monotonic_clock, filesystem::types},
    },
};

/// Random bytes that a guest gets at once.
const RANDOM_BYTES: u64 = 64 << 10;

/// The state of a call, as the imports of WASI see it.
pub(crate) trait CallView: WasiView {
    /// What its timers wait for.
    fn timers(&self) -> Timers;
}

/// WASI 0.2, with files and timers that cannot harm.
pub(crate) fn add_to_linker<T: CallView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    types::add_to_linker::<T, GuardedFilesystem>(linker, |call| GuardedFiles(call.filesystem()))?;
    monotonic_clock::add_to_linker::<T, GuardedClocks>(linker, |call| GuardedTimers {
        timers: call.timers(),
        clocks: call.clocks(),
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The WASI side of one call.
pub(crate) struct Wasi {
    context: Arc<CallContext>,
    table: ResourceTable,
    made: Option<WasiCtx>,
}

impl Wasi {
    pub(crate) fn new(context: Arc<CallContext>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        Self {
            context,
            table,
            made: None,
        }
    }

    pub(crate) fn view(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: self.made.get_or_insert_with(|| make(&self.context)),
            table: &mut self.table,
        }
    }
}

fn make(context: &Arc<CallContext>) -> WasiCtx {
    let mut builder = WasiCtxBuilder::new();
    builder
        .max_random_size(RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .stdout(GuestOutput::new(context, LogSource::Stdout))
        .stderr(GuestOutput::new(context, LogSource::Stderr));
    let call = &context.call;
    if call.purpose == Purpose::Describe {
        clock::fix(&mut builder);
    } else if let Some(virtual_clock) = &context.clock {
        clock::follow(&mut builder, virtual_clock);
    }
    let granted = match call.purpose {
        Purpose::Describe | Purpose::Configure => &[],
        _ => call.grants.dir.as_slice(),
    };
    for grant in granted {
        let perms = perms(&call.purpose, grant);
        if let Err(error) = builder.preopened_dir(&grant.path, &grant.guest_path, perms) {
            let line = LogLine {
                level: LogLevel::Error,
                source: LogSource::Log,
                message: format!(
                    "the granted directory {} is not there: {error:#}",
                    grant.path.display()
                ),
                fields: Vec::new(),
            };
            // A guest whose log is full still finds the directory missing.
            context.log(line);
        }
    }
    builder.build()
}

/// A dry run changes nothing, so what can be changed otherwise is there to read.
fn perms(purpose: &Purpose, grant: &DirectoryGrant) -> FsPerms {
    match purpose {
        Purpose::Recover { dry_run: true, .. } => FsPerms::ReadOnly,
        _ if grant.write => FsPerms::ReadWrite,
        _ => FsPerms::ReadOnly,
    }
}

/// Standard output or standard error of a guest: each line is a log line. Guests open the stream anew for every
/// write, so the line that is not yet complete is kept here and not in the stream.
struct GuestOutput(Arc<Lines>);

impl GuestOutput {
    fn new(context: &Arc<CallContext>, source: LogSource) -> Self {
        Self(Arc::new(Lines {
            context: context.clone(),
            source,
            unfinished: Mutex::default(),
        }))
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(LinePipe(self.0.clone()))
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this form, which this host does not link.
        Box::new(tokio::io::sink())
    }
}

/// Cuts what a guest writes into lines.
struct Lines {
    context: Arc<CallContext>,
    source: LogSource,
    unfinished: Mutex<Vec<u8>>,
}

impl Lines {
    fn write(&self, bytes: &[u8]) {
        let mut line = self.unfinished.lock();
        for &byte in bytes {
            if byte != b'\n' {
                line.push(byte);
            }
            if byte == b'\n' || line.len() >= LOG_LINE_BYTES {
                self.finish(&mut line);
            }
        }
    }

    fn finish(&self, line: &mut Vec<u8>) {
        let message = String::from_utf8_lossy(line)
            .trim_end_matches('\r')
            .to_owned();
        line.clear();
        if message.is_empty() {
            return;
        }
        let level = match self.source {
            LogSource::Stderr => LogLevel::Warn,
            LogSource::Log | LogSource::Stdout => LogLevel::Info,
        };
        self.context.log(LogLine {
            level,
            source: self.source,
            message,
            fields: Vec::new(),
        });
    }
}

impl Drop for Lines {
    /// A last line without its end is a line too.
    fn drop(&mut self) {
        let mut line = std::mem::take(self.unfinished.get_mut());
        self.finish(&mut line);
    }
}

struct LinePipe(Arc<Lines>);

#[async_trait]
impl Pollable for LinePipe {
    async fn ready(&mut self) {}
}

impl OutputStream for LinePipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::{id::OperationId, name::TargetName};

    #[test]
    fn a_directory_is_writable_where_it_is_granted_and_never_in_a_dry_run() {
        for (dry_run, write, expected) in [
            (false, false, FsPerms::ReadOnly),
            (false, true, FsPerms::ReadWrite),
            (true, false, FsPerms::ReadOnly),
            (true, true, FsPerms::ReadOnly),
        ] {
            let purpose = Purpose::Recover {
                operation: OperationId::parse("op-01K0000000000000000000000A").unwrap(),
                target: TargetName::parse("api").unwrap(),
                dry_run,
                effects: 0,
            };
            let grant = DirectoryGrant {
                path: "/logs".into(),
                guest_path: "logs".to_owned(),
                write,
            };
            assert_eq!(perms(&purpose, &grant), expected, "{dry_run} {write}");
        }
    }
}
