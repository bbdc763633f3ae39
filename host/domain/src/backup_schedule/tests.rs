use super::*;
use crate::{
    name::JobName,
    spec::{BackupSource, HookSpec, ProofSchedules, ReadingSpec, WindowSpec},
};
use jiff::tz::TimeZone;
use proptest::prelude::*;

const DAY: u64 = 86_400_000;
const ZONES: [&str; 5] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
];

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn cron(expression: &str, zone: &str) -> Schedule {
    Schedule::Cron {
        expression: expression.to_owned(),
        zone: zone.to_owned(),
    }
}

fn every(seconds: u64) -> Schedule {
    Schedule::Every(Duration::from_secs(seconds))
}

fn job(
    full: Option<Schedule>,
    differential: Option<Schedule>,
    incremental: Option<Schedule>,
) -> JobSpec {
    JobSpec {
        name: JobName::parse("state").unwrap(),
        sources: vec![BackupSource::Directory {
            path: "/data".into(),
            prefix: String::new(),
        }],
        reading: ReadingSpec::default(),
        after: Vec::new(),
        full,
        differential,
        incremental,
        rpo: None,
        stale_after: None,
        compression: 3,
        shrink_guard: None,
        hooks: HookSpec::default(),
        retention: None,
        checkpoints: None,
        proofs: ProofSchedules::default(),
        drill: crate::spec::RestoreDrillSpec::default(),
        starts: StartSpec::default(),
        archive: None,
        tiers: Default::default(),
        sealing: crate::spec::SealingSpec::default(),
    }
}

#[test]
fn trap_8_a_daemon_restarted_daily_still_takes_every_full_backup() {
    let schedule = every(86_400);
    let mut last = Some(time("2026-01-01T00:00:00Z"));
    for day in 2..30 {
        // It lives from 09:00 to 17:00, never 24 hours; what it knows after a restart is `last`.
        let start = time(&format!("2026-01-{day:02}T09:00:00Z"));
        let slot = due(&schedule, last, start).unwrap();
        assert_eq!(slot, Some(time(&format!("2026-01-{day:02}T00:00:00Z"))));
        last = slot;
        assert_eq!(
            due(&schedule, last, start + Duration::from_secs(8 * 3600)).unwrap(),
            None
        );
    }
}

#[test]
fn all_missed_slots_are_one_run() {
    for schedule in [every(900), cron("*/15 * * * *", "UTC")] {
        let (last, now) = (time("2026-01-01T00:00:00Z"), time("2026-03-01T00:07:00Z"));
        assert_eq!(
            due(&schedule, Some(last), now).unwrap(),
            Some(time("2026-03-01T00:00:00Z"))
        );
        let next = next_due(&schedule, Some(time("2026-03-01T00:00:00Z")), now).unwrap();
        assert_eq!(next, time("2026-03-01T00:15:00Z"));
    }
}

#[test]
fn a_fixed_time_in_the_missing_hour_runs_after_it_and_in_the_double_hour_once() {
    let schedule = cron("30 2 * * *", "Europe/Berlin");
    let slots = |from: &str, count| {
        let mut slots = vec![time(from)];
        for _ in 0..count {
            slots.push(next_slot(&schedule, *slots.last().unwrap()).unwrap());
        }
        slots
            .iter()
            .skip(1)
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        slots("2026-03-28T12:00:00Z", 2),
        ["2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"]
    );
    assert_eq!(
        slots("2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"]
    );
}

#[test]
fn a_full_covers_the_others_and_a_first_run_is_a_full_at_once() {
    let job = job(Some(every(86_400)), Some(every(21_600)), Some(every(900)));
    let now = time("2026-01-01T12:05:00Z");
    let first = due_backup(&job, &LastSlots::new(), now).unwrap().unwrap();
    assert_eq!(first.backup_type, BackupType::Full);
    let mut last: LastSlots = first.slots.into_iter().collect();
    assert_eq!(last.len(), 3);
    assert_eq!(due_backup(&job, &last, now).unwrap(), None);
    assert_eq!(
        next_backup(&job, &last, now).unwrap(),
        Some(time("2026-01-01T12:15:00Z"))
    );

    let evening = due_backup(&job, &last, time("2026-01-01T18:00:00Z"))
        .unwrap()
        .unwrap();
    assert_eq!(evening.backup_type, BackupType::Differential);
    assert_eq!(evening.slots.len(), 2);
    last.extend(evening.slots);
    let midnight = due_backup(&job, &last, time("2026-01-02T00:00:00Z"))
        .unwrap()
        .unwrap();
    assert_eq!(
        (midnight.backup_type, midnight.slots.len()),
        (BackupType::Full, 3)
    );
}

#[test]
fn a_clock_that_goes_back_a_little_doubles_nothing_and_one_that_was_wrong_skips_nothing() {
    let schedule = every(900);
    let taken = time("2026-01-01T12:00:00Z");
    assert_eq!(
        due(&schedule, Some(taken), taken - Duration::from_secs(5)).unwrap(),
        None
    );
    assert_eq!(due(&schedule, Some(taken), taken).unwrap(), None);
    let years_ahead = time("2036-01-01T00:00:00Z");
    assert_eq!(
        next_due(&schedule, Some(years_ahead), taken).unwrap(),
        taken,
        "who counts from there takes nothing for years"
    );
    assert_eq!(
        due(&schedule, Some(years_ahead), taken).unwrap(),
        Some(taken)
    );
}

#[test]
fn a_slot_of_a_day_ahead_does_not_hold_back_todays() {
    for schedule in [every(86_400), cron("30 2 * * *", "Europe/Berlin")] {
        let used = next_slot(&schedule, time("2026-01-02T12:00:00Z")).unwrap();
        for back in [60, 3_600, 80_000, 86_400, 30 * 86_400] {
            let now = used - Duration::from_secs(back);
            let slot = due(&schedule, Some(used), now).unwrap();
            assert!(slot.is_some_and(|slot| slot <= now), "{back} s: {slot:?}");
            assert_eq!(due(&schedule, slot, now).unwrap(), None, "and once");
        }
    }
}

#[test]
fn what_is_no_schedule_is_an_error_that_says_so() {
    let error = |schedule| {
        next_slot(&schedule, time("2026-01-01T00:00:00Z"))
            .unwrap_err()
            .to_string()
    };
    assert!(error(cron("61 * * * *", "UTC")).contains("is not a cron expression"));
    assert!(error(cron("0 0 * * *", "Mars/Olympus")).contains("no time zone `Mars/Olympus`"));
}

#[test]
fn a_field_that_names_nothing_is_refused_and_never_looked_for() {
    for (expression, says) in [
        (", * * * *", "a comma stands between two values"),
        ("* , * * *", "a comma stands between two values"),
        ("0 0 , * *", "a comma stands between two values"),
        ("0 0 * , *", "a comma stands between two values"),
        ("0 0 * * ,", "a comma stands between two values"),
        (",,, * * * * *", "a comma stands between two values"),
        ("1,,2 * * * *", "a comma stands between two values"),
        ("1, * * * *", "a comma stands between two values"),
        ("", "is not a cron expression"),
        ("* * * *", "is not a cron expression"),
        ("60-50 * * * *", "is not a cron expression"),
        ("", "it has 0 fields"),
        ("@evry", "it has 1 field;"),
        ("0 0 3 * * * 2026", "it has 7 fields"),
        ("61 3 * * *", "its minute is `61`, and may be 0 to 59"),
        ("0 25 * * *", "its hour is `25`, and may be 0 to 23"),
        ("60 0 3 * * *", "its second is `60`, and may be 0 to 59"),
        ("0 3 0 * *", "its day is `0`, and may be 1 to 31"),
        ("0 3 * 1-13 *", "its month is `1-13`, and may be 1 to 12"),
        ("0 3 * * 8", "its weekday is `8`, and may be 0 to 7"),
        ("0 3 * * often", "its weekday is `often`"),
    ] {
        let error = next_slot(&cron(expression, "UTC"), time("2026-01-01T00:00:00Z"));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(says), "{expression}: {error}");
    }
    let long = next_slot(
        &cron(&format!("{} * * * *", "1,".repeat(2_000)), "UTC"),
        time("2026-01-01T00:00:00Z"),
    );
    let long = long.unwrap_err().to_string();
    assert!(
        long.contains("more than 1024 bytes") && long.len() < 400,
        "{long}"
    );
    for good in [
        "@daily",
        "0 3 * * *",
        "1,2 * * * *",
        "0 0 L * *",
        "0 0 LW * *",
        "0 0 15W * *",
        "0 0 ? * 5#1",
        "0 0 ? * FRI#L",
        "0 0 * * 7",
        "0 0 29 2 *",
        "* * * * * *",
    ] {
        let next = next_slot(&cron(good, "UTC"), time("2026-01-01T00:00:00Z"));
        assert!(next.is_ok(), "{good}: {next:?}");
    }
}

#[test]
fn the_longest_wait_is_that_of_the_most_frequent_schedule() {
    let now = time("2026-01-01T12:05:00Z");
    let wait = |job: &JobSpec| longest_wait(job, now).unwrap().map(|wait| wait.as_secs());
    assert_eq!(
        wait(&job(Some(every(86_400)), None, Some(every(900)))),
        Some(900)
    );
    assert_eq!(
        wait(&job(Some(cron("0 3 * * 1-5", "UTC")), None, None)),
        Some(3 * 86_400)
    );
    assert_eq!(wait(&job(None, None, None)), None);
}

#[test]
fn a_delayed_backup_begins_so_long_after_its_slot_and_uses_that() {
    let delay = Duration::from_secs(600);
    let mut job = job(Some(every(86_400)), None, Some(every(900)));
    job.starts.delay = delay;
    let midnight = time("2026-01-02T00:00:00Z");
    let before = midnight - Duration::from_secs(900);
    let last: LastSlots = [
        (BackupType::Full, midnight - Duration::from_millis(DAY)),
        (BackupType::Incremental, before),
    ]
    .into();
    assert_eq!(
        next_backup(&job, &last, midnight).unwrap(),
        Some(midnight + delay)
    );
    let early = midnight + Duration::from_secs(599);
    assert_eq!(due_backup(&job, &last, early).unwrap(), None);
    let due = due_backup(&job, &last, midnight + delay).unwrap().unwrap();
    let both = [
        (BackupType::Full, midnight),
        (BackupType::Incremental, midnight),
    ];
    assert_eq!((due.slots.as_slice(), due.missed_since), (&both[..], None));
    let last: LastSlots = due.slots.into_iter().collect();
    let next = midnight + Duration::from_secs(900) + delay;
    assert_eq!(
        next_backup(&job, &last, midnight + delay).unwrap(),
        Some(next)
    );
}

#[test]
fn backups_begin_only_in_the_window_and_the_first_catches_up() {
    for zone in ZONES {
        let mut job = job(Some(every(86_400)), None, Some(every(900)));
        job.starts.window = Some(WindowSpec {
            opens: cron("0 22 * * *", zone),
            length: Duration::from_secs(7_200),
        });
        let tz = TimeZone::get(zone).unwrap();
        let (start, mut last) = (time("2026-03-20T00:00:00Z"), LastSlots::new());
        let (mut runs, mut caught_up) = (0, 0);
        // Three weeks, in which the clocks of most zones change.
        for minutes in (0..21 * 1_440).step_by(5) {
            let now = start + Duration::from_secs(minutes * 60);
            let next = next_backup(&job, &last, now).unwrap().unwrap();
            let due = due_backup(&job, &last, now).unwrap();
            assert_eq!(due.is_some(), next <= now, "{zone} {now}");
            let Some(due) = due else { continue };
            let at = jiff::Timestamp::from_millisecond(now.as_millis() as i64).unwrap();
            assert!(at.to_zoned(tz.clone()).hour() >= 22, "{zone} {now}");
            runs += 1;
            caught_up += u32::from(due.missed_since.is_some());
            last.extend(due.slots);
        }
        assert!((20 * 8..=22 * 8).contains(&runs), "{zone}: {runs}");
        assert!((20..=22).contains(&caught_up), "{zone}: {caught_up}");
        let wait = longest_wait(&job, start).unwrap().unwrap();
        assert!(wait > Duration::from_secs(21 * 3_600), "{zone}: {wait:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    /// Ten years, five zones: a fixed time of day has exactly one slot each local day.
    #[test]
    fn a_fixed_time_has_one_slot_a_day(zone in 0..5_usize, hour in 0..24_u32, minute in 0..60_u32) {
        let schedule = cron(&format!("{minute} {hour} * * *"), ZONES[zone]);
        let tz = TimeZone::get(ZONES[zone]).unwrap();
        let mut at = time("2026-01-01T12:00:00Z");
        let day_of = |at: Timestamp| jiff::Timestamp::from_millisecond(at.as_millis() as i64).unwrap().to_zoned(tz.clone()).date();
        let mut day = None;
        while at < time("2036-01-01T00:00:00Z") {
            at = next_slot(&schedule, at).unwrap();
            let next = day_of(at);
            prop_assert!(day.is_none_or(|day: jiff::civil::Date| day.tomorrow().unwrap() == next), "{day:?} then {next}");
            day = Some(next);
        }
    }

    /// A quarter of an hour stays one through every daylight-saving change.
    #[test]
    fn an_interval_neither_skips_nor_doubles(zone in 0..5_usize, month in 0..120_u64) {
        let schedule = cron("*/15 * * * *", ZONES[zone]);
        let mut at = Timestamp::from_millis(time("2026-01-01T00:00:00Z").as_millis() + month * 30 * DAY);
        for _ in 0..30 * 96 {
            let next = next_slot(&schedule, at).unwrap();
            prop_assert_eq!(next.since(at), Duration::from_secs(900), "after {}", at);
            at = next;
        }
    }

    /// However a daemon is restarted and delayed: one run per due slot, and a missed one is caught up once.
    #[test]
    fn a_slot_runs_once_whatever_the_pauses(
        zone in 0..5_usize,
        expression in prop::sample::select(vec!["30 2 * * *", "*/20 * * * *", "0 0 * * 0", "15 1,2,3 * * *", "0 12 1 * *"]),
        start in 0..3650_u64,
        pauses in prop::collection::vec(1..4_000_u64, 1..60),
    ) {
        let schedule = cron(expression, ZONES[zone]);
        let mut now = Timestamp::from_millis(time("2026-01-01T00:00:00Z").as_millis() + start * DAY);
        let mut last = now;
        for minutes in pauses {
            now = now + Duration::from_secs(minutes * 60);
            let expected = next_slot(&schedule, last).unwrap() <= now;
            let found = due(&schedule, Some(last), now).unwrap();
            prop_assert_eq!(found.is_some(), expected);
            if let Some(slot) = found {
                prop_assert!(slot > last && slot <= now);
                prop_assert!(next_slot(&schedule, slot).unwrap() > now, "a second run would be due at once");
                last = slot;
            }
            prop_assert_eq!(due(&schedule, Some(last), now).unwrap(), None);
        }
    }

    /// Wherever a wrong clock has left the last slot: a clock that runs on takes one within a period, and a tenth of it
    /// for what a clock is set back by the way.
    #[test]
    fn for_any_last_slot_a_slot_is_taken_within_one_period(
        zone in 0..5_usize,
        expression in prop::sample::select(vec!["*/20 * * * *", "30 2 * * *", "0 0 * * 0", "every"]),
        start in 0..3650_u64,
        // To one side or the other by less than a second or by many years.
        ahead in any::<bool>(),
        magnitude in 0..40_u32,
        offset in any::<u64>(),
    ) {
        let (schedule, period) = match expression {
            "every" => (every(900), 900),
            "*/20 * * * *" => (cron(expression, ZONES[zone]), 1_200),
            // The day and the week in which an hour comes twice are longer by it.
            "30 2 * * *" => (cron(expression, ZONES[zone]), 25 * 3_600),
            _ => (cron(expression, ZONES[zone]), 7 * 86_400 + 3_600),
        };
        let now = Timestamp::from_millis(time("2026-01-01T05:00:00Z").as_millis() + start * DAY);
        let offset = Duration::from_millis(offset % (1 << magnitude));
        let last = if ahead { now + offset } else { now - offset };
        let steps = 44;
        let taken = (0..=steps).find(|step| {
            let at = now + Duration::from_secs(period * 11 / 10 * step / steps);
            due(&schedule, Some(last), at).unwrap().is_some()
        });
        prop_assert!(taken.is_some(), "{last} holds {expression} back at {now}");
    }
}

/// A daemon that lives through ten years: it waits for what is due, as the real one does, sleeps, and has its clock set.
struct Lived {
    /// What each run covers: from the first slot to the one that it uses.
    covered: Vec<(Timestamp, Timestamp)>,
    /// What the clock was set back from, and to.
    set_back: Vec<(Timestamp, Timestamp)>,
}

const YEARS: (&str, &str) = ("2026-01-01T00:00:00Z", "2036-01-01T00:00:00Z");

/// More than ten years of the densest schedule below take: fates that lead nowhere must end too.
const MOST_STEPS: usize = 20_000;

/// Schedules at fixed times, and one that is none.
const EXPRESSIONS: [&str; 4] = ["30 2 * * *", "15 1,2 * * *", "0 0 * * 0", "every"];

fn live(schedule: &Schedule, fates: &[(u8, u64)]) -> Lived {
    let (mut now, end) = (time(YEARS.0), time(YEARS.1));
    let mut last = Some(now);
    let mut latest = now;
    let (mut covered, mut set_back) = (Vec::new(), Vec::new());
    for (fate, size) in fates.iter().cycle().take(MOST_STEPS) {
        if now >= end {
            break;
        }
        let next = next_due(schedule, last, now).unwrap().max(now);
        now = match fate {
            // The machine sleeps, is off, or its clock jumps ahead: up to a month.
            0 => now + Duration::from_secs(size % (30 * 86_400)),
            // The clock is set back by the way, as by a time service: never by more than ten seconds in all.
            1 => (now - Duration::from_millis(size % 10_000))
                .max(latest - Duration::from_millis(9_999)),
            // It was wrong, by up to a week.
            2 => {
                let right = now - Duration::from_secs(size % (7 * 86_400));
                // From the latest that it showed: slots up to there were taken, also where a little was taken back since.
                set_back.push((latest, right));
                latest = right;
                right
            }
            // It looks again before anything is due.
            3 => now + next.since(now) / 2,
            // It wakes up when something is, or soon after.
            _ => next + Duration::from_millis(size % 2_000),
        };
        latest = latest.max(now);
        if let Some(DueSlot { slot, first }) = due_slot(schedule, last, now).unwrap() {
            covered.push((first, slot));
            last = Some(slot);
            let again = due_slot(schedule, last, now).unwrap();
            assert_eq!(again, None, "twice at {now}");
        }
    }
    Lived { covered, set_back }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1, failure_persistence: None, ..ProptestConfig::default() })]

    /// Ten years in each zone, as often as `PROPTEST_CASES` says, with sleeps and clocks that jump: every slot has one run, its own
    /// or one catch-up that tells from where it covers. Only a slot that the clock passed more than once, since it was set back
    /// over it, has more.
    #[test]
    fn ten_years_of_sleeps_and_jumps_give_each_slot_one_run_or_one_catch_up(
        turn in 0..EXPRESSIONS.len(),
        fates in prop::collection::vec((0..40_u8, any::<u64>()), 50..400),
    ) {
        // Each schedule has its turn.
        for (zone, expression) in ZONES.into_iter().zip(EXPRESSIONS.into_iter().cycle().skip(turn)) {
            let schedule = match expression {
                "every" => every(6 * 3_600),
                _ => cron(expression, zone),
            };
            let Lived { covered, set_back } = live(&schedule, &fates);
            let until = covered.iter().map(|(_, slot)| *slot).max().unwrap_or_default();
            // So many runs cover a slot: those that begin at or before it, less those that ended before it.
            let mut begins: Vec<Timestamp> = covered.iter().map(|(first, _)| *first).collect();
            let mut ends: Vec<Timestamp> = covered.iter().map(|(_, slot)| *slot).collect();
            begins.sort();
            ends.sort();
            let mut slot = next_slot(&schedule, time(YEARS.0)).unwrap();
            while slot <= until {
                let next = next_slot(&schedule, slot).unwrap();
                let begun = begins.partition_point(|begin| *begin <= slot);
                let runs = begun - ends.partition_point(|end| *end < slot);
                // The newest slot before the right time is taken again too: of what a wrong clock took, nothing is known.
                let again = set_back.iter().filter(|(from, to)| *from >= slot && next > *to).count();
                prop_assert!(runs >= 1, "{expression} in {zone}: nothing covers {slot}");
                prop_assert!(runs <= 1 + again, "{expression} in {zone}: {runs} runs cover {slot}");
                slot = next;
            }
        }
    }
}
