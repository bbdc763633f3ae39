//! What plugins give.

use super::*;
use crate::port::SourcePart;
use mainstay_domain::{
    name::PluginName,
    spec::{PluginSource, ServiceAddress},
};

/// So often a run of the plugin `changes` was begun, by the backup.
static BEGUN: Mutex<Vec<BackupId>> = Mutex::new(Vec::new());

/// What takes three parts and more.
fn large() -> Vec<u8> {
    let mut content = vec![0; 3 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut content);
    content
}

/// What a plugin gives depends on its name.
pub(super) fn give(
    asked: &Collecting<'_>,
    on_part: &mut OnSourcePart<'_>,
) -> Result<(), BackupStoreError> {
    let mut part = |key: &str, bytes: &[u8], last: bool| on_part(SourcePart { key, bytes, last });
    let fails = || Err(BackupStoreError::Source("it breaks off".to_owned()));
    match asked.source.plugin.as_str() {
        "gives" => {
            part("a", b"one", true)?;
            for piece in large().chunks(100_000) {
                part("b/large", piece, false)?;
            }
            part("b/large", b"", true)?;
            part("b/none", b"", true)
        }
        "edited" => {
            part("a", b"two", true)?;
            let mut edited = large();
            edited[1_500_000] ^= 1;
            part("b/large", &edited, true)
        }
        "breaks" => {
            part("a", b"one", true)?;
            part("b/small", b"half", false)?;
            fails()
        }
        "breaks-late" => {
            part("b/large", &large()[..2 << 20], false)?;
            fails()
        }
        "changes" => {
            let mut begun = BEGUN.lock();
            begun.push(asked.backup.clone());
            let runs = begun.iter().filter(|id| *id == asked.backup).count();
            part("a", format!("of run {runs}").as_bytes(), true)?;
            match runs {
                3 => Ok(()),
                _ => Err(BackupStoreError::SourceChanged("it moved".to_owned())),
            }
        }
        "moves-on" => Err(BackupStoreError::SourceChanged("it moved".to_owned())),
        "twice" => {
            part("a", b"one", true)?;
            part("a", b"two", true)
        }
        "below-a-file" => {
            part("a", b"one", true)?;
            part("a/b", b"two", true)
        }
        "leaves" => part("../a", b"one", true),
        "long-name" => part("a".repeat(256).as_str(), b"one", true),
        "root" => part(".", b"one", true),
        other => panic!("{other}"),
    }
}

fn source(plugin: &str) -> BackupSource {
    BackupSource::Plugin(PluginSource {
        plugin: PluginName::parse(plugin).unwrap(),
        version: "*".parse().unwrap(),
        prefix: "given".to_owned(),
        timeout: Duration::from_secs(60),
    })
}

fn fixture_of(plugin: &str) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.put("own", "mine");
    fixture.sources.push(source(plugin));
    fixture
}

fn error_of(fixture: &Fixture, unreadable: Unreadable) -> BackupStoreError {
    let request = TakeBackup {
        unreadable,
        ..fixture.request(BackupType::Full, &[])
    };
    let taken = fixture.store.take(&request, &no_progress());
    assert!(fixture.stored().is_empty());
    taken.unwrap_err()
}

#[test]
fn what_a_plugin_gives_is_stored_as_it_comes_and_once() {
    let mut fixture = fixture_of("gives");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let same = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!((same.documents, same.tombstones), (0, 0));
    fixture.sources = vec![fixture.sources[0].clone(), source("edited")];
    let edited = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!((edited.documents, edited.tombstones), (2, 1));
    assert!(edited.size_bytes < 2 << 20, "{}", edited.size_bytes);
    let restored = fixture.restore_into(&chain[..2], "before").unwrap();
    assert_eq!(fs::read(restored.join("given/a")).unwrap(), b"one");
    assert!(fs::read(restored.join("given/b/large")).unwrap() == large());
    assert_eq!(fs::read(restored.join("given/b/none")).unwrap(), b"");
    let restored = fixture.restore_into(&chain, "after").unwrap();
    assert_eq!(fs::read(restored.join("given/a")).unwrap(), b"two");
    assert!(!restored.join("given/b/none").exists());
    assert_eq!(fs::read(restored.join("own")).unwrap(), b"mine");
}

#[test]
fn a_restore_in_place_leaves_what_a_plugin_gave_alone() {
    let fixture = fixture_of("gives");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    fixture.put("own", "changed");
    let place = RestorePlace::InPlace(fixture.sources.clone());
    let restored = fixture
        .store
        .restore(&job(), &chain, &place, &no_progress());
    restored.unwrap();
    assert_eq!(fs::read(fixture.data().join("own")).unwrap(), b"mine");
    assert!(!fixture.data().join("given").exists());
}

#[test]
fn one_that_breaks_off_gives_no_backup_or_an_incomplete_one() {
    for (plugin, kept, warned) in [
        ("breaks", "given/a", "it breaks off"),
        (
            "breaks-late",
            "given/b/large",
            "it breaks off; of `given/b/large` the first 2097152 bytes are stored",
        ),
    ] {
        let fixture = fixture_of(plugin);
        for unreadable in [Unreadable::Fails, Unreadable::IsMissed] {
            let error = error_of(&fixture, unreadable);
            assert_eq!(error.to_string(), "it breaks off");
        }
        let request = TakeBackup {
            unreadable: Unreadable::IsLeftOut,
            ..fixture.request(BackupType::Full, &[])
        };
        let taken = fixture.store.take(&request, &no_progress()).unwrap();
        assert!(taken.manifest.incomplete);
        assert_eq!(taken.warnings, [warned]);
        let restored = fixture.restore_into(&[taken.manifest.id], "restored");
        let restored = restored.unwrap();
        assert!(restored.join(kept).exists() && restored.join("own").exists());
        assert!(!restored.join("given/b/small").exists());
    }
}

#[test]
fn a_run_that_does_not_fit_together_begins_anew_and_not_for_ever() {
    let fixture = fixture_of("changes");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_eq!(fs::read(restored.join("given/a")).unwrap(), b"of run 3");
    let fixture = fixture_of("moves-on");
    assert_eq!(
        error_of(&fixture, Unreadable::Fails),
        BackupStoreError::SourceChanged("it moved".to_owned())
    );
    // An emergency backup does not wait for it.
    let request = TakeBackup {
        unreadable: Unreadable::IsLeftOut,
        ..fixture.request(BackupType::Emergency, &[])
    };
    let taken = fixture.store.take(&request, &no_progress()).unwrap();
    assert!(taken.manifest.incomplete);
    assert_eq!(taken.warnings, ["it moved"]);
}

#[test]
fn what_could_not_be_put_back_is_no_backup() {
    for (plugin, says) in [
        (
            "twice",
            "`given/a` is not a document key: two documents have it",
        ),
        ("below-a-file", "could not be restored"),
        ("leaves", "is not a document key"),
        ("long-name", "a name of more than 255 bytes"),
        ("root", "a document has the key `.`"),
    ] {
        let fixture = fixture_of(plugin);
        for unreadable in [Unreadable::Fails, Unreadable::IsLeftOut] {
            let error = error_of(&fixture, unreadable).to_string();
            assert!(error.contains(says), "{plugin}: {error}");
        }
    }
    let fixture = fixture_of("gives");
    fixture.put("given/mine", "in its way");
    let error = error_of(&fixture, Unreadable::Fails).to_string();
    assert!(error.contains("not from the plugin alone"), "{error}");
}

#[test]
fn what_a_redis_holds_is_one_document_and_one_that_breaks_off_gives_none() {
    let redis = |keys: &[&str]| {
        BackupSource::Redis(RedisSource {
            at: ServiceAddress::Tcp("127.0.0.1:6379".to_owned()),
            user: None,
            password: None,
            database: 0,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            key: "dumps/redis".to_owned(),
            timeout: Duration::from_secs(1),
        })
    };
    let mut fixture = Fixture::new();
    fixture.sources.push(redis(&["one ", "two"]));
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let same = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!((same.documents, same.tombstones), (0, 0));
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_eq!(fs::read(restored.join("dumps/redis")).unwrap(), b"one two");
    fixture.sources[1] = redis(&["one", "two", "three"]);
    let request = fixture.request(BackupType::Full, &[]);
    let error = fixture.store.take(&request, &no_progress()).unwrap_err();
    assert_eq!(error.to_string(), "it breaks off");
}

#[test]
fn of_a_program_that_fails_after_all_that_it_printed_nothing_is_stored() {
    let mut fixture = Fixture::new();
    let command = |script: &str| BackupSource::Command {
        run: ["sh", "-c", script].map(str::to_owned).to_vec(),
        cwd: "/".into(),
        run_as: mainstay_domain::spec::RunAs::default(),
        key: "printed".to_owned(),
        timeout: Duration::from_secs(20),
    };
    fixture.sources.push(command("seq 400000; exit 3"));
    for unreadable in [Unreadable::Fails, Unreadable::IsLeftOut] {
        let error = error_of(&fixture, unreadable);
        assert_eq!(error.to_string(), "`sh` failed");
    }
    let files = fs::read_dir(fixture.job_dir()).unwrap().flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let left: Vec<String> = names.filter(|name| name.contains("ful-")).collect();
    assert_eq!(left, [""; 0]);
    fixture.sources[1] = command("seq 400000");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    let printed = fs::read_to_string(restored.join("printed")).unwrap();
    assert_eq!(printed.lines().count(), 400_000);
}
