//! Which rows are written, and in how many batches.
//!
//! Invariant: data is written as the text that was read; it is only looked at whether it is JSON.
//! Invariant: a batch is never longer than an argument of a program may be.

use mainstay_plugin_sdk::recovery::Output;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// The longest batch, in bytes: Linux takes arguments of less than 128 KiB.
const LONGEST_BATCH: usize = 100_000;
/// The longest part of an output that is told, in characters.
const LONGEST_TOLD: usize = 300;

/// What was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Keys and their data.
    pub(crate) good: Vec<(String, String)>,
    /// How many were no rows, or had data that is no JSON.
    pub(crate) bad: usize,
    /// How many are longer than a batch may be.
    pub(crate) too_long: usize,
    /// Whether there were more that the host did not take.
    pub(crate) is_cut: bool,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    data: String,
}

impl Rows {
    /// Reads one row a line, so many of them at most.
    pub(crate) fn read(printed: &str, most: u32) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut rows = Self::default();
        let lines = printed.lines().filter(|line| !line.trim().is_empty());
        for line in lines.take(most) {
            match row_of(line) {
                Some(row) => rows.good.push((row.key, row.data)),
                None => rows.bad += 1,
            }
        }
        rows
    }

    /// As few batches as will do, in order, as JSON. A row that fits into none is taken out and counted.
    pub(crate) fn batches(&mut self) -> Vec<String> {
        let mut batches = Vec::new();
        let mut open = String::new();
        let mut too_long = 0;
        self.good.retain(|(key, data)| {
            let row = Value::from(vec![Value::from(key.as_str()), Value::from(data.as_str())]);
            let row = row.to_string();
            if row.len() + 2 > LONGEST_BATCH {
                too_long += 1;
                return false;
            }
            if !open.is_empty() && open.len() + row.len() + 3 > LONGEST_BATCH {
                batches.push(format!("[{open}]"));
                open.clear();
            }
            if !open.is_empty() {
                open.push(',');
            }
            open.push_str(&row);
            true
        });
        if !open.is_empty() {
            batches.push(format!("[{open}]"));
        }
        self.too_long += too_long;
        batches
    }

    /// What was left out, as the end of a sentence; empty where nothing was.
    pub(crate) fn left_out(&self) -> String {
        let mut text = String::new();
        if self.bad > 0 {
            text.push_str(&format!("; {} left out that are no JSON", self.bad));
        }
        if self.too_long > 0 {
            let longest = LONGEST_BATCH;
            text.push_str(&format!(
                "; {} left out that are longer than {longest} bytes",
                self.too_long
            ));
        }
        if self.is_cut {
            text.push_str("; there were more than the host takes of one command");
        }
        text
    }
}

fn row_of(line: &str) -> Option<Row> {
    let row: Row = serde_json::from_str(line).ok()?;
    let is_json = serde_json::from_str::<IgnoredAny>(&row.data).is_ok();
    (is_json && !row.key.is_empty()).then_some(row)
}

/// The number that a command printed; none where it printed anything else.
pub(crate) fn keys_there(stdout: &[u8]) -> Option<u64> {
    String::from_utf8_lossy(stdout).trim().parse().ok()
}

/// How a command ended, for people: its status, and the last line that says why.
pub(crate) fn said(output: &Output) -> String {
    let texts = [&output.stderr, &output.stdout].map(|text| String::from_utf8_lossy(text));
    let last = texts.iter().find_map(|text| {
        let mut lines = text.lines().map(str::trim);
        lines.rfind(|line| !line.is_empty())
    });
    match last {
        None => format!("exit {}", output.exit_code),
        Some(line) => {
            let line: String = line.chars().take(LONGEST_TOLD).collect();
            format!("exit {}: {line}", output.exit_code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_json_are_read_and_the_others_counted() {
        let printed = [
            r#"{"key": "a", "data": "{\"n\": 1}"}"#,
            "",
            r#"{"key": "b", "data": "12345678901234567890123"}"#,
            r#"{"key": "c", "data": "no json"}"#,
            r#"{"key": "", "data": "1"}"#,
            r#"{"key": "d", "data": null}"#,
            r#"{"key": "e", "data": {"n": 1}}"#,
            "psql: a warning",
            r#"{"key": "f", "da"#,
        ]
        .join("\n");
        let rows = Rows::read(&printed, 1_000);
        let row = |key: &str, data: &str| (key.to_owned(), data.to_owned());
        assert_eq!(
            rows.good,
            [row("a", r#"{"n": 1}"#), row("b", "12345678901234567890123")]
        );
        assert_eq!(rows.bad, 6);
        assert_eq!(rows.left_out(), "; 6 left out that are no JSON");
    }

    #[test]
    fn the_first_rows_are_taken_where_there_are_more_than_are_wanted() {
        let printed: String = (0..20)
            .map(|number| format!("{{\"key\": \"k{number}\", \"data\": \"1\"}}\n"))
            .collect();
        let rows = Rows::read(&printed, 3);
        let keys: Vec<_> = rows.good.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["k0", "k1", "k2"]);
    }

    fn of_lengths(lengths: &[usize]) -> Rows {
        let lengths = lengths.iter();
        Rows {
            good: lengths
                .map(|length| (length.to_string(), "9".repeat(*length)))
                .collect(),
            ..Rows::default()
        }
    }

    #[test]
    fn batches_hold_all_rows_in_order_and_none_is_longer_than_an_argument() {
        let mut rows = of_lengths(&[1, 2]);
        assert_eq!(rows.batches(), [r#"[["1","9"],["2","99"]]"#]);
        assert_eq!((rows.good.len(), rows.too_long), (2, 0));
        let mut rows = of_lengths(&[40_000, 59_000, 60_000, 100_001, 10]);
        let several = rows.batches();
        assert!(several.iter().all(|batch| batch.len() <= LONGEST_BATCH));
        let counts: Vec<usize> = several
            .iter()
            .map(|batch| serde_json::from_str::<Vec<(String, String)>>(batch).unwrap())
            .map(|rows| rows.len())
            .collect();
        assert_eq!(counts, [2, 2]);
        assert_eq!((rows.good.len(), rows.too_long), (4, 1));
        assert!(rows.left_out().contains("longer than 100000 bytes"));
        assert!(Rows::default().batches().is_empty());
    }

    #[test]
    fn a_batch_is_filled_to_its_last_byte() {
        // A row is twelve bytes longer than its data; brackets and a comma are three more.
        let both = of_lengths(&[49_989, 49_984]).batches();
        let lengths: Vec<usize> = both.iter().map(String::len).collect();
        assert_eq!(lengths, [LONGEST_BATCH]);
        assert_eq!(of_lengths(&[49_989, 49_985]).batches().len(), 2);
    }

    #[test]
    fn only_a_number_says_how_many_keys_are_there() {
        for (printed, there) in [
            ("12\n", Some(12)),
            ("0", Some(0)),
            ("", None),
            ("OK", None),
            ("-1", None),
            ("ERR 1", None),
        ] {
            assert_eq!(keys_there(printed.as_bytes()), there, "{printed}");
        }
    }

    #[test]
    fn an_end_is_told_with_the_last_line_that_says_why() {
        for (stdout, stderr, told) in [
            ("", "", "exit 1"),
            ("rows\n", "first\nrefused\n\n", "exit 1: refused"),
            ("(error) LOADING", "", "exit 1: (error) LOADING"),
        ] {
            let output = Output {
                exit_code: 1,
                stdout: stdout.into(),
                stderr: stderr.into(),
                truncated: false,
            };
            assert_eq!(said(&output), told);
        }
    }
}
