//! What is said of every kind of event in every state: what happened, what the host did, what to do next.

use super::*;
use crate::{
    alert::{
        concern::{Concern, concern},
        is_alert_by_default, never_alerts,
    },
    event::{
        AfterEscalation, BackupSuspected, EventData, EventKind, IncidentEnd, OperationEnded,
        OperationEscalated, tests::examples,
    },
    id::BackupId,
    name::PluginName,
};
use std::collections::BTreeMap;

/// An event of a kind as the corpus has it, with data that `change` has changed.
fn event(kind: EventKind, change: impl FnOnce(&mut EventData)) -> Event {
    let mut of_kind = examples();
    of_kind.retain(|event| event.kind == kind && !event.data.is_dry_run());
    let mut event = of_kind.remove(0);
    change(&mut event.data);
    event
}

/// All that is said of it, in one line.
fn said(event: &Event) -> String {
    let parts = [
        headline(event).to_owned(),
        actions_taken(event),
        next_step(event),
    ];
    parts.join(" | ")
}

fn check(kind: EventKind, change: impl FnOnce(&mut EventData), expected: &str) {
    let event = event(kind, change);
    assert_eq!(said(&event), expected, "{kind}: {:?}", event.data);
}

/// Nothing but its kind is changed of the first example.
fn as_it_is(_: &mut EventData) {}

fn end(change: impl FnOnce(&mut OperationEnded)) -> impl FnOnce(&mut EventData) {
    |data| match data {
        EventData::OperationEnded(facts) => {
            facts.outcome.actions.clear();
            facts.outcome.attempts = 2;
            change(facts);
        }
        other => panic!("{other:?}"),
    }
}

fn escalation(then: AfterEscalation) -> impl FnOnce(&mut EventData) {
    move |data| match data {
        EventData::OperationEscalated(OperationEscalated { then: found, .. }) => *found = then,
        other => panic!("{other:?}"),
    }
}

fn close(how: IncidentEnd, attempts: u32) -> impl FnOnce(&mut EventData) {
    move |data| match data {
        EventData::IncidentClosed(facts) => {
            facts.how = how;
            facts.attempts = attempts;
        }
        other => panic!("{other:?}"),
    }
}

fn plugin(name: &str) -> Option<PluginName> {
    Some(PluginName::parse(name).unwrap())
}

const ID: &str = "op-01K0000000000000000000000A";

#[test]
fn what_is_said_of_an_incident_is_true_wherever_it_stands() {
    use EventKind as K;
    check(
        K::IncidentOpened,
        as_it_is,
        "it is failing | it opened an incident and looks for a route that recovers it | nothing yet; if no recovery \
         follows, look at `mainstay status`",
    );
    let asked_for = |data: &mut EventData| match data {
        EventData::IncidentOpened(facts) => facts.asked_for = true,
        other => panic!("{other:?}"),
    };
    check(
        K::IncidentOpened,
        asked_for,
        "its recovery was asked for | it opened an incident, and recovers it as its route says | nothing yet; if no \
         recovery follows, look at `mainstay status`",
    );
    let goes_on =
        "look at `mainstay status`, which shows what the host does about it, or what it waits for";
    check(
        K::IncidentWorsened,
        as_it_is,
        &format!("it is worse than it was | it goes on with the same incident | {goes_on}"),
    );
    let take_on = "say that you take it on: `mainstay ack inc-01K0000000000000000000000B`; `mainstay incident show \
                   inc-01K0000000000000000000000B` says what was seen";
    let lasts = "it goes on with the same incident; `mainstay status` shows what it does, or what it waits for";
    check(
        K::IncidentOverdue,
        as_it_is,
        &format!("it is not recovered yet | {lasts}; attempts: 2 | {take_on}"),
    );
    check(
        K::IncidentUnacknowledged,
        as_it_is,
        &format!("nobody has taken it on | {lasts} | {take_on}"),
    );
    check(
        K::IncidentAcknowledged,
        as_it_is,
        "a person takes it on | it tells nobody else that nobody has taken it on | nothing",
    );
    let overdue = event(K::IncidentOverdue, as_it_is);
    assert!(
        body(&overdue, "db1")
            .contains("Runbook, step 1: assess the situation\nRunbook, step 2: contact support\n"),
        "{}",
        body(&overdue, "db1")
    );
    let exceeded = event(K::RtoExceeded, as_it_is);
    assert!(
        said(&exceeded).starts_with(
            "its recovery takes longer than it may | it goes on with the same incident; `mainstay status` shows how"
        ),
        "{}",
        said(&exceeded)
    );
    for (how, attempts, expected) in [
        (
            IncidentEnd::Recovered,
            1,
            "it is over | it tried to recover it, and the failure is over; attempts: 1 | nothing",
        ),
        (
            IncidentEnd::ByItself,
            0,
            "it is over | nothing more; the failure is over | nothing",
        ),
        (
            IncidentEnd::ByItself,
            2,
            "it is over | it tried to recover it, and the failure is over; attempts: 2 | nothing",
        ),
        (
            IncidentEnd::Lasting,
            0,
            "it is over | nothing more; it has not come back since | nothing",
        ),
        (
            IncidentEnd::Unseen,
            0,
            "its recovery is over | nothing more, for no check sees this failure | nothing",
        ),
        (
            IncidentEnd::Removed,
            0,
            "it is no longer in the config | it let go of it, for it is no longer in the config | nothing",
        ),
    ] {
        check(K::IncidentClosed, close(how, attempts), expected);
    }
    let stopped = |data: &mut EventData| match data {
        EventData::IncidentClosed(facts) => {
            facts.how = IncidentEnd::Unseen;
            facts.stopped = Some("stopped by ann".to_owned());
        }
        other => panic!("{other:?}"),
    };
    check(
        K::IncidentClosed,
        stopped,
        "it is over | nothing more, for a person keeps it stopped; attempts: 1 | nothing",
    );
}

#[test]
fn what_is_said_of_a_recovery_is_true_whatever_its_handlers_did() {
    use EventKind as K;
    check(
        K::OperationSucceeded,
        end(|facts| {
            facts.outcome.handler = plugin("fix");
            facts.outcome.acted_by = plugin("fix");
        }),
        "it is recovered | fix recovered it, and the failure is over; attempts: 2 | nothing",
    );
    check(
        K::OperationSucceeded,
        end(|facts| {
            facts.outcome.handler = plugin("fix");
            facts.outcome.acted_by = None;
        }),
        "it is over | the failure is over; fix did nothing; attempts: 2 | nothing",
    );
    check(
        K::OperationSucceeded,
        end(|facts| {
            facts.outcome.handler = None;
            facts.outcome.acted_by = None;
        }),
        "it is recovered | the failure is over; attempts: 2 | nothing",
    );
    let again = format!(
        "`mainstay operation show {ID}` says what became of it; repair it by hand; to try again: `mainstay recover cache \
         --failure redis-down`"
    );
    let tried = "it tried what the route says; `mainstay status` shows what follows; attempts: 2";
    check(
        K::OperationPartial,
        end(|_| {}),
        &format!("its recovery was done, and it is not seen to be healthy | {tried} | {again}"),
    );
    check(
        K::OperationFailed,
        end(|_| {}),
        &format!("its recovery failed | {tried} | {again}"),
    );
    check(
        K::OperationFailed,
        end(|facts| facts.outcome.attempts = 0),
        &format!("its recovery failed | nothing; `mainstay status` shows what follows | {again}"),
    );
    for (then, did) in [
        (
            AfterEscalation::Round,
            "it goes on in rounds, with waits between them that grow, unless it is paused; it tried what the route says",
        ),
        (
            AfterEscalation::People,
            "nothing more by itself: it is left to people until it is over or taken up again",
        ),
        (AfterEscalation::Route, "nothing, for no route fits it"),
    ] {
        let found = said(&event(K::OperationEscalated, escalation(then)));
        let expected = format!("it needs a person | {did} | ");
        assert!(found.starts_with(&expected), "{found}");
    }
}

#[test]
fn a_page_without_any_handler_says_that_nothing_was_tried_and_why() {
    let missing = || Some("no recovery-handler named `fix` is serving".to_owned());
    let failed = end(|facts| {
        facts.outcome.handler = None;
        facts.outcome.error = missing();
    });
    let found = said(&event(EventKind::OperationFailed, failed));
    assert!(
        found.starts_with(
            "its recovery failed | no handler of its route answered; `mainstay status` shows what follows"
        ),
        "{found}"
    );
    let escalated = |handler: Option<PluginName>, attempts| {
        move |data: &mut EventData| match data {
            EventData::OperationEscalated(facts) => {
                facts.handler = handler;
                facts.attempts = attempts;
                facts.error = missing();
            }
            other => panic!("{other:?}"),
        }
    };
    let page = event(EventKind::OperationEscalated, escalated(None, 0));
    let expected = "it needs a person | nothing, for no handler of its route serves; it tries when one does, unless it is \
                    paused | ";
    assert!(said(&page).starts_with(expected), "{}", said(&page));
    assert!(!said(&page).contains("was tried"), "{}", said(&page));
    let next =
        " | put a handler that its route names into the plugin directory, or repair it by hand; ";
    assert!(said(&page).contains(next), "{}", said(&page));
    let page = event(EventKind::OperationEscalated, escalated(plugin("fix"), 3));
    assert!(said(&page).contains("; attempts: 3 | "), "{}", said(&page));
    let body = body(&page, "db1");
    assert!(body.contains("Why: no recovery-handler named"), "{body}");
}

/// What ends and escalates in the same moment is one message.
#[test]
fn a_reason_is_said_once_however_often_the_messages_have_it() {
    let why = "restart-service: `./ctl.sh start` exited with code 1: cannot start: broken";
    let escalated = |message: String| {
        let mut page = event(EventKind::OperationEscalated, |data| match data {
            EventData::OperationEscalated(facts) => facts.error = Some(why.to_owned()),
            other => panic!("{other:?}"),
        });
        page.message = message;
        body(&page, "db1")
    };
    let both = escalated(format!(
        "recovery of web from down failed after 1 s: {why}; recovery of web from down did not help: {why}"
    ));
    let what = "What happened: recovery of web from down failed after 1 s; recovery of web from down did not help\n";
    assert!(both.starts_with(&format!("{what}Why: {why}\n")), "{both}");
    for message in [why.to_owned(), format!("it saw ({why}) twice")] {
        let said = escalated(message.clone());
        assert!(
            said.starts_with(&format!("What happened: {message}\n")),
            "{said}"
        );
        assert_eq!(said.matches(why).count(), 1, "{said}");
    }
    let elsewhere = escalated("it did not help".to_owned());
    assert!(elsewhere.contains(&format!("Why: {why}\n")), "{elsewhere}");
}

#[test]
fn what_has_a_line_of_its_own_is_not_said_in_what_happened() {
    let said = |kind, message: String, change: fn(&mut EventData)| {
        let mut event = event(kind, change);
        event.message = message;
        body(&event, "db1")
    };
    let asks = "`mainstay approve op-1`, or `mainstay reject op-1` [MS-0401]";
    let waits = said(
        EventKind::OperationAwaitingManual,
        format!(
            "recovery of web from down waits for a person; first: look at the disk; free some of it: {asks}"
        ),
        |data| match data {
            EventData::OperationAwaitingManual(facts) => {
                facts.error = None;
                facts.steps = vec!["look at the disk".to_owned(), "free some of it".to_owned()];
            }
            other => panic!("{other:?}"),
        },
    );
    let what = "What happened: recovery of web from down waits for a person\nTo what: ";
    assert!(waits.starts_with(what), "{waits}");
    for step in ["1: look at the disk", "2: free some of it"] {
        let line = format!("\nTo be done first, step {step}\n");
        assert!(waits.contains(&line), "{waits}");
    }
    let doubtful = said(
        EventKind::OperationAwaitingManual,
        "recovery of web from down waits for a person: an effect is in doubt: `mainstay operation resolve op-1 3 --happened`, \
         or `--did-not`, or `mainstay reject op-1`"
            .to_owned(),
        |data| match data {
            EventData::OperationAwaitingManual(facts) => {
                facts.error = Some("an effect is in doubt".to_owned());
            }
            other => panic!("{other:?}"),
        },
    );
    let what = "What happened: recovery of web from down waits for a person\nWhy: an effect";
    assert!(doubtful.starts_with(what), "{doubtful}");
    let what = "nobody has taken on down of web, 15 min after people were told";
    let alone = said(
        EventKind::IncidentUnacknowledged,
        format!("{what}: `mainstay ack inc-1`"),
        as_it_is,
    );
    assert!(
        alone.starts_with(&format!("What happened: {what}\n")),
        "{alone}"
    );
}

#[test]
fn what_an_alert_is_about_is_named_with_what_it_is() {
    for (kind, expected) in [
        (EventKind::IncidentOpened, "cache on db1"),
        (EventKind::BackupRpoMissed, "job state on db1"),
        (EventKind::AlerterFailing, "plugin webhook on db1"),
        (EventKind::JournalFull, "the host db1"),
    ] {
        let body = body(&event(kind, as_it_is), "db1");
        let line = format!("\nTo what: {expected}, ");
        assert!(body.contains(&line), "{body}");
    }
}

#[test]
fn what_waits_for_a_person_says_how_far_it_came() {
    for (attempts, did) in [
        (0, "nothing yet; it does not go on without you"),
        (2, "it tried; it does not go on without you; attempts: 2"),
    ] {
        let change = |data: &mut EventData| match data {
            EventData::OperationAwaitingManual(facts) => facts.attempts = attempts,
            other => panic!("{other:?}"),
        };
        check(
            EventKind::OperationAwaitingManual,
            change,
            &format!(
                "its recovery waits for your decision | {did} | look at `mainstay operation show {ID}`, then \
                 `mainstay approve {ID}` or `mainstay reject {ID}`"
            ),
        );
    }
}

#[test]
fn what_is_in_doubt_is_said_to_have_happened_or_not_and_not_approved() {
    let change = |data: &mut EventData| match data {
        EventData::OperationAwaitingManual(facts) => {
            facts.attempts = 0;
            facts.doubt = Some(3);
        }
        other => panic!("{other:?}"),
    };
    check(
        EventKind::OperationAwaitingManual,
        change,
        &format!(
            "its recovery waits for your decision | nothing yet; it does not go on without you | find out whether effect 3 happened, \
             then `mainstay operation resolve {ID} 3 --happened` or `--did-not`, or `mainstay reject {ID}`"
        ),
    );
}

/// Of these nothing is said that the state of anything else could make untrue.
#[test]
fn what_is_said_of_everything_else() {
    use EventKind as K;
    for (kind, headline, did) in [
        (
            K::CircuitFlapping,
            "it fails again and again",
            "it spaces further recoveries of this target as their strategy says",
        ),
        (
            K::CircuitSteady,
            "it does not fail again and again any more",
            "nothing",
        ),
        (
            K::AlerterFailing,
            "an alerter does not deliver",
            "it keeps what is to be delivered, and tries again; what was refused for good it does not send again",
        ),
        (
            K::AlerterRecovered,
            "an alerter delivers again",
            "it sends by it again, where a route names it",
        ),
        (
            K::PluginRejected,
            "a plugin was refused",
            "it did not load it; where a version of it served before, that one still does",
        ),
        (
            K::PluginWithdrawn,
            "a refused plugin is gone",
            "nothing; what serves goes on",
        ),
        (
            K::PluginServing,
            "a plugin serves",
            "it calls this version now",
        ),
        (
            K::PluginQuarantined,
            "a plugin is in quarantine",
            "it calls it no more until its rest is over",
        ),
        (
            K::PluginReleased,
            "a plugin is out of quarantine",
            "it calls it again",
        ),
        (
            K::ConfigRejected,
            "a config was refused",
            "it kept the config that it had",
        ),
        (
            K::ConfigApplied,
            "a config was applied",
            "it uses this config now",
        ),
        (
            K::HostStarted,
            "the daemon has started",
            "it read its config and its journal, and is ready",
        ),
        (
            K::BackupFailed,
            "its backup failed",
            "it kept the backups that there are, and goes on as the job's schedules say",
        ),
        (
            K::BackupRpoMissed,
            "its newest backup is too old",
            "it goes on taking backups as the job's schedules say",
        ),
        (
            K::BackupCorrupted,
            "a stored backup is corrupted",
            "it marked the backup, and restores nothing from it",
        ),
        (
            K::BackupVerified,
            "it has a verified backup",
            "it stored it, and read it back",
        ),
        (
            K::RetentionFailed,
            "its retention policy failed",
            "it kept every backup",
        ),
        (
            K::RetentionJudged,
            "its retention policy has judged it",
            "it let go what the policy lets go and the host need not keep",
        ),
        (
            K::DrillFailed,
            "its restore drill failed",
            "it left the stored backups and the sources as they are",
        ),
        (
            K::RollbackFailed,
            "its rollback did not end as it should, and needs a person",
            "it left what it paused as it is; the message says which state is in place",
        ),
        (
            K::RollbackSucceeded,
            "it was rolled back",
            "it put the checkpoint in place, and resumed what it had paused",
        ),
        (
            K::RollbackResumed,
            "what its rollback had paused is resumed",
            "it ran the command that resumes, where the job has one",
        ),
        (
            K::DrillPassed,
            "its restore drill passed",
            "it restored the newest backup into a directory of its own, and compared",
        ),
        (
            K::JournalFull,
            "the state directory cannot be written",
            "it holds in memory what cannot be written, and recovery goes on",
        ),
        (
            K::JournalWritable,
            "the state directory is written again",
            "it wrote all that it held",
        ),
        (
            K::JournalDamaged,
            "the journal is damaged",
            "it goes on with what it could read, and has changed nothing of it",
        ),
        (
            K::RecordSetAside,
            "a record of the journal was set aside",
            "it keeps the record as it was found, and goes on without it",
        ),
        (
            K::MonitorBlind,
            "some checks cannot look",
            "it goes on trying to look; what it cannot see counts neither as a failure nor as a success",
        ),
        (
            K::CharterBroken,
            "the charter is not what the config is pinned to",
            "it begins no recovery and calls no handler; checks and alerts go on",
        ),
        (
            K::CharterWhole,
            "the charter is as it should be again",
            "it begins what waited",
        ),
        (
            K::MonitorSees,
            "all checks look again",
            "it judges what it sees again",
        ),
    ] {
        let found = said(&event(kind, as_it_is));
        let expected = format!("{headline} | {did} | ");
        assert!(found.starts_with(&expected), "{kind}: {found}");
    }
}

#[test]
fn a_backup_of_before_that_is_read_back_is_not_said_to_have_been_stored() {
    type Make = fn(&mut EventData);
    let new: Make = as_it_is;
    let of_before: Make = |data| *data = EventData::Nothing;
    for (change, did) in [
        (new, "it stored it, and read it back"),
        (of_before, "it read it back"),
    ] {
        check(
            EventKind::BackupVerified,
            change,
            &format!("it has a verified backup | {did} | nothing"),
        );
    }
}

#[test]
fn a_suspicious_backup_is_compared_and_accepted_by_whole_commands() {
    type Make = fn(&mut EventData);
    let of_before: Make = as_it_is;
    let of_now: Make = |data| {
        *data = EventData::BackupSuspected(BackupSuspected {
            before: BackupId::parse("ful-01K0000000000000000000000A").unwrap(),
        });
    };
    for (change, look) in [
        (
            of_now,
            "`mainstay backup diff ful-01K0000000000000000000000A ful-01K0000000000000000000000D`",
        ),
        (
            of_before,
            "`mainstay backup list --job state`, and `mainstay backup diff` of the one before and \
             ful-01K0000000000000000000000D",
        ),
    ] {
        check(
            EventKind::BackupSuspicious,
            change,
            &format!(
                "its newest backup lacks what the one before has \
                 | it kept every backup, and restores the one before where none is named \
                 | look whether something is lost: {look}; where it is not, \
                 `mainstay backup accept ful-01K0000000000000000000000D`"
            ),
        );
    }
}

#[test]
fn stored_backups_that_cannot_be_used_are_no_backup_that_failed() {
    let did = "it kept the backups that there are, and goes on as the job's schedules say";
    let mut failed = event(EventKind::BackupFailed, as_it_is);
    assert_eq!(
        said(&failed),
        format!(
            "its backup failed | {did} | mend what the message names, where it names something, then \
             `mainstay backup create state`"
        )
    );
    failed.backup = None;
    assert_eq!(
        said(&failed),
        format!(
            "something is wrong with its stored backups | {did} | mend what the message names; \
             `mainstay backup list --job state` lists what is on record"
        )
    );
}

#[test]
fn a_backup_that_fell_over_is_taken_again_as_one_of_its_type() {
    check(
        EventKind::BackupFellOver,
        |_| (),
        "its backup is not in the tier that it should be in | it stored the backup in the next tier that took it \
         | look at the tier that the message names, then `mainstay backup create state --type full`",
    );
}

#[test]
fn a_backup_that_was_to_be_moved_is_moved_again() {
    check(
        EventKind::BackupFellOver,
        |data| match data {
            EventData::BackupFellOver(facts) => facts.moving = true,
            other => panic!("{other:?}"),
        },
        "its backup is not in the tier that it should be in | it left the backup where it is, and tries again \
         | look at the tier that the message names, then `mainstay backup move ful-01K0000000000000000000000D nas`",
    );
    check(
        EventKind::BackupMoved,
        as_it_is,
        "a backup of it is in another tier now | it copied it there, read it back, and removed it from where it was \
         | nothing",
    );
}

#[test]
fn orders_that_are_lost_are_no_record_of_the_journal() {
    let of_orders = |data: &mut EventData| match data {
        EventData::RecordSetAside(facts) => {
            facts.table = crate::event::RecordSetAside::ORDERS.to_owned();
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        said(&event(EventKind::RecordSetAside, of_orders)),
        "what people had ordered cannot be read \
         | it goes on without it: no target is kept stopped, and no failure that people reported holds \
         | stop again what is to stay stopped, with `mainstay stop TARGET`, and report again what was reported"
    );
}

/// A route may name any kind but those of alerts.
#[test]
fn every_kind_that_a_route_may_name_has_a_headline_of_its_own() {
    let mut headlines: BTreeMap<&str, EventKind> = BTreeMap::new();
    for event in examples() {
        if never_alerts(event.kind) {
            continue;
        }
        let headline = headline(&event);
        assert_ne!(headline, event.kind.as_str());
        assert!(!headline.contains('.'), "{}: {headline}", event.kind);
        let is_of = *headlines.entry(headline).or_insert(event.kind);
        // What two kinds say alike is the same news: that it is over.
        let alike = [EventKind::OperationSucceeded, EventKind::IncidentClosed];
        assert!(
            is_of == event.kind || (alike.contains(&is_of) && alike.contains(&event.kind)),
            "{is_of} and {} both say: {headline}",
            event.kind
        );
    }
}

#[test]
fn every_kind_that_is_an_alert_by_default_has_words_of_its_own() {
    for event in examples() {
        if is_alert_by_default(&event) {
            assert_ne!(headline(&event), event.kind.as_str(), "{}", event.kind);
            assert_ne!(actions_taken(&event), "it recorded it", "{}", event.kind);
            assert_ne!(concern(event.kind), Concern::Tells, "{}", event.kind);
        }
    }
}

#[test]
fn the_last_lines_of_what_failed_are_in_the_body_each_in_a_line_of_its_own() {
    let wrote = |data: &mut EventData| match data {
        EventData::IncidentOpened(facts) => facts.output = Some("starting\nFATAL: no".to_owned()),
        other => panic!("{other:?}"),
    };
    let body = body(&event(EventKind::IncidentOpened, wrote), "db1");
    assert!(
        body.contains("\nIts last lines:\n  starting\n  FATAL: no\nTo what: "),
        "{body}"
    );
    let without = super::body(&event(EventKind::IncidentOpened, as_it_is), "db1");
    assert!(!without.contains("last lines"), "{without}");
}

#[test]
fn what_others_wrote_disturbs_no_terminal_and_begins_no_line_of_the_body() {
    let mut event = event(EventKind::IncidentOpened, as_it_is);
    event.message = "web has odd: \u{1b}[2J\u{202e}no\nWhat to do next: run x".to_owned();
    let body = body(&event, "db1");
    let expected = "What happened: web has odd: \\u{1b}[2J\\u{202e}no\n  What to do next: run x\n";
    assert!(body.starts_with(expected), "{body}");
    (event.target, event.job) = (None, None);
    event.plugin = Some("\u{1b}[2J".to_owned());
    let title = title(&event, "db1");
    assert!(title.starts_with("[db1] \\u{1b}[2J: "), "{title}");
}
