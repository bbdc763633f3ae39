//! `drill`: a target is broken on purpose, and its recovery is timed.

use super::{
    client::Client,
    failure::{Ending, Usage},
    operations::newest_event,
    orders::await_end,
    output::Output,
};
use crate::console;
use anyhow::Context;
use mainstay_api::{EventKind, TargetDrillBody};
use mainstay_domain::{drill::DrillMethod, name::TargetName};
use std::io::{self, IsTerminal};

/// Asks whether the target is to be broken.
///
/// # Errors
/// Nobody says yes.
pub(super) fn confirm(target: &TargetName, method: DrillMethod) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        let why = format!(
            "this breaks {target} for real, and nobody is there to be asked; --yes says that it is meant"
        );
        return Err(Usage(why).into());
    }
    let does = match method {
        DrillMethod::Kill => "kills the process of",
        DrillMethod::Stop => "stops the process of",
        DrillMethod::Block | DrillMethod::Fill | DrillMethod::Command => "runs what breaks",
    };
    console::note(format_args!(
        "this {does} {target}, for real; type yes to go on:"
    ));
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    match answer.trim() {
        "yes" | "y" => Ok(()),
        _ => anyhow::bail!("nothing was done"),
    }
}

/// Breaks the target, and shows how its recovery was.
pub(super) async fn run(
    client: &Client,
    out: &Output,
    target: &TargetName,
    body: &TargetDrillBody,
) -> anyhow::Result<Ending> {
    let before = newest_event(client).await?;
    client
        .post(&format!("/v1/targets/{target}/drill"), body)
        .await?;
    await_end(client, out, EventKind::TargetDrilled, target, before).await
}
