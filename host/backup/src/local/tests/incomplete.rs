//! What a backup does not hold as it was, it says.

use super::*;

/// What the warnings say, and whether it is incomplete.
fn said(taken: &TakenBackup) -> (bool, String) {
    (taken.manifest.incomplete, taken.warnings.join("\n"))
}

#[test]
fn a_source_that_goes_while_it_is_read_makes_it_incomplete_also_where_all_that_was_listed_is_there()
{
    // After the directory itself, when its names are listed; and after the last of them.
    for documents in [1, 3] {
        let fixture = Fixture::new();
        fixture.put("a", "one");
        fixture.put("b", "two");
        let (data, moved) = (fixture.data(), fixture.directory.path().join("moved"));
        let progress: OnProgress = Arc::new(move |progress| {
            if progress.documents == documents && !moved.exists() {
                match documents {
                    1 => fs::remove_dir_all(&data).unwrap(),
                    _ => fs::rename(&data, &moved).unwrap(),
                }
            }
        });
        let request = fixture.request(BackupType::Full, &[]);
        let (incomplete, warnings) = said(&fixture.store.take(&request, &progress).unwrap());
        assert!(incomplete, "{warnings}");
        assert!(
            warnings.contains("was taken away while it was read"),
            "{warnings}"
        );
        assert_eq!(
            warnings.contains("data/a: it vanished"),
            documents == 1,
            "{warnings}"
        );
    }
}

#[test]
fn what_is_no_document_is_named_and_is_no_gap() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let fifo = fixture.data().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
    let (incomplete, warnings) = said(&fixture.take(BackupType::Full, &[]));
    assert!(
        !incomplete && warnings.contains("it is a pipe"),
        "{warnings}"
    );
}

#[test]
fn of_any_number_of_warnings_so_many_are_named_and_the_rest_is_counted() {
    let fixture = Fixture::new();
    for number in 0..130 {
        let name = format!("d{number:03}/a");
        fixture.put(&name, "one");
        let fifo = fixture.data().join(&name).with_file_name("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
    }
    let taken = fixture.take(BackupType::Full, &[]);
    assert_eq!(taken.manifest.documents, 261);
    let last = taken.warnings.last().unwrap();
    // Those after the last document that was found are named too.
    let others = 131 - taken.warnings.len();
    let expected = format!("{others} warnings beside these are not named");
    assert_eq!(last, &expected);
    assert!(taken.warnings.len() < 110, "{}", taken.warnings.len());
}

#[test]
fn an_sqlite_database_in_use_makes_every_backup_of_its_files_incomplete_until_it_is_closed() {
    let database = [b"SQLite format 3\0".as_slice(), &[0; 496]].concat();
    let log = [0x37, 0x7f, 0x06, 0x82, 0, 0];
    let journal = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0];
    let check = |beside: Option<(&str, &[u8])>, is_in_use: bool| {
        let fixture = Fixture::new();
        fixture.put("d/app.db", &database);
        if let Some((name, content)) = beside {
            fixture.put(name, content);
        }
        let mut chain = Vec::new();
        // Again from its index, and with the database as it was.
        for of_type in [BackupType::Full, BackupType::Incremental] {
            let (incomplete, warnings) = said(&fixture.extend(of_type, &mut chain));
            assert_eq!(incomplete, is_in_use, "{beside:?}: {warnings}");
            assert_eq!(
                warnings.matches("d/app.db is in use").count(),
                usize::from(is_in_use)
            );
        }
    };
    check(None, false);
    check(Some(("d/app.db-wal", &log)), true);
    check(Some(("d/app.db-journal", &journal)), true);
    // A log that was emptied, a journal whose transaction has ended, and what only looks like either.
    check(Some(("d/app.db-wal", b"")), false);
    check(Some(("d/app.db-journal", &[0; 28])), false);
    check(Some(("d/other.db-wal", &log)), false);
    check(Some(("app.db-wal", &log)), false);
}
