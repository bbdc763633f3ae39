//! Notes about incidents and operations.

use super::{
    client::Client,
    identifiers::IdText,
    listings::present,
    output::{Output, Times, printable},
};
use mainstay_api::{Note, NoteBody};

/// Writes a note down.
pub(super) async fn add(
    client: &Client,
    out: &Output,
    id: &IdText,
    text: String,
    by: String,
) -> anyhow::Result<()> {
    let id = id.resolve_noted(client).await?;
    let body = NoteBody { id, text, by };
    let answer = client.post("/v1/notes", &body).await?;
    present(out, &answer, |out, _: Note| {
        let show = match body.id.starts_with("inc-") {
            true => "incident",
            false => "operation",
        };
        out.line(&format!(
            "kept with {0}; `mainstay {show} show {0}` shows it",
            printable(&body.id)
        ))
    })
}

/// A note in one line, for people.
pub(super) fn in_a_line(note: &Note, times: &Times) -> String {
    let by = match &note.note {
        Some(says) => format!("{} (who says: {says})", note.by),
        None => note.by.clone(),
    };
    format!("{}  {by}: {}", times.both(&note.at), note.text)
}
