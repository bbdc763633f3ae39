//! Where a scenario comes from: a file in either form, recorded events in a file, or the journal of the daemon.

use super::super::{
    arguments::Since,
    client::{Client, path_with},
    failure::WithHelp,
    listings::{parse, time_of},
    output::Times,
};
use anyhow::Context;
use mainstay_api::HostPhase;
use mainstay_domain::{
    event::Event,
    simulation::{Draft, Lines, read_lines, recorded},
    spec::Spec,
};
use serde::de::DeserializeOwned;
use std::{fs, io, path::Path};

/// The one form of the file that there is.
const FORMAT: u32 = 1;

/// A scenario, and what was left out of it.
type Read = (Draft, Vec<String>);

/// Reads a file; `-` is standard input.
pub(super) fn file(file: &Path, spec: &Spec) -> anyhow::Result<Read> {
    let shown = file.display();
    let text = match file.as_os_str() == "-" {
        true => io::read_to_string(io::stdin()),
        false => fs::read_to_string(file),
    };
    let text = text.with_context(|| format!("cannot read the scenario {shown}"))?;
    // A table of TOML in brackets is no object.
    let is_lines = text.trim_start().starts_with('{');
    let read = match is_lines {
        true => match read_lines(&text).map_err(|error| unreadable(file, &error.to_string()))? {
            Lines::Written(draft) => (draft, Vec::new()),
            Lines::Recorded(events, unknown) => of_events(&events, unknown, spec),
        },
        false => {
            let draft: Draft =
                toml::from_str(&text).map_err(|error| unreadable(file, &error.to_string()))?;
            (draft, Vec::new())
        }
    };
    match read.0.format {
        None | Some(FORMAT) => Ok(read),
        Some(found) => Err(unreadable(
            file,
            &format!("its format is {found}, and this program reads {FORMAT}"),
        )),
    }
}

fn unreadable(file: &Path, why: &str) -> anyhow::Error {
    WithHelp {
        error: format!("cannot read the scenario {}: {}", file.display(), why.trim_end()),
        help: Some(
            "docs/simulation.md has the form: TOML with [[step]] tables, or one JSON object a line; what \
             `mainstay events --since 24h --json` prints is read too"
                .to_owned(),
        ),
    }
    .into()
}

/// Asks the daemon for its events.
pub(super) async fn journal(
    client: &Client,
    (since, times): (Option<Since>, &Times),
    spec: &Spec,
) -> anyhow::Result<Read> {
    let since = since.unwrap_or(Since::Ago(DAY));
    let query = [("from", Some(time_of(since, times)))];
    let mut lines = client.get_lines(&path_with("/v1/events", &query)).await?;
    let (mut events, mut unknown) = (Vec::new(), 0);
    while let Some(line) = lines.next().await? {
        match event_of::<Event>(&line)? {
            Some(event) => events.push(event),
            None => unknown += 1,
        }
    }
    let (mut draft, notes) = of_events(&events, unknown, spec);
    if draft.phase.is_none() {
        // Nobody changed it since then.
        let host: HostPhase = parse(&client.get("/v1/phase").await?)?;
        draft.phase = Some(host.phase.into());
    }
    Ok((draft, notes))
}

/// So long a day is that nobody says more of.
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// An event; none where another version has another kind. The last line may be an error.
fn event_of<T: DeserializeOwned>(line: &str) -> anyhow::Result<Option<T>> {
    if let Ok(event) = serde_json::from_str(line) {
        return Ok(Some(event));
    }
    match serde_json::from_str::<mainstay_api::ErrorBody>(line) {
        Ok(body) => Err(super::super::client::refused(body)),
        Err(_) => Ok(None),
    }
}

fn of_events(events: &[Event], unknown: usize, spec: &Spec) -> Read {
    let (draft, mut notes) = recorded(events, spec);
    if unknown > 0 {
        notes.push(format!(
            "{unknown} events are of kinds that this version does not know, and are left out"
        ));
    }
    (draft, notes)
}
