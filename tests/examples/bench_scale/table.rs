//! The table: a row for each program and size, a column for each figure.

use crate::PATIENCE;
use mainstay_tests::scale::{self, Shape};
use std::{path::Path, time::Duration};
use tempfile::TempDir;

/// How often each cell is measured; the best counts.
const TIMES: u32 = 3;

/// A figure.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// What a program takes with the config in a directory.
    pub(crate) measure: fn(&Path, &Path) -> Duration,
}

/// What one program took with one config.
pub(crate) struct Row {
    program: String,
    targets: usize,
    /// A cell for each column; none where it was not waited for.
    cells: Vec<Option<Duration>>,
}

pub(crate) fn head(columns: &[Column]) {
    print!("{:<28} {:>9}", "program", "targets");
    for column in columns {
        print!(" {:>22}", column.name);
    }
    println!();
}

impl Row {
    pub(crate) fn measure(
        program: &Path,
        shape: Shape,
        targets: usize,
        columns: &[Column],
        before: Option<&Row>,
    ) -> Self {
        let directory = TempDir::new().unwrap();
        scale::write(directory.path(), targets, shape);
        let cells = columns.iter().enumerate().map(|(number, column)| {
            let is_hopeless = before.is_some_and(|before| before.is_hopeless(number, targets));
            if is_hopeless {
                return None;
            }
            let mut best = (column.measure)(program, directory.path());
            // What takes long is not hurt by a little noise.
            for _ in 1..TIMES {
                if best > PATIENCE / 20 {
                    break;
                }
                best = best.min((column.measure)(program, directory.path()));
            }
            Some(best)
        });
        Self {
            program: program.display().to_string(),
            targets,
            cells: cells.collect(),
        }
    }

    /// Whether so many targets would take too long if the cost were the square of them.
    fn is_hopeless(&self, column: usize, targets: usize) -> bool {
        let growth = targets as f64 / self.targets as f64;
        match self.cells[column] {
            // A linear cost of a second or two is worth a try however it looks.
            Some(took) => {
                took > PATIENCE / 60
                    && took.as_secs_f64() * growth * growth > PATIENCE.as_secs_f64()
            }
            None => true,
        }
    }

    pub(crate) fn print(&self, before: Option<&Row>) {
        let name: String = self.program.chars().rev().take(28).collect();
        let name: String = name.chars().rev().collect();
        print!("{name:<28} {:>9}", self.targets);
        for (number, cell) in self.cells.iter().enumerate() {
            let last = before.and_then(|before| before.cells[number]);
            let shown = match (cell, last) {
                (None, _) => "–".to_owned(),
                (Some(took), None) => format!("{:.3} s", took.as_secs_f64()),
                (Some(took), Some(last)) => {
                    let ratio = took.as_secs_f64() / last.as_secs_f64();
                    format!("{:.3} s (× {ratio:.1})", took.as_secs_f64())
                }
            };
            print!(" {shown:>22}");
        }
        println!();
    }
}
