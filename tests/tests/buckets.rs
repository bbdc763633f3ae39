//! Backups in a bucket of each kind: all that is done with them, and a server that answers wrong, or not at all.

use mainstay_tests::{
    AzureServer, Daemon, GcsServer, HOST, ObjectServer, S3Server, campaign::Random, plugin, said,
    wait_for, wait_until_taken_up,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, thread};

const JOB: &str = r#"
[[job]]
name = "state"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
retention = { policy = "gfs-retention" }

[plugin.gfs-retention]
settings = { last = 1, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0 }
"#;

/// A kind of servers, and how its requests are told from one another: by a method, and by what is in the path.
struct Kind {
    start: fn() -> ObjectServer,
    /// A part of an archive is put: not the first one, where they are told apart.
    part: &'static str,
    /// An archive begins to be put.
    begins: (&'static str, &'static str),
    /// All parts are put.
    ends: (&'static str, &'static str),
    /// An upload that failed is ended; none where its parts go by themselves.
    is_ended: Option<&'static str>,
    /// What there is is listed.
    lists: &'static str,
    /// Any part is put.
    put: &'static str,
}

const S3: Kind = Kind {
    start: || S3Server::start().into(),
    part: "partNumber=2",
    begins: ("POST", ".jsonl"),
    ends: ("POST", "uploadId="),
    is_ended: Some("DELETE"),
    lists: "list-type",
    put: "partNumber=",
};

const AZURE: Kind = Kind {
    start: AzureServer::start,
    part: "comp=block&",
    begins: ("PUT", ".jsonl"),
    ends: ("PUT", "comp=blocklist"),
    is_ended: None,
    lists: "comp=list",
    put: "comp=block&",
};

const GCS: Kind = Kind {
    start: GcsServer::start,
    ..S3
};

/// Makes a test of each of these for each kind.
macro_rules! for_each_kind {
    ($($name:ident)*) => {
        mod s3 {
            $(#[test] fn $name() { super::$name(&super::S3); })*
        }
        mod azure {
            $(#[test] fn $name() { super::$name(&super::AZURE); })*
        }
        mod gcs {
            $(#[test] fn $name() { super::$name(&super::GCS); })*
        }
    };
}

for_each_kind! {
    a_full_backup_is_in_the_bucket_by_default_is_verified_drilled_and_restored_and_leaves_it
    a_server_that_answers_wrong_gets_nothing_half_and_the_next_tier_has_the_backup
    while_a_bucket_is_away_no_backup_is_wrong_and_what_was_changed_in_it_is_found
    what_a_bucket_holds_is_taken_up_where_the_state_directory_is_lost
    a_second_host_gets_nothing_into_the_bucket_of_the_first
    a_backup_is_moved_out_of_the_bucket_and_into_it_and_stays_where_the_server_takes_nothing
    a_server_at_a_kilobyte_a_second_gets_a_small_backup_whole_and_of_a_large_one_nothing_half
}

/// A daemon, and the bucket that its full backups go to.
struct Shop {
    server: ObjectServer,
    daemon: Daemon,
}

impl Shop {
    /// The backup that is due at once was taken.
    fn open(kind: &Kind) -> Self {
        let server = (kind.start)();
        let mut daemon = Daemon::prepare(&[HOST, &server.tier(), JOB].concat());
        server.let_in(&mut daemon);
        fs::create_dir(daemon.path("data")).unwrap();
        fs::write(daemon.path("data/a"), "one").unwrap();
        // More than is put at once, and nothing gets it smaller.
        let mut random = Random::new(7);
        let noise = (0..(18 << 20) / 8).map(|_| random.below(u64::MAX).to_le_bytes());
        fs::write(
            daemon.path("data/large"),
            noise.collect::<Vec<_>>().concat(),
        )
        .unwrap();
        daemon.drop_plugin(&plugin("gfs-retention"));
        daemon.run();
        daemon.wait_for_plugins(1);
        daemon.wait_for_first_backup();
        Self { server, daemon }
    }

    /// What is shown of a backup that is taken now.
    fn take(&self, of_type: &str) -> Value {
        let report = self
            .daemon
            .json(&["backup", "create", "state", "--type", of_type]);
        report["backups"][0].clone()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) {
        let output = self.daemon.cli(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    }

    /// What the newest backup has of the document `a`, after a restore of all of it.
    #[track_caller]
    fn restored(&self, into: &str) -> String {
        let into = self.daemon.path(into);
        self.succeeds(&[
            "backup",
            "restore",
            "state",
            "--into",
            into.to_str().unwrap(),
        ]);
        let large = |directory: &str| fs::read(self.daemon.path(directory).join("large")).unwrap();
        assert!(large(into.to_str().unwrap()) == large("data"));
        fs::read_to_string(into.join("a")).unwrap()
    }

    fn change(&self, to: &str) {
        fs::write(self.daemon.path("data/a"), to).unwrap();
    }
}

fn id(backup: &Value) -> &str {
    backup["id"].as_str().unwrap()
}

fn a_full_backup_is_in_the_bucket_by_default_is_verified_drilled_and_restored_and_leaves_it(
    kind: &Kind,
) {
    let mut shop = Shop::open(kind);
    let full = shop.take("full");
    assert_eq!(full["tier"], "offsite", "{full}");
    assert_eq!(full["status"], "verified");
    let of_full = shop.server.keys_with(id(&full));
    let name_of = |backup: &Value, end: &str| format!("web-1/state/{}{end}", id(backup));
    let name = |end: &str| name_of(&full, end);
    assert_eq!(of_full, [name(".json"), name(".jsonl.zst")]);
    let parts = shop.server.seen_with(kind.part);
    assert!(!parts.is_empty(), "it is put in parts");
    shop.change("two");
    let next = shop.take("incremental");
    assert_eq!(next["tier"], "local");
    shop.succeeds(&["backup", "verify", id(&next)]);
    shop.succeeds(&["backup", "drill", "state"]);
    assert_eq!(shop.restored("first"), "two");

    shop.change("three");
    let newest = shop.take("full");
    assert_eq!(newest["tier"], "offsite");
    shop.succeeds(&["backup", "prune", "--job", "state"]);
    let in_trash = shop.server.keys_with(id(&full));
    let trashed = format!("web-1/state/trash/{}.json", id(&full));
    assert_eq!(in_trash, [name(".jsonl.zst"), trashed]);
    assert_eq!(shop.server.keys_with(id(&newest)).len(), 2);
    assert_eq!(shop.restored("second"), "three");
    assert!(shop.daemon.stop());
    shop.server.seen_with("");
    shop.daemon.run();
    wait_until_taken_up(&shop.daemon);
    let shown = shop.daemon.json(&["backup", "show", id(&newest)]);
    assert_eq!(shown["status"], "verified");
    let looks = shop.server.seen_with(&name_of(&newest, ".jsonl.zst "));
    assert_eq!(looks, Vec::<String>::new(), "it is listed with the others");
    let told = shop.daemon.log() + &shop.daemon.json(&["status"]).to_string();
    assert!(!told.contains(shop.server.secret_key()), "{told}");
}

fn a_server_that_answers_wrong_gets_nothing_half_and_the_next_tier_has_the_backup(kind: &Kind) {
    let shop = Shop::open(kind);
    for (number, (what, method, part, says)) in [
        ("500", "*", "web-1", "the server answered 500"),
        ("429", "PUT", kind.part, "the server answered 429"),
        ("403", "PUT", ".jsonl", "the server refuses it with 403"),
        ("404", "*", "/backups", "has no bucket `backups`"),
        ("507", kind.begins.0, kind.begins.1, "has no room"),
        ("500", kind.ends.0, kind.ends.1, "the server answered 500"),
        ("gone", "PUT", kind.part, "no answer that is of use"),
        ("gone", "GET", ".jsonl", "no answer that is of use"),
        ("cut", "GET", ".jsonl", "no answer that is of use"),
    ]
    .into_iter()
    .enumerate()
    {
        shop.server.answer(what, method, part);
        let to = format!("change {number}");
        shop.change(&to);
        let fell_over = shop.take("full");
        assert_eq!(fell_over["tier"], "local", "{what} {part}: {fell_over}");
        let told = shop.daemon.wait_for_event("the fall-over", |event| {
            event["kind"] == "backup.fell-over" && event["backup"] == fell_over["id"]
        });
        let message = told["message"].as_str().unwrap();
        assert!(message.contains(says), "{what} {part}: {message}");
        if let Some(ended) = kind.is_ended
            && part == kind.ends.1
        {
            let of_upload = shop.server.seen_with(part);
            let is_ended = of_upload.iter().any(|it| it.starts_with(ended));
            assert!(is_ended, "its parts go: {of_upload:?}");
        }
        assert_eq!(shop.restored(&format!("restored-{number}")), to);
        shop.server.answer_right();
        let left = shop.server.keys_with(&format!("{}.json", id(&fell_over)));
        let manifests = left.iter().filter(|key| key.ends_with(".json"));
        assert_eq!(manifests.count(), 0, "{what} {part}: {left:?}");
        let back = shop.take("full");
        assert_eq!(back["tier"], "offsite", "{what} {part}: {back}");
    }
    for backup in shop.daemon.json(&["backup", "list"]).as_array().unwrap() {
        assert_eq!(backup["status"], "verified", "{backup}");
    }
}

fn while_a_bucket_is_away_no_backup_is_wrong_and_what_was_changed_in_it_is_found(kind: &Kind) {
    let mut shop = Shop::open(kind);
    let full = shop.take("full");
    shop.server.answer("gone", "*", "backups");
    let away = shop.daemon.cli(&["backup", "verify", id(&full)]);
    assert!(!away.status.success());
    assert!(said(&away).contains("no answer"), "{}", said(&away));
    let into = shop.daemon.path("none");
    let into = into.to_str().unwrap();
    let away = shop
        .daemon
        .cli(&["backup", "restore", "state", "--into", into]);
    assert!(!away.status.success(), "{}", said(&away));
    assert!(shop.daemon.stop());
    shop.daemon.run();
    wait_until_taken_up(&shop.daemon);
    let shown = shop.daemon.json(&["backup", "show", id(&full)]);
    assert_eq!(shown["status"], "verified", "{shown}");
    shop.server.answer_right();
    assert_eq!(shop.restored("restored"), "one");

    // What lists nothing keeps nobody from what lies elsewhere.
    shop.server.answer("403", "GET", kind.lists);
    let rebuilt = shop.daemon.cli(&["backup", "list", "--rebuild"]);
    assert_eq!(rebuilt.status.code(), Some(3), "{}", said(&rebuilt));
    assert!(said(&rebuilt).contains("403"), "{}", said(&rebuilt));
    shop.server.answer_right();

    let archive = format!("web-1/state/{}.jsonl.zst", id(&full));
    shop.server.flip(&archive);
    let wrong = shop.daemon.cli(&["backup", "verify", id(&full)]);
    assert!(!wrong.status.success(), "{}", said(&wrong));
    shop.server.flip(&archive);
    shop.succeeds(&["backup", "verify", id(&full)]);
    shop.server.delete(&archive);
    let missing = shop.daemon.cli(&["backup", "verify", id(&full)]);
    assert!(said(&missing).contains("missing"), "{}", said(&missing));
}

fn what_a_bucket_holds_is_taken_up_where_the_state_directory_is_lost(kind: &Kind) {
    let mut shop = Shop::open(kind);
    let full = shop.take("full");
    assert!(shop.daemon.stop());
    let key = shop.daemon.path("state/backup-signing.key");
    let kept = fs::read(&key).unwrap();
    fs::remove_dir_all(shop.daemon.path("state")).unwrap();
    fs::create_dir(shop.daemon.path("state")).unwrap();
    fs::write(&key, kept).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    shop.daemon.run();
    shop.daemon.wait_for_plugins(1);
    wait_until_taken_up(&shop.daemon);
    let shown = shop.daemon.json(&["backup", "show", id(&full)]);
    assert_eq!(
        (&shown["tier"], &shown["status"]),
        (&full["tier"], &full["status"])
    );
    assert_eq!(shop.restored("restored"), "one");
}

fn a_second_host_gets_nothing_into_the_bucket_of_the_first(kind: &Kind) {
    let shop = Shop::open(kind);
    let of_first = shop.take("full");
    let mut second = Daemon::prepare(&[HOST, &shop.server.tier(), JOB].concat());
    shop.server.let_in(&mut second);
    fs::create_dir(second.path("data")).unwrap();
    fs::write(second.path("data/a"), "of the second").unwrap();
    second.drop_plugin(&plugin("gfs-retention"));
    second.run();
    second.wait_for_plugins(1);
    second.wait_for_first_backup();
    let report = second.json(&["backup", "create", "state", "--type", "full"]);
    let fell_over = &report["backups"][0];
    assert_eq!(fell_over["tier"], "local", "{fell_over}");
    let told = second.wait_for_event("the fall-over", |event| {
        event["kind"] == "backup.fell-over" && event["backup"] == fell_over["id"]
    });
    let message = told["message"].as_str().unwrap();
    let is_told = message.contains("is not that of job state of this host");
    assert!(is_told, "{message}");
    for backup in second.json(&["backup", "list"]).as_array().unwrap() {
        assert_eq!(shop.server.keys_with(id(backup)), [""; 0], "{backup}");
    }
    assert_eq!(shop.server.keys_with(id(&of_first)).len(), 2);
    assert_eq!(shop.restored("restored"), "one");
}

fn a_backup_is_moved_out_of_the_bucket_and_into_it_and_stays_where_the_server_takes_nothing(
    kind: &Kind,
) {
    let shop = Shop::open(kind);
    let full = shop.take("full");
    shop.succeeds(&["backup", "move", id(&full), "local"]);
    assert_eq!(shop.server.keys_with(id(&full)), [""; 0]);
    assert_eq!(shop.restored("first"), "one");
    shop.server.answer("500", "PUT", "web-1");
    let refused = shop.daemon.cli(&["backup", "move", id(&full), "offsite"]);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("500"), "{}", said(&refused));
    shop.server.answer_right();
    assert_eq!(shop.server.keys_with(id(&full)), [""; 0]);
    let shown = shop.daemon.json(&["backup", "show", id(&full)]);
    assert_eq!(shown["tier"], "local", "{shown}");
    shop.succeeds(&["backup", "move", id(&full), "offsite"]);
    assert_eq!(shop.server.keys_with(id(&full)).len(), 2);
    let shown = shop.daemon.json(&["backup", "show", id(&full)]);
    assert_eq!(shown["tier"], "offsite", "{shown}");
    assert_eq!(shop.restored("second"), "one");
}

#[test]
fn where_a_server_deletes_no_more_than_one_at_once_each_goes_alone() {
    let shop = Shop::open(&S3);
    let full = shop.take("full");
    shop.server.seen_with("");
    shop.server.answer("405", "POST", "?delete");
    shop.succeeds(&["backup", "move", id(&full), "local"]);
    shop.server.answer_right();
    let seen = shop.server.seen_with("");
    let is_refused = |it: &String| it.starts_with("POST") && it.ends_with("?delete 405");
    assert!(seen.iter().any(is_refused), "{seen:?}");
    for end in [".json", ".jsonl.zst"] {
        let name = format!("/web-1/state/{}{end} ", id(&full));
        let goes = |it: &String| it.starts_with("DELETE") && it.contains(&name);
        assert!(seen.iter().any(goes), "{end}: {seen:?}");
    }
    assert_eq!(shop.server.keys_with(id(&full)), [""; 0]);
    assert_eq!(shop.restored("restored"), "one");
}

fn a_server_at_a_kilobyte_a_second_gets_a_small_backup_whole_and_of_a_large_one_nothing_half(
    kind: &Kind,
) {
    let mut shop = Shop::open(kind);
    let path = shop.daemon.path("data/large");
    let large = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    shop.server.answer("slow", "*", "web-1/state");
    let small = shop.take("full");
    assert_eq!(small["tier"], "offsite", "{small}");
    assert_eq!(small["status"], "verified", "{small}");
    let dumped = shop.daemon.cli(&["backup", "dump", id(&small), "a"]);
    assert_eq!(dumped.stdout, b"one", "{}", said(&dumped));

    // This would take it hours, and a host that stops waits for none of them.
    fs::write(&path, large).unwrap();
    let pid = Pid::from_raw(shop.daemon.pid().cast_signed()).unwrap();
    let taken = thread::scope(|scope| {
        let taking = scope.spawn(|| {
            let take = ["backup", "create", "state", "--type", "full"];
            shop.daemon.cli(&take)
        });
        wait_for("a part to be on its way", || {
            let seen = shop.server.seen_with("slow");
            let is_sent = seen.iter().any(|it| it.contains(kind.put));
            is_sent.then_some(()).ok_or_else(|| format!("{seen:?}"))
        });
        // Nobody else is held up.
        shop.succeeds(&["status"]);
        kill_process(pid, Signal::TERM).unwrap();
        taking.join().unwrap()
    });
    assert!(!taken.status.success(), "{}", said(&taken));
    wait_for("the daemon to end", || {
        let has_ended = shop.daemon.has_ended();
        has_ended.then_some(()).ok_or_else(|| shop.daemon.log())
    });
    shop.daemon.reap();
    shop.server.answer_right();
    shop.daemon.run();
    shop.daemon.wait_for_plugins(1);
    wait_until_taken_up(&shop.daemon);
    let listed = shop.daemon.json(&["backup", "list"]);
    let mut listed = listed.as_array().unwrap().iter();
    let failed = listed.find(|backup| backup["status"] == "failed").unwrap();
    assert_eq!(shop.server.keys_with(id(failed)), [""; 0], "{failed}");
    let next = shop.take("full");
    assert_eq!(next["tier"], "offsite", "{next}");
    assert_eq!(shop.restored("restored"), "one");
}
