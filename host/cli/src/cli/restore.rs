//! What `backup restore` and `backup create` ask for, and how both are cancelled.

use super::{
    arguments::RestoreArguments,
    backups::{finish, result_of},
    client::Client,
    failure::Ending,
    listings::{parse, present},
    output::Output,
};
use crate::console;
use anyhow::Context;
use mainstay_api::{
    BackupReport, BackupType, CancelRestoreBody, CancelledRestore, CreateBody, RestoreBody,
};
use mainstay_domain::{id::BackupId, name::JobName};
use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::signal::ctrl_c;

/// Longer than the daemon waits for the end of what is cancelled.
const WAITS_TO_CANCEL: Duration = Duration::from_secs(10);

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
    let (what, asked) = (format!("restoring {job}"), name_of_request());
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
        at: at.map(|at| at.up_to(&out.times).to_string()),
        paths,
        into: into.map(text_of).transpose()?,
        replace,
        merge,
        asked: Some(asked.clone()),
    };
    let lines = opened.post_lines("/v1/restore", &body).await?;
    let result = result_of(out, lines, &what);
    let result = unless_cancelled(client, &job, &asked, result).await?;
    finish(out, result, false, true)
}

/// Takes a backup, and shows how it goes and what came of it.
pub(super) async fn create(
    client: &Client,
    out: &Output,
    job: &JobName,
    backup_type: BackupType,
) -> anyhow::Result<Ending> {
    let (what, asked) = (format!("backing up {job}"), name_of_request());
    let body = CreateBody {
        job: job.to_string(),
        backup_type,
        asked: Some(asked.clone()),
    };
    let lines = client.post_lines("/v1/backups", &body).await?;
    let result = result_of(out, lines, &what);
    let result = unless_cancelled(client, job, &asked, result).await?;
    finish(out, result, false, true)
}

/// As what the daemon knows what is asked for: nobody else asks so, of this machine or another one.
fn name_of_request() -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since_epoch.map_or(0, |since| since.as_nanos());
    format!("cli-{}-{nanos}", std::process::id())
}

/// Cancels what is under way for a job.
pub(super) async fn cancel(client: &Client, out: &Output, job: &JobName) -> anyhow::Result<Ending> {
    let answer = ask_to_cancel(client, job, None).await?;
    present(out, &answer, |out, cancelled: CancelledRestore| {
        let CancelledRestore { job, ended } = cancelled;
        out.line(&match ended {
            true => format!(
                "what was under way for {job} has ended: it is removed, and nothing of it is put in place"
            ),
            false => format!(
                "what is under way for {job} is told to end, and has not yet: `mainstay events` tells what comes of it"
            ),
        })
    })?;
    Ok(Ending::Done)
}

/// The daemon waits some seconds for the end of what is asked for under no name.
async fn ask_to_cancel(
    client: &Client,
    job: &JobName,
    asked: Option<&str>,
) -> anyhow::Result<String> {
    let body = CancelRestoreBody {
        job: job.to_string(),
        asked: asked.map(str::to_owned),
    };
    client
        .post_slow("/v1/restore/cancel", &body, WAITS_TO_CANCEL)
        .await
}

/// What comes of a backup or a restore that was asked for under a name. At Ctrl-C that is cancelled, and nothing else of the job, and
/// what comes of that is waited for; at the second it is not.
async fn unless_cancelled(
    client: &Client,
    job: &JobName,
    asked: &str,
    result: impl Future<Output = anyhow::Result<BackupReport>>,
) -> anyhow::Result<BackupReport> {
    tokio::pin!(result);
    let mut came = None;
    loop {
        tokio::select! { biased;
            result = &mut result => return result,
            Ok(()) = ctrl_c() => {}
        }
        if let Some(came) = came {
            anyhow::bail!("what was under way for {job} {came}, and its end was not waited for");
        }
        let answer = ask_to_cancel(client, job, Some(asked)).await;
        let (now, told) = match answer.and_then(|answer| parse::<CancelledRestore>(&answer)) {
            Ok(_) => ("was cancelled", "cancelling".to_owned()),
            // As where it is being put in place: what comes of it is no failure for that.
            Err(error) => ("could not be cancelled", format!("{error:#}")),
        };
        came = Some(now);
        console::note(format!("{told}; at another Ctrl-C it is not waited for"));
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
