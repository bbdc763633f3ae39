use super::*;
use crate::archive::{ContentHash, DocumentKind, Mode, State};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn key(text: &str) -> DocumentKey {
    DocumentKey::parse(text).unwrap()
}

fn entry(content: &str) -> Entry {
    Entry {
        kind: DocumentKind::File,
        mode: Mode::from_bits(0o644),
        mtime: jiff::Timestamp::UNIX_EPOCH,
        uid: 0,
        gid: 0,
        size: content.len() as u64,
        hash: ContentHash::of(content.as_bytes()),
        extras: None,
    }
}

fn state(documents: &[(&str, &str)]) -> State {
    documents
        .iter()
        .map(|(name, content)| (key(name), entry(content)))
        .collect()
}

fn id(text: &str) -> BackupId {
    BackupId::parse(&format!(
        "{}-01K000000000000000000000{}",
        &text[..3],
        &text[3..]
    ))
    .unwrap()
}

/// `ful01`: its type and the end of its identifier, which also is the second that it was taken in.
fn record(name: &str, parent: Option<&str>, base: &str, status: BackupStatus) -> BackupRecord {
    let backup_type = BackupType::ALL
        .into_iter()
        .find(|t| t.prefix() == &name[..3])
        .unwrap();
    BackupRecord {
        status,
        parent: parent.map(id),
        base: id(base),
        ..BackupRecord::begun(
            id(name),
            JobName::parse("state").unwrap(),
            backup_type,
            Timestamp::from_millis(name[3..].parse::<u64>().unwrap() * 1000),
        )
    }
}

fn good(name: &str, parent: Option<&str>, base: &str) -> BackupRecord {
    record(name, parent, base, BackupStatus::Verified)
}

/// Later than any record here.
const NOW: Timestamp = Timestamp::from_millis(100_000);

fn names(records: &[BackupRecord]) -> Vec<BackupId> {
    records.iter().map(|record| record.id.clone()).collect()
}

/// What a link says that leads from one state to another.
fn link(old: &State, new: &State) -> Vec<(DocumentKey, Fate)> {
    let changed = new
        .iter()
        .filter(|(key, entry)| old.get(key) != Some(entry));
    let changed = changed.map(|(key, entry)| {
        let before = old.get(key);
        let inherited = before.is_some_and(|before| before.same_content(entry));
        (key.clone(), Fate::of(entry.clone(), inherited))
    });
    let gone = old.iter().filter(|(key, _)| new.get(key).is_none());
    let gone = gone.map(|(key, _)| (key.clone(), Fate::Gone));
    changed.chain(gone).collect()
}

/// The links that lead to each of these states from the one before, and to the first from nothing.
fn links(states: &[State]) -> Vec<Vec<(DocumentKey, Fate)>> {
    let mut links = vec![link(&State::default(), &states[0])];
    links.extend(states.windows(2).map(|pair| link(&pair[0], &pair[1])));
    links
}

/// The state that these links give, the first one first.
fn composed(links: &[Vec<(DocumentKey, Fate)>]) -> State {
    let mut settled: BTreeMap<DocumentKey, Fate> = BTreeMap::new();
    for (key, fate) in links.iter().rev().flatten() {
        let fate = match settled.remove(key) {
            Some(newer) => newer.over(key, fate).unwrap(),
            None => fate.clone(),
        };
        settled.insert(key.clone(), fate);
    }
    let documents = settled.into_iter().filter_map(|(key, fate)| {
        let entry = fate.finish(&key).unwrap()?;
        Some((key, entry))
    });
    documents.collect()
}

#[test]
fn trap_2_a_state_is_composed_from_the_whole_chain() {
    let states = [
        state(&[("a", "1"), ("b", "1"), ("c", "1")]),
        state(&[("a", "2"), ("b", "1")]),
        state(&[("a", "2"), ("c", "3")]),
    ];
    let links = links(&states);
    assert_eq!(composed(&links), states[2]);
    assert_ne!(
        composed(&links[2..]),
        states[2],
        "one link without its base is not the state"
    );
}

#[test]
fn a_plan_holds_every_link_and_names_the_one_that_is_missing() {
    let mut records = vec![
        good("ful01", None, "ful01"),
        good("add02", Some("ful01"), "ful01"),
        good("dif03", Some("ful01"), "ful01"),
        good("add04", Some("dif03"), "ful01"),
        good("sna05", None, "sna05"),
    ];
    let plan = plan_restore(&records, &id("add04")).unwrap();
    assert_eq!(names(&plan), [id("ful01"), id("dif03"), id("add04")]);
    assert_eq!(
        names(&plan_restore(&records, &id("sna05")).unwrap()),
        [id("sna05")]
    );
    assert_eq!(
        plan_restore(&records, &id("ful09")),
        Err(BackupChainError::Unknown(id("ful09")))
    );

    records[2].status = BackupStatus::Corrupted;
    let (unusable, needed_by) = (id("dif03"), id("add04"));
    assert_eq!(
        plan_restore(&records, &id("add04")),
        Err(BackupChainError::Unusable {
            unusable,
            status: "corrupted",
            needed_by
        })
    );
    records.remove(2);
    let (missing, needed_by) = (id("dif03"), id("add04"));
    assert_eq!(
        plan_restore(&records, &id("add04")),
        Err(BackupChainError::Missing { missing, needed_by })
    );
}

#[test]
fn parents_that_lead_in_a_circle_end() {
    let records = [
        good("add01", Some("add02"), "ful09"),
        good("add02", Some("add01"), "ful09"),
    ];
    assert_eq!(
        plan_restore(&records, &id("add01")),
        Err(BackupChainError::Tangled(id("add01")))
    );
    let records = [good("add01", None, "add01")];
    assert_eq!(
        plan_restore(&records, &id("add01")),
        Err(BackupChainError::Tangled(id("add01")))
    );
}

#[test]
fn a_new_backup_joins_the_newest_verified_chain() {
    let job = JobName::parse("state").unwrap();
    let joined = |records: &[BackupRecord], backup_type| {
        join(records, &job, backup_type, NOW).map(|chain| names(&chain))
    };
    let mut records = vec![];
    assert_eq!(
        joined(&records, BackupType::Incremental),
        None,
        "there is nothing to build on"
    );
    assert_eq!(joined(&records, BackupType::Full), Some(vec![]));

    records.push(good("ful01", None, "ful01"));
    records.push(good("add02", Some("ful01"), "ful01"));
    records.push(good("dif03", Some("ful01"), "ful01"));
    records.push(record(
        "add04",
        Some("dif03"),
        "ful01",
        BackupStatus::Failed,
    ));
    records.push(good("eme05", None, "eme05"));
    assert_eq!(
        joined(&records, BackupType::Incremental),
        Some(vec![id("ful01"), id("dif03")])
    );
    assert_eq!(
        joined(&records, BackupType::Differential),
        Some(vec![id("ful01")])
    );

    records.push(record("ful06", None, "ful06", BackupStatus::Corrupted));
    assert_eq!(
        joined(&records, BackupType::Differential),
        Some(vec![id("ful01")]),
        "never on a corrupted one"
    );
    records.push(good("add07", Some("add04"), "ful01"));
    assert_eq!(
        joined(&records, BackupType::Incremental),
        Some(vec![id("ful01"), id("dif03")]),
        "nor above one"
    );
    records[0].status = BackupStatus::Corrupted;
    assert_eq!(joined(&records, BackupType::Incremental), None);
}

#[test]
fn the_newest_verified_backup_is_never_what_a_restore_was_to_get_rid_of() {
    let job = JobName::parse("state").unwrap();
    let records = [
        good("ful01", None, "ful01"),
        good("add02", Some("ful01"), "ful01"),
        good("eme03", None, "eme03"),
        record("add04", Some("add02"), "ful01", BackupStatus::Corrupted),
    ];
    let newest =
        |before| newest_verified(&records, &job, before, NOW).map(|record| record.id.clone());
    assert_eq!(newest(None), Some(id("add02")));
    assert_eq!(
        newest(Some(Timestamp::from_millis(1_500))),
        Some(id("ful01"))
    );
    assert_eq!(newest(Some(Timestamp::from_millis(500))), None);
}

#[test]
fn the_newest_of_a_type_is_verified_too_and_may_be_an_emergency_backup() {
    let job = JobName::parse("state").unwrap();
    let records = [
        good("ful01", None, "ful01"),
        good("add02", Some("ful01"), "ful01"),
        good("eme03", None, "eme03"),
        record("ful04", None, "ful04", BackupStatus::Corrupted),
    ];
    let newest = |of_type, before| {
        newest_verified_of(&records, &job, (of_type, before), NOW).map(|record| record.id.clone())
    };
    assert_eq!(newest(BackupType::Full, None), Some(id("ful01")));
    assert_eq!(newest(BackupType::Incremental, None), Some(id("add02")));
    assert_eq!(newest(BackupType::Emergency, None), Some(id("eme03")));
    assert_eq!(newest(BackupType::Snapshot, None), None);
    let before = Some(Timestamp::from_millis(1_500));
    assert_eq!(newest(BackupType::Incremental, before), None);
}

#[test]
fn an_incomplete_backup_is_the_newest_only_where_there_is_no_other_and_meets_no_objective() {
    let job = JobName::parse("state").unwrap();
    let incomplete = |name: &str, parent| BackupRecord {
        incomplete: true,
        ..good(name, parent, "ful01")
    };
    let mut records = vec![incomplete("ful01", None)];
    let newest = |records: &[BackupRecord]| {
        newest_verified(records, &job, None, NOW).map(|it| it.id.clone())
    };
    let complete =
        |records: &[BackupRecord]| newest_complete(records, &job, NOW).map(|it| it.id.clone());
    assert_eq!(
        (newest(&records), complete(&records)),
        (Some(id("ful01")), None)
    );
    // What it needs may be incomplete: its own state is not.
    records.push(good("add02", Some("ful01"), "ful01"));
    records.push(incomplete("add03", Some("add02")));
    assert_eq!(newest(&records), Some(id("add02")));
    assert_eq!(complete(&records), Some(id("add02")));
    let passed_over = |chosen: usize| names(&skipped(records.clone(), &records[chosen], NOW));
    assert_eq!(passed_over(1), [id("add03")]);
    assert!(passed_over(0).is_empty());
    assert_eq!(plan_restore(&records, &id("add03")).unwrap().len(), 3);
}

#[test]
fn a_selection_is_the_newest_only_where_there_is_nothing_else_and_meets_no_objective() {
    let job = JobName::parse("state").unwrap();
    let selection = |name: &str| BackupRecord {
        selection: true,
        ..good(name, None, name)
    };
    let mut records = vec![selection("sna01"), selection("sna02")];
    let newest = |records: &[BackupRecord]| {
        newest_verified(records, &job, None, NOW).map(|it| it.id.clone())
    };
    assert_eq!(newest(&records), Some(id("sna02")));
    assert_eq!(newest_complete(&records, &job, NOW), None);
    records.insert(
        0,
        BackupRecord {
            incomplete: true,
            ..good("ful00", None, "ful00")
        },
    );
    assert_eq!(newest(&records), Some(id("ful00")));
    let of_type = (BackupType::Snapshot, None);
    let snapshot = newest_verified_of(&records, &job, of_type, NOW);
    assert_eq!(snapshot.map(|it| it.id.clone()), Some(id("sna02")));
    assert!(skipped(records.clone(), &records[0], NOW).is_empty());
}

#[test]
fn what_needs_a_corrupted_backup_is_corrupted_until_that_is_mended() {
    let mut records = vec![
        good("ful01", None, "ful01"),
        good("add02", Some("ful01"), "ful01"),
        good("eme03", None, "eme03"),
        record("ful04", None, "ful04", BackupStatus::Corrupted),
        good("add05", Some("ful04"), "ful04"),
        good("add06", Some("add05"), "ful04"),
        good("add07", Some("ful99"), "ful99"),
        record("add08", Some("ful04"), "ful04", BackupStatus::Expired),
    ];
    let bad = |records: &[BackupRecord]| -> Vec<(BackupId, Option<String>)> {
        let found = standing(records.to_vec()).into_iter();
        found
            .filter(|record| record.status == BackupStatus::Corrupted)
            .map(|record| (record.id, record.reason))
            .collect()
    };
    let needs = |name: &str, what: &str| {
        let why = format!("it needs {}, which is {what}", id(name));
        Some(why)
    };
    assert_eq!(
        bad(&records),
        [
            (id("ful04"), None),
            (id("add05"), needs("ful04", "corrupted")),
            (id("add06"), needs("ful04", "corrupted")),
            (id("add07"), needs("ful99", "not there")),
        ]
    );
    let newer = skipped(records.clone(), &records[1], NOW);
    assert_eq!(
        names(&newer),
        [id("add07"), id("add06"), id("add05"), id("ful04")]
    );
    assert_eq!(skipped(records.clone(), &records[6], NOW), []);
    records[3].status = BackupStatus::Verified;
    assert_eq!(bad(&records), [(id("add07"), needs("ful99", "not there"))]);
}

#[test]
fn a_backup_that_is_corrupted_itself_is_not_said_to_need_itself() {
    let records = [record("ful01", None, "ful01", BackupStatus::Corrupted)];
    let error = plan_restore(&records, &id("ful01")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "backup {} is corrupted; restore one that does not need it [MS-0502]",
            id("ful01")
        )
    );
}

#[test]
fn a_backup_from_the_future_is_the_newest_only_where_there_is_no_other() {
    #[track_caller]
    fn check(records: &[BackupRecord], now: u64, newest: &str, base: &str) {
        let (job, now) = (
            JobName::parse("state").unwrap(),
            Timestamp::from_millis(now),
        );
        let found = |before| newest_verified(records, &job, before, now).map(|r| r.id.clone());
        assert_eq!(found(None), Some(id(newest)));
        assert_eq!(found(Some(NOW)), Some(id(newest)));
        let joined = |backup_type| join(records, &job, backup_type, now).unwrap();
        let parent = joined(BackupType::Incremental).last().unwrap().id.clone();
        assert_eq!(parent, id(newest));
        assert_eq!(names(&joined(BackupType::Differential)), [id(base)]);
    }
    let records = [
        good("ful01", None, "ful01"),
        good("add02", Some("ful01"), "ful01"),
        good("ful90", None, "ful90"),
        good("add91", Some("ful90"), "ful90"),
        good("add03", Some("add91"), "ful90"),
    ];
    check(&records[..4], 50_000, "add02", "ful01");
    check(&records[..4], 91_000, "add91", "ful90");
    check(&records[2..4], 50_000, "add91", "ful90");
    check(&records[2..], 50_000, "add03", "ful90");
}

#[test]
fn a_document_without_content_anywhere_is_an_error() {
    let missing = Err(ComposeError::NoContent(key("a")));
    let wanted = || Fate::of(entry("1"), true);
    assert!(wanted().is_wanted());
    assert_eq!(wanted().finish(&key("a")), missing.clone().map(Some));
    let missing = missing.map(Fate::Complete);
    let other = Fate::of(entry("2"), false);
    assert_eq!(wanted().over(&key("a"), &other), missing);
    assert_eq!(wanted().over(&key("a"), &Fate::Gone), missing);
    let passed_on = wanted().over(&key("a"), &Fate::of(entry("2"), true));
    assert_eq!(passed_on, Ok(wanted()));
}

#[test]
fn a_link_is_no_content_for_what_a_newer_backup_inherits() {
    let link = Fate::of(entry("1").linked_to(key("a")), false);
    assert_eq!(
        Fate::of(entry("1"), true).over(&key("b"), &link),
        Err(ComposeError::NoContent(key("b")))
    );
}

fn states() -> impl Strategy<Value = Vec<State>> {
    let document = ("[a-d]", "[0-2]?", 0..2_u32);
    let state = prop::collection::vec(document, 0..5).prop_map(|documents| {
        let documents = documents.into_iter().map(|(name, content, mode)| {
            (
                key(&name),
                Entry {
                    mode: Mode::from_bits(mode),
                    ..entry(&content)
                },
            )
        });
        documents.collect::<State>()
    });
    prop::collection::vec(state, 1..8)
}

proptest! {
    #[test]
    fn any_history_composes_to_its_last_state(states in states()) {
        prop_assert_eq!(&composed(&links(&states)), states.last().unwrap());
    }

    #[test]
    fn equal_root_hashes_are_equal_states(states in states()) {
        for pair in states.windows(2) {
            prop_assert_eq!(pair[0] == pair[1], pair[0].root_hash() == pair[1].root_hash());
        }
    }
}
