//! Appends alerts to a file, one JSON object a line.
//!
//! Invariant: an alert is delivered only when its line is on the disk.
//! Invariant: a line that a crash cut off never runs into the next one.

mod decide;

use decide::{failure, line};
use mainstay_plugin_sdk::alerting::*;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Where alerts are written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogFileSettings {
    /// The file, inside a directory that the grant `dir` names; made where it is not there.
    path: PathBuf,
}

/// Appends the alert.
#[derive(Debug, Default)]
pub struct LogFile;

impl Alerter for LogFile {
    fn deliver(&self, alert: &Alert, host: &mut impl Host) -> Result<Receipt> {
        let settings: LogFileSettings = host.settings()?;
        append(&settings.path, alert).map_err(|error| failure(&settings.path, &error))?;
        Ok(Receipt::with_reference(settings.path.display().to_string()))
    }
}

fn append(path: &Path, alert: &Alert) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .open(path)?;
    let is_cut = file.seek(SeekFrom::End(0))? > 0 && {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        last != *b"\n"
    };
    file.write_all(line(alert, is_cut).as_bytes())?;
    file.sync_all()
}

export_alerter!(
    LogFile,
    capabilities = ["dir" => "append to the log file and make it where it is not there; not journaled"],
    settings = LogFileSettings,
);

#[cfg(test)]
mod tests;
