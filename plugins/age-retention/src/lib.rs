//! Keeps backups for a number of days that depends on their type.

mod decide;

pub use decide::DaysKept;
use mainstay_plugin_sdk::retention::*;

/// Judges by age.
#[derive(Debug, Default)]
pub struct AgeRetention;

impl RetentionPolicy for AgeRetention {
    fn judge(
        &self,
        now: Timestamp,
        backups: &[Backup],
        host: &mut impl Host,
    ) -> Result<Vec<Verdict>> {
        let days: DaysKept = host.settings()?;
        Ok(backups
            .iter()
            .map(|backup| days.verdict(backup, now))
            .collect())
    }
}

export_retention_policy!(AgeRetention, settings = DaysKept);

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::plugin::Plugin;
    use mainstay_plugin_sdk::testing::{ScriptedHost, backup};

    #[test]
    fn the_operators_days_decide() {
        let mut host = ScriptedHost::new();
        host.set_settings(r#"{"full": 1}"#);
        let backups = [
            backup("ful-1", BackupType::Full, 0),
            backup("inc-2", BackupType::Incremental, 0),
        ];
        let verdicts = AgeRetention
            .judge(2 * 86_400_000, &backups, &mut host)
            .unwrap();
        assert_eq!(
            verdicts
                .iter()
                .map(|verdict| verdict.keep)
                .collect::<Vec<_>>(),
            [false, true]
        );
    }

    #[test]
    fn no_days_at_all_is_refused() {
        for setting in ["full", "days"] {
            let message = AgeRetention::configure(&format!(r#"{{"{setting}": 0}}"#)).unwrap_err();
            let says = format!("settings.{setting}: invalid value: integer `0`");
            assert!(message.starts_with(&says), "{message}");
        }
    }
}
