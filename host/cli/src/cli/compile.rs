//! Compiles one component for the daemon, as the process that it starts for each.
//!
//! Invariant: the process has bounded itself before it looks at the component, and ends with the daemon that wants it:
//! nobody else reads what it writes.

use super::failure::Ending;
use anyhow::Context;
use mainstay_runtime::compiler::{self, MAX_CPU, MAX_MEMORY};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Resource, Rlimit, getppid, nice, pidfd_open, setrlimit},
};
use std::{
    io::{self, Write},
    path::Path,
};

/// It gives way to whatever else wants the CPU, and is not starved by it: a busy machine has to get its plugins too.
const NICE: i32 = 10;
/// Code, bytes.
const MAX_CODE: u64 = 1 << 30;

/// Writes the code to standard output. What the compiler says of a component that it refuses goes to standard error, with
/// exit code 1.
pub(super) fn compile(component: &Path, daemon: Option<u32>) -> Ending {
    let bounded = daemon.map_or(Ok(()), end_with).and_then(|()| bound());
    let compiled = bounded.and_then(|()| Ok(std::fs::read(component)?));
    match compiled.map(|component| compiler::compile(&component, false)) {
        Ok(Ok(code)) => match io::stdout().lock().write_all(&code) {
            Ok(()) => Ending::Done,
            Err(error) => says(
                &format!("the code cannot be written: {error}"),
                Ending::BadConfig,
            ),
        },
        Ok(Err(reason)) => says(&reason, Ending::Failed),
        Err(error) => says(&format!("{error:#}"), Ending::BadConfig),
    }
}

fn says(what: &str, ending: Ending) -> Ending {
    // Nobody is left to be told where this fails.
    let _ = io::stderr().lock().write_all(what.as_bytes());
    ending
}

/// Ends this process when its parent, the daemon, has ended. The kernel's own signal for that comes at the end of the
/// thread that started it, which is not the daemon's.
fn end_with(daemon: u32) -> anyhow::Result<()> {
    let parent = i32::try_from(daemon).ok().and_then(Pid::from_raw);
    let parent = parent.context("the daemon has no such process")?;
    let pidfd =
        pidfd_open(parent, PidfdFlags::empty()).context("the daemon's end cannot be awaited")?;
    // It is the parent still, so that its number is not another's.
    anyhow::ensure!(getppid() == Some(parent), "the daemon has ended");
    let waiting = move || {
        let mut ends = [PollFd::new(&pidfd, PollFlags::IN)];
        loop {
            match poll(&mut ends, None) {
                Ok(_) => std::process::exit(1),
                Err(Errno::INTR) => {}
                // It is bounded all the same.
                Err(_) => return,
            }
        }
    };
    let watching = std::thread::Builder::new().name("parent".to_owned());
    watching
        .spawn(waiting)
        .map(drop)
        .context("the daemon's end cannot be awaited")
}

/// Address space is no measure, for the compiler reserves much of it and uses little.
fn bound() -> anyhow::Result<()> {
    let limit = |resource: Resource, bound: u64| {
        let limit = Rlimit {
            current: Some(bound),
            maximum: Some(bound),
        };
        setrlimit(resource, limit).context("the compiler cannot be bounded")
    };
    // The first signal says that it was the time; the second comes where the first is not enough.
    let seconds = MAX_CPU.as_secs();
    let time = Rlimit {
        current: Some(seconds),
        maximum: Some(seconds.saturating_add(5)),
    };
    setrlimit(Resource::Cpu, time).context("the compiler cannot be bounded")?;
    limit(Resource::Data, MAX_MEMORY)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, MAX_CODE)?;
    nice(NICE).context("the compiler cannot give way")?;
    // Where memory runs out it is the one to go; not everywhere is there such a file.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    Ok(())
}
