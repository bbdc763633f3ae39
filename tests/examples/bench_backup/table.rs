//! What was measured, as a table.

use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) const FULL: &str = "full backup, 300 MiB mixed";
pub(crate) const FULL_STORED: &str = "… stored";
pub(crate) const FULL_MEMORY: &str = "… peak memory";
pub(crate) const MIXED_UNCHANGED: &str = "nothing changed, 300 MiB mixed";
pub(crate) const MIXED_RESTORED: &str = "restore, 300 MiB mixed";
pub(crate) const RESTORE_MEMORY: &str = "… peak memory of it";
pub(crate) const FILES_FULL: &str = "full backup, 100,000 files";
pub(crate) const FILES_UNCHANGED: &str = "nothing changed, 100,000 files";
pub(crate) const CHANGED: &str = "100 of 100,000 files changed";
pub(crate) const CHANGED_STORED: &str = "… stored for that";
pub(crate) const CHANGED_INDEX: &str = "… index beside it";
pub(crate) const FILES_RESTORED: &str = "restore, 100,000 files";
pub(crate) const BYTE_STORED: &str = "1 byte changed in 100 MiB, stored";
pub(crate) const RENAME_STORED: &str = "a renamed directory of 20 MiB, stored";
pub(crate) const LARGE: &str = "full backup, one file of 5 GiB";
pub(crate) const LARGE_MEMORY: &str = "… peak memory of that";
pub(crate) const MANY: &str = "full backup, 1,000,000 files";
pub(crate) const MANY_MEMORY: &str = "… peak memory for those";

static TOOLS: [&str; 3] = ["mainstay", "restic", "borg"];

/// The rows in their order, and the unit of each.
static ROWS: [(&str, Unit); 18] = [
    (FULL, Unit::Seconds),
    (FULL_STORED, Unit::Bytes),
    (FULL_MEMORY, Unit::Kilobytes),
    (MIXED_UNCHANGED, Unit::Seconds),
    (MIXED_RESTORED, Unit::Seconds),
    (RESTORE_MEMORY, Unit::Kilobytes),
    (FILES_FULL, Unit::Seconds),
    (FILES_UNCHANGED, Unit::Seconds),
    (CHANGED, Unit::Seconds),
    (CHANGED_STORED, Unit::Bytes),
    (CHANGED_INDEX, Unit::Bytes),
    (FILES_RESTORED, Unit::Seconds),
    (BYTE_STORED, Unit::Bytes),
    (RENAME_STORED, Unit::Bytes),
    (LARGE, Unit::Seconds),
    (LARGE_MEMORY, Unit::Kilobytes),
    (MANY, Unit::Seconds),
    (MANY_MEMORY, Unit::Kilobytes),
];

#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Bytes,
    Kilobytes,
}

impl Unit {
    fn shown(self, value: f64) -> String {
        match self {
            Unit::Seconds => format!("{value:.2} s"),
            Unit::Kilobytes => format!("{:.0} MiB", value / 1024.0),
            Unit::Bytes if value < 100e3 => format!("{:.1} kB", value / 1e3),
            Unit::Bytes => format!("{:.2} MB", value / 1e6),
        }
    }
}

/// Of each row and each program, a value a run.
#[derive(Default)]
pub(crate) struct Samples(BTreeMap<(&'static str, &'static str), Vec<f64>>);

impl Samples {
    pub(crate) fn add(&mut self, what: &'static str, tool: &'static str, value: f64) {
        let values = self.0.entry((what, tool)).or_default();
        values.push(value);
        values.sort_by(f64::total_cmp);
    }

    /// The least, the median and the most.
    fn spread(&self, what: &'static str, tool: &'static str) -> Option<[f64; 3]> {
        let values = self.0.get(&(what, tool))?;
        Some([
            values[0],
            values[values.len() / 2],
            values[values.len() - 1],
        ])
    }

    /// How many times the other's the median is.
    fn ratio(&self, what: &'static str, other: &'static str) -> Option<f64> {
        let [_, own, _] = self.spread(what, "mainstay")?;
        let [_, other, _] = self.spread(what, other)?;
        (other > 0.0).then(|| own / other)
    }

    pub(crate) fn table(&self) -> String {
        let mut lines = vec![
            "| what | mainstay | restic | borg | × restic | × borg |".to_owned(),
            "|---|---|---|---|---|---|".to_owned(),
        ];
        for &(what, unit) in &ROWS {
            let cell = |tool| {
                self.spread(what, tool).map_or("–".to_owned(), |spread| {
                    let [least, median, most] = spread.map(|value| unit.shown(value));
                    format!("{median} ({least} to {most})")
                })
            };
            let cells = TOOLS.map(cell);
            if cells.iter().all(|cell| cell == "–") {
                continue;
            }
            let ratio = |other| {
                self.ratio(what, other)
                    .map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
            };
            lines.push(format!(
                "| {what} | {} | {} | {} |",
                cells.join(" | "),
                ratio("restic"),
                ratio("borg")
            ));
        }
        lines.join("\n") + "\n"
    }

    pub(crate) fn json(&self, command: &str, seed: u64) -> Value {
        let rows = ROWS.iter().flat_map(|(what, unit)| {
            let unit = match unit {
                Unit::Seconds => "s",
                Unit::Bytes => "B",
                Unit::Kilobytes => "KiB",
            };
            TOOLS.iter().filter_map(move |tool| {
                let values = self.0.get(&(*what, *tool))?;
                Some(json!({ "what": what, "unit": unit, "tool": tool, "values": values }))
            })
        });
        let rows: Vec<Value> = rows.collect();
        json!({ "command": command, "seed": seed, "rows": rows })
    }
}
