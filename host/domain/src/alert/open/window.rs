//! What is said again of a fault that lasts.
//!
//! Invariant: of a fault of its own an alerter is told the same once within [`WINDOW`], over restarts of the daemon too. What
//! is worse, says something else, or was over meanwhile is told at once, and a route that names a kind gets each of that kind.
//! Invariant: what was given up was not told; but a daemon knows that of no daemon before.

use super::OpenAlerts;
use crate::{
    alert::{Alert, open_key::Fault},
    event::{Event, EventData, EventKind},
    id::AlertId,
    time::Timestamp,
};
use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// For so long after it was told a fault is not told again by the same words.
pub(super) const WINDOW: Duration = Duration::from_secs(300);

impl Fault {
    /// An alerter is told this by a message.
    pub(super) fn told(event: &Event, by: &Alert, before: bool) -> Self {
        Self {
            before,
            at: event.at,
            severity: event.severity,
            alert: by.id.clone(),
            is_lost: false,
            said: said(event),
            backup: event.backup.clone(),
        }
    }

    /// Whether it may be over by this event: a backup that was deleted takes away what is wrong with itself alone.
    pub(super) fn may_end_by(&self, event: &Event) -> bool {
        event.kind != EventKind::BackupTrashed || event.backup == self.backup
    }

    /// Whether this, of the same kind and no worse, says the same again within the window. An incident that is opened is
    /// another one.
    pub(super) fn is_said_again(&self, event: &Event) -> bool {
        event.kind != EventKind::IncidentOpened
            && !self.is_lost
            && event.severity <= self.severity
            && is_within(event.at, self.at)
            && said(event) == self.said
    }
}

impl OpenAlerts {
    /// Notes where this event says that a message was given up: what it said was not told, and is when it is said again.
    pub(super) fn note_lost(&mut self, event: &Event) {
        let (EventKind::AlertAbandoned, EventData::AlertDelivery(facts)) =
            (event.kind, &event.data)
        else {
            return;
        };
        // A group tells of its members in their place.
        let mut lost: BTreeSet<&AlertId> = facts.in_place_of.iter().collect();
        lost.insert(&facts.alert);
        let of_keys = self.told.values_mut();
        let told = of_keys.filter_map(|of_key| of_key.by.get_mut(&facts.alerter));
        for fault in told.flat_map(|told| told.kinds.values_mut()) {
            fault.is_lost |= lost.contains(&fault.alert);
        }
    }
}

/// Whether this is in the window since then. Where the clock was set back nobody knows.
fn is_within(at: Timestamp, since: Timestamp) -> bool {
    at >= since && at.since(since) < WINDOW
}

fn said(event: &Event) -> u64 {
    let words = match &event.backup {
        // The identifier of one that was not taken says nothing: each attempt has another.
        Some(backup) if event.kind == EventKind::BackupFailed => {
            event.message.replace(backup.as_str(), "")
        }
        _ => event.message.clone(),
    };
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alert::AlertStatus,
        event::{AlertDelivery, BackupTaken},
        id::{BackupId, IdSource},
        name::{JobName, PluginName},
        severity::Severity,
        spec::AlertRoute,
    };
    use semver::VersionReq;

    fn route(alerter: &str, min_severity: Severity, events: &[EventKind]) -> AlertRoute {
        AlertRoute {
            min_severity,
            events: events.to_vec(),
            target: None,
            alerter: PluginName::parse(alerter).unwrap(),
            version: VersionReq::STAR,
            grouping: None,
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000)
    }

    /// That the backup with this number was not taken then.
    fn failed(seconds: u64, number: u64, why: &str) -> Event {
        let id = BackupId::parse(&format!("ful-01K{number:023}")).unwrap();
        let message = format!("backup {id} of job state was not taken: {why}");
        Event::new(
            EventKind::BackupFailed,
            Severity::High,
            at(seconds),
            message,
        )
        .with_backup(&JobName::parse("state").unwrap(), &id)
    }

    fn taken(seconds: u64) -> Event {
        Event::new(
            EventKind::BackupVerified,
            Severity::Low,
            at(seconds),
            "taken",
        )
        .with_job(&JobName::parse("state").unwrap())
        .with_data(BackupTaken {
            documents: 1,
            tombstones: 0,
            size_bytes: 1,
            stored_bytes: 1,
            elapsed_ms: 1,
            warnings: Vec::new(),
            incomplete: false,
            tiers: Vec::new(),
        })
    }

    /// Who is told of these events, each with the second in which it happened, and `+` where it is over.
    fn told(open: &mut OpenAlerts, routes: &[AlertRoute], events: &[Event]) -> Vec<String> {
        let mut ids = IdSource::new(1);
        let mut told = Vec::new();
        for event in events {
            for entry in open.alerts_for(event, routes, "db1", &mut ids) {
                let over = match entry.alert.status {
                    AlertStatus::Firing => "",
                    AlertStatus::Resolved => "+",
                };
                let second = event.at.since(at(0)).as_secs();
                told.push(format!("{over}{second} {}", entry.alerter));
            }
        }
        told
    }

    #[test]
    fn what_is_said_again_within_five_minutes_is_told_once_to_each_alerter() {
        let routes = [
            route("email", Severity::High, &[]),
            route("slack", Severity::Medium, &[]),
            route("log", Severity::Low, &[EventKind::BackupFailed]),
        ];
        let seconds = [0, 60, 180, 299, 300, 420, 599, 600];
        let events = (1..).zip(seconds);
        let events = events.map(|(number, second)| failed(second, number, "the disk is full"));
        let events: Vec<Event> = events.collect();
        let mut told = told(&mut OpenAlerts::default(), &routes, &events);
        // Who names the kind gets each.
        let named = told.extract_if(.., |line| line.ends_with(" log"));
        assert_eq!(named.count(), seconds.len());
        assert_eq!(
            told,
            [
                "0 email",
                "0 slack",
                "300 email",
                "300 slack",
                "600 email",
                "600 slack"
            ]
        );
    }

    #[test]
    fn what_says_something_else_is_worse_or_was_over_meanwhile_is_told_at_once() {
        let routes = [route("email", Severity::Medium, &[])];
        let mut milder = failed(0, 1, "the disk is full");
        milder.severity = Severity::Medium;
        let events = [
            milder,
            failed(1, 2, "the disk is full"),
            failed(2, 3, "the disk is full"),
            failed(3, 4, "the disk is gone"),
            failed(4, 5, "the disk is gone"),
            taken(5),
            failed(6, 6, "the disk is gone"),
        ];
        assert_eq!(
            told(&mut OpenAlerts::default(), &routes, &events),
            ["0 email", "1 email", "3 email", "+5 email", "6 email"]
        );
    }

    #[test]
    fn what_is_worse_than_it_was_is_told_though_something_else_with_its_key_is_worse_still() {
        let routes = [route("email", Severity::Low, &[])];
        let event = |kind: EventKind, second: u64, severity: Severity| {
            let mut event = failed(second, 1, "the disk is slow");
            (event.kind, event.severity) = (kind, severity);
            event
        };
        let events = [
            event(EventKind::BackupRpoMissed, 0, Severity::Critical),
            event(EventKind::BackupFailed, 1, Severity::Medium),
            event(EventKind::BackupFailed, 2, Severity::High),
            event(EventKind::BackupFailed, 3, Severity::Medium),
        ];
        assert_eq!(
            told(&mut OpenAlerts::default(), &routes, &events),
            ["0 email", "1 email", "2 email"]
        );
    }

    #[test]
    fn what_was_given_up_is_told_when_it_is_said_again() {
        let routes = [
            route("email", Severity::Low, &[]),
            route("slack", Severity::Low, &[]),
        ];
        for is_of_group in [false, true] {
            let (mut open, mut ids) = (OpenAlerts::default(), IdSource::new(2));
            let first = failed(0, 1, "the disk is full");
            let entries = open.alerts_for(&first, &routes, "db1", &mut ids);
            let email = entries.first().unwrap();
            let told_in = AlertId::new(ids.next(at(1)));
            let own = email.alert.id.clone();
            let (alert, in_place_of) = match is_of_group {
                true => (told_in, vec![own]),
                false => (own, Vec::new()),
            };
            let given_up = Event::new(
                EventKind::AlertAbandoned,
                Severity::High,
                at(1),
                "email refused for good",
            )
            .with_plugin(&email.alerter)
            .with_data(AlertDelivery {
                alert,
                alerter: email.alerter.clone(),
                attempt: 1,
                detail: String::new(),
                in_place_of,
            });
            let events = [
                given_up,
                failed(2, 2, "the disk is full"),
                failed(3, 3, "the disk is full"),
            ];
            assert_eq!(
                told(&mut open, &routes, &events),
                ["2 email"],
                "{is_of_group}"
            );
        }
    }

    #[test]
    fn the_window_outlives_the_daemon_and_ends_where_the_clock_is_set_back() {
        let routes = [route("email", Severity::Low, &[])];
        let mut open = OpenAlerts::default();
        open.replay(&[failed(100, 1, "the disk is full")], &routes, "db1");
        open.replay_ended();
        let events = [
            failed(160, 2, "the disk is full"),
            failed(50, 3, "the disk is full"),
            failed(60, 4, "the disk is full"),
        ];
        assert_eq!(told(&mut open, &routes, &events), ["50 email"]);
    }

    #[test]
    fn each_backup_that_is_corrupted_is_told() {
        let routes = [route("email", Severity::Low, &[])];
        let corrupted = |number| {
            let mut event = failed(0, number, "its archive is cut off");
            event.kind = EventKind::BackupCorrupted;
            event
        };
        let events = [corrupted(1), corrupted(2), corrupted(2)];
        let told = told(&mut OpenAlerts::default(), &routes, &events);
        assert_eq!(told.len(), 2, "{told:?}");
    }
}
