//! Keeps the last backups and one for each of a number of hours, days, weeks, months and years
//! ("grandfather, father, son"). Emergency backups and snapshots stand for none of these; the newest of each stay.

mod decide;

pub use decide::Counts;
use mainstay_plugin_sdk::retention::*;

/// Judges by counts of calendar periods.
#[derive(Debug, Default)]
pub struct GfsRetention;

impl RetentionPolicy for GfsRetention {
    fn judge(
        &self,
        now: Timestamp,
        backups: &[Backup],
        host: &mut impl Host,
    ) -> Result<Vec<Verdict>> {
        let counts: Counts = host.settings()?;
        Ok(counts.verdicts(backups, now))
    }
}

export_retention_policy!(GfsRetention, settings = Counts);

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::plugin::Plugin;
    use mainstay_plugin_sdk::testing::{ScriptedHost, backup};

    #[test]
    fn the_operators_counts_decide() {
        let mut host = ScriptedHost::new();
        host.set_settings(
            r#"{"last": 1, "hourly": 0, "daily": 0, "weekly": 0, "monthly": 0, "yearly": 0}"#,
        );
        let backups = [
            backup("ful-1", BackupType::Full, 1_000),
            backup("ful-2", BackupType::Full, 2_000),
        ];
        let verdicts = GfsRetention.judge(3_000, &backups, &mut host).unwrap();
        assert_eq!(
            verdicts
                .iter()
                .map(|verdict| verdict.keep)
                .collect::<Vec<_>>(),
            [true, false]
        );
    }

    #[test]
    fn counts_that_would_keep_nothing_are_refused() {
        let nothing =
            r#"{"last": 0, "hourly": 0, "daily": 0, "weekly": 0, "monthly": 0, "yearly": 0}"#;
        let message = GfsRetention::configure(nothing).unwrap_err();
        assert!(message.contains("at least one count above 0"), "{message}");
        // An emergency backup is none that a plain restore takes.
        let none_on_schedule = nothing.replace('}', r#", "emergency": 3}"#);
        assert!(GfsRetention::configure(&none_on_schedule).is_err());
        assert!(GfsRetention::configure("{}").is_ok());
        let message = GfsRetention::configure(r#"{"dayly": 3}"#).unwrap_err();
        assert!(
            message.contains("`dayly`") && message.contains("`daily`"),
            "{message}"
        );
    }
}
