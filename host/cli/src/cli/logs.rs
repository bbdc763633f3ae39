//! `logs`: what a target prints, as the daemon keeps it or a `log` check of it names it.
//!
//! Invariant: lines are shown as they were written, but for what could disturb a terminal; of those that follow none is
//! shown twice, and none is left out that comes while the daemon's look at the end of the log still has the one before; where
//! it has not, that is said.

mod follow;
mod since;

use super::{
    arguments::LogsArguments,
    client::Client,
    failure::{Ending, Usage},
    listings::parse,
    output::Output,
};
use crate::console;
use follow::Followed;
use mainstay_api::TargetLog;
use mainstay_domain::name::TargetName;
use since::begin_of;
use std::time::Duration;

/// How often the daemon is asked for what is new.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn logs(
    client: &Client,
    out: &Output,
    arguments: LogsArguments,
) -> anyhow::Result<Ending> {
    let LogsArguments {
        target,
        follow,
        since,
        lines,
    } = arguments;
    if follow && out.json {
        let problem = "--json tells the end of a log as one object; leave --follow or --json out";
        return Err(Usage(problem.to_owned()).into());
    }
    let answer = ask(client, &target).await?;
    if out.json && since.is_none() && lines.is_none() {
        out.json_text(&answer)?;
        return Ok(Ending::Done);
    }
    let log: TargetLog = parse(&answer)?;
    // What is not whole yet comes with the rest of it.
    let text = match follow {
        true => whole_lines(&log.text),
        false => &log.text,
    };
    let written: Vec<&str> = text.lines().collect();
    let begin = match since {
        Some(since) => begin_of(&written, since, &out.times)?,
        None => 0,
    };
    let shown = written.get(begin..).unwrap_or_default();
    let most = lines.or_else(|| since.is_none().then_some(USUAL_LINES));
    let left_out = most.map_or(0, |most| shown.len().saturating_sub(most));
    let shown = shown.get(left_out..).unwrap_or_default();
    if out.json {
        let text = shown.iter().flat_map(|line| [*line, "\n"]).collect();
        out.json_line(&TargetLog { text, ..log })?;
        return Ok(Ending::Done);
    }
    for line in shown {
        show(out, line)?;
    }
    if !follow {
        return Ok(Ending::Done);
    }
    let mut followed = Followed::new(text, whole_bytes(&log));
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let log: TargetLog = parse(&ask(client, &target).await?)?;
        let news = followed.news(whole_lines(&log.text), whole_bytes(&log));
        if news.may_lack {
            console::note(format_args!(
                "lines may be missing here: {target} wrote more than is looked at, or its log was emptied; all that is kept is in \
                 `logs` in the state directory"
            ));
        }
        for line in &news.lines {
            show(out, line)?;
        }
    }
}

/// How long the log is to the end of its last whole line.
fn whole_bytes(log: &TargetLog) -> u64 {
    let open = log.text.len() - whole_lines(&log.text).len();
    log.log_bytes.saturating_sub(open as u64)
}

/// So many lines are shown where nothing is said of how many.
const USUAL_LINES: usize = 100;

async fn ask(client: &Client, target: &TargetName) -> anyhow::Result<String> {
    client.get(&format!("/v1/targets/{target}/log")).await
}

fn show(out: &Output, line: &str) -> anyhow::Result<()> {
    out.verbatim(&out.shown(line))
}

/// All but a last line that has no end yet.
fn whole_lines(text: &str) -> &str {
    let end = text.rfind('\n').map_or(0, |at| at + 1);
    text.get(..end).unwrap_or_default()
}
