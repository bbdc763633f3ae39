//! What `backup restore` asks for.

use super::{
    arguments::RestoreArguments,
    backups::{finish, result_of},
    client::Client,
    failure::Ending,
    listings::{parse, present, time_of},
    output::Output,
};
use crate::console;
use anyhow::Context;
use mainstay_api::{BackupReport, CancelRestoreBody, CancelledRestore, RestoreBody};
use mainstay_domain::{id::BackupId, name::JobName};
use std::path::PathBuf;
use tokio::signal::ctrl_c;

/// Restores, and shows how it goes and what came of it.
pub(super) async fn restore(
    client: &Client,
    out: &Output,
    arguments: RestoreArguments,
) -> anyhow::Result<Ending> {
    let RestoreArguments {
        job,
        id,
        backup_type,
        at,
        paths,
        into,
        replace,
        merge,
        with,
    } = arguments;
    let opened = client.opened_with(with.identity.as_deref())?;
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
        backup_type,
        at: at.map(time_of),
        paths,
        into: into.map(text_of).transpose()?,
        replace,
        merge,
    };
    let lines = opened.post_lines("/v1/restore", &body).await?;
    let result = unless_cancelled(client, &job, result_of(out, lines, &what)).await?;
    finish(out, result, false, true)
}

/// Cancels what is under way for a job.
pub(super) async fn cancel(client: &Client, out: &Output, job: &JobName) -> anyhow::Result<Ending> {
    let answer = ask_to_cancel(client, job).await?;
    present(out, &answer, |out, cancelled: CancelledRestore| {
        out.line(&format!(
            "what is under way for {} ends: it is removed, and nothing of it is put in place",
            cancelled.job
        ))
    })?;
    Ok(Ending::Done)
}

async fn ask_to_cancel(client: &Client, job: &JobName) -> anyhow::Result<String> {
    let body = CancelRestoreBody {
        job: job.to_string(),
    };
    client.post("/v1/restore/cancel", &body).await
}

/// What comes of a backup or a restore. At Ctrl-C it is cancelled, and what comes of that is waited for; at the second it is not.
pub(super) async fn unless_cancelled(
    client: &Client,
    job: &JobName,
    result: impl Future<Output = anyhow::Result<BackupReport>>,
) -> anyhow::Result<BackupReport> {
    tokio::pin!(result);
    let mut is_cancelled = false;
    loop {
        tokio::select! { biased;
            result = &mut result => return result,
            Ok(()) = ctrl_c() => {}
        }
        if is_cancelled {
            anyhow::bail!(
                "what was under way for {job} was cancelled, and its end was not waited for"
            );
        }
        // Where it waits for its turn, the error ends this, and it goes away with who asked for it.
        parse::<CancelledRestore>(&ask_to_cancel(client, job).await?)?;
        is_cancelled = true;
        console::note("cancelling; at another Ctrl-C it is not waited for");
    }
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
