//! The audit log: listed by the daemon, and verified in the journal's file, whether or not a daemon runs.

use super::{
    arguments::{AuditArguments, Global},
    client::{Client, path_with},
    failure::Ending,
    journal::state_dir_of,
    listings::{next_page, present, time_of},
    output::{Block, Output, Table, Times, Tone, cell, maybe},
};
use mainstay_api::{AuditCheck, AuditRow};
use mainstay_store::sqlite;
use std::path::PathBuf;

pub(super) async fn list(
    client: &Client,
    out: &Output,
    arguments: AuditArguments,
) -> anyhow::Result<()> {
    let limit = arguments.limit;
    let query = [
        ("target", arguments.target.map(|target| target.to_string())),
        (
            "since",
            arguments.since.map(|since| time_of(since, &out.times)),
        ),
        ("limit", Some(limit.to_string())),
        ("before", arguments.before.map(|number| number.to_string())),
    ];
    let answer = client.get(&path_with("/v1/audit", &query)).await?;
    present(out, &answer, |out, rows: Vec<AuditRow>| {
        let mut blocks = vec![Block::Table(audit_table(&rows, &out.times))];
        let last = rows.last().map(|row| row.number.to_string());
        blocks.extend(next_page("audit", rows.len(), limit, last.as_deref()));
        out.show(&blocks)
    })
}

pub(super) fn audit_table(rows: &[AuditRow], times: &Times) -> Table {
    let row = |row: &AuditRow| {
        let actor = match &row.note {
            Some(says) => format!("{} (who says: {says})", row.actor),
            None => row.actor.clone(),
        };
        vec![
            cell(row.number, Tone::Plain),
            cell(times.both(&row.at), Tone::Plain),
            cell(actor, Tone::Plain),
            cell(&row.kind, Tone::Plain),
            maybe(row.target.as_ref().or(row.job.as_ref())),
            cell(&row.message, Tone::Plain),
        ]
    };
    let headings = ["ROW", "WHEN", "WHO", "WHAT", "OF", "WORDS"];
    let rows = rows.iter().map(row).collect();
    Table::new(&headings, rows, "the audit log has no such rows").led_by(&[0, 2, 3])
}

/// Says whether the audit log is as it was written, and names what is not.
pub(super) fn verify(
    global: &Global,
    out: &Output,
    state_dir: Option<PathBuf>,
) -> anyhow::Result<Ending> {
    let state_dir = state_dir_of(global, state_dir)?;
    let report = sqlite::verify_audit(&state_dir)?;
    let form = AuditCheck {
        whole: report.is_whole(),
        path: report.path.display().to_string(),
        rows: report.rows,
        forgotten: report.forgotten,
        last: report.last,
        digest: report.digest,
        faults: report.faults,
        named: report.named,
    };
    let ending = match form.whole {
        true => Ending::Done,
        false => Ending::Failed,
    };
    if out.json {
        out.json_line(&form)?;
        return Ok(ending);
    }
    for named in &form.named {
        out.line(&format!("fault: {named}"))?;
    }
    let (rows, path) = (form.rows, &form.path);
    match form.whole {
        true => out.line(&format!(
            "the audit log in {path} is as it was written: {rows} rows, the last is {} with the digest {}. Keep that \
             somewhere else, for who writes the whole log anew leaves no other trace",
            form.last, form.digest
        ))?,
        false => out.line(&format!(
            "the audit log in {path} is not as it was written: {} faults in {rows} rows. Nothing was changed; keep a copy \
             (`mainstay journal backup`), and ask who may write to that file",
            form.faults
        ))?,
    }
    Ok(ending)
}
