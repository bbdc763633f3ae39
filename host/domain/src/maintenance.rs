//! When maintenance windows are open.

use crate::{
    backup_schedule::next_slot,
    name::TargetName,
    spec::{MaintenanceBegin, MaintenanceSpec},
    time::Timestamp,
};

/// When the window that is open now began; none where it is not open.
pub fn began(window: &MaintenanceSpec, now: Timestamp) -> Option<Timestamp> {
    let began = match &window.begins {
        MaintenanceBegin::At(at) => *at,
        // The first since which it could still be open.
        MaintenanceBegin::Every(schedule) => next_slot(schedule, now - window.length).ok()?,
    };
    (began <= now && now < began + window.length).then_some(began)
}

/// A window that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWindow {
    /// On which targets work is done; none: on the whole host.
    pub targets: Vec<TargetName>,
    /// When it began.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// Whether alerts are held back.
    pub holds_alerts: bool,
    /// Whether automatic recovery is paused.
    pub pauses_recovery: bool,
}

/// Those of these windows that are open now, in their order.
pub fn open_now(windows: &[MaintenanceSpec], now: Timestamp) -> Vec<OpenWindow> {
    let open = windows.iter().filter_map(|window| {
        let since = began(window, now)?;
        Some(OpenWindow {
            targets: window.targets.clone(),
            since,
            until: since + window.length,
            holds_alerts: window.holds_alerts,
            pauses_recovery: window.pauses_recovery,
        })
    });
    open.collect()
}

/// When it begins next.
pub fn next_begin(window: &MaintenanceSpec, now: Timestamp) -> Option<Timestamp> {
    match &window.begins {
        MaintenanceBegin::At(at) => Some(*at).filter(|at| *at > now),
        MaintenanceBegin::Every(schedule) => next_slot(schedule, now).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Schedule;
    use std::time::Duration;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn window(begins: MaintenanceBegin) -> MaintenanceSpec {
        MaintenanceSpec {
            targets: Vec::new(),
            begins,
            length: 2 * HOUR,
            holds_alerts: true,
            pauses_recovery: true,
        }
    }

    fn at(time: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-03-01T{time}Z")).unwrap()
    }

    fn check(window: &MaintenanceSpec, now: &str, opened: Option<&str>, next: Option<&str>) {
        assert_eq!(began(window, at(now)), opened.map(at), "{now}");
        assert_eq!(next_begin(window, at(now)), next.map(at), "{now}");
    }

    #[test]
    fn a_window_is_open_from_its_beginning_for_its_length() {
        let once = window(MaintenanceBegin::At(at("03:00:00")));
        check(&once, "02:59:59", None, Some("03:00:00"));
        check(&once, "03:00:00", Some("03:00:00"), None);
        check(&once, "04:59:59", Some("03:00:00"), None);
        check(&once, "05:00:00", None, None);
        let daily = window(MaintenanceBegin::Every(Schedule::Cron {
            expression: "0 3,20 * * *".to_owned(),
            zone: "UTC".to_owned(),
        }));
        check(&daily, "02:59:59", None, Some("03:00:00"));
        check(&daily, "03:00:00", Some("03:00:00"), Some("20:00:00"));
        check(&daily, "04:59:59", Some("03:00:00"), Some("20:00:00"));
        check(&daily, "05:00:00", None, Some("20:00:00"));
        let both = [once.clone(), daily];
        assert_eq!(open_now(&both, at("05:00:00")), []);
        let open = OpenWindow {
            targets: Vec::new(),
            since: at("20:00:00"),
            until: at("22:00:00"),
            holds_alerts: true,
            pauses_recovery: true,
        };
        assert_eq!(open_now(&both, at("21:00:00")), [open]);
    }
}
