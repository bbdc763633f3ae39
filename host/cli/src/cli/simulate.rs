//! `simulate`: a recorded or written day, played through the real recovery on virtual time.
//!
//! Invariant: nothing is changed, and the daemon is asked for its events and its phase alone, where they are wanted.
//! Invariant: the same scenario with the same config prints the same bytes: no clock of this machine is in it.

mod read;
mod show;

use super::{
    arguments::{Global, SimulateArguments},
    connect,
    failure::{Ending, WithHelp},
    output::Output,
};
use crate::console;
use anyhow::Context;
use mainstay_daemon::config;
use mainstay_domain::simulation::{Draft, Length, Scenario, simulate, write_lines};
use std::sync::Arc;

pub(super) async fn run(
    global: &Global,
    out: &Output,
    arguments: SimulateArguments,
) -> anyhow::Result<Ending> {
    let spec = Arc::new(config::load(&config::find(global.config.as_deref())?)?.spec);
    let (mut draft, notes) = match &arguments.file {
        Some(file) => read::file(file, &spec)?,
        None => {
            let client = connect::connect(global).await?;
            read::journal(&client, (arguments.since, &out.times), &spec).await?
        }
    };
    for note in &notes {
        console::note(out.shown(&format!("mainstay: {note}")));
    }
    if let Some(until) = arguments.until {
        draft.until = Some(Length(until));
    }
    draft.phase = arguments.phase.or(draft.phase);
    if arguments.export {
        for line in write_lines(&draft).context("cannot write the scenario")? {
            out.json_text(&line)?;
        }
        return Ok(Ending::Done);
    }
    let scenario = scenario_of(draft, &spec)?;
    let report = simulate(&spec, &scenario, None)?;
    match out.json {
        true => out.json_line(&show::json(&report, &notes))?,
        false => out.show(&show::people(&report))?,
    }
    Ok(Ending::Done)
}

/// So many problems of a scenario are told at once.
const PROBLEMS: usize = 20;

/// Every problem of it at once, but for those of a scenario that hardly fits.
fn scenario_of(draft: Draft, spec: &Arc<mainstay_domain::spec::Spec>) -> anyhow::Result<Scenario> {
    Scenario::new(draft, spec).map_err(|problems| {
        let shown = problems.iter().take(PROBLEMS).map(ToString::to_string);
        let mut lines: Vec<String> = shown.collect();
        match problems.len().checked_sub(PROBLEMS) {
            None | Some(0) => {}
            Some(more) => lines.push(format!("and {more} more")),
        }
        let error = format!(
            "the scenario does not fit the config:\n{}",
            lines.join("\n")
        );
        WithHelp {
            error,
            help: Some(
                "correct these steps, or name the config that they are for with --config"
                    .to_owned(),
            ),
        }
        .into()
    })
}
