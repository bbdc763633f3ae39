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
    use jiff::tz::TimeZone;
    use proptest::prelude::*;
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

    /// A window that comes again, for so many minutes.
    fn session(expression: String, zone: &str, minutes: u64) -> MaintenanceSpec {
        let begins = MaintenanceBegin::Every(Schedule::Cron {
            expression,
            zone: zone.to_owned(),
        });
        MaintenanceSpec {
            length: Duration::from_secs(minutes * 60),
            ..window(begins)
        }
    }

    #[test]
    fn a_night_is_of_the_day_on_which_it_began() {
        let nights = session("0 22 * * 1-5".to_owned(), "Europe/Berlin", 8 * 60);
        for (now, is_open) in [
            // A Friday.
            ("2026-06-05T21:59:59+02:00", false),
            ("2026-06-05T22:00:00+02:00", true),
            // Saturday is none of its days, and this is Friday's night.
            ("2026-06-06T03:00:00+02:00", true),
            ("2026-06-06T06:00:00+02:00", false),
            ("2026-06-06T23:00:00+02:00", false),
            // Monday is one, and this would be Sunday's night.
            ("2026-06-08T03:00:00+02:00", false),
            ("2026-06-08T22:00:00+02:00", true),
            // Its hour is one of the zone, in summer and in winter.
            ("2026-01-05T21:30:00+01:00", false),
            ("2026-01-05T22:00:00+01:00", true),
        ] {
            let now = Timestamp::parse(now).unwrap();
            assert_eq!(began(&nights, now).is_some(), is_open, "{now}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// Ten years, five zones, any days and lengths: it is open where one that began on one of its days, as they are counted
        /// in its zone, has not ended.
        #[test]
        fn a_window_is_open_by_the_days_of_its_zone_over_midnight(
            zone in prop::sample::select(vec![
                "UTC",
                "Europe/Berlin",
                "America/New_York",
                "Australia/Lord_Howe",
                "Pacific/Auckland",
            ]),
            // Not in the hours that come twice or not at all.
            hour in 4..24_i8,
            minute in 0..60_i8,
            days in prop::collection::btree_set(0..7_i8, 1..7),
            minutes in 1..2_880_u64,
            day in 0..3_650_u64,
            moment in 0..86_400_000_u64,
        ) {
            let names: Vec<String> = days.iter().map(ToString::to_string).collect();
            let expression = format!("{minute} {hour} * * {}", names.join(","));
            let window = session(expression, zone, minutes);
            let since = Duration::from_secs(day * 86_400) + Duration::from_millis(moment);
            let now = Timestamp::parse("2026-01-10T00:00:00Z").unwrap() + since;
            let tz = TimeZone::get(zone).unwrap();
            let today = jiff::Timestamp::from_millisecond(now.as_millis() as i64);
            let mut date = today.unwrap().to_zoned(tz.clone()).date();
            let mut expected = None;
            // From today back: the first that is still open counts.
            for _ in 0..4 {
                if days.contains(&date.weekday().to_sunday_zero_offset()) {
                    let begin = date.at(hour, minute, 0, 0).to_zoned(tz.clone()).unwrap();
                    let begin = Timestamp::from_millis(begin.timestamp().as_millisecond() as u64);
                    if begin <= now && now < begin + window.length {
                        expected = Some(begin);
                    }
                }
                date = date.yesterday().unwrap();
            }
            prop_assert_eq!(began(&window, now), expected, "at {}", now);
        }
    }
}
