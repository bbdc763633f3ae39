//! Which events have a row, what it says, and that every change of a chain is found.

use super::*;
use crate::{
    event::{NoteAdded, PausedBy, SilenceEnded},
    id::SilenceId,
    name::TargetName,
    severity::Severity,
};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_772_337_600_125);

/// A row as it is stored.
#[derive(Debug, Clone, PartialEq)]
struct Stored {
    number: u64,
    record: String,
    digest: String,
}

fn chained(records: usize) -> (Vec<Stored>, AuditHead) {
    let mut head = AuditHead {
        anchor: "a journal".to_owned(),
        digest: "a journal".to_owned(),
        ..AuditHead::default()
    };
    let mut rows = Vec::new();
    for number in 1..=records as u64 {
        let record = format!("record {number}");
        head.digest = digest(&head.digest, number, &record);
        head.number = number;
        rows.push(Stored {
            number,
            record,
            digest: head.digest.clone(),
        });
    }
    (rows, head)
}

fn faults(rows: &[Stored], head: &AuditHead) -> Vec<AuditFault> {
    let mut chain = Chain::before(head);
    let mut found: Vec<AuditFault> = rows
        .iter()
        .filter_map(|row| chain.pass(row.number, &row.record, &row.digest))
        .collect();
    found.extend(chain.end(head));
    found
}

#[test]
fn a_chain_as_it_was_written_has_no_fault_also_after_its_beginning_was_forgotten() {
    for length in [0, 1, 2, 9] {
        let (rows, head) = chained(length);
        assert!(faults(&rows, &head).is_empty(), "{length}");
    }
    let (rows, mut head) = chained(9);
    head.forgotten = 4;
    head.anchor.clone_from(&rows[3].digest);
    assert!(faults(&rows[4..], &head).is_empty());
}

#[test]
fn a_row_that_was_changed_removed_reordered_cut_off_or_added_is_named() {
    let (rows, head) = chained(9);
    let mut changed = rows.clone();
    changed[4].record.push('.');
    assert_eq!(faults(&changed, &head), [AuditFault::Altered(5)]);
    // Who changes a row and its digest has to change the next one too.
    changed[4].digest = digest(&rows[3].digest, 5, &changed[4].record);
    assert_eq!(faults(&changed, &head), [AuditFault::Altered(6)]);

    let mut removed = rows.clone();
    removed.remove(2);
    let missing = AuditFault::Missing { first: 3, last: 3 };
    assert_eq!(faults(&removed, &head), std::slice::from_ref(&missing));
    assert_eq!(missing.to_string(), "row 3 is missing");
    let beginning = AuditFault::Missing { first: 1, last: 4 };
    assert_eq!(faults(&rows[4..], &head), [beginning]);

    let mut reordered = rows.clone();
    let (second, third) = (rows[1].clone(), rows[2].clone());
    reordered[1] = Stored { number: 2, ..third };
    reordered[2] = Stored {
        number: 3,
        ..second
    };
    assert!(faults(&reordered, &head).contains(&AuditFault::Altered(2)));

    let cut = AuditFault::CutOff { first: 8, last: 9 };
    assert_eq!(faults(&rows[..7], &head), [cut]);
    let whole = AuditFault::CutOff { first: 1, last: 9 };
    assert_eq!(faults(&[], &head), [whole]);

    let mut added = rows.clone();
    added.push(Stored {
        number: 10,
        record: "another".to_owned(),
        digest: digest(&head.digest, 10, "another"),
    });
    assert_eq!(faults(&added, &head), [AuditFault::Added(10)]);
    let mut last = rows;
    last[8].record.push('.');
    last[8].digest = digest(&last[7].digest, 9, &last[8].record);
    assert_eq!(faults(&last, &head), [AuditFault::OtherEnd(9)]);
}

proptest! {
    #[test]
    fn no_flipped_bit_of_a_chain_goes_unseen(row in 0_usize..12, bit in 0_usize..4_096, of_digest: bool) {
        let (mut rows, head) = chained(12);
        let text = match of_digest {
            true => &mut rows[row].digest,
            false => &mut rows[row].record,
        };
        let mut bytes = std::mem::take(text).into_bytes();
        let bit = bit % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        *text = String::from_utf8_lossy(&bytes).into_owned();
        prop_assert!(!faults(&rows, &head).is_empty());
    }
}

fn record(event: &Event) -> AuditRecord {
    let context = AuditContext {
        phase: "safe".to_owned(),
        charter: "ab12".to_owned(),
    };
    record_of(event, &context).unwrap()
}

#[test]
fn a_row_says_who_did_it_in_which_phase_and_under_which_charter() {
    let target = TargetName::parse("api").unwrap();
    let event = Event::new(
        EventKind::HostPaused,
        Severity::Medium,
        NOW,
        "root pauses api",
    );
    let mut event = event.with_target(&target).with_data(PausedBy {
        by: "root".to_owned(),
        note: Some("anna".to_owned()),
    });
    event.seq = 7;
    let row = record(&event);
    assert_eq!((row.seq, row.kind.as_str()), (7, "host.paused"));
    assert_eq!(
        (row.actor.as_str(), row.note.as_deref()),
        ("root", Some("anna"))
    );
    assert_eq!(row.target.as_deref(), Some("api"));
    assert_eq!((row.phase.as_str(), row.charter.as_str()), ("safe", "ab12"));
    let read: AuditRecord = serde_json::from_str(&serde_json::to_string(&row).unwrap()).unwrap();
    assert_eq!(read, row);
}

#[test]
fn what_nobody_asked_for_is_the_hosts_own_and_a_note_is_only_said_of_a_person() {
    let event = Event::new(EventKind::SilenceEnded, Severity::Low, NOW, "over");
    let event = event.with_data(SilenceEnded {
        silence: SilenceId::parse("sil-01K0000000000000000000000A").unwrap(),
        by: None,
        note: Some("nobody".to_owned()),
    });
    let row = record(&event);
    assert_eq!((row.actor.as_str(), row.note), (HOST, None));
    let event = Event::new(EventKind::NoteAdded, Severity::Low, NOW, "noted");
    let event = event.with_data(NoteAdded {
        incident: crate::id::IncidentId::parse("inc-01K0000000000000000000000B").ok(),
        by: "root".to_owned(),
        note: None,
        text: "ticket 4711".to_owned(),
    });
    let row = record(&event);
    assert_eq!(
        row.incident.as_deref(),
        Some("inc-01K0000000000000000000000B")
    );
    assert_eq!(row.actor, "root");
}

#[test]
fn what_the_host_only_saw_has_no_row_and_what_was_decided_has_one() {
    let of = |kind| Event::new(kind, Severity::Low, NOW, "");
    let context = AuditContext::default();
    for kind in [
        EventKind::CheckFailed,
        EventKind::CircuitOpened,
        EventKind::AlertDelivered,
        EventKind::ProcessExited,
    ] {
        assert_eq!(record_of(&of(kind), &context), None, "{kind}");
    }
    let audited = EventKind::ALL.iter().filter(|kind| is_audited(**kind));
    for kind in audited {
        assert!(record_of(&of(*kind), &context).is_some(), "{kind}");
    }
    for kind in [
        EventKind::OperationApproved,
        EventKind::OperationEscalated,
        EventKind::EffectPerformed,
        EventKind::ConfigApplied,
        EventKind::TargetStopped,
    ] {
        assert!(is_audited(kind), "{kind}");
    }
}
