//! The room that a chain of backups takes: an edit, a rename and a hundred small changes, in bytes.

use mainstay_tests::{Daemon, HOST};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

const JOB: &str = r#"
[[job]]
name = "state"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
"#;

const LARGE: usize = 32 << 20;

/// As good as random, so that nothing is won by compressing it.
fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut content = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(seed.as_bytes());
    hasher.finalize_xof().fill(&mut content);
    content
}

/// Takes an incremental backup; what its archive and its manifest have in bytes, and its index.
fn taken(daemon: &Daemon) -> (u64, u64) {
    let done = daemon.json(&["backup", "create", "state", "--type", "incremental"]);
    let id = done["backups"][0]["id"].as_str().unwrap().to_owned();
    let bytes = |suffix: &str| {
        let path = daemon.path(&format!("state/backups/state/{id}.{suffix}"));
        fs::metadata(path).unwrap().len()
    };
    (bytes("jsonl.zst") + bytes("json"), bytes("index.zst"))
}

#[test]
fn an_edit_stores_a_part_and_a_rename_next_to_nothing() {
    let mut daemon = Daemon::prepare(&[HOST, JOB].concat());
    let data = daemon.path("data");
    for directory in ["", "many", "moved"] {
        fs::create_dir_all(data.join(directory)).unwrap();
    }
    let mut large = noise("large", LARGE);
    fs::write(data.join("large"), &large).unwrap();
    // 20 MB, of large files and small ones.
    for number in 0..2 {
        let content = noise(&format!("moved {number}"), 8 << 20);
        fs::write(data.join(format!("moved/large-{number}")), content).unwrap();
    }
    for number in 0..32 {
        let content = noise(&format!("small {number}"), 100_000);
        fs::write(data.join(format!("moved/small-{number}")), content).unwrap();
    }
    for number in 0..2_000 {
        fs::write(data.join(format!("many/{number}")), format!("{number}\n")).unwrap();
    }
    daemon.run();
    // The first one is due at once, and a full one; no other is for as long as a test lasts.
    daemon.wait_for_status("the first backup", |status| {
        status["jobs"][0]["last_status"] == "verified"
    });

    // In place, as a database writes.
    large[LARGE / 2] ^= 1;
    let file = File::options()
        .write(true)
        .open(data.join("large"))
        .unwrap();
    let middle = u64::try_from(LARGE / 2).unwrap();
    file.write_all_at(&large[LARGE / 2..=LARGE / 2], middle)
        .unwrap();
    let (edited, _) = taken(&daemon);
    assert!(edited <= 1_200_000, "1 byte: {edited}");

    // One more byte moves all that is behind it.
    large.insert(LARGE / 3, 7);
    fs::write(data.join("large"), &large).unwrap();
    let (inserted, _) = taken(&daemon);
    assert!(inserted <= 1_200_000, "1 more byte: {inserted}");

    fs::rename(data.join("moved"), data.join("there")).unwrap();
    let (renamed, _) = taken(&daemon);
    assert!(renamed <= 10_000, "renamed: {renamed}");

    for number in 0..100 {
        let path = data.join(format!("many/{}", number * 20));
        fs::write(path, format!("changed {number}\n")).unwrap();
    }
    let (changed, index) = taken(&daemon);
    assert!(changed <= 9_000, "100 changed: {changed}");
    // It says what is another one since the full backup, and not what 2,000 files are.
    assert!(index <= 50_000, "the index of 100 changed: {index}");

    let into = daemon.path("restored");
    let place = into.to_str().unwrap();
    let restored = daemon.cli(&["backup", "restore", "state", "--into", place]);
    assert!(restored.status.success(), "{restored:?}");
    assert!(
        fs::read(into.join("large")).unwrap() == large,
        "it is another one"
    );
    assert_eq!(
        fs::read(into.join("there/small-7")).unwrap(),
        noise("small 7", 100_000)
    );
    let drilled = daemon.cli(&["backup", "drill", "state"]);
    assert!(drilled.status.success(), "{drilled:?}");
}
