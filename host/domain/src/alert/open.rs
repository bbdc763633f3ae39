//! What people were told is wrong, and not yet that it is right again.
//!
//! Invariant: who was told that something is wrong is told when it is over, whatever the routes say of the event that
//! ends it: of the backups that are verified, only the one after a failed one is news.
//! Invariant: it is told once, and to nobody who was not told of the fault.
//! Invariant: an incident pages once. What else is said of it meanwhile has the same key, and is said where it is worse
//! than was told, where people have to act, or where a route asks for its kind by name.
//! Invariant: what says the same again within a while is not told again, see [`window`].
//! Invariant: where several things with one key are wrong, it is over when all of them are.
//! Invariant: what the config does not name any more is not wrong any more.

mod at_once;
mod replay;
mod window;

use super::{
    AlertStatus, OutboxEntry,
    concern::{Concern, Part, concern, dedup_keys, ends, part},
    open_key::{Fault, OpenKey, Told},
    routing::{alert_of, alerts_for, is_named},
    text,
};
use crate::{
    event::{Event, EventData, EventKind},
    id::IdSource,
    name::{CheckName, JobName, PluginName, TargetName},
    severity::Severity,
    spec::{AlertRoute, Spec},
};
use std::collections::BTreeMap;

/// So many keys are remembered at most; what fires beyond that is sent all the same.
const MOST: usize = 10_000;

/// What is said of a fault whose end nothing else can say.
const GONE: &str = "the config does not ask for it any more";

/// Who was told of what.
#[derive(Debug, Clone, Default)]
pub struct OpenAlerts {
    /// By key.
    told: BTreeMap<String, OpenKey>,
    /// What is told now was told by an earlier daemon.
    is_replay: bool,
}

impl OpenAlerts {
    /// Whether somebody was told of an event of this kind, and not of its end.
    pub fn has(&self, kind: EventKind) -> bool {
        self.with(kind).next().is_some()
    }

    /// That of which somebody was told an event of this kind, and not its end.
    fn with(&self, kind: EventKind) -> impl Iterator<Item = &OpenKey> {
        let is_of_kind = move |told: &Told| told.kinds.contains_key(&kind);
        let all = self.told.values();
        all.filter(move |of_key| of_key.by.values().any(is_of_kind))
    }

    /// The jobs of which somebody was told of an event of this kind, and not of its end.
    pub fn jobs_with(&self, kind: EventKind) -> Vec<JobName> {
        let jobs = self.with(kind).filter_map(|of_key| of_key.job.clone());
        jobs.collect()
    }

    /// The checks of targets of which somebody was told that they fail or warn, and not that they do not.
    pub fn checks(&self) -> Vec<(TargetName, CheckName)> {
        let both = |of_key: &OpenKey| of_key.target.clone().zip(of_key.check.clone());
        self.told.values().filter_map(both).collect()
    }

    /// The plugins of which somebody was told of an event of this kind, and not of its end.
    pub fn plugins_with(&self, kind: EventKind) -> Vec<PluginName> {
        let names = self
            .with(kind)
            .filter_map(|of_key| of_key.plugin.as_deref());
        names
            .filter_map(|plugin| PluginName::parse(text::without_version(plugin)).ok())
            .collect()
    }

    /// The messages about an event: those that the routes ask for, and that what was told of is over.
    pub fn alerts_for(
        &mut self,
        event: &Event,
        routes: &[AlertRoute],
        host_name: &str,
        ids: &mut IdSource,
    ) -> Vec<OutboxEntry> {
        let mut entries = alerts_for(event, routes, host_name, ids);
        match concern(event.kind) {
            Concern::Fires(_) => {
                entries.retain(|entry| {
                    let is_news = self.is_news(entry, event, routes);
                    if !is_news {
                        self.fires_on(entry, event.kind);
                    }
                    is_news
                });
                for entry in &mut entries {
                    if self.was_told(entry).is_some() && part(event.kind) != Part::OfItsOwn {
                        entry.alert.labels.push(update_label());
                    }
                }
                for entry in &mut entries {
                    entry.follows = self.fired(entry, event);
                }
            }
            Concern::Ends | Concern::Tells => self.ended(event, host_name, ids, &mut entries),
        }
        if event.kind == EventKind::HostStarted {
            self.all_were_before();
        }
        entries
    }

    /// The messages that what was told of is over, for this config, which is used since this event, does not name any
    /// more what it was of.
    pub fn taken_away(
        &mut self,
        event: &Event,
        spec: &Spec,
        ids: &mut IdSource,
    ) -> Vec<OutboxEntry> {
        let mut entries = Vec::new();
        for (key, of_key) in &mut self.told {
            let mut kinds = of_key.by.values().flat_map(|told| told.kinds.keys());
            let Some(why) = kinds.find_map(|kind| of_key.why_gone(*kind, spec)) else {
                continue;
            };
            let about = of_key.clone();
            let over = of_key.take(|kind, _| about.why_gone(kind, spec).is_some());
            let Some(severity) = over.iter().map(|(_, severity)| *severity).max() else {
                continue;
            };
            let mut gone = Event::new(event.kind, severity.max(event.severity), event.at, why);
            gone.target = about.target;
            gone.job = about.job;
            let mut alert = alert_of(&gone, &spec.host.name, ids);
            alert.dedup_key.clone_from(key);
            alert.status = AlertStatus::Resolved;
            alert.title = text::title_of(&gone, &spec.host.name, GONE);
            let entry =
                |(alerter, _): (PluginName, Severity)| OutboxEntry::new(alert.clone(), alerter);
            entries.extend(over.into_iter().map(entry));
        }
        self.told.retain(|_, of_key| !of_key.by.is_empty());
        entries
    }

    /// Whether it is to be sent to this alerter. One incident fires once for each; what follows with the same key is an
    /// update, and is one where it is worse than was told, or changes what people have to do.
    fn is_news(&self, entry: &OutboxEntry, event: &Event, routes: &[AlertRoute]) -> bool {
        let Some(told) = self.was_told(entry) else {
            return true;
        };
        let is_worse = entry.alert.severity > told.severity;
        // Each operation that waits asks for a decision of its own.
        let is_another_question = event.kind == EventKind::OperationAwaitingManual;
        let is_repeated = told.kinds.contains_key(&event.kind) && !is_another_question;
        match part(event.kind) {
            _ if is_named(routes, &entry.alerter, event) => true,
            Part::OfAnIncident { asks } => is_worse || (asks && !is_repeated),
            Part::OfItsOwn => {
                let told_before = told.kinds.get(&event.kind);
                !told_before.is_some_and(|fault| fault.is_said_again(event))
            }
        }
    }

    /// What this alerter was told with the same key, and not of its end.
    fn was_told(&self, entry: &OutboxEntry) -> Option<&Told> {
        let of_key = self.told.get(&entry.alert.dedup_key)?;
        of_key.by.get(&entry.alerter)
    }

    /// Whether this alerter was told of something with its key before, which is not over.
    fn fired(&mut self, entry: &OutboxEntry, event: &Event) -> bool {
        let key = &entry.alert.dedup_key;
        let fault = Fault::told(event, &entry.alert, self.is_of_before(event.kind));
        if self.told.len() >= MOST && !self.told.contains_key(key) {
            return false;
        }
        let of_key = self.told.entry(key.clone());
        let of_key = of_key.or_insert_with(|| OpenKey::about(event));
        let severity = entry.alert.severity;
        let told = of_key.by.entry(entry.alerter.clone());
        let told = told.or_insert_with(|| Told {
            kinds: BTreeMap::new(),
            severity,
        });
        told.severity = told.severity.max(severity);
        let follows = !told.kinds.is_empty();
        told.kinds.insert(event.kind, fault);
        follows
    }

    /// It is wrong still, and this alerter is not told again.
    fn fires_on(&mut self, entry: &OutboxEntry, kind: EventKind) {
        let before = self.is_of_before(kind);
        let of_key = self.told.get_mut(&entry.alert.dedup_key);
        let told = of_key.and_then(|of_key| of_key.by.get_mut(&entry.alerter));
        if let Some(fault) = told.and_then(|told| told.kinds.get_mut(&kind)) {
            fault.before = before;
        }
    }

    /// Whether what fires now is of a daemon before. What it sets aside and refuses a daemon tells before that it has started.
    fn is_of_before(&self, kind: EventKind) -> bool {
        self.is_replay && !matches!(kind, EventKind::RecordSetAside | EventKind::PluginRejected)
    }

    /// Adds that what this event ends is over.
    fn ended(
        &mut self,
        event: &Event,
        host_name: &str,
        ids: &mut IdSource,
        entries: &mut Vec<OutboxEntry>,
    ) {
        self.note_lost(event);
        if let EventData::AlertQueued(facts) = &event.data
            && let Some(key) = &facts.resolves
        {
            self.was_taken_away(key, &facts.alerter);
            return;
        }
        let keys: Vec<String> = match event.kind {
            EventKind::HostStarted => self.told.keys().cloned().collect(),
            _ => dedup_keys(event, host_name),
        };
        for key in keys {
            let Some(of_key) = self.told.get_mut(&key) else {
                continue;
            };
            let over = of_key.take(|kind, fault| {
                let is_own = event.kind == EventKind::HostStarted && !fault.before;
                !is_own && ends(event, kind) && fault.may_end_by(event)
            });
            for entry in entries.iter_mut() {
                if says_so(entry, &entry.alerter, &key) && of_key.by.contains_key(&entry.alerter) {
                    // It is news, and something else is still wrong.
                    entry.alert.status = AlertStatus::Firing;
                }
            }
            if of_key.by.is_empty() {
                self.told.remove(&key);
            }
            let severity = over.iter().map(|(_, severity)| *severity).max();
            let to: Vec<PluginName> = over
                .into_iter()
                .map(|(alerter, _)| alerter)
                .filter(|alerter| !entries.iter().any(|entry| says_so(entry, alerter, &key)))
                .collect();
            if to.is_empty() {
                continue;
            }
            // Who passes over what is less severe than the fault must not pass over its end, and its words say the same.
            let mut end = event.clone();
            end.severity = severity.unwrap_or(event.severity).max(event.severity);
            let mut alert = alert_of(&end, host_name, ids);
            alert.dedup_key = key;
            alert.status = AlertStatus::Resolved;
            let entry = |alerter| OutboxEntry::new(alert.clone(), alerter);
            entries.extend(to.into_iter().map(entry));
        }
    }

    /// An earlier daemon told this alerter that it is over, as no event says.
    fn was_taken_away(&mut self, key: &str, alerter: &PluginName) {
        let Some(of_key) = self.told.get_mut(key) else {
            return;
        };
        of_key.by.remove(alerter);
        if of_key.by.is_empty() {
            self.told.remove(key);
        }
    }

    fn all_were_before(&mut self) {
        let told = self
            .told
            .values_mut()
            .flat_map(|of_key| of_key.by.values_mut());
        told.flat_map(|told| told.kinds.values_mut())
            .for_each(|fault| fault.before = true);
    }
}

/// Says that a message is an update of what its receiver was told, and no new page.
pub(super) fn update_label() -> (String, String) {
    ("update".to_owned(), "true".to_owned())
}

fn says_so(entry: &OutboxEntry, alerter: &PluginName, key: &str) -> bool {
    let alert = &entry.alert;
    entry.alerter == *alerter && alert.dedup_key == key && alert.status == AlertStatus::Resolved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alert::GroupPart,
        event::{
            BackupFellOver, BackupMoved, BackupTaken, EventData, PluginRejected, PluginWithdrawn,
        },
        id::BackupId,
        name::TierName,
        time::Timestamp,
    };
    use semver::VersionReq;

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

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

    fn of_job(kind: EventKind, severity: Severity) -> Event {
        Event::new(kind, severity, AT, "x").with_job(&JobName::parse("state").unwrap())
    }

    fn taken() -> Event {
        of_job(EventKind::BackupVerified, Severity::Low).with_data(BackupTaken {
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

    /// What the daemons before left open, by the events that they wrote.
    fn replayed(events: &[Event], routes: &[AlertRoute], host_name: &str) -> OpenAlerts {
        let mut open = OpenAlerts::default();
        open.replay(events, routes, host_name);
        open.replay_ended();
        open
    }

    /// What is sent of these events, in order: `STATUS SEVERITY KEY to ALERTER`.
    fn sent(open: &mut OpenAlerts, routes: &[AlertRoute], events: &[Event]) -> Vec<String> {
        let mut ids = IdSource::new(1);
        let mut all = Vec::new();
        for event in events {
            all.extend(open.alerts_for(event, routes, "db1", &mut ids));
        }
        let line = |entry: OutboxEntry| {
            let OutboxEntry { alert, alerter, .. } = entry;
            let status = match alert.status {
                AlertStatus::Firing => "firing",
                AlertStatus::Resolved => "resolved",
            };
            format!(
                "{status} {} {} to {alerter}",
                alert.severity, alert.dedup_key
            )
        };
        all.into_iter().map(line).collect()
    }

    #[test]
    fn who_was_told_of_a_fault_is_told_of_its_end_once_and_nobody_else() {
        let routes = [
            route("page", Severity::High, &[]),
            route("mail", Severity::Low, &[EventKind::BackupFailed]),
            route("log", Severity::Low, &[EventKind::ConfigApplied]),
        ];
        let failed = || of_job(EventKind::BackupFailed, Severity::High);
        let read_again = of_job(EventKind::BackupVerified, Severity::Low);
        let events = [taken(), failed(), failed(), read_again, taken(), taken()];
        let key = "high db1/backup/state to";
        assert_eq!(
            sent(&mut OpenAlerts::default(), &routes, &events),
            [
                format!("firing {key} page"),
                format!("firing {key} mail"),
                format!("firing {key} mail"),
                format!("resolved {key} mail"),
                format!("resolved {key} page"),
            ]
        );
    }

    #[test]
    fn an_emergency_backup_ends_nothing_that_was_told_of_the_job() {
        let routes = [route("page", Severity::High, &[])];
        let job = JobName::parse("state").unwrap();
        let of_type = |text: &str| taken().with_backup(&job, &BackupId::parse(text).unwrap());
        let mut open = OpenAlerts::default();
        let failed = of_job(EventKind::BackupFailed, Severity::High);
        let emergency = of_type("eme-01K0000000000000000000000A");
        assert_eq!(
            sent(&mut open, &routes, &[failed, emergency]),
            ["firing high db1/backup/state to page"]
        );
        let full = of_type("ful-01K0000000000000000000000B");
        assert_eq!(
            sent(&mut open, &routes, &[full]),
            ["resolved high db1/backup/state to page"]
        );
    }

    #[test]
    fn what_is_suspicious_is_over_when_it_is_deleted_and_not_when_another_is() {
        let routes = [route("page", Severity::High, &[])];
        let job = JobName::parse("state").unwrap();
        let about = |kind: EventKind, severity: Severity, backup: &str| {
            of_job(kind, severity).with_backup(&job, &BackupId::parse(backup).unwrap())
        };
        let [full, added] = [
            "ful-01K0000000000000000000000A",
            "add-01K0000000000000000000000B",
        ];
        let mut open = OpenAlerts::default();
        let suspicious = about(EventKind::BackupSuspicious, Severity::High, full);
        let trashed = |backup: &str| about(EventKind::BackupTrashed, Severity::Low, backup);
        assert_eq!(
            sent(&mut open, &routes, &[suspicious, trashed(added)]),
            ["firing high db1/backup/state to page"]
        );
        assert_eq!(
            sent(&mut open, &routes, &[trashed(full)]),
            ["resolved high db1/backup/state to page"]
        );
    }

    #[test]
    fn that_a_tier_did_not_take_a_backup_is_over_when_it_or_one_before_it_does() {
        let routes = [route("page", Severity::High, &[])];
        let tier = |name: &str| TierName::parse(name).unwrap();
        let fell_over = || {
            let tier = tier("nas");
            of_job(EventKind::BackupFellOver, Severity::High).with_data(BackupFellOver {
                tier,
                moving: false,
            })
        };
        let taken_by = |tiers: &[&str], incomplete: bool| match taken().data {
            EventData::BackupTaken(facts) => taken().with_data(BackupTaken {
                tiers: tiers.iter().map(|name| tier(name)).collect(),
                incomplete,
                ..facts
            }),
            data => panic!("{data:?}"),
        };
        let mut open = OpenAlerts::default();
        let elsewhere = [fell_over(), taken(), taken_by(&["local"], false)];
        assert_eq!(
            sent(&mut open, &routes, &elsewhere),
            ["firing high db1/backup/state/nas to page"]
        );
        let over = ["resolved high db1/backup/state/nas to page"];
        for tiers in [&["nas", "local"][..], &["first", "nas", "local"]] {
            for incomplete in [false, true] {
                let mut open = open.clone();
                let again = taken_by(tiers, incomplete);
                assert_eq!(sent(&mut open, &routes, &[again]), over);
                assert!(!open.has(EventKind::BackupFellOver));
            }
        }
        let moved_to = |name: &str| {
            of_job(EventKind::BackupMoved, Severity::Low).with_data(BackupMoved {
                from: tier("local"),
                tier: tier(name),
                by: None,
                note: None,
            })
        };
        let moved = [moved_to("cold"), moved_to("nas")];
        assert_eq!(sent(&mut open, &routes, &moved), over);
    }

    #[test]
    fn an_incomplete_backup_ends_nothing_that_was_told_of_the_job() {
        let routes = [route("page", Severity::High, &[])];
        let incomplete = match taken().data {
            EventData::BackupTaken(facts) => taken().with_data(BackupTaken {
                incomplete: true,
                ..facts
            }),
            data => panic!("{data:?}"),
        };
        let missed = of_job(EventKind::BackupRpoMissed, Severity::High);
        assert_eq!(
            sent(&mut OpenAlerts::default(), &routes, &[missed, incomplete]),
            ["firing high db1/backup/state to page"]
        );
    }

    #[test]
    fn the_end_of_a_fault_says_one_severity_in_its_words_and_to_programs() {
        let routes = [route("page", Severity::Low, &[])];
        let mut open = OpenAlerts::default();
        let mut ids = IdSource::new(1);
        let failed = of_job(EventKind::BackupFailed, Severity::High);
        drop(open.alerts_for(&failed, &routes, "db1", &mut ids));
        let over = open
            .alerts_for(&taken(), &routes, "db1", &mut ids)
            .remove(0);
        assert_eq!(over.alert.severity, Severity::High);
        let body = over.alert.body;
        assert!(body.contains(" on db1, high, at "), "{body}");
    }

    #[test]
    fn a_missed_objective_is_over_with_the_next_backup_that_is_verified() {
        let routes = [route("page", Severity::Low, &[])];
        let missed = of_job(EventKind::BackupRpoMissed, Severity::High);
        let job = JobName::parse("state").unwrap();
        let left = [
            of_job(EventKind::BackupFailed, Severity::High),
            missed.clone(),
        ];
        let open = replayed(&left, &routes, "db1");
        assert_eq!(open.jobs_with(EventKind::BackupRpoMissed), [job]);
        assert!(open.jobs_with(EventKind::DrillFailed).is_empty());
        let open = replayed(&[missed.clone(), taken()], &routes, "db1");
        assert!(open.jobs_with(EventKind::BackupRpoMissed).is_empty());
        assert_eq!(
            sent(&mut OpenAlerts::default(), &routes, &[missed, taken()]),
            [
                "firing high db1/backup/state to page",
                "resolved high db1/backup/state to page",
            ]
        );
    }

    #[test]
    fn another_jobs_backup_and_another_targets_calm_end_nothing() {
        let routes = [route("page", Severity::Low, &[])];
        let of = |kind, target: &str| {
            Event::new(kind, Severity::High, AT, "x")
                .with_target(&TargetName::parse(target).unwrap())
        };
        let events = [
            of(EventKind::CircuitFlapping, "a"),
            of(EventKind::CircuitSteady, "b"),
            of(EventKind::CircuitClosed, "a"),
        ];
        let mut open = OpenAlerts::default();
        assert_eq!(
            sent(&mut open, &routes, &events),
            ["firing high db1/circuit/a to page"]
        );
        assert_eq!(
            sent(&mut open, &routes, &[of(EventKind::CircuitSteady, "a")]),
            ["resolved high db1/circuit/a to page"]
        );
    }

    #[test]
    fn what_the_daemon_before_left_open_is_told_to_be_over_by_this_one() {
        let routes = [route("page", Severity::Low, &[])];
        let of_host = |kind| Event::new(kind, Severity::High, AT, "x");
        let started = of_host(EventKind::HostStarted);
        let (refused, aside) = (
            of_host(EventKind::ConfigRejected),
            of_host(EventKind::RecordSetAside),
        );
        let failed = of_job(EventKind::BackupFailed, Severity::High);
        let left = [started.clone(), failed, refused.clone()];
        let mut open = replayed(&left, &routes, "db1");
        assert!(open.has(EventKind::ConfigRejected) && !open.has(EventKind::JournalFull));
        assert_eq!(
            sent(
                &mut open,
                &routes,
                &[aside.clone(), started.clone(), taken()]
            ),
            [
                "firing high db1/record to page",
                "resolved high db1/config to page",
                "resolved high db1/backup/state to page",
            ],
            "what this one set aside is not over with its own start"
        );
        let left = [started.clone(), refused, aside, started.clone()];
        let mut open = replayed(&left, &routes, "db1");
        assert!(!open.has(EventKind::ConfigRejected), "it was told then");
        assert_eq!(
            sent(&mut open, &routes, &[started]),
            ["resolved high db1/record to page"]
        );
    }

    #[test]
    fn a_start_is_news_to_who_asks_for_it_and_an_end_to_who_was_told_of_a_fault() {
        let routes = [
            route("page", Severity::Low, &[]),
            route("log", Severity::Low, &[EventKind::HostStarted]),
        ];
        let of_host = |kind| Event::new(kind, Severity::High, AT, "x");
        let mut open = replayed(&[of_host(EventKind::ConfigRejected)], &routes, "db1");
        let started = of_host(EventKind::HostStarted);
        let told = open.alerts_for(&started, &routes, "db1", &mut IdSource::new(1));
        let found: Vec<(&str, AlertStatus, bool)> = told
            .iter()
            .map(|OutboxEntry { alert, alerter, .. }| {
                let is_news = alert.labels.iter().any(|(name, _)| name == "news");
                (alerter.as_str(), alert.status, is_news)
            })
            .collect();
        let expected = [
            ("log", AlertStatus::Firing, true),
            ("page", AlertStatus::Resolved, false),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_end_that_a_route_asks_for_itself_is_sent_once() {
        let routes = [
            route("page", Severity::Low, &[]),
            route("page", Severity::Low, &[EventKind::PluginServing]),
        ];
        let of = |kind| Event::new(kind, Severity::High, AT, "x").with_plugin("hook@1.0.0");
        let events = [
            of(EventKind::PluginQuarantined),
            of(EventKind::PluginServing),
            of(EventKind::PluginReleased),
        ];
        let key = "high db1/plugin/hook to page";
        assert_eq!(
            sent(&mut OpenAlerts::default(), &routes, &events),
            [
                format!("firing {key}"),
                format!("resolved {key}"),
                format!("resolved {key}"),
            ],
            "the last is an alert by default"
        );
    }

    #[test]
    fn of_two_faults_with_one_key_the_end_of_one_is_not_the_end_of_the_other() {
        let routes = [route(
            "page",
            Severity::Low,
            &[EventKind::CircuitOpened, EventKind::CircuitFlapping],
        )];
        let of = |kind| {
            Event::new(kind, Severity::High, AT, "x").with_target(&TargetName::parse("a").unwrap())
        };
        let events = [
            of(EventKind::CircuitFlapping),
            of(EventKind::CircuitOpened),
            of(EventKind::CircuitClosed),
            of(EventKind::CircuitSteady),
        ];
        let key = "high db1/circuit/a to page";
        assert_eq!(
            sent(&mut OpenAlerts::default(), &routes, &events),
            [
                format!("firing {key}"),
                format!("firing {key}"),
                format!("resolved {key}"),
            ]
        );
        let mut open = OpenAlerts::default();
        sent(&mut open, &routes, &events[..3]);
        assert!(open.has(EventKind::CircuitFlapping));
        assert!(!open.has(EventKind::CircuitOpened));
    }

    #[test]
    fn an_end_that_is_an_alert_itself_resolves_nothing_while_something_else_is_wrong() {
        let routes = [route("page", Severity::Low, &[])];
        let of = |kind| Event::new(kind, Severity::High, AT, "x").with_plugin("hook@1.0.0");
        let events = [
            of(EventKind::PluginRejected),
            of(EventKind::PluginQuarantined),
            of(EventKind::PluginReleased),
        ];
        let key = "high db1/plugin/hook to page";
        assert_eq!(
            sent(&mut OpenAlerts::default(), &routes, &events),
            vec![format!("firing {key}"); 3]
        );
    }

    #[test]
    fn a_refused_file_that_is_gone_is_told_to_be_over_also_where_no_daemon_saw_it_go() {
        let routes = [route("page", Severity::Low, &[])];
        let of = |kind| Event::new(kind, Severity::High, AT, "x");
        let file = || "bad.wasm".to_owned();
        let rejected = of(EventKind::PluginRejected).with_data(PluginRejected {
            file: file(),
            reason: "it is no component".to_owned(),
        });
        let withdrawn = of(EventKind::PluginWithdrawn).with_data(PluginWithdrawn { file: file() });
        let started = of(EventKind::HostStarted);
        let key = "high db1/plugin/bad.wasm to page";
        let mut open = OpenAlerts::default();
        assert_eq!(
            sent(&mut open, &routes, &[rejected.clone(), withdrawn]),
            [format!("firing {key}"), format!("resolved {key}")]
        );
        // It is still there when the next daemon looks, and then it is not.
        let left = [started.clone(), rejected.clone()];
        let mut open = replayed(&left, &routes, "db1");
        let later = Event {
            at: AT + window::WINDOW,
            ..rejected.clone()
        };
        assert_eq!(
            sent(&mut open, &routes, &[later, started.clone()]),
            [format!("firing {key}")]
        );
        let left = [started.clone(), rejected.clone(), rejected, started.clone()];
        let mut open = replayed(&left, &routes, "db1");
        assert_eq!(
            sent(&mut open, &routes, &[started]),
            [format!("resolved {key}")]
        );
    }

    /// Of `redis-down` of `cache`, as the corpus has it.
    fn of_incident(kind: EventKind, severity: Severity) -> Event {
        let mut events = crate::event::tests::examples();
        events.retain(|event| event.kind == kind && !event.data.is_dry_run());
        let mut event = events.remove(0);
        if let EventData::OperationEnded(facts) = &mut event.data {
            facts.unproved = false;
            facts.again = false;
        }
        event.severity = severity;
        event
    }

    #[test]
    fn an_incident_pages_once_and_what_follows_is_an_update_where_it_is_worse_or_asks_for_people() {
        use EventKind as K;
        let routes = [
            route("page", Severity::Low, &[]),
            route("boss", Severity::Critical, &[]),
            route("log", Severity::Low, &[K::OperationFailed]),
        ];
        let mut open = OpenAlerts::default();
        let mut tell = |kind, severity| {
            let sent = sent(&mut open, &routes, &[of_incident(kind, severity)]);
            let short = |line: String| {
                let words: Vec<&str> = line.split(' ').collect();
                format!("{} {}", words[0], words[words.len() - 1])
            };
            sent.into_iter().map(short).collect::<Vec<_>>()
        };
        let nobody: [&str; 0] = [];
        assert_eq!(tell(K::IncidentOpened, Severity::High), ["firing page"]);
        assert_eq!(tell(K::OperationFailed, Severity::High), ["firing log"]);
        assert_eq!(tell(K::OperationFailed, Severity::High), ["firing log"]);
        assert_eq!(tell(K::OperationPartial, Severity::High), nobody);
        assert_eq!(tell(K::OperationEscalated, Severity::High), ["firing page"]);
        assert_eq!(tell(K::OperationEscalated, Severity::High), nobody);
        // Who approved one that did not help is asked about the next.
        for _ in 0..2 {
            let asked = tell(K::OperationAwaitingManual, Severity::High);
            assert_eq!(asked, ["firing page"]);
        }
        assert_eq!(tell(K::RtoExceeded, Severity::High), ["firing page"]);
        assert_eq!(tell(K::RtoExceeded, Severity::High), nobody);
        let worse = tell(K::IncidentWorsened, Severity::Critical);
        assert_eq!(worse, ["firing page", "firing boss"]);
        assert_eq!(tell(K::IncidentWorsened, Severity::Critical), nobody);
        let mut over = tell(K::OperationSucceeded, Severity::Critical);
        over.sort();
        assert_eq!(over, ["resolved boss", "resolved log", "resolved page"]);
        assert_eq!(tell(K::IncidentOpened, Severity::Low), ["firing page"]);
    }

    #[test]
    fn a_member_of_a_group_of_which_nothing_is_open_is_forgotten() {
        let routes = [route("page", Severity::Low, &[])];
        let failed = of_job(EventKind::BackupFailed, Severity::High);
        let mut open = OpenAlerts::default();
        let mut ids = IdSource::new(1);
        let waits = open.alerts_for(&failed, &routes, "db1", &mut ids);
        let mut member = waits.clone();
        member[0].part_of = Some(GroupPart {
            group: "db1/alerts".to_owned(),
            severity: Severity::High,
        });
        assert!(open.forgotten(&member).is_empty());
        open.alerts_for(&taken(), &routes, "db1", &mut ids);
        let key = member[0].alert.dedup_key.clone();
        assert_eq!(open.forgotten(&member), [(member[0].alerter.clone(), key)]);
        assert!(open.forgotten(&waits).is_empty(), "it is told as itself");
    }

    #[test]
    fn an_update_says_that_it_is_one() {
        let routes = [route("page", Severity::Low, &[])];
        let mut open = OpenAlerts::default();
        let mut ids = IdSource::new(1);
        let mut is_update = |kind| {
            let event = of_incident(kind, Severity::High);
            let entry = open.alerts_for(&event, &routes, "db1", &mut ids).remove(0);
            entry.alert.labels.contains(&update_label())
        };
        assert!(!is_update(EventKind::IncidentOpened));
        assert!(is_update(EventKind::OperationEscalated));
        assert!(!is_update(EventKind::OperationSucceeded));
        assert!(!is_update(EventKind::IncidentOpened));
    }

    #[test]
    fn an_unproved_success_ends_nothing() {
        let routes = [route("page", Severity::Low, &[EventKind::IncidentOpened])];
        let mut events = crate::event::tests::examples();
        events.retain(|event| match event.kind {
            EventKind::IncidentOpened => true,
            EventKind::OperationSucceeded => !event.data.is_dry_run(),
            _ => false,
        });
        for event in &mut events {
            if let EventData::OperationEnded(facts) = &mut event.data {
                facts.unproved = true;
            }
        }
        let sent = sent(&mut OpenAlerts::default(), &routes, &events);
        assert!(!sent.is_empty());
        assert!(
            sent.iter().all(|line| line.starts_with("firing")),
            "{sent:?}"
        );
    }
}
