//! `mainstay demo`: the main job on a real process, start to end, in a temporary directory.
//!
//! Invariant: nothing is simulated. The daemon is this program, started as a stranger would start it; the service is a
//! process that is really killed; the receiver is an HTTP server; the plugins are built from this repository.

mod host;
mod plugins;
mod receiver;
pub mod service;
mod steps;
mod timeline;

use host::DemoHost;
use std::time::Instant;
use timeline::Timeline;

/// What the demo is asked for.
#[derive(Debug, Clone, Default)]
pub struct DemoOptions {
    /// One JSON line a step instead of a timeline.
    pub json: bool,
    /// Leave the directory behind, and say where it is.
    pub keep: bool,
}

/// Runs every step; whether all were ok.
pub async fn run(options: DemoOptions) -> anyhow::Result<bool> {
    let begin = Instant::now();
    let mut timeline = Timeline::new(options.json);
    let source = plugins::repository();
    let built = timeline
        .step("build-plugins", async { plugins::build(&source).await })
        .await;
    let Some(built) = built else {
        return Ok(timeline.finish(begin.elapsed()));
    };
    let mut host = DemoHost::new(built, options.keep).await?;
    steps::run_steps(&mut host, &mut timeline).await;
    let clean = timeline.finish(begin.elapsed());
    host.close().await;
    Ok(clean)
}
