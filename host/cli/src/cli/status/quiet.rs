//! What people do not hear of now, and what is not done: windows of maintenance and silences, in `status`.

use crate::cli::output::{Block, Times, Tone, relative};
use mainstay_api::{OpenWindow, Silence};

/// So many silences are shown.
const SILENCES: usize = 5;

/// A line for each window and each silence.
pub(super) fn quiet_blocks(
    windows: &[OpenWindow],
    silences: &[Silence],
    times: &Times,
) -> Vec<Block> {
    let mut blocks: Vec<Block> = windows
        .iter()
        .map(|window| window_block(window, times))
        .collect();
    let shown = silences.iter().take(SILENCES);
    blocks.extend(shown.map(|silence| silence_block(silence, times)));
    match silences.len().saturating_sub(SILENCES) {
        0 => {}
        more => blocks.push(Block::text(
            format!("… and {more} more silences; `mainstay silences` lists them"),
            Tone::Plain,
        )),
    }
    blocks
}

fn window_block(window: &OpenWindow, times: &Times) -> Block {
    let targets = match window.targets.as_slice() {
        [] => "the whole host".to_owned(),
        targets => targets.join(", "),
    };
    let alerts = window.holds_alerts.then_some("alerts are held back");
    let recovery = window.pauses_recovery.then_some("recovery is paused");
    let what: Vec<&str> = alerts.into_iter().chain(recovery).collect();
    let (what, ends) = (what.join(", "), ends(&window.until, times));
    Block::text(
        format!("maintenance of {targets} ({what}), ends {ends}"),
        Tone::Warn,
    )
}

fn silence_block(silence: &Silence, times: &Times) -> Block {
    let of = silence.target.as_ref().or(silence.alert.as_ref());
    let of = of.map_or("-", String::as_str);
    let (Silence { by, reason, .. }, ends) = (silence, ends(&silence.until, times));
    Block::text(
        format!("silence of {of} by {by} ({reason}), ends {ends}"),
        Tone::Warn,
    )
}

/// In how long, and at what time.
fn ends(until: &str, times: &Times) -> String {
    let length = relative(until, times.now());
    match times.clock(until) {
        Some(clock) => format!("{length}, at {clock}"),
        None => length,
    }
}
