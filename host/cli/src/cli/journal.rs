//! `journal`: the journal's file itself, whether or not a daemon runs.

use super::{
    arguments::{Global, JournalCommand},
    failure::{Ending, Usage},
    output::{Cell, Output, Tone, cell, now, size},
};
use anyhow::Context;
use mainstay_api::{CheckedTable, JournalCheck, JournalCopy, JournalSalvage, SalvagedTable};
use mainstay_daemon::config;
use mainstay_store::sqlite;
use std::path::{Path, PathBuf};

/// Does what is asked of the journal in `--state-dir`, else in that of the config.
pub(super) fn run(
    global: &Global,
    out: &Output,
    state_dir: Option<PathBuf>,
    command: JournalCommand,
) -> anyhow::Result<Ending> {
    let state_dir = state_dir_of(global, state_dir)?;
    // Files of any size are read; nothing else runs in this process.
    match command {
        JournalCommand::Check => check(out, &state_dir),
        JournalCommand::Salvage => salvage(out, &state_dir),
        JournalCommand::Backup { file } => backup(out, &state_dir, &file),
    }
}

/// The state directory that is named, else that of the config.
pub(super) fn state_dir_of(global: &Global, state_dir: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let state_dir = match state_dir {
        Some(state_dir) => state_dir,
        None => {
            let file = config::find(global.config.as_deref())
                .context("cannot tell where the journal is; name --state-dir, or a config")?;
            config::state_dir(&file)?
        }
    };
    if !state_dir.is_dir() {
        let what = format!("{} is not a directory", state_dir.display());
        return Err(Usage(what).into());
    }
    Ok(state_dir)
}

fn check(out: &Output, state_dir: &Path) -> anyhow::Result<Ending> {
    let report = sqlite::check(state_dir)?;
    let ending = match report.is_whole() {
        true => Ending::Done,
        false => Ending::Failed,
    };
    let unreadable = report.unreadable();
    let form = JournalCheck {
        whole: report.is_whole(),
        path: report.path.display().to_string(),
        size_bytes: report.bytes,
        commits: report.commits,
        acknowledged: report.acknowledged,
        faults: report.faults,
        tables: report
            .tables
            .into_iter()
            .map(|table| CheckedTable {
                name: table.table.to_owned(),
                rows: table.rows,
                damaged: table.damaged,
                unreadable: table.unreadable,
                examples: table.named,
            })
            .collect(),
    };
    if out.json {
        out.json_line(&form)?;
        return Ok(ending);
    }
    let row = |table: &CheckedTable| {
        vec![
            cell(&table.name, Tone::Plain),
            count(table.rows, Tone::Plain),
            count(table.damaged, Tone::Bad),
            count(table.unreadable, Tone::Warn),
        ]
    };
    let headings = ["TABLE", "ROWS", "DAMAGED", "UNREADABLE"];
    let rows = form.tables.iter().map(row).collect();
    out.table(&headings, rows, "no table could be read")?;
    for table in &form.tables {
        for example in &table.examples {
            out.line(&format!("{}: {example}", table.name))?;
        }
    }
    for fault in &form.faults {
        out.line(&format!("fault: {fault}"))?;
    }
    if unreadable > 0 {
        out.line(&format!(
            "records that this version cannot read: {unreadable}. They are what was written, and stay as they are"
        ))?;
    }
    let size = size(form.size_bytes);
    match form.whole {
        true => out.line(&format!("{} is whole; {size}", form.path))?,
        false => out.line(&format!(
            "{} is not whole; {size}. With the daemon stopped, `mainstay journal salvage` saves what can be read",
            form.path
        ))?,
    }
    Ok(ending)
}

fn salvage(out: &Output, state_dir: &Path) -> anyhow::Result<Ending> {
    let salvaged = sqlite::salvage(state_dir, now())?;
    let ending = match salvaged.is_whole() {
        true => Ending::Done,
        false => Ending::Failed,
    };
    let form = JournalSalvage {
        whole: salvaged.is_whole(),
        kept: salvaged
            .kept
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
        commits: salvaged.commits,
        acknowledged: salvaged.acknowledged,
        fault: salvaged.fault,
        doubts: salvaged.doubts,
        tables: salvaged
            .tables
            .into_iter()
            .map(|table| SalvagedTable {
                name: table.table.to_owned(),
                rows: table.rows,
                set_aside: table.set_aside,
                gaps: table.gaps,
            })
            .collect(),
    };
    if out.json {
        out.json_line(&form)?;
        return Ok(ending);
    }
    let row = |table: &SalvagedTable| {
        vec![
            cell(&table.name, Tone::Plain),
            count(table.rows, Tone::Plain),
            count(table.set_aside, Tone::Warn),
            count(table.gaps, Tone::Bad),
        ]
    };
    let headings = ["TABLE", "SAVED", "SET ASIDE", "GAPS"];
    out.table(&headings, form.tables.iter().map(row).collect(), "nothing")?;
    for kept in &form.kept {
        out.line(&format!("kept: {kept}"))?;
    }
    if let Some(fault) = &form.fault {
        out.line(&format!("fault: {fault}"))?;
    }
    for doubt in &form.doubts {
        out.line(&format!("doubt: {doubt}"))?;
    }
    match form.whole {
        true => out.line("everything that was acknowledged is in the new journal")?,
        false => out.line(&format!(
            "not everything was saved, or it is not known: {} of {} transactions could be read; look at the lines above, \
             and keep the old files until you know what is missing",
            form.commits,
            form.acknowledged
                .map_or_else(|| "an unknown number of".to_owned(), |number| number.to_string())
        ))?,
    }
    Ok(ending)
}

fn backup(out: &Output, state_dir: &Path, file: &Path) -> anyhow::Result<Ending> {
    let size_bytes = sqlite::copy(state_dir, file)?;
    let form = JournalCopy {
        file: file.display().to_string(),
        size_bytes,
    };
    match out.json {
        true => out.json_line(&form)?,
        false => out.line(&format!("{}, {}", form.file, size(size_bytes)))?,
    }
    Ok(Ending::Done)
}

fn count(number: u64, tone: Tone) -> Cell {
    let tone = match number {
        0 => Tone::Plain,
        _ => tone,
    };
    cell(number.to_string(), tone)
}
