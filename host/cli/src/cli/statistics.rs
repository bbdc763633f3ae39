//! What became of the failures of targets, in numbers.

use super::{
    arguments::StatsArguments,
    client::{Client, path_with},
    listings::{present, time_of},
    output::{Block, Cell, Output, Table, Tone, cell, length, maybe},
};
use mainstay_api::{Stats, StatsTotal, TargetStats};
use mainstay_domain::text::counted;
use std::time::Duration;

pub(super) async fn show(
    client: &Client,
    out: &Output,
    arguments: StatsArguments,
) -> anyhow::Result<()> {
    let query = [
        ("target", arguments.target.map(|target| target.to_string())),
        (
            "since",
            arguments.since.map(|since| time_of(since, &out.times)),
        ),
    ];
    let answer = client.get(&path_with("/v1/stats", &query)).await?;
    present(out, &answer, |out, stats: Stats| {
        let headings = [
            "TARGET",
            "INCIDENTS",
            "RELAPSES",
            "RECOVERED",
            "FAILED",
            "SUCCESS",
            "MEAN",
            "MEDIAN",
            "P95",
            "RTO MET",
            "UPTIME",
            "KNOWN",
        ];
        let rows = stats.targets.into_iter().map(row).collect();
        let since = out.times.both(&stats.since);
        let table = Table::new(&headings, rows, "no targets are configured").led_by(&[0, 10]);
        let mut blocks = vec![
            Block::text(format!("since {since}"), Tone::Plain),
            Block::Table(table),
        ];
        let total = stats.total.as_ref().map(sentence);
        blocks.extend(total.map(|total| Block::text(total, Tone::Plain)));
        out.show(&blocks)
    })
}

/// What became of all failures.
fn sentence(total: &StatsTotal) -> String {
    let back = match total.relapses {
        0 => String::new(),
        back => format!(" ({back} came back)"),
    };
    let (recovered, failed) = (total.recoveries, total.failed);
    let mut parts = vec![
        counted(total.incidents, "incident"),
        format!("{recovered} recovered{back}, {failed} failed"),
    ];
    let share =
        |share: Option<f64>, what: &str| share.map(|share| format!("{} {what}", percent(share)));
    parts.extend(share(total.success_rate, "for good"));
    let mean = total.mean_recovery_ms.map(Duration::from_millis);
    parts.extend(mean.map(|mean| format!("{} on average from the first detection", length(mean))));
    parts.extend(share(total.rto_met, "within the objective"));
    format!("in all: {}", parts.join(", "))
}

fn row(stats: TargetStats) -> Vec<Cell> {
    let time =
        |millis: Option<u64>| maybe(millis.map(|millis| length(Duration::from_millis(millis))));
    vec![
        cell(&stats.target, Tone::Plain),
        cell(stats.incidents, Tone::Plain),
        cell(stats.relapses, Tone::Plain),
        cell(stats.recoveries, Tone::Plain),
        cell(
            stats.failed,
            match stats.failed {
                0 => Tone::Plain,
                _ => Tone::Warn,
            },
        ),
        maybe(stats.success_rate.map(percent)),
        time(stats.mean_recovery_ms),
        time(stats.median_recovery_ms),
        time(stats.p95_recovery_ms),
        maybe(stats.rto_met.map(percent)),
        maybe(stats.uptime.map(percent)),
        time(Some(stats.known_ms)),
    ]
}

/// A share as people read it. What is not all of it is never shown as all of it.
fn percent(share: f64) -> String {
    // A little more, for a share that is a quotient of two others.
    let tenths = (share * 1_000.0 + 1e-6).floor() / 10.0;
    format!("{tenths}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_all_is_not_shown_as_all() {
        for (share, expected) in [
            (1.0, "100%"),
            (0.999_99, "99.9%"),
            (0.75, "75%"),
            (0.0, "0%"),
        ] {
            assert_eq!(percent(share), expected);
        }
    }
}
