//! What backups come to, in numbers.

use super::{
    client::{Client, path_with},
    listings::present,
    output::{Block, Cell, Output, Table, Times, Tone, cell, maybe, size},
};
use mainstay_api::{BackupNumbers, BackupStats};
use mainstay_domain::{backup_type::BackupType, name::JobName};

pub(super) async fn stats(
    client: &Client,
    out: &Output,
    job: Option<JobName>,
) -> anyhow::Result<()> {
    let query = [("job", job.map(|job| job.to_string()))];
    let answer = client.get(&path_with("/v1/stats/backups", &query)).await?;
    present(out, &answer, |out, stats: BackupStats| {
        out.show(&[Block::Table(table(&stats, &out.times))])
    })
}

/// All, then each type, then each tier.
fn table(stats: &BackupStats, times: &Times) -> Table {
    let mut rows = vec![row("all", &stats.total, times)];
    let known = BackupType::ALL.iter().map(|of_type| of_type.as_str());
    for word in known {
        let numbers = stats.by_type.get(word);
        rows.extend(numbers.map(|numbers| row(&format!("type {word}"), numbers, times)));
    }
    let tiers = stats.by_tier.iter();
    rows.extend(tiers.map(|(tier, numbers)| row(&format!("tier {tier}"), numbers, times)));
    let headings = [
        "OF",
        "BACKUPS",
        "VERIFIED",
        "SIZE",
        "STORED",
        "SMALLER BY",
        "NEWEST VERIFIED",
    ];
    Table::new(&headings, rows, "no backups").led_by(&[0, 1])
}

fn row(of: &str, numbers: &BackupNumbers, times: &Times) -> Vec<Cell> {
    vec![
        cell(of, Tone::Plain),
        cell(numbers.backups, Tone::Plain),
        cell(numbers.verified, Tone::Plain),
        cell(size(numbers.size_bytes), Tone::Plain),
        cell(size(numbers.stored_bytes), Tone::Plain),
        cell(percent(numbers), Tone::Plain),
        maybe(numbers.newest.as_ref().map(|time| times.both(time))),
    ]
}

/// Of nothing there is no share.
fn percent(numbers: &BackupNumbers) -> String {
    match numbers.size_bytes {
        0 => "-".to_owned(),
        _ => format!("{:.1}%", numbers.compression_ratio),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_more_than_it_was_is_said_to() {
        let numbers = |size_bytes, compression_ratio| BackupNumbers {
            backups: 1,
            verified: 1,
            size_bytes,
            stored_bytes: 1,
            compression_ratio,
            newest: None,
        };
        assert_eq!(percent(&numbers(4, 75.0)), "75.0%");
        assert_eq!(percent(&numbers(8, -12.34)), "-12.3%");
        assert_eq!(percent(&numbers(0, 0.0)), "-");
    }
}
