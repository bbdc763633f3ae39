//! Stores on file systems that have no hard links.

use super::{doubt::Refused, *};
use crate::local::durable::Change;
use rustix::io::Errno;

#[test]
fn a_store_without_hard_links_is_written_all_the_same_and_nothing_over_another() {
    let fixture = Fixture::new();
    let refused = Refused::by(|change| match change {
        Change::Linked(_) => Some(Errno::PERM),
        _ => None,
    });
    fixture.with_tier("nas");
    fixture.put("a", "one");
    let mut chain = vec![];
    let taken = fixture.extend_in(&["nas"], BackupType::Full, &mut chain);
    assert_eq!(taken.refused, vec![]);
    fixture.put("a", "two");
    fixture.extend_in(&["local"], BackupType::Incremental, &mut chain);
    let there = fixture.job_dir().join(format!("{}.json", chain[1]));
    let before = fs::read(&there).unwrap();
    let again = files::write_create_only(&there, b"another");
    assert!(again.unwrap_err().to_string().contains("File exists"));
    assert_eq!(fs::read(&there).unwrap(), before);
    drop(refused);
    assert_eq!(fixture.sweep(&chain), vec![]);
    assert_eq!(fixture.stored().len(), 2);
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_same_tree(&fixture, &restored, &fixture.tree(&fixture.data()));
}

#[test]
fn a_tier_that_can_take_no_manifest_says_why_before_anything_is_copied() {
    let fixture = Fixture::new();
    let nas = fixture.with_tier("nas");
    fixture.put("a", "one");
    // The state directory can.
    fixture.extend_in(&["local"], BackupType::Full, &mut vec![]);
    let refused = Refused::by(|change| {
        let is_in_nas = |path: &Path| path.components().any(|it| it.as_os_str() == "nas");
        match change {
            Change::Linked(path) if is_in_nas(path) => Some(Errno::PERM),
            Change::Renamed(_, path) if is_in_nas(path) => Some(Errno::INVAL),
            _ => None,
        }
    });
    let taken = fixture.extend_in(&["nas", "local"], BackupType::Full, &mut vec![]);
    drop(refused);
    assert_eq!(taken.manifest.tier, "local");
    let [(_, why)] = &taken.refused[..] else {
        panic!("{:?}", taken.refused);
    };
    assert!(why.contains("neither hard links nor"), "{why}");
    let there = files::names_in(&nas.join("state")).unwrap();
    assert_eq!(there, Vec::<String>::new());
}
