//! How the last reload ended, in `status`.

use crate::cli::output::{Block, Times, Tone, cell, printable};
use mainstay_api::ReloadRow;

/// So many reasons of a refusal are shown.
const REASONS: usize = 3;

/// Nothing where there was none; one line where it was applied; else why not.
pub(super) fn reload_blocks(reload: Option<&ReloadRow>, times: &Times) -> Vec<Block> {
    let Some(reload) = reload else {
        return Vec::new();
    };
    let when = times.both(&reload.at);
    let say = |text: &str, tone| Block::Text {
        hang: 2,
        pieces: vec![
            cell(format!("last reload {when}  "), Tone::Plain),
            cell(text, tone),
        ],
    };
    let reasons = match &reload.error {
        Some(error) if !reload.ok => reasons(error),
        _ => return vec![say("applied", Tone::Good)],
    };
    if let [only] = reasons.as_slice() {
        return vec![say(&format!("refused: {}", printable(only)), Tone::Bad)];
    }
    let text = format!(
        "refused for {} reasons; `mainstay check` shows all",
        reasons.len()
    );
    let mut blocks = vec![say(&text, Tone::Bad)];
    let shown = reasons.iter().take(REASONS);
    blocks.extend(shown.map(|reason| Block::indented(2, reason)));
    match reasons.len().saturating_sub(REASONS) {
        0 => {}
        more => blocks.push(Block::indented(2, format!("… and {more} more"))),
    }
    blocks
}

/// Why a config was refused: of rendered problems each error with its place, else each line.
fn reasons(error: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut lines = error.lines();
    while let Some(line) = lines.next() {
        if let Some(message) = line.strip_prefix("error: ") {
            let place = lines.clone().next().map(str::trim_start);
            let place = place.and_then(|line| line.strip_prefix("--> "));
            reasons.push(match place {
                Some(place) => format!("{place}: {message}"),
                None => message.to_owned(),
            });
        }
    }
    match reasons.is_empty() {
        true => error.lines().map(str::to_owned).collect(),
        false => reasons,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_config_is_its_errors_with_their_places() {
        let rendered = "warning: backups of this job are stored unencrypted\n --> a.toml:2:1\n  |\n2 | [[job]]\n  | ^^^^^^^\n  |\n  \
                        = help: write it\n\nerror: unknown key `x` in [host]\n  --> a.toml:12:1\n   |\n12 | x = 1\n   | ^\n   |\n   = \
                        help: remove it\n\nerror: cannot read the config: no\n --> conf.d/b.toml\n  |\n  = help: make it readable";
        for (error, expected) in [
            (
                rendered,
                vec![
                    "a.toml:12:1: unknown key `x` in [host]",
                    "conf.d/b.toml: cannot read the config: no",
                ],
            ),
            ("error: alone", vec!["alone"]),
            ("host.api changed", vec!["host.api changed"]),
            (
                "secret `a`: no\nsecret `b`: no",
                vec!["secret `a`: no", "secret `b`: no"],
            ),
        ] {
            assert_eq!(reasons(error), expected);
        }
    }
}
