//! Silences: made, listed and ended.

use super::{
    client::Client,
    identifiers::IdText,
    listings::present,
    output::{Block, Output, Table, Times, Tone, cell, printable},
};
use mainstay_api::{EndedSilence, Silence, SilenceBody, UnsilenceBody};
use mainstay_domain::id::SilenceId;

pub(super) async fn begin(client: &Client, out: &Output, body: &SilenceBody) -> anyhow::Result<()> {
    let answer = client.post("/v1/silence", body).await?;
    present(out, &answer, |out, silence: Silence| {
        let what = what_is_silenced(&silence);
        let until = out.times.both(&silence.until);
        out.line(&format!("{} silences {what}, ends {until}", silence.id))
    })
}

pub(super) async fn list(client: &Client, out: &Output) -> anyhow::Result<()> {
    let answer = client.get("/v1/silences").await?;
    present(out, &answer, |out, silences: Vec<Silence>| {
        out.show(&[Block::Table(silence_table(&silences, &out.times))])
    })
}

pub(super) fn silence_table(silences: &[Silence], times: &Times) -> Table {
    let row = |silence: &Silence| {
        vec![
            cell(&silence.id, Tone::Plain),
            cell(what_is_silenced(silence), Tone::Plain),
            cell(times.both(&silence.since), Tone::Plain),
            cell(times.both(&silence.until), Tone::Plain),
            cell(&silence.by, Tone::Plain),
            cell(&silence.reason, Tone::Plain),
        ]
    };
    let headings = ["SILENCE", "OF", "SINCE", "ENDS", "BY", "REASON"];
    let rows = silences.iter().map(row).collect();
    Table::new(&headings, rows, "no silences").led_by(&[0, 1])
}

pub(super) async fn end(
    client: &Client,
    out: &Output,
    id: &IdText,
    by: String,
) -> anyhow::Result<()> {
    let id = id.resolve::<SilenceId>(client).await?.to_string();
    let body = UnsilenceBody { id: id.clone(), by };
    client.post("/v1/unsilence", &body).await?;
    if out.json {
        return out.json_line(&EndedSilence { id });
    }
    out.line(&format!("{id} is over; what still fires is delivered"))
}

fn what_is_silenced(silence: &Silence) -> String {
    match (&silence.target, &silence.alert) {
        (Some(target), _) => printable(target),
        (None, key) => format!("key {}", printable(key.as_deref().unwrap_or_default())),
    }
}
