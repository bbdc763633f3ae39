//! Deletes old files in a granted directory, oldest first.
//!
//! Invariant: only regular files below the directory are deleted; links are neither followed nor deleted.
//! Invariant: a dry run deletes nothing.
//!
//! What it does to files is not journaled: after a crash of the host it starts again and finds less to do.

mod decide;
mod files;

use decide::{File, Rules, choose};
use files::find;
use mainstay_plugin_sdk::recovery::*;
use mainstay_plugin_sdk::settings::DurationText;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt::Display, path::PathBuf};

/// What may be deleted, and how much of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanupSettings {
    /// The directory, as the grant `dir` names it; directories below it are searched too.
    directory: PathBuf,
    /// Only files that were last changed longer ago than this.
    older_than: DurationText,
    /// Only files whose names end in one of these, e.g. `".log"`; empty for all.
    #[serde(default)]
    suffixes: Vec<String>,
    /// Stop when the files that match hold at most this many bytes. Without this and `free_bytes`, all that is old
    /// goes.
    keep_bytes: Option<u64>,
    /// Stop when this many bytes were freed.
    free_bytes: Option<u64>,
}

/// Frees space.
#[derive(Debug, Default)]
pub struct DiskCleanup;

/// How many files a report names.
const NAMED: usize = 20;

impl RecoveryHandler for DiskCleanup {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let settings: CleanupSettings = host.settings()?;
        let directory = settings.directory.display();
        let found = find(&settings.directory, &settings.suffixes).map_err(|error| {
            RecoveryFailure::Permanent(format!(
                "cannot read {directory}: {error}; grant it to the plugin with `dir`"
            ))
        })?;
        let rules = Rules {
            older_than: settings.older_than.get(),
            keep_bytes: settings.keep_bytes,
            free_bytes: settings.free_bytes,
        };
        let chosen = choose(&found.files, &rules, host.now());
        if chosen.is_empty() {
            return Err(RecoveryFailure::Permanent(format!(
                "none of {} in {directory} is older than {} and above what is to be kept",
                counted(found.files.len(), "file"),
                settings.older_than
            )));
        }
        let report = if op.dry_run {
            plan(&chosen)
        } else {
            delete(&chosen, host)?
        };
        Ok(match found.complete {
            true => report,
            false => report.and(format!(
                "looked at the first {} only",
                counted(found.files.len(), "file")
            )),
        })
    }
}

/// Says what would be deleted.
fn plan(chosen: &[&File]) -> Report {
    let total: u64 = chosen.iter().map(|file| file.bytes).sum();
    let report = Report::action(format!(
        "would delete {}, {}",
        counted(chosen.len(), "file"),
        counted(total, "byte")
    ));
    chosen.iter().take(NAMED).fold(report, |report, file| {
        report.and(format!(
            "would delete {} ({})",
            file.path.display(),
            counted(file.bytes, "byte")
        ))
    })
}

/// Deletes, and goes on where one file can't be.
fn delete(chosen: &[&File], host: &mut impl Host) -> Result<Report> {
    let (mut files, mut bytes) = (0_usize, 0_u64);
    let mut first_error = None;
    for file in chosen {
        match std::fs::remove_file(&file.path) {
            Ok(()) => {
                files += 1;
                bytes += file.bytes;
            }
            // Somebody else was faster: that is what was wanted.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let path = file.path.display().to_string();
                let error = error.to_string();
                if first_error.is_none() {
                    host.log(
                        Level::Warn,
                        "cannot delete a file",
                        &[("path", &path), ("error", &error)],
                    );
                    first_error = Some(format!("cannot delete {path}: {error}"));
                }
            }
        }
    }
    match (files, first_error) {
        (0, Some(error)) => Err(RecoveryFailure::Permanent(error)),
        (_, None) => Ok(Report::action(format!(
            "deleted {}, {}",
            counted(files, "file"),
            counted(bytes, "byte")
        ))),
        (_, Some(error)) => Ok(Report::action(format!(
            "deleted {files} of {}, {}",
            counted(chosen.len(), "file"),
            counted(bytes, "byte")
        ))
        .and(error)),
    }
}

/// A number of things, by the noun of one of them.
fn counted<N: Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

export_recovery_handler!(
    DiskCleanup,
    handles = ["disk-full"],
    capabilities = ["dir" => "look for old files in one directory and delete them; not journaled"],
    settings = CleanupSettings,
);

#[cfg(test)]
mod tests;
