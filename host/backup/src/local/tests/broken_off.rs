//! Files of which no more can be read somewhere behind their beginning, as of a disk that fails.

use super::*;
use rustix::io::Errno;
use std::{
    cell::Cell,
    io::{self, Seek},
    os::unix::fs::MetadataExt,
};

thread_local! {
    /// The files that break off on this thread: those of this size or more, and from where on.
    static BREAKS: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
    /// Of them only each other time that one of them is read, from the first on: how often they were.
    static TIMES: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Something is about to be read of a file.
pub(in crate::local) fn reads(file: &fs::File) -> io::Result<()> {
    let Some((size, from)) = BREAKS.get() else {
        return Ok(());
    };
    let mut here = file;
    let (is_one, at) = (file.metadata()?.size() >= size, here.stream_position()?);
    if is_one && at == 0 {
        TIMES.set(TIMES.get().map(|times| times + 1));
    }
    let is_time = TIMES.get().is_none_or(|times| times % 2 == 1);
    match is_one && is_time && at >= from {
        true => Err(Errno::IO.into()),
        false => Ok(()),
    }
}

fn noise(of: &[u8], length: usize) -> Vec<u8> {
    let mut noise = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(of);
    hasher.finalize_xof().fill(&mut noise);
    noise
}

impl Fixture {
    fn try_miss(
        &self,
        unreadable: Unreadable,
        backup_type: BackupType,
        chain: &[BackupId],
    ) -> Result<TakenBackup, BackupStoreError> {
        let request = TakeBackup {
            unreadable,
            ..self.request(backup_type, chain)
        };
        self.store.take(&request, &no_progress())
    }
}

#[test]
fn the_beginning_of_a_file_that_breaks_off_is_not_stored_in_its_place() {
    let fixture = Fixture::new();
    let (old, new, whole) = (
        noise(b"old", 3 << 20),
        noise(b"new", 4 << 20),
        noise(b"whole", 3 << 19),
    );
    fixture.put("a", "one");
    fixture.put("large", &old);
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    fixture.put("a", "two");
    fixture.put("large", &new);
    fixture.put("other", &whole);

    BREAKS.set(Some((4 << 20, 3 << 20)));
    let refused = fixture.try_miss(Unreadable::Fails, BackupType::Incremental, &chain);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("Input/output error"), "{refused}");
    for (backup_type, becomes, kept) in [
        (
            BackupType::Incremental,
            "is that of the backup that this one is built on",
            Some(&old),
        ),
        (BackupType::Full, "it is not in this backup", None),
    ] {
        let mut chain = match kept {
            Some(_) => chain.clone(),
            None => vec![],
        };
        let taken = fixture.try_miss(Unreadable::IsMissed, backup_type, &chain);
        let taken = taken.unwrap();
        assert!(taken.manifest.incomplete, "{taken:?}");
        let [warning] = taken.warnings.as_slice() else {
            panic!("{:?}", taken.warnings);
        };
        assert!(warning.contains("data/large"), "{warning}");
        assert!(warning.contains(becomes), "{warning}");
        chain.push(taken.manifest.id);
        fixture
            .store
            .verify(&job(), &chain, &no_progress())
            .unwrap();
        let into = fixture.restore_into(&chain, chain[chain.len() - 1].as_str());
        let into = into.unwrap();
        assert_eq!(fs::read_to_string(into.join("a")).unwrap(), "two");
        assert!(fs::read(into.join("other")).unwrap() == whole);
        let large = fs::read(into.join("large")).ok();
        assert!(large.as_ref() == kept, "{backup_type:?}");
    }

    BREAKS.set(None);
    let taken = fixture.extend(BackupType::Incremental, &mut chain);
    assert!(!taken.manifest.incomplete, "{taken:?}");
    let into = fixture.restore_into(&chain, "healed").unwrap();
    assert!(fs::read(into.join("large")).unwrap() == new);
}

#[test]
fn of_many_files_that_break_off_each_is_told_and_the_rest_is_stored() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    for number in 0..20_u8 {
        fixture.put(&format!("large{number}"), noise(&[number], 2 << 20));
    }
    BREAKS.set(Some((2 << 20, 3 << 19)));
    let taken = fixture.try_miss(Unreadable::IsMissed, BackupType::Full, &[]);
    BREAKS.set(None);
    let taken = taken.unwrap();
    assert_eq!(taken.manifest.documents, 2, "the directory and `a`");
    let last = taken.warnings.last().unwrap();
    assert!(last.contains("10 more cannot be read"), "{last}");
}

#[test]
fn of_any_number_of_files_that_are_read_once_and_break_off_then_each_is_told_and_the_rest_is_stored()
 {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    for number in 0..20_u8 {
        fixture.put(&format!("large{number:02}"), noise(&[number], 2 << 20));
    }
    BREAKS.set(Some((2 << 20, 3 << 19)));
    TIMES.set(Some(0));
    let taken = fixture.try_miss(Unreadable::IsMissed, BackupType::Full, &[]);
    BREAKS.set(None);
    TIMES.set(None);
    let taken = taken.unwrap();
    // Eight have it begin anew; of the others each other one can be read once, and is copied.
    let stored = [
        "large08", "large10", "large12", "large14", "large16", "large18",
    ];
    assert!(taken.manifest.incomplete);
    assert_eq!(taken.manifest.documents, 2 + stored.len() as u64);
    let last = taken.warnings.last().unwrap();
    assert!(last.contains("4 more cannot be read"), "{last}");
    let chain = [taken.manifest.id];
    let into = fixture.restore_into(&chain, "restored").unwrap();
    for name in stored {
        let number = name.trim_start_matches("large").parse::<u8>().unwrap();
        let content = fs::read(into.join(name)).unwrap();
        assert!(content == noise(&[number], 2 << 20), "{name}");
    }
    let left = files::names_in(&fixture.job_dir()).unwrap();
    let left = left.iter().filter(|name| name.ends_with(".partial"));
    assert_eq!(left.count(), 0);
}
