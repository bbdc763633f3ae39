//! Numbers as StatsD has them: lines of a name, a value and what kind it is, as many in a datagram as have room.
//!
//! Names are the seeds' with their dots [seed 000, 003]. What counts is told by how much it grew since the last time.

use crate::spec::{StatsdFlavour, StatsdSpec};
use std::collections::HashMap;

/// A datagram of so many bytes passes an Ethernet whole.
const MOST_BYTES: usize = 1_432;

/// Families whose names have dots in the seeds.
const FAMILIES: [(&str, &str); 4] = [
    ("backup_operations_", "backup.operations."),
    ("backup_retention_", "backup.retention."),
    ("recovery_operations_", "recovery.operations."),
    ("recovery_operation_", "recovery.operation."),
];

/// Names that end otherwise in the seed [seed 003].
const NAMES: [(&str, &str); 6] = [
    (
        "backup_operations_created_success_total",
        "backup.operations.created_success",
    ),
    (
        "backup_operations_created_failed_total",
        "backup.operations.created_failed",
    ),
    (
        "backup_operations_size_bytes",
        "backup.operations.size_bytes_total",
    ),
    (
        "backup_retention_cleaned_success_total",
        "backup.retention.cleaned_success",
    ),
    (
        "backup_retention_cleaned_failed_total",
        "backup.retention.cleaned_failed",
    ),
    ("backup_retention_removed", "backup.retention.removed_count"),
];

/// One number of those that have its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// As `/metrics` has it.
    pub name: String,
    /// Its labels with their values, in their order.
    pub labels: Vec<(String, String)>,
}

/// What is told of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Told {
    /// It grew by so much.
    Growth(u64),
    /// It is so much now.
    Level(f64),
    /// One of a distribution: a time in seconds, where the name ends so.
    Sample(f64),
}

/// A line; without an end of line.
///
/// ```
/// use mainstay_domain::{
///     spec::{StatsdFlavour, StatsdSpec},
///     statsd::{Series, Told, line},
/// };
/// let to = StatsdSpec {
///     address: ([127, 0, 0, 1], 8125).into(),
///     prefix: "shop".to_owned(),
///     flavour: StatsdFlavour::Plain,
/// };
/// let series = Series {
///     name: "backup_operations_created_total".to_owned(),
///     labels: vec![("backup_job".to_owned(), "state".to_owned())],
/// };
/// let told = line(&to, &series, Told::Growth(2));
/// assert_eq!(told, "shop.backup.operations.created_total.state:2|c");
/// ```
pub fn line(to: &StatsdSpec, series: &Series, told: Told) -> String {
    let is_plain = to.flavour == StatsdFlavour::Plain;
    let (value, kind) = match told {
        Told::Growth(growth) => (growth.to_string(), "c"),
        Told::Level(level) => (level.to_string(), "g"),
        Told::Sample(seconds) if is_plain && series.name.ends_with("_seconds") => {
            ((seconds * 1_000.0).to_string(), "ms")
        }
        Told::Sample(sample) => (sample.to_string(), "h"),
    };
    let name = format!("{}.{}", to.prefix, dotted(&series.name));
    let labels = series.labels.iter().filter(|(_, value)| !value.is_empty());
    if is_plain {
        let parts = labels.map(|(_, value)| format!(".{}", clean(value, "-_")));
        let parts: String = parts.collect();
        return format!("{name}{parts}:{value}|{kind}");
    }
    let tags = labels.map(|(label, value)| format!("{label}:{}", clean(value, "-_./:@")));
    let tags: Vec<String> = tags.collect();
    match tags.is_empty() {
        true => format!("{name}:{value}|{kind}"),
        false => format!("{name}:{value}|{kind}|#{}", tags.join(",")),
    }
}

/// The prefix says whose a number is, so that its name need not.
fn dotted(name: &str) -> String {
    if let Some((_, there)) = NAMES.iter().find(|(here, _)| *here == name) {
        return (*there).to_owned();
    }
    let in_family = FAMILIES
        .iter()
        .find_map(|(begins, instead)| Some(format!("{instead}{}", name.strip_prefix(begins)?)));
    let own = name.strip_prefix("mainstay_").unwrap_or(name);
    in_family.unwrap_or_else(|| own.to_owned())
}

/// A value without what would end it, or be a part of a name.
fn clean(value: &str, allowed: &str) -> String {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || allowed.contains(letter);
    value
        .chars()
        .map(|letter| if is_allowed(letter) { letter } else { '_' })
        .collect()
}

/// What was told of counts so far.
#[derive(Debug, Default)]
pub struct Counts {
    told: HashMap<String, u64>,
}

impl Counts {
    /// What is to be told of a whole answer of `/metrics`: of each count its growth since the last time, where it grew, and of
    /// each level what it is. Distributions are told by their samples, when there is one. What is no number, and what is
    /// below zero, which StatsD would take for a change, is left out.
    pub fn news(&mut self, text: &str) -> Vec<(Series, Told)> {
        let mut news = Vec::new();
        let (mut named, mut kind) = ("", "");
        for line in text.lines() {
            if let Some(of) = line.strip_prefix("# TYPE ") {
                (named, kind) = of.split_once(' ').unwrap_or((of, ""));
                continue;
            }
            let Some((key, value)) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))
            else {
                continue;
            };
            let series = series_of(key);
            if series.name != named {
                continue;
            }
            let told = match kind {
                "counter" => self.growth(key, value).map(Told::Growth),
                "gauge" => level(value).map(Told::Level),
                _ => None,
            };
            news.extend(told.map(|told| (series, told)));
        }
        news
    }

    fn growth(&mut self, key: &str, value: &str) -> Option<u64> {
        let now: u64 = value.parse().ok()?;
        let growth = match self.told.get_mut(key) {
            Some(before) => {
                let growth = now.saturating_sub(*before);
                *before = now;
                growth
            }
            None => {
                self.told.insert(key.to_owned(), now);
                now
            }
        };
        (growth > 0).then_some(growth)
    }
}

fn level(value: &str) -> Option<f64> {
    let level: f64 = value.parse().ok()?;
    (level.is_finite() && level >= 0.0).then_some(level)
}

/// What stands before the value: `name` or `name{label="value",…}`, as Prometheus writes it.
fn series_of(key: &str) -> Series {
    let (name, mut rest) = key.split_once('{').unwrap_or((key, ""));
    let mut labels = Vec::new();
    while let Some((label, quoted)) = rest.split_once("=\"") {
        let (value, after) = unquoted(quoted);
        labels.push((label.trim_start_matches(',').to_owned(), value));
        rest = after;
    }
    let name = name.to_owned();
    Series { name, labels }
}

/// A value up to its closing quote, and what stands behind that.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => match letters.next() {
                Some('n') => value.push('\n'),
                other => value.extend(other),
            },
            other => value.push(other),
        }
    }
    (value, letters.as_str())
}

/// Lines that wait to be sent together.
#[derive(Debug, Default)]
pub struct Datagram {
    text: String,
}

impl Datagram {
    /// Adds a line. Where it has no room beside what is there already, that is given, and is to be sent.
    #[must_use]
    pub fn add(&mut self, line: &str) -> Option<String> {
        let is_full = !self.text.is_empty() && self.text.len() + 1 + line.len() > MOST_BYTES;
        let full = if is_full { self.take() } else { None };
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(line);
        full
    }

    /// What is there; none where nothing is.
    #[must_use]
    pub fn take(&mut self) -> Option<String> {
        Some(std::mem::take(&mut self.text)).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(flavour: StatsdFlavour) -> StatsdSpec {
        StatsdSpec {
            address: ([127, 0, 0, 1], 8125).into(),
            prefix: "shop".to_owned(),
            flavour,
        }
    }

    #[track_caller]
    fn check(key: &str, told: Told, plain: &str, tagged: &str) {
        let series = series_of(key);
        assert_eq!(line(&to(StatsdFlavour::Plain), &series, told), plain);
        assert_eq!(line(&to(StatsdFlavour::Dogstatsd), &series, told), tagged);
    }

    #[test]
    fn names_are_the_seeds_and_labels_are_parts_of_them_or_tags() {
        check(
            "backup_operations_created_success_total{backup_job=\"data\"}",
            Told::Growth(3),
            "shop.backup.operations.created_success.data:3|c",
            "shop.backup.operations.created_success:3|c|#backup_job:data",
        );
        check(
            "backup_operations_duration_seconds{backup_job=\"data\"}",
            Told::Sample(0.25),
            "shop.backup.operations.duration_seconds.data:250|ms",
            "shop.backup.operations.duration_seconds:0.25|h|#backup_job:data",
        );
        check(
            "backup_operations_size_bytes{backup_job=\"data\"}",
            Told::Sample(5_000.0),
            "shop.backup.operations.size_bytes_total.data:5000|h",
            "shop.backup.operations.size_bytes_total:5000|h|#backup_job:data",
        );
        check(
            "mainstay_silences",
            Told::Level(2.0),
            "shop.silences:2|g",
            "shop.silences:2|g",
        );
        check(
            "recovery_gate_running{scope=\"host\",name=\"\"}",
            Told::Level(0.5),
            "shop.recovery_gate_running.host:0.5|g",
            "shop.recovery_gate_running:0.5|g|#scope:host",
        );
    }

    #[test]
    fn no_value_of_a_label_ends_a_line_or_begins_another_part() {
        check(
            "plugin_calls_total{plugin=\"a\\\"b|c,d\\n#\",version=\"1.0.0\"}",
            Told::Growth(1),
            "shop.plugin_calls_total.a_b_c_d__.1_0_0:1|c",
            "shop.plugin_calls_total:1|c|#plugin:a_b_c_d__,version:1.0.0",
        );
    }

    #[test]
    fn a_count_is_told_by_its_growth_and_only_where_it_grew() {
        let answer = |count: u64, level: &str| {
            format!(
                "# HELP a_total A.\n# TYPE a_total counter\na_total{{x=\"1\"}} {count}\na_total{{x=\"2\"}} 0\n\
                 # TYPE b gauge\nb {level}\n# TYPE c histogram\nc_bucket{{le=\"+Inf\"}} 4\nc_sum 2\nc_count 4\n\
                 a_untyped 7\n"
            )
        };
        let mut counts = Counts::default();
        let mut told = |count, level| -> Vec<String> {
            let news = counts.news(&answer(count, level));
            let lines = news.iter();
            lines
                .map(|(series, told)| line(&to(StatsdFlavour::Plain), series, *told))
                .collect()
        };
        assert_eq!(told(3, "1.5"), ["shop.a_total.1:3|c", "shop.b:1.5|g"]);
        assert_eq!(told(3, "0"), ["shop.b:0|g"]);
        assert_eq!(told(5, "NaN"), ["shop.a_total.1:2|c"]);
        assert_eq!(told(5, "-1"), Vec::<String>::new());
    }

    #[test]
    fn a_datagram_is_full_before_it_is_too_large_and_nothing_is_lost() {
        let mut datagram = Datagram::default();
        assert_eq!(datagram.take(), None);
        let line = "x".repeat(100);
        let mut sent: Vec<String> = (0..50).filter_map(|_| datagram.add(&line)).collect();
        sent.extend(datagram.take());
        assert!(sent.iter().all(|text| text.len() <= MOST_BYTES), "{sent:?}");
        let lines: usize = sent.iter().map(|text| text.lines().count()).sum();
        assert_eq!((lines, sent.len()), (50, 4));
        assert_eq!(datagram.take(), None);
    }
}
