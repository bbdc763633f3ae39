//! The program: reads the command line, sets up what is set up once, and hands over to [`mainstay::cli`].

use clap::Parser;
use mainstay::{
    cli::{Cli, Color, Global, LogFormat, report_usage},
    console::{self, LogQueue},
};
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal},
    process::ExitCode,
    time::Duration,
};
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

/// Bad usage or config.
const BAD_USAGE: u8 = 2;

/// How long the last log lines are waited for.
const LAST_LINES: Duration = Duration::from_secs(1);

/// How long blocking work that did not end within the shutdown deadline is waited for at the very end.
const LAST_WAIT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    unblock_signals();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return report_usage(&error),
    };
    if cli.is_daemon() {
        share_arenas();
    }
    let log = match log(&cli.global, cli.is_daemon()) {
        Ok(log) => log,
        Err(error) => {
            console::note(format_args!("error: {error}"));
            return ExitCode::from(BAD_USAGE);
        }
    };
    log_panics(log.clone());
    let code = run(cli);
    log.flush_within(LAST_LINES);
    code
}

/// Whoever started this may have blocked signals, and a mask is inherited over `exec`: the daemon would not hear them, nor
/// would what it starts. Called while there is one thread; those after it have its mask.
#[allow(
    unsafe_code,
    reason = "neither the standard library nor rustix has a safe way to change the mask of a thread"
)]
fn unblock_signals() {
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is written by `sigemptyset` before it is read, lives for both calls, and is only read by the second,
    // which changes nothing but the mask of this thread.
    unsafe {
        if libc::sigemptyset(none.as_mut_ptr()) == 0 {
            libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
        }
    }
}

/// The allocator of glibc makes an arena for each thread, up to eight for each core, and each keeps some of what was freed
/// in it. The daemon has many threads that do little: they share as many as there are cores, and none waits for long.
/// Called while there is one thread. `MALLOC_ARENA_MAX` says otherwise where an operator sets it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "a call of the C library that no crate wraps")]
fn share_arenas() {
    if std::env::var_os("MALLOC_ARENA_MAX").is_some() {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let arenas = libc::c_int::try_from(cores.clamp(2, 8)).unwrap_or(2);
    // SAFETY: it takes two numbers, and no other thread allocates yet.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, arenas) };
}

/// See above: another C library has no such arenas.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn share_arenas() {}

/// Logs panics. The standard hook writes to standard error itself and would block if nobody reads it, and a blocked
/// service would be taken for alive.
fn log_panics(log: LogQueue) {
    std::panic::set_hook(Box::new(move |panic| {
        let backtrace = Backtrace::capture();
        match backtrace.status() {
            BacktraceStatus::Captured => tracing::error!("{panic}\n{backtrace}"),
            _ => tracing::error!("{panic}"),
        }
        // The whole program may end with it.
        log.flush_within(LAST_LINES);
    }));
}

fn run(cli: Cli) -> ExitCode {
    // It fails only where a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = match cli.is_daemon() {
        true => Builder::new_multi_thread(),
        false => Builder::new_current_thread(),
    };
    match builder.enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(cli.run());
            // What still blocks a thread was told to stop and had its time; dropping would wait for it without end.
            runtime.shutdown_timeout(LAST_WAIT);
            code
        }
        Err(error) => {
            console::note(format_args!("error: cannot start the runtime: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The compiler inside says gigabytes for each plugin at `debug` and below, and the watcher tells of each line of a log
/// that lies beside the config, which is a line of its own; nobody who asks for `trace` wants them.
const QUIET: [&str; 6] = [
    "cranelift_codegen",
    "cranelift_frontend",
    "notify",
    "regalloc2",
    "wasmtime",
    "wasmtime_internal_cranelift",
];

/// Sends log lines to standard error: the daemon's from `info` on, those of other commands from `warn` on. Best effort:
/// see [`LogQueue`].
fn log(global: &Global, is_daemon: bool) -> Result<LogQueue, String> {
    let level = match global.verbose + u8::from(is_daemon) {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = global.log.as_deref().filter(|filter| !filter.is_empty());
    let filter = EnvFilter::try_new(filter.unwrap_or(level)).map_err(|error| {
        let given = filter.unwrap_or(level);
        format!(
            "`{given}` is no log filter: {error}; e.g. `info,mainstay_daemon::api=debug` is one"
        )
    })?;
    let filter = QUIET.iter().try_fold(filter, |filter, module| {
        let quiet = format!("{module}=warn")
            .parse()
            .map_err(|error| format!("{module}: {error}"))?;
        Ok::<_, String>(filter.add_directive(quiet))
    })?;
    let colour = match global.color {
        Color::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        Color::Always => true,
        Color::Never => false,
    };
    let queue = LogQueue::start()
        .map_err(|error| format!("cannot log: no thread, or no descriptor ({error})"))?;
    let writer = queue.clone();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || writer.clone())
        // It would print them with `eprintln!`, which panics where nothing takes them.
        .log_internal_errors(false)
        .with_ansi(colour);
    match global.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(queue)
}
