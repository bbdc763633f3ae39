//! Silences: made, listed and ended.

use super::{
    client::Client,
    listings::present,
    output::{Output, Tone, cell, now, printable, relative},
};
use mainstay_api::{EndedSilence, Silence, SilenceBody, UnsilenceBody};
use mainstay_domain::id::SilenceId;

pub(super) async fn begin(client: &Client, out: &Output, body: &SilenceBody) -> anyhow::Result<()> {
    let answer = client.post("/v1/silence", body).await?;
    present(out, &answer, |out, silence: Silence| {
        let what = what_is_silenced(&silence);
        let until = relative(&silence.until, now());
        out.line(&format!("{} silences {what}, ends {until}", silence.id))
    })
}

pub(super) async fn list(client: &Client, out: &Output) -> anyhow::Result<()> {
    let answer = client.get("/v1/silences").await?;
    present(out, &answer, |out, silences: Vec<Silence>| {
        let now = now();
        let rows = silences.into_iter().map(|silence| {
            vec![
                cell(&silence.id, Tone::Plain),
                cell(what_is_silenced(&silence), Tone::Plain),
                cell(relative(&silence.since, now), Tone::Plain),
                cell(relative(&silence.until, now), Tone::Plain),
                cell(printable(&silence.by), Tone::Plain),
                cell(printable(&silence.reason), Tone::Plain),
            ]
        });
        let headings = ["SILENCE", "OF", "SINCE", "ENDS", "BY", "REASON"];
        out.table(&headings, rows.collect(), "no silences")
    })
}

pub(super) async fn end(
    client: &Client,
    out: &Output,
    id: &SilenceId,
    by: String,
) -> anyhow::Result<()> {
    let id = id.to_string();
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
