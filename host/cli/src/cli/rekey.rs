//! Backups that are taken up again, and encrypted to others: what could not be is named, and the exit code says so.

use super::{
    backups::{finish, result_of, show_backups},
    client::{Client, path_with},
    failure::Ending,
    listings::present,
    output::Output,
};
use crate::console;
use mainstay_api::RekeyBody;

/// Lists backups, and first takes up those that are stored and not in the catalog where that is wanted.
pub(super) async fn list(
    client: &Client,
    out: &Output,
    job: Option<String>,
    rebuild: bool,
) -> anyhow::Result<Ending> {
    let mut left_out = Vec::new();
    if rebuild {
        let lines = client
            .post_lines("/v1/rebuild", &serde_json::json!({}))
            .await?;
        let result = result_of(out, lines, "reading what is stored").await?;
        left_out = result.notes;
    }
    let answer = client
        .get(&path_with("/v1/backups", &[("job", job)]))
        .await?;
    present(out, &answer, show_backups)?;
    for why in &left_out {
        console::note(why);
    }
    Ok(ending(&left_out))
}

/// Encrypts what is stored of a job to its present recipients, or shows what that would be.
pub(super) async fn rekey(
    client: &Client,
    out: &Output,
    job: String,
    dry_run: bool,
) -> anyhow::Result<Ending> {
    let what = format!("encrypting the backups of {job}");
    let body = RekeyBody { job, dry_run };
    let lines = client.post_lines("/v1/rekey", &body).await?;
    let result = result_of(out, lines, &what).await?;
    let ending = ending(&result.notes);
    finish(out, result, dry_run, false)?;
    if dry_run && !out.json {
        out.line("they would be encrypted anew; nothing was changed")?;
    }
    Ok(ending)
}

fn ending(left: &[String]) -> Ending {
    match left.is_empty() {
        true => Ending::Done,
        false => Ending::Incomplete,
    }
}
