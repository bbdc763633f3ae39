//! What `backup restore` asks for.

use super::{
    arguments::RestoreArguments, backups::work, client::Client, failure::Ending, listings::time_of,
    output::Output,
};
use anyhow::Context;
use mainstay_api::RestoreBody;
use mainstay_domain::id::BackupId;
use std::path::PathBuf;

/// Restores, and shows how it goes and what came of it.
pub(super) async fn restore(
    client: &Client,
    out: &Output,
    arguments: RestoreArguments,
) -> anyhow::Result<Ending> {
    let RestoreArguments {
        job,
        id,
        at,
        paths,
        into,
        replace,
        merge,
    } = arguments;
    let what = format!("restoring {job}");
    // The daemon works elsewhere.
    let into = into
        .map(std::path::absolute)
        .transpose()
        .context("cannot tell the present directory")?;
    let id = match id {
        Some(id) => Some(id.resolve::<BackupId>(client).await?.to_string()),
        None => None,
    };
    let body = RestoreBody {
        job: job.to_string(),
        id,
        at: at.map(time_of),
        paths: paths.iter().map(ToString::to_string).collect(),
        into: into.map(text_of).transpose()?,
        replace,
        merge,
    };
    work(client, out, ("/v1/restore", &body), &what, true).await
}

/// JSON has no other texts than UTF-8.
fn text_of(path: PathBuf) -> anyhow::Result<String> {
    match path.into_os_string().into_string() {
        Ok(text) => Ok(text),
        Err(path) => anyhow::bail!(
            "{} is not UTF-8; name a directory whose path is",
            path.display()
        ),
    }
}
