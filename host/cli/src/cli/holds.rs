//! What people say of backups: that they hold one, hold it no more, accept one that is suspicious, want one in another tier, or
//! in the trash, or out of it.

use super::{
    arguments::HoldArguments,
    backups::work,
    client::Client,
    failure::Ending,
    identifiers::IdText,
    listings::time_of,
    output::{Output, Times},
};
use mainstay_api::{AcceptBody, DeleteBody, Hold, HoldBody, MoveBody, ReleaseBody, UndeleteBody};
use mainstay_domain::{id::BackupId, name::TierName};
use serde::Serialize;

pub(super) async fn hold(
    client: &Client,
    out: &Output,
    arguments: HoldArguments,
) -> anyhow::Result<Ending> {
    let HoldArguments {
        id,
        until,
        reason,
        by,
    } = arguments;
    let body = HoldBody {
        until: until.map(|until| time_of(until, &out.times)),
        reason,
        by: by.by,
    };
    say_of(client, out, &id, ("hold", "holding"), &body).await
}

pub(super) async fn release(
    client: &Client,
    out: &Output,
    id: &IdText,
    by: String,
) -> anyhow::Result<Ending> {
    let body = ReleaseBody { by };
    say_of(client, out, id, ("release", "releasing"), &body).await
}

pub(super) async fn accept(
    client: &Client,
    out: &Output,
    id: &IdText,
    by: String,
) -> anyhow::Result<Ending> {
    let body = AcceptBody { by };
    say_of(client, out, id, ("accept", "accepting"), &body).await
}

pub(super) async fn delete(
    client: &Client,
    out: &Output,
    id: &IdText,
    dry_run: bool,
    by: String,
) -> anyhow::Result<Ending> {
    let body = DeleteBody { dry_run, by };
    say_of(client, out, id, ("delete", "deleting"), &body).await
}

pub(super) async fn undelete(
    client: &Client,
    out: &Output,
    id: &IdText,
    dry_run: bool,
    by: String,
) -> anyhow::Result<Ending> {
    let body = UndeleteBody { dry_run, by };
    let doing = "taking out of the trash";
    say_of(client, out, id, ("undelete", doing), &body).await
}

/// Asks for what the API calls `verb` of a backup; `doing` is that for people.
async fn say_of(
    client: &Client,
    out: &Output,
    id: &IdText,
    (verb, doing): (&str, &str),
    body: &impl Serialize,
) -> anyhow::Result<Ending> {
    let id: BackupId = id.resolve(client).await?;
    let path = format!("/v1/backups/{id}/{verb}");
    let what = format!("{doing} {id}");
    work(client, out, (path.as_str(), body), &what, false).await
}

pub(super) async fn move_to(
    client: &Client,
    out: &Output,
    (id, tier): (&IdText, &TierName),
    by: String,
) -> anyhow::Result<Ending> {
    let id: BackupId = id.resolve(client).await?;
    let path = format!("/v1/backups/{id}/move");
    let tier = tier.to_string();
    let what = format!("moving {id} to {tier}");
    let body = MoveBody { tier, by };
    work(client, out, (path.as_str(), &body), &what, false).await
}

/// Whether it is held, by whom, until when and why.
pub(super) fn held_words(is_held: bool, hold: Option<&Hold>, times: &Times) -> String {
    let Some(hold) = hold.filter(|_| is_held) else {
        let word = if is_held { "yes" } else { "no" };
        return word.to_owned();
    };
    let until = hold.until.as_ref().map(|until| times.both(until));
    let until = until.map_or_else(String::new, |until| format!(" until {until}"));
    let why = hold.reason.as_deref();
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    format!("by {}{until}{why}", hold.by)
}
