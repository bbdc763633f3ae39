//! Holds that are known from the store alone.

use super::{
    doubt::Refused,
    tiers::{files_of, tier},
    *,
};
use crate::local::durable::Change;
use mainstay_domain::backup::Hold;
use rustix::io::Errno;

fn hold(reason: &str) -> Hold {
    Hold {
        by: "root".to_owned(),
        reason: Some(reason.to_owned()),
        until: Some(Timestamp::from_millis(4_000_000_000_000)),
    }
}

impl Fixture {
    fn note_held(&self, id: &BackupId, hold: Option<&Hold>) {
        self.store.note_hold(&job(), id, hold).unwrap();
    }

    fn hold_found(&self, id: &BackupId) -> Option<Hold> {
        let stored = self.stored();
        let found = stored.into_iter().find(|it| it.manifest.id == *id);
        found.unwrap().hold
    }
}

#[test]
fn a_hold_is_found_beside_its_backup_until_it_is_released_or_deleted() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let id = fixture.take(BackupType::Full, &[]).manifest.id;
    assert_eq!(fixture.hold_found(&id), None);
    let before = files_of(&fixture.job_dir(), &id);
    for reason in ["the audit", "the next audit"] {
        fixture.note_held(&id, Some(&hold(reason)));
        assert_eq!(fixture.hold_found(&id), Some(hold(reason)));
    }
    let path = fixture.job_dir().join(format!("{id}.hold"));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let known = [id.clone()];
    assert_eq!(fixture.sweep(&known), []);
    assert_eq!(fixture.hold_found(&id), Some(hold("the next audit")));
    for _ in 0..2 {
        fixture.note_held(&id, None);
        assert_eq!(fixture.hold_found(&id), None);
    }
    assert_eq!(files_of(&fixture.job_dir(), &id), before);

    fixture.note_held(&id, Some(&hold("over by then")));
    fixture.store.trash(&job(), &id).unwrap();
    assert_eq!(fixture.hold_found(&id), None, "what went is not held");
    fixture.store.delete(&job(), &id).unwrap();
    assert!(files_of(&fixture.job_dir(), &id).is_empty());
}

#[test]
fn a_hold_that_cannot_take_the_place_of_another_leaves_that() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let id = fixture.take(BackupType::Full, &[]).manifest.id;
    fixture.note_held(&id, Some(&hold("the audit")));
    let before = files_of(&fixture.job_dir(), &id);
    let refused = Refused::by(|change| {
        let is_one = matches!(change, Change::FileSynced(_));
        is_one.then_some(Errno::IO)
    });
    let next = fixture
        .store
        .note_hold(&job(), &id, Some(&hold("the next audit")));
    drop(refused);
    assert!(next.is_err());
    assert_eq!(fixture.hold_found(&id), Some(hold("the audit")));
    assert_eq!(files_of(&fixture.job_dir(), &id), before);
}

#[test]
fn a_hold_lies_in_the_tier_of_its_backup_and_goes_with_it_into_another() {
    let fixture = Fixture::new();
    let nas = fixture.with_tier("nas").join("state");
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend_in(&["nas"], BackupType::Full, &mut chain);
    let id = &chain[0];
    fixture.note_held(id, Some(&hold("the audit")));
    assert!(nas.join(format!("{id}.hold")).exists());
    assert_eq!(fixture.hold_found(id), Some(hold("the audit")));
    fixture
        .store
        .move_to(&job(), id, &TierName::local())
        .unwrap();
    assert!(files_of(&nas, id).is_empty());
    assert_eq!(fixture.hold_found(id), Some(hold("the audit")));
    fixture.store.move_to(&job(), id, &tier("nas")).unwrap();
    assert_eq!(fixture.hold_found(id), Some(hold("the audit")));
    let left = files_of(&fixture.job_dir(), id);
    assert!(
        left.iter().all(|name| name.ends_with(".index.zst")),
        "{left:?}"
    );
}

#[test]
fn a_hold_of_an_archive_whose_manifest_is_gone_is_found_beside_it() {
    let fixture = Fixture::new();
    let nas = fixture.with_tier("nas").join("state");
    fixture.put("a", "one");
    let of_tier = fixture.extend_in(&["nas"], BackupType::Full, &mut vec![]);
    let here = fixture.take(BackupType::Full, &[]);
    let ids = [here.manifest.id, of_tier.manifest.id];
    for (id, place) in ids.iter().zip([fixture.job_dir(), nas]) {
        fixture.note_held(id, Some(&hold("the audit")));
        fs::remove_file(place.join(format!("{id}.json"))).unwrap();
    }
    let found = || -> Vec<(BackupId, Option<Hold>)> {
        let orphans = fixture.store.orphans(&job()).unwrap().into_iter();
        orphans.map(|found| (found.id, found.hold)).collect()
    };
    let held = ids.clone().map(|id| (id, Some(hold("the audit"))));
    assert_eq!(found(), held);
    let noted = fixture.job_dir().join(format!("{}.hold", ids[0]));
    fs::remove_file(&noted).unwrap();
    symlink(&noted, &noted).unwrap();
    let (_, unreadable) = found().swap_remove(0);
    let unreadable = unreadable.unwrap();
    assert_eq!(
        (unreadable.by.as_str(), unreadable.until),
        ("unknown", None)
    );
}

#[test]
fn a_hold_that_nobody_understands_holds_and_a_hostile_one_says_little() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let id = fixture.take(BackupType::Full, &[]).manifest.id;
    let path = fixture.job_dir().join(format!("{id}.hold"));
    for text in ["", "{", "[]", r#"{"by":1}"#] {
        fs::write(&path, text).unwrap();
        let hold = fixture.hold_found(&id).unwrap();
        assert_eq!(hold.until, None, "{text}");
        assert!(hold.reason.unwrap().contains("cannot be read"), "{text}");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let hold = fixture.hold_found(&id).unwrap();
    assert_eq!(hold.until, None, "what is no file holds too");
    fs::remove_dir(&path).unwrap();
    let hostile = Hold {
        by: "\u{1b}[2J".repeat(1000),
        reason: Some("\u{1b}]0;x\u{7}\n".repeat(100_000)),
        until: None,
    };
    fs::write(&path, serde_json::to_vec(&hostile).unwrap()).unwrap();
    let found = fixture.hold_found(&id).unwrap();
    let reason = found.reason.unwrap();
    assert!(found.by.len() < 2000 && reason.chars().count() <= 1000);
    assert!(!reason.contains(char::is_control) && !found.by.contains(char::is_control));
}
