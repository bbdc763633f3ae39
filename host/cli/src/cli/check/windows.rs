//! Maintenance windows that come once, and have been.
//!
//! Warnings: a config that was good stays good when its window is over.

use crate::cli::times;
use mainstay_daemon::config::{Loaded, Problem};
use mainstay_domain::{
    spec::{MaintenanceBegin, MaintenanceSpec},
    time::Timestamp,
};

/// A warning for each that is over.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let now = times::now();
    let windows = loaded.spec.maintenance.iter();
    windows.filter_map(|window| over(window, now)).collect()
}

fn over(window: &MaintenanceSpec, now: Timestamp) -> Option<Problem> {
    let MaintenanceBegin::At(begin) = window.begins else {
        return None;
    };
    (begin + window.length <= now).then(|| {
        Problem::warning(
            format!("the maintenance window at {begin} is over, and does not come again"),
            "remove it, or write when the next one begins",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{super::testing::loaded, *};

    #[test]
    fn a_window_is_over_when_it_has_ended() {
        let (_directory, loaded) = loaded(
            "[[maintenance]]\nat = \"2026-12-01T03:00:00Z\"\nduration = \"30m\"\n\
             [[maintenance]]\ncron = \"0 3 * * *\"\nduration = \"30m\"\n",
        );
        let [once, again] = loaded.spec.maintenance.as_slice() else {
            panic!("{:?}", loaded.spec.maintenance);
        };
        for (now, expected) in [
            ("2026-12-01T03:29:59Z", false),
            ("2026-12-01T03:30:00Z", true),
            ("2027-12-01T03:30:00Z", true),
        ] {
            let now = Timestamp::parse(now).unwrap();
            let found = over(once, now);
            assert_eq!(found.is_some(), expected, "{now}");
            assert!(found.is_none_or(|problem| !problem.is_error()));
            assert_eq!(over(again, now), None);
        }
    }
}
