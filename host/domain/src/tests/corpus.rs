//! What lies in journals and archives of every version means what it meant when it was written.
//!
//! `corpus/TYPE.jsonl` has a line for each form of a record: the version that wrote it, and the record as it was stored.
//! Lines are only ever added, which `tests/tests/stored.rs` holds. What this version reads in them stands in
//! `corpus/snapshots`; where a line means something else there, so does every journal that holds its like.

use crate::{
    alert::OutboxEntry,
    archive::{ArchiveLine, Manifest},
    audit::AuditRecord,
    backup::BackupRecord,
    call_record::{CallEnd, CallRecord},
    event::Event,
    incident::Incident,
    operation::Operation,
    orders::Orders,
    record::{EffectEntry, ProcessIdentity},
    settled_clock::SettledState,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::fmt::Debug;

pub(super) const OPERATIONS: &str = include_str!("../../corpus/operation.jsonl");
pub(super) const INCIDENTS: &str = include_str!("../../corpus/incident.jsonl");
pub(crate) const EVENTS: &str = include_str!("../../corpus/event.jsonl");
pub(super) const EFFECT_ENTRIES: &str = include_str!("../../corpus/effect-entry.jsonl");
pub(super) const CALL_RECORDS: &str = include_str!("../../corpus/call-record.jsonl");
pub(super) const CALL_ENDS: &str = include_str!("../../corpus/call-end.jsonl");
pub(super) const OUTBOX_ENTRIES: &str = include_str!("../../corpus/outbox-entry.jsonl");
pub(super) const BACKUP_RECORDS: &str = include_str!("../../corpus/backup-record.jsonl");
pub(super) const PROCESS_IDENTITIES: &str = include_str!("../../corpus/process-identity.jsonl");
pub(super) const SETTLED_STATES: &str = include_str!("../../corpus/settled-clock.jsonl");
pub(super) const ORDERS: &str = include_str!("../../corpus/orders.jsonl");
pub(super) const AUDIT_RECORDS: &str = include_str!("../../corpus/audit-record.jsonl");
pub(super) const MANIFESTS: &str = include_str!("../../corpus/manifest.jsonl");
pub(super) const ARCHIVE_LINES: &str = include_str!("../../corpus/archive-line.jsonl");

/// The version that wrote each record, and the record as it was stored, to the letter.
pub(crate) fn records(corpus: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    corpus.lines().map(|line| {
        let of_line = line
            .strip_prefix("{\"version\":\"")
            .and_then(|rest| rest.strip_suffix('}'))
            .and_then(|rest| rest.split_once("\",\"record\":"));
        of_line.unwrap_or_else(|| panic!("no line of a corpus: {line}"))
    })
}

fn read<T: DeserializeOwned>(record: &str) -> T {
    serde_json::from_str(record).unwrap_or_else(|error| panic!("{error}: {record}"))
}

/// Whether this version writes it as it was stored.
fn is_current<T: Serialize>(value: &T, record: &str) -> bool {
    serde_json::to_value(value).unwrap() == read::<Value>(record)
}

/// What is stored in the form of today.
pub(super) fn current<T: DeserializeOwned + Serialize>(corpus: &'static str) -> Vec<T> {
    records(corpus)
        .map(|(_, record)| (read::<T>(record), record))
        .filter(|(value, record)| is_current(value, record))
        .map(|(value, _)| value)
        .collect()
}

/// A line of a snapshot for each record, and one more for what is written in another form today.
fn meaning<T: DeserializeOwned + Serialize + Debug>(corpus: &'static str) -> String {
    let mut text = String::new();
    for (number, (version, record)) in (1..).zip(records(corpus)) {
        let value: T = read(record);
        text += &format!("{number}. of {version}: {value:?}\n");
        if !is_current(&value, record) {
            let today = serde_json::to_string(&value).unwrap();
            text += &format!("{number}. is today: {today}\n");
        }
    }
    text
}

fn check(name: &str, meaning: String) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../corpus/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, meaning));
}

#[test]
fn a_stored_operation_means_what_it_meant() {
    check("operation", meaning::<Operation>(OPERATIONS));
}

#[test]
fn a_stored_incident_means_what_it_meant() {
    check("incident", meaning::<Incident>(INCIDENTS));
}

#[test]
fn a_stored_event_means_what_it_meant() {
    check("event", meaning::<Event>(EVENTS));
}

#[test]
fn a_stored_entry_of_an_effect_means_what_it_meant() {
    check("effect-entry", meaning::<EffectEntry>(EFFECT_ENTRIES));
}

#[test]
fn a_stored_call_means_what_it_meant() {
    check("call-record", meaning::<CallRecord>(CALL_RECORDS));
}

#[test]
fn a_stored_end_of_a_call_means_what_it_meant() {
    check("call-end", meaning::<CallEnd>(CALL_ENDS));
}

#[test]
fn a_stored_alert_means_what_it_meant() {
    check("outbox-entry", meaning::<OutboxEntry>(OUTBOX_ENTRIES));
}

#[test]
fn a_stored_backup_means_what_it_meant() {
    check("backup-record", meaning::<BackupRecord>(BACKUP_RECORDS));
}

#[test]
fn a_stored_process_means_what_it_meant() {
    let meaning = meaning::<ProcessIdentity>(PROCESS_IDENTITIES);
    check("process-identity", meaning);
}

#[test]
fn what_was_believed_of_the_wall_clock_means_what_it_meant() {
    check("settled-clock", meaning::<SettledState>(SETTLED_STATES));
}

#[test]
fn what_people_ordered_means_what_it_meant() {
    check("orders", meaning::<Orders>(ORDERS));
}

#[test]
fn a_record_of_the_audit_log_means_what_it_meant() {
    check("audit-record", meaning::<AuditRecord>(AUDIT_RECORDS));
}

#[test]
fn a_line_of_an_archive_means_what_it_meant() {
    check(
        "archive-line",
        meaning::<ArchiveLine<'static>>(ARCHIVE_LINES),
    );
}

/// To the byte: its checksum and its children hold the hash of it.
#[test]
fn a_manifest_means_what_it_meant_and_is_written_to_the_byte() {
    let mut text = String::new();
    for (number, (version, record)) in (1..).zip(records(MANIFESTS)) {
        let bytes = format!("{record}\n").into_bytes();
        let manifest = Manifest::from_bytes(&bytes);
        let manifest = manifest.unwrap_or_else(|error| panic!("{error}: {record}"));
        assert_eq!(manifest.to_bytes().unwrap(), bytes, "{record}");
        text += &format!("{number}. of {version}: {manifest:?}\n");
    }
    check("manifest", text);
}
