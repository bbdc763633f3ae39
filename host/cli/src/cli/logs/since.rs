//! From which line of a log on it was written since a time: lines tell that themselves, where they begin with theirs.

use crate::cli::{arguments::Since, failure::Usage, output::Times};

/// The first line that was written then or later; what has no time belongs to the line before it.
pub(super) fn begin_of(lines: &[&str], since: Since, times: &Times) -> anyhow::Result<usize> {
    let since = since.at(times);
    let told = lines
        .iter()
        .enumerate()
        .filter_map(|(place, line)| Some((place, times.read_at_begin(line)?)));
    let told: Vec<_> = told.collect();
    if told.is_empty() && !lines.is_empty() {
        let problem = "the lines of this log do not begin with a time, so when they were written is not known; --lines \
                       says how many of the last to show";
        return Err(Usage(problem.to_owned()).into());
    }
    let first = told.into_iter().find(|(_, at)| *at >= since);
    Ok(first.map_or(lines.len(), |(place, _)| place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use mainstay_domain::time::Timestamp;
    use std::time::Duration;

    #[test]
    fn a_log_begins_with_the_first_line_that_is_young_enough_and_one_without_times_is_refused() {
        let now = Timestamp::parse("2026-03-04T12:00:00Z").unwrap();
        let times = Times::at(now, TimeZone::fixed(jiff::tz::offset(1)));
        let lines = [
            "2026-03-04T11:00:00Z old",
            "  at main.rs",
            "2026-03-04 12:30:00 local, half an hour ago",
            "2026-03-04T11:55:00.123+00:00 young",
        ];
        let begin = |minutes: u64| {
            let since = Since::Ago(Duration::from_secs(60 * minutes));
            begin_of(&lines, since, &times).unwrap()
        };
        assert_eq!(begin(90), 0);
        assert_eq!(begin(45), 2);
        assert_eq!(begin(10), 3);
        assert_eq!(begin(1), 4);
        for young in [
            "[2026-03-04T11:55:00Z] a",
            "[2026-03-04 12:55:00] a",
            "[2026-03-04 12:55:00,123] INFO a",
            "2026/03/04 12:55:00 [error] a",
            "2026-03-04T12:55:00.123 a",
            r#"{"level":"info","ts":"2026-03-04T11:55:00Z"}"#,
        ] {
            for (minutes, expected) in [(10, 0), (1, 1)] {
                let since = Since::Ago(Duration::from_secs(60 * minutes));
                let found = begin_of(&[young], since, &times).unwrap();
                assert_eq!(found, expected, "{young}");
            }
        }
        let error = begin_of(&["no time"], Since::Time(now), &times).unwrap_err();
        assert!(error.to_string().contains("--lines"), "{error}");
        assert_eq!(begin_of(&[], Since::Time(now), &times).unwrap(), 0);
    }
}
