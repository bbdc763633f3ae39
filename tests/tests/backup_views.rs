//! What is seen of backups without restoring them, and what of them is restored in part.

use mainstay_tests::{Daemon, HOST, said};
use rustix::fs::{XattrFlags, getxattr, setxattr};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::MetadataExt, process::Output};

/// What is printed as one object a line.
fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn keys(output: &Output) -> Vec<String> {
    let key = |line: &Value| line["key"].as_str().unwrap().to_owned();
    lines(output).iter().map(key).collect()
}

/// A daemon with two backups of a job: one that has `old` and `etc/site` as `one`, and one that has `etc/site` as `two`.
struct TwoBackups {
    daemon: Daemon,
    first: String,
    second: String,
}

fn two_backups() -> TwoBackups {
    let job = r#"
[[job]]
name = "state"
encryption = "none"
source = [
    { kind = "directory", path = "data", prefix = "data" },
    { kind = "command", run = ["/bin/echo", "dump"], key = "app.sql" },
]
"#;
    let mut daemon = Daemon::prepare(&[HOST, job].concat());
    fs::create_dir_all(daemon.path("data/etc")).unwrap();
    fs::write(daemon.path("data/etc/site"), "one").unwrap();
    fs::write(daemon.path("data/old"), [0, 255]).unwrap();
    daemon.run();
    // The first one is due at once; no other is for as long as a test lasts.
    daemon.wait_for_first_backup();
    let first = daemon.json(&["backup", "list"])[0]["id"].clone();
    fs::remove_file(daemon.path("data/old")).unwrap();
    fs::write(daemon.path("data/etc/site"), "two").unwrap();
    let taken = daemon.json(&["backup", "create", "state", "--type", "incremental"]);
    let second = taken["backups"][0]["id"].clone();
    TwoBackups {
        daemon,
        first: first.as_str().unwrap().to_owned(),
        second: second.as_str().unwrap().to_owned(),
    }
}

#[test]
fn what_a_backup_holds_is_listed_found_compared_and_printed() {
    let TwoBackups {
        daemon,
        first,
        second,
    } = two_backups();
    let all = daemon.cli(&["backup", "ls", &first, "--json"]);
    assert_eq!(
        keys(&all),
        ["app.sql", "data", "data/etc", "data/etc/site", "data/old"]
    );
    let site = &lines(&all)[3];
    assert_eq!(
        (&site["kind"], &site["size_bytes"]),
        (&json!("file"), &json!(3))
    );
    let part = daemon.cli(&["backup", "ls", &second, "data/etc/", "--json"]);
    assert_eq!(keys(&part), ["data/etc", "data/etc/site"]);
    let shown = said(&daemon.cli(&["backup", "ls", &second]));
    assert!(
        shown.contains("data/etc/site") && shown.contains("4 documents"),
        "{shown}"
    );
    let none = daemon.cli(&["backup", "ls", &second, "data/old"]);
    assert_eq!(none.status.code(), Some(1), "{}", said(&none));
    assert!(said(&none).contains("holds nothing at or under `data/old`"));
    // A key without its beginning, a path of the disk, and the job in place of a backup.
    let path = daemon.path("data/etc/site");
    let path = path.to_str().unwrap();
    let into = daemon.path("nowhere");
    let into = into.to_str().unwrap();
    let newest = format!("its newest backup is {second}");
    for (arguments, says) in [
        (
            &["ls", second.as_str(), "etc"][..],
            "did you mean `data/etc`?",
        ),
        (
            &["dump", second.as_str(), "site"][..],
            "did you mean `data/etc/site`?",
        ),
        (
            &["restore", "state", "--path", "etc/site", "--into", into][..],
            "did you mean `data/etc/site`?",
        ),
        (
            &["ls", second.as_str(), path][..],
            "it is a path of the disk",
        ),
        (&["ls", "state"][..], newest.as_str()),
    ] {
        let refused = daemon.cli(&[&["backup"][..], arguments].concat());
        let told = said(&refused);
        assert!(!refused.status.success() && told.contains(says), "{told}");
    }

    // Each version once, the newest first.
    let found = daemon.cli(&["backup", "find", "sit?", "--json"]);
    let found: Vec<Value> = lines(&found);
    let places: Vec<&str> = found
        .iter()
        .map(|found| found["backup"].as_str().unwrap())
        .collect();
    assert_eq!(places, [second.as_str(), &first]);
    let once = daemon.cli(&["backup", "find", "app.sql", "--job", "state", "--json"]);
    assert_eq!(lines(&once).len(), 1, "{}", said(&once));
    let nowhere = daemon.cli(&["backup", "find", "nothing.like.it"]);
    assert_eq!(nowhere.status.code(), Some(1), "{}", said(&nowhere));

    let between = daemon.cli(&["backup", "diff", &first, &second, "--json"]);
    let told: Vec<(Value, Value)> = lines(&between)
        .iter()
        .map(|line| (line["key"].clone(), line["change"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!("data/etc/site"), json!("content")),
            (json!("data/old"), json!("removed"))
        ]
    );
    fs::write(daemon.path("data/new"), "new").unwrap();
    let live = daemon.cli(&["backup", "diff", &second]);
    let text = said(&live);
    assert_eq!(live.status.code(), Some(3), "{text}");
    assert!(
        text.contains("+ data/new") && text.contains("not compared: app.sql"),
        "{text}"
    );
    assert!(!text.contains("data/etc/site"), "{text}");

    let content = |id: &str, path: &str| daemon.cli(&["backup", "dump", id, path]).stdout;
    assert_eq!(content(&first, "data/etc/site"), b"one");
    assert_eq!(content(&second, "data/etc/site"), b"two");
    assert_eq!(content(&first, "data/old"), [0, 255]);
    assert_eq!(content(&second, "app.sql"), b"dump\n");
    let directory = daemon.cli(&["backup", "dump", &first, "data/etc"]);
    assert_eq!(directory.status.code(), Some(1));
    assert!(
        said(&directory).contains("is a directory"),
        "{}",
        said(&directory)
    );
}

#[test]
fn nothing_of_a_damaged_backup_is_printed_and_it_is_known_as_corrupted_from_then_on() {
    let TwoBackups {
        daemon,
        first,
        second,
    } = two_backups();
    let place = daemon.path("state/backups/state");
    for entry in fs::read_dir(&place).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".index.zst") {
            fs::remove_file(path).unwrap();
        }
    }
    let archive = place.join(format!("{first}.jsonl.zst"));
    let mut bytes = fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes).unwrap();
    let printed = daemon.cli(&["backup", "dump", &first, "data/etc/site"]);
    assert_eq!(printed.status.code(), Some(1), "{}", said(&printed));
    assert_eq!(printed.stdout, b"");
    let listed = daemon.cli(&["backup", "ls", &second]);
    assert_eq!(listed.status.code(), Some(1), "{}", said(&listed));
    let shown = daemon.json(&["backup", "show", &first]);
    assert_eq!(shown["status"], "corrupted", "{shown}");
}

#[test]
fn a_part_is_restored_of_an_earlier_time_and_merged_into_what_is_there() {
    let TwoBackups {
        daemon,
        first,
        second,
    } = two_backups();
    let taken = daemon.json(&["backup", "show", &first])["created_at"].clone();
    let at = taken.as_str().unwrap();
    let into = daemon.path("restored");
    let into = into.to_str().unwrap();
    let restore = |arguments: &[&str]| {
        let mut all = vec!["backup", "restore", "state", "--json"];
        all.extend_from_slice(arguments);
        daemon.cli(&all)
    };
    let restored = restore(&["--at", at, "--path", "data/etc", "--into", into]);
    assert_eq!(restored.status.code(), Some(0), "{}", said(&restored));
    let report = lines(&restored).pop().unwrap();
    assert_eq!(report["backups"][0]["id"], first.as_str());
    let site = daemon.path("restored/data/etc/site");
    assert_eq!(fs::read_to_string(site).unwrap(), "one");
    assert!(!daemon.path("restored/data/old").exists());
    assert!(!daemon.path("restored/app.sql").exists());

    let named = daemon.path("named");
    let pattern = ["--at", at, "--path", "data/*/s?te", "--into"];
    let named_in = [pattern.as_slice(), &[named.to_str().unwrap()]].concat();
    let part = restore(&named_in);
    assert_eq!(part.status.code(), Some(0), "{}", said(&part));
    let site = fs::read_to_string(named.join("data/etc/site"));
    assert_eq!(site.unwrap(), "one");
    assert!(!named.join("data/old").exists());

    let before = restore(&["--at", "2001-01-01T00:00:00Z", "--into", into]);
    assert_eq!(before.status.code(), Some(1), "{}", said(&before));
    assert!(
        said(&before).contains("its oldest is of"),
        "{}",
        said(&before)
    );

    let none = restore(&["--type", "snapshot", "--into", into]);
    assert_eq!(none.status.code(), Some(1), "{}", said(&none));
    assert!(
        said(&none).contains("no verified snapshot backup"),
        "{}",
        said(&none)
    );
    let both = restore(&["--type", "full", "--id", &first, "--into", into]);
    assert_eq!(both.status.code(), Some(2), "{}", said(&both));
    let of_type = daemon.path("of-type");
    let full = restore(&["--type", "full", "--into", of_type.to_str().unwrap()]);
    assert_eq!(full.status.code(), Some(0), "{}", said(&full));
    let report = lines(&full).pop().unwrap();
    let shown = daemon.json(&["backup", "list", "--job", "state"]);
    let mut listed = shown.as_array().unwrap().iter();
    let newest = listed.find(|one| one["type"] == "full").unwrap();
    assert_eq!(report["backups"].as_array().unwrap().len(), 1);
    assert_eq!(report["backups"][0]["id"], newest["id"]);

    // In place a part needs that the rest stays.
    fs::write(daemon.path("data/new"), "new").unwrap();
    let refused = restore(&["--path", "data/old", "--replace"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("say --merge"), "{}", said(&refused));
    let merged = restore(&["--id", &first, "--path", "data/old", "--merge"]);
    assert_eq!(merged.status.code(), Some(0), "{}", said(&merged));
    assert_eq!(fs::read(daemon.path("data/old")).unwrap(), [0, 255]);
    for (file, content) in [("new", "new"), ("etc/site", "two")] {
        let path = daemon.path("data").join(file);
        assert_eq!(fs::read_to_string(path).unwrap(), content);
    }
    // What was there before was saved.
    let backups = daemon.json(&["backup", "list"]);
    assert_eq!(backups[0]["type"], "emergency", "{backups}");
    let wrong = restore(&["--id", &second, "--path", "data/old", "--merge"]);
    assert_eq!(wrong.status.code(), Some(1), "{}", said(&wrong));
    assert!(
        said(&wrong).contains("holds nothing at or under `data/old`"),
        "{}",
        said(&wrong)
    );

    // Nothing is under way any more that could be.
    let cancelled = daemon.cli(&["backup", "cancel", "state"]);
    assert_eq!(cancelled.status.code(), Some(1), "{}", said(&cancelled));
    assert!(
        said(&cancelled).contains("none is under way"),
        "{}",
        said(&cancelled)
    );
}

#[test]
fn attributes_other_names_and_holes_are_compared_listed_and_restored() {
    let TwoBackups { daemon, second, .. } = two_backups();
    let site = daemon.path("data/etc/site");
    fs::hard_link(&site, daemon.path("data/etc/zone")).unwrap();
    setxattr(&site, "user.origin", b"here", XattrFlags::empty()).unwrap();
    let sparse = fs::File::create(daemon.path("data/sparse")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    let taken = daemon.json(&["backup", "create", "state", "--type", "incremental"]);
    let third = taken["backups"][0]["id"].as_str().unwrap();

    let changes = said(&daemon.cli(&["backup", "diff", &second, third]));
    for line in [
        "m data/etc/site (user.origin)",
        "+ data/etc/zone",
        "+ data/sparse",
        "2 new, 0 gone, 0 with another content, 1 with other metadata",
    ] {
        assert!(
            changes.lines().any(|said| said == line),
            "{line}: {changes}"
        );
    }
    let listed = lines(&daemon.cli(&["backup", "ls", third, "data", "--json"]));
    let document = |key: &str| listed.iter().find(|it| it["key"] == key).unwrap();
    let zone = document("data/etc/zone");
    assert_eq!(zone["link"], "data/etc/site");
    assert_eq!(zone["xattrs"], json!({ "user.origin": "aGVyZQ==" }));
    assert_eq!(document("data/sparse")["hole_bytes"], json!(1 << 30));
    assert!(document("data/etc").get("xattrs").is_none());

    let into = daemon.path("restored");
    let (into, name) = (into.as_path(), into.to_str().unwrap());
    let restored = daemon.cli(&["backup", "restore", "state", "--into", name]);
    let told = said(&restored);
    assert_eq!(restored.status.code(), Some(0), "{told}");
    assert!(told.contains(" documents (directories count), "), "{told}");
    let found = |name: &str| fs::metadata(into.join(name)).unwrap();
    assert_eq!(found("data/etc/site").ino(), found("data/etc/zone").ino());
    assert!(found("data/sparse").blocks() < 64);
    let mut value = [0_u8; 16];
    let length = getxattr(into.join("data/etc/zone"), "user.origin", &mut value).unwrap();
    assert_eq!(value[..length], *b"here");
    let drilled = daemon.cli(&["backup", "drill", "state"]);
    let told = said(&drilled);
    assert_eq!(drilled.status.code(), Some(0), "{told}");
    let passed = "passed: what was restored into a scratch directory is what was read";
    assert!(told.contains(passed), "{told}");
}
