//! Keeps the newest backups that fit into a number of bytes.

mod decide;

pub use decide::Budget;
use mainstay_plugin_sdk::retention::*;

/// Judges by what the backups take.
#[derive(Debug, Default)]
pub struct BudgetRetention;

impl RetentionPolicy for BudgetRetention {
    fn judge(
        &self,
        now: Timestamp,
        backups: &[Backup],
        host: &mut impl Host,
    ) -> Result<Vec<Verdict>> {
        let budget: Budget = host.settings()?;
        Ok(budget.verdicts(backups, now))
    }
}

export_retention_policy!(BudgetRetention, settings = Budget);

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::plugin::Plugin;
    use mainstay_plugin_sdk::testing::{ScriptedHost, backup};

    #[test]
    fn the_operators_bytes_decide() {
        let mut host = ScriptedHost::new();
        host.set_settings(r#"{"bytes": 2500}"#);
        let backups = [1_000, 2_000, 3_000]
            .map(|created_at| backup(&format!("ful-{created_at}"), BackupType::Full, created_at));
        let verdicts = BudgetRetention.judge(4_000, &backups, &mut host).unwrap();
        let kept = verdicts.iter().filter(|verdict| verdict.keep);
        let kept: Vec<&str> = kept.map(|verdict| verdict.id.as_str()).collect();
        assert_eq!(kept, ["ful-3000", "ful-2000"]);
    }

    #[test]
    fn a_budget_has_to_be_said_and_is_not_nothing() {
        for settings in ["{}", r#"{"bytes": 0}"#, r#"{"byte": 1}"#] {
            let message = BudgetRetention::configure(settings).unwrap_err();
            assert!(message.contains("bytes"), "{message}");
        }
        assert!(BudgetRetention::configure(r#"{"bytes": 1}"#).is_ok());
    }
}
