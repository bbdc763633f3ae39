//! A store on a disk that is full.

use super::{
    mounted::{Mounted, may_mount},
    *,
};
use std::io::ErrorKind;

/// Takes every byte, and every file.
fn fill(disk: &Path) {
    fs::write(disk.join("filler"), vec![7; 8 << 20]).unwrap_err();
    let mut more = (0..64).map(|number: u8| fs::write(disk.join(number.to_string()), ""));
    let error = more.find_map(Result::err).unwrap();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
}

#[test]
fn an_expired_backup_is_deleted_wherever_it_is() {
    for moved in ["", "jsonl.zst", "jsonl.zst json"] {
        let fixture = Fixture::new();
        fixture.put("a", "one");
        let id = fixture.take(BackupType::Full, &[]).manifest.id;
        let trash = fixture.job_dir().join("trash");
        fs::create_dir(&trash).unwrap();
        for suffix in moved.split_whitespace() {
            let name = format!("{id}.{suffix}");
            fs::rename(fixture.job_dir().join(&name), trash.join(&name)).unwrap();
        }
        fixture.store.delete(&job(), &id).unwrap();
        fs::remove_dir(&trash).unwrap();
        let left = fs::read_dir(fixture.job_dir()).unwrap().count();
        assert_eq!(left, 1, "{moved}: store.json alone");
    }
}

#[test]
fn on_a_full_disk_backups_are_read_back_restored_and_deleted() {
    if !may_mount("room::on_a_full_disk_backups_are_read_back_restored_and_deleted") {
        return;
    }
    let fixture = Fixture::new();
    let disk = Mounted::memory(fixture.directory.path().join("state"));
    fixture.put("a", "one");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    assert!(fixture.store.has_room());
    fill(&disk.0);
    assert!(!fixture.store.has_room());
    let request = fixture.request(BackupType::Full, &[]);
    let error = fixture.store.take(&request, &no_progress()).unwrap_err();
    assert!(matches!(error, BackupStoreError::NoRoom(_)), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");

    fixture
        .store
        .verify(&job(), &chain, &no_progress())
        .unwrap();
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_eq!(fs::read_to_string(restored.join("a")).unwrap(), "one");
    let scratch = fixture.directory.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let drill = |scratch| {
        let drilled = fixture.store.drill(&job(), &chain, scratch, &no_progress());
        drilled.map(|drilled| drilled.restored().bytes)
    };
    assert_eq!(drill(Some(scratch.as_path())), Ok(3));
    assert!(matches!(drill(None), Err(BackupStoreError::NoRoom(_))));
    let moved = fixture.store.trash(&job(), &chain[0]).unwrap_err();
    assert!(matches!(moved, BackupStoreError::NoRoom(_)), "{moved}");
    fixture.store.delete(&job(), &chain[0]).unwrap();
    let left = fs::read_dir(fixture.job_dir()).unwrap().count();
    assert_eq!(left, 1, "store.json alone");
}
