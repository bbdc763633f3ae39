//! Compiles one component for the daemon, as the process that it starts for each.
//!
//! Invariant: the process has bounded itself before it looks at the component.

use super::failure::Ending;
use anyhow::Context;
use mainstay_runtime::compiler::{self, MAX_CPU, MAX_MEMORY};
use rustix::process::{Resource, Rlimit, nice, setrlimit};
use std::{
    io::{self, Write},
    path::Path,
};

/// It gives way to whatever else wants the CPU.
const NICE: i32 = 10;
/// Code, bytes.
const MAX_CODE: u64 = 1 << 30;

/// Writes the code to standard output. What the compiler says of a component that it refuses goes to standard error, with
/// exit code 1.
pub(super) fn compile(component: &Path) -> Ending {
    let compiled = bound().and_then(|()| Ok(std::fs::read(component)?));
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
