//! What is tried before a network is given up for partitioned, and how it is told.

use mainstay_plugin_sdk::settings::DurationText;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How long a partition may pass by itself where the settings do not say.
const WAIT: Duration = Duration::from_secs(5);
/// How long the checks may take to pass on another path where the settings do not say.
const SETTLE: Duration = Duration::from_secs(5);

/// What is tried, in this order: to wait, the paths, and to connect anew.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FailoverSettings {
    /// How long the partition may pass by itself; default 5s.
    wait: Option<DurationText>,
    /// Commands of the config that each take another path, in order: another route, another resolver, another address. It
    /// ends with the first on which the checks pass. Need the grant `command`.
    pub(crate) paths: Vec<String>,
    /// How long the checks may take to pass on another path; default 5s.
    settle: Option<DurationText>,
    /// Commands that run when the network is there again, all of them, in order: connect anew, write again what the other
    /// side may have missed. Need the grant `command`.
    pub(crate) reconnect: Vec<String>,
}

impl FailoverSettings {
    pub(crate) fn wait(&self) -> Duration {
        self.wait.map_or(WAIT, DurationText::get)
    }

    pub(crate) fn settle(&self) -> Duration {
        self.settle.map_or(SETTLE, DurationText::get)
    }
}

/// That no path helped, and what was seen last.
pub(crate) fn still_partitioned(actions: &[String], seen: &str) -> String {
    format!("{}; still {seen}", actions.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_five_seconds() {
        let bare = FailoverSettings::default();
        let five = Duration::from_secs(5);
        assert_eq!((bare.wait(), bare.settle()), (five, five));
        let set = FailoverSettings {
            wait: Some(DurationText::from(Duration::ZERO)),
            settle: Some(DurationText::from(WAIT * 2)),
            ..FailoverSettings::default()
        };
        assert_eq!((set.wait(), set.settle()), (Duration::ZERO, WAIT * 2));
    }

    #[test]
    fn what_was_tried_is_told_with_what_was_seen_last() {
        let tried = ["waited 5s".to_owned(), "took `by-lte`".to_owned()];
        let told = still_partitioned(&tried, "tcp: no route");
        assert_eq!(told, "waited 5s; took `by-lte`; still tcp: no route");
    }
}
