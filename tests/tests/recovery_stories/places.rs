//! One effect of a handler, and `kill -9` of the daemon before it, in it and after it: the handler waits at a gate before and
//! behind the effect, so that each place is met for certain. Each story is told of a handler in Rust and of one in Python; what
//! `durable.rs` and `signals.rs` tell of one in Rust, of one in Python alone.

use super::{ask, prepare, route_of, shown, wait_until};
use mainstay_tests::{Daemon, Gate, Held, campaign::DurableGuest, lives, program, wait_for};
use serde_json::Value;
use std::{
    fs,
    process::{Command, Stdio},
};

/// What the effects are about. The job tells of its starts and of the signals that it gets, and outlives its stop signal, so
/// that a stop takes as long as its grace, or until it may leave.
const CONFIG: &str = r#"
[[target]]
name = "job"
run = ["/bin/sh", "-c", "trap 'echo >> hupped' HUP; trap 'echo >> termed' TERM; trap 'echo >> cut' INT; trap 'echo >> used' USR1; trap 'echo >> used2' USR2; echo >> started; while :; do test -e leave && exit; sleep 0.05; done"]
grace = "2s"

[command.once]
run = ["/bin/sh", "-c", "echo $MAINSTAY_IDEMPOTENCY_KEY $$ >> marks; while test -e hold-command; do sleep 0.02; done; echo >> ends", "{target}"]
placeholders = ["target"]

[command.again]
run = ["/bin/sh", "-c", "echo $MAINSTAY_IDEMPOTENCY_KEY $$ >> repeats; if test -e hold-command; then exec sleep 1000; fi", "{target}"]
placeholders = ["target"]
idempotent = true

[[target]]
name = "other"
start_period = "0s"
commands.start = ["/bin/sh", "-c", "echo start $$ >> other; if test -e hold-other; then exec sleep 1000; fi"]
commands.stop = ["/bin/sh", "-c", "echo stop $$ >> other; if test -e hold-other; then exec sleep 1000; fi"]
commands.restart = ["/bin/sh", "-c", "echo restart $$ >> other; if test -e hold-other; then exec sleep 1000; fi"]

[[target.check]]
kind = "file"
path = "mainstay.toml"
every = "1h"
failure = "gone"

[[job]]
name = "state"
encryption = "none"
source = [{ kind = "command", run = ["/bin/sh", "-c", "echo >> begun; while test -e hold-backup; do sleep 0.02; done; echo done"], key = "it" }]

[[job]]
name = "kept"
encryption = "none"
source = [
    { kind = "directory", path = "kept", prefix = "kept" },
    { kind = "command", run = ["/bin/sh", "-c", "echo >> saving; while test -e hold-saving; do sleep 0.02; done; echo done"], key = "it" },
]
"#;

/// The effects, which are also the failures that they are asked for by.
const WORDS: [&str; 23] = [
    "restart", "stop", "start", "hup", "term", "int", "usr1", "usr2", "kill", "put", "delete",
    "post", "patch", "command", "again", "count", "set", "unset", "look", "sleep", "signal",
    "backup", "restore",
];

/// Where the daemon is killed; in the effect itself each test has its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    After,
}

const PLACES: [Place; 2] = [Place::Before, Place::After];

fn start_at(gate: &Gate, guest: DurableGuest) -> Daemon {
    let (url, handler) = (&gate.url, guest.name());
    let routes = WORDS.map(|word| {
        let params = format!("do = \"between\", word = \"{word}\", name = \"{url}\"");
        let lines = format!(
            "relapse_window = \"0s\"\nstrategy = {{ kind = \"immediate\", max_attempts = 1 }}\n\
             chain = [{{ handler = \"{handler}\", timeout = \"50s\", params = {{ {params} }} }}]"
        );
        route_of(word, &lines)
    });
    let grants = format!(
        "\n[plugin.{handler}.grants]\n\
         target = [\"start\", \"stop\", \"restart\", \"signal\", \"status\", \"check\"]\n\
         command = [\"once\", \"again\"]\nkv = \"1KiB\"\nbackup = [\"state\", \"kept\"]\nhttp = [\"{url}\"]\n"
    );
    let routes = routes.concat();
    let config = [CONFIG, routes.as_str(), grants.as_str()];
    let mut daemon = prepare(&config, &[]);
    fs::create_dir(daemon.path("kept")).unwrap();
    fs::write(daemon.path("kept/it"), "first").unwrap();
    daemon.drop_large_plugin(&guest.component());
    daemon.run();
    daemon.wait_for_plugins(1);
    wait_for("the job to run", || match lines(&daemon, "started") {
        1 => Ok(()),
        other => Err(format!("{other} starts")),
    });
    // Those that are due at the start; no others are for as long as a test lasts.
    daemon.wait_for_status("the first backups", |status| {
        let mut jobs = status["jobs"].as_array().unwrap().iter();
        jobs.all(|job| job["last_status"] == "verified")
    });
    daemon
}

/// How often something was done that leaves a line in a file.
fn lines(daemon: &Daemon, file: &str) -> usize {
    let text = fs::read_to_string(daemon.path(file)).unwrap_or_default();
    text.lines().count()
}

/// The next request, which is this one.
fn expect(gate: &Gate, path: &str) -> Held {
    let held = gate.next(path);
    let line = held.line();
    assert!(line.contains(path), "{line} in place of {path}");
    held
}

/// The daemon is killed while it waits for this answer, and another one is started.
fn kill_in(daemon: &mut Daemon, held: Held) {
    daemon.kill();
    drop(held);
    daemon.run();
}

/// One operation with one effect of this word and name; the daemon is killed at this place. It succeeds.
fn play(daemon: &mut Daemon, gate: &Gate, (word, effect): (&str, &str), place: Place) -> Value {
    let id = ask(daemon, "job", word, false);
    let is_request = effect == "http.send";
    let mut held = expect(gate, "/before");
    if place == Place::Before {
        kill_in(daemon, held);
        held = expect(gate, "/before");
    }
    held.answer();
    if is_request {
        expect(gate, "/it").answer();
    }
    let mut held = expect(gate, "/after");
    if place == Place::After {
        // The request before it has a result too, and so has the value that is set before that.
        let has_one_before = is_request || word == "set";
        on_record(daemon, &id, effect, 1 + usize::from(has_one_before));
        kill_in(daemon, held);
        // What has its answer is not asked again, and what was done is not done again.
        held = expect(gate, "/after");
    }
    held.answer();
    wait_until(daemon, &id, "succeeded")
}

/// Waits until the journal has so many results of an effect: they are written while the handler goes on.
fn on_record(daemon: &Daemon, id: &Value, effect: &str, results: usize) {
    wait_for(&format!("the result of {effect}"), || {
        let operation = shown(daemon, id);
        match entries(&operation, effect, "result") == results {
            true => Ok(()),
            false => Err(operation.to_string()),
        }
    });
}

/// Waits until an effect of an operation has begun; it has no result.
fn begun(daemon: &Daemon, id: &Value, effect: &str) {
    wait_for(&format!("{effect} to begin"), || {
        let operation = shown(daemon, id);
        let count = |kind| entries(&operation, effect, kind);
        match (count("intent"), count("result")) {
            (1, 0) => Ok(()),
            _ => Err(operation.to_string()),
        }
    });
}

fn entries(operation: &Value, effect: &str, kind: &str) -> usize {
    let journal = operation["journal"].as_array().unwrap().iter();
    let own = journal.filter(|entry| entry["effect"] == effect && entry["kind"] == kind);
    own.count()
}

/// It was begun once and came to one result.
fn is_once(operation: &Value, effect: &str) {
    for kind in ["intent", "result"] {
        assert_eq!(entries(operation, effect, kind), 1, "{effect}: {operation}");
    }
    assert_eq!(operation["attempts"], 1, "{operation}");
}

/// Waits for the line that is to come, and sees that there is no other.
fn is_one_more(daemon: &Daemon, file: &str, before: usize, what: &str) {
    let now = wait_for(&format!("{what}: a line in {file}"), || {
        match lines(daemon, file) {
            same if same == before => Err(format!("{same} lines")),
            now => Ok(now),
        }
    });
    assert_eq!(now - before, 1, "{what} happened more than once");
}

/// Has each story told of both handlers, or of that in Python.
macro_rules! stories {
    (both: [$($story:ident,)*] python: [$($python:ident,)*]) => {
        mod in_rust {
            $(
                #[test]
                fn $story() {
                    super::$story(super::DurableGuest::Rust);
                }
            )*
        }

        mod in_python {
            $(
                #[test]
                fn $story() {
                    super::$story(super::DurableGuest::Python);
                }
            )*
            $(
                #[test]
                fn $python() {
                    super::$python(super::DurableGuest::Python);
                }
            )*
        }
    };
}

stories! {
    both: [
        what_is_done_with_a_target_is_done_once_wherever_the_daemon_is_killed,
        a_stop_and_a_restart_in_which_the_daemon_is_killed_are_done_to_the_end_and_once,
        what_is_done_with_a_foreign_service_is_done_once_or_left_to_a_person,
        a_request_that_acts_is_sent_once_wherever_the_daemon_is_killed_beside_it,
        a_request_in_which_the_daemon_is_killed_is_sent_again_with_its_key_or_left_to_a_person,
        a_command_is_run_once_wherever_the_daemon_is_killed,
        a_value_is_counted_once_wherever_the_daemon_is_killed,
        a_backup_is_there_once_wherever_the_daemon_is_killed,
        what_was_put_back_is_not_put_back_again_wherever_the_daemon_is_killed,
        what_looks_looks_again_until_it_has_an_answer_and_from_then_on_no_more,
        what_came_to_its_end_without_a_result_is_done_again_with_its_key_or_left_to_a_person,
    ]
    python: [
        a_command_that_may_be_repeated_is_with_its_key_and_beside_no_first_copy,
        a_sleep_in_which_the_daemon_is_killed_lasts_as_long_as_it_was_to_last,
        a_wait_for_a_signal_in_which_the_daemon_is_killed_ends_with_the_signal,
    ]
}

fn what_is_done_with_a_target_is_done_once_wherever_the_daemon_is_killed(guest: DurableGuest) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    for (word, effect, file) in [
        ("restart", "targets.restart", "started"),
        ("stop", "targets.stop", "started"),
        ("start", "targets.start", "started"),
        ("hup", "targets.send", "hupped"),
        ("term", "targets.send", "termed"),
        ("int", "targets.send", "cut"),
        ("usr1", "targets.send", "used"),
        ("usr2", "targets.send", "used2"),
        ("kill", "targets.send", "started"),
    ] {
        // These are sent as the others are; what may differ is whether they are sent once more.
        let is_like_others = matches!(word, "int" | "usr1" | "usr2" | "kill");
        for place in PLACES.into_iter().skip(usize::from(is_like_others)) {
            let before = lines(&daemon, file);
            let ended = play(&mut daemon, &gate, (word, effect), place);
            is_once(&ended, effect);
            is_one_more(&daemon, file, before, &format!("{word}, {place:?}"));
        }
    }
}

fn a_stop_and_a_restart_in_which_the_daemon_is_killed_are_done_to_the_end_and_once(
    guest: DurableGuest,
) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    for (word, effect) in [("restart", "targets.restart"), ("stop", "targets.stop")] {
        let before = lines(&daemon, "started");
        let process = daemon.pids()["job"];
        let id = ask(&daemon, "job", word, false);
        expect(&gate, "/before").answer();
        begun(&daemon, &id, effect);
        daemon.kill();
        assert!(lives(process), "it was killed in the middle of its grace");
        daemon.run();
        expect(&gate, "/after").answer();
        let ended = wait_until(&daemon, &id, "succeeded");
        is_once(&ended, effect);
        assert!(!lives(process), "{word}: {process} lives on");
        is_one_more(&daemon, "started", before, word);
    }

    // It ends while the daemon stands still: of the restart the start is left.
    let before = lines(&daemon, "started");
    let process = daemon.pids()["job"];
    let id = ask(&daemon, "job", "restart", false);
    expect(&gate, "/before").answer();
    begun(&daemon, &id, "targets.restart");
    daemon.stand_still();
    fs::write(daemon.path("leave"), "").unwrap();
    wait_for("the job to end", || match lives(process) {
        true => Err(process.to_string()),
        false => Ok(()),
    });
    daemon.kill();
    fs::remove_file(daemon.path("leave")).unwrap();
    daemon.run();
    expect(&gate, "/after").answer();
    let ended = wait_until(&daemon, &id, "succeeded");
    is_once(&ended, "targets.restart");
    is_one_more(&daemon, "started", before, "the start");
}

fn a_request_that_acts_is_sent_once_wherever_the_daemon_is_killed_beside_it(guest: DurableGuest) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    for word in ["put", "delete", "post", "patch"] {
        for place in PLACES {
            let it = (word, "http.send");
            let ended = play(&mut daemon, &gate, it, place);
            assert_eq!(entries(&ended, "http.send", "intent"), 1, "{ended}");
            assert_eq!(entries(&ended, "http.send", "result"), 3, "{ended}");
        }
    }
}

fn a_request_in_which_the_daemon_is_killed_is_sent_again_with_its_key_or_left_to_a_person(
    guest: DurableGuest,
) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    for word in ["put", "delete", "post", "patch"] {
        let id = ask(&daemon, "job", word, false);
        expect(&gate, "/before").answer();
        let held = expect(&gate, "/it");
        let key = held.header("idempotency-key").unwrap().to_owned();
        kill_in(&mut daemon, held);
        if matches!(word, "post" | "patch") {
            let number = doubted(&daemon, &id, &key);
            let id = id.as_str().unwrap();
            daemon.json(&["operation", "resolve", id, &number, "--did-not"]);
        }
        let again = expect(&gate, "/it");
        assert_eq!(again.header("idempotency-key"), Some(key.as_str()));
        again.answer();
        expect(&gate, "/after").answer();
        let ended = wait_until(&daemon, &id, "succeeded");
        assert_eq!(entries(&ended, "http.send", "result"), 3, "{ended}");
    }
}

/// Waits until a person is asked about the effect with this key, in lower case; its number.
fn doubted(daemon: &Daemon, id: &Value, key: &str) -> String {
    let asking = wait_until(daemon, id, "awaiting-manual");
    let error = asking["error"].as_str().unwrap().to_lowercase();
    assert!(error.contains(key), "the doubt is not named: {asking}");
    let mut journal = asking["journal"].as_array().unwrap().iter();
    let doubt = journal.find(|entry| entry["in_doubt"] == true);
    doubt.unwrap_or_else(|| panic!("{asking}"))["seq"].to_string()
}

fn a_command_is_run_once_wherever_the_daemon_is_killed(guest: DurableGuest) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    for place in PLACES {
        let before = lines(&daemon, "marks");
        let ended = play(&mut daemon, &gate, ("command", "commands.run"), place);
        is_once(&ended, "commands.run");
        is_one_more(&daemon, "marks", before, &format!("{place:?}"));
    }

    let before = lines(&daemon, "marks");
    fs::write(daemon.path("hold-command"), "").unwrap();
    let id = ask(&daemon, "job", "command", false);
    expect(&gate, "/before").answer();
    is_one_more(&daemon, "marks", before, "the command");
    let marks = fs::read_to_string(daemon.path("marks")).unwrap();
    let (key, pid) = marks.lines().next_back().unwrap().split_once(' ').unwrap();
    daemon.kill();
    daemon.run();
    let number = doubted(&daemon, &id, &key.to_lowercase());
    assert!(!lives(pid.parse().unwrap()), "what is left of it was ended");
    let text = id.as_str().unwrap();
    daemon.json(&["operation", "resolve", text, &number, "--happened"]);
    expect(&gate, "/after").answer();
    let ended = wait_until(&daemon, &id, "succeeded");
    is_once(&ended, "commands.run");
    assert_eq!(lines(&daemon, "marks") - before, 1, "it was run again");
}

fn a_value_is_counted_once_wherever_the_daemon_is_killed(guest: DurableGuest) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    for (run, place) in (1..).zip(PLACES) {
        let ended = play(&mut daemon, &gate, ("count", "kv.compare-and-set"), place);
        is_once(&ended, "kv.compare-and-set");
        assert_eq!(ended["actions"][1], format!("run {run}"), "{place:?}");
    }
    // Before its first request each of them sets another value.
    for (word, effect, times, told) in [
        ("set", "kv.set", 2, "there"),
        ("unset", "kv.delete", 1, "gone"),
    ] {
        let ended = play(&mut daemon, &gate, (word, effect), Place::After);
        for kind in ["intent", "result"] {
            assert_eq!(entries(&ended, effect, kind), times, "{kind}: {ended}");
        }
        assert_eq!(ended["actions"][1], told, "{ended}");
    }
}

fn a_backup_is_there_once_wherever_the_daemon_is_killed(guest: DurableGuest) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    let verified = |daemon: &Daemon| {
        let backups = daemon.json(&["backup", "list", "--job", "state"]);
        let mut backups = backups.as_array().unwrap().clone();
        backups.retain(|backup| backup["status"] == "verified");
        backups.len()
    };
    for place in PLACES {
        let before = verified(&daemon);
        let ended = play(&mut daemon, &gate, ("backup", "backups.create"), place);
        is_once(&ended, "backups.create");
        assert_eq!(verified(&daemon) - before, 1, "{place:?}");
    }

    let (before, sources) = (verified(&daemon), lines(&daemon, "begun"));
    fs::write(daemon.path("hold-backup"), "").unwrap();
    let id = ask(&daemon, "job", "backup", false);
    expect(&gate, "/before").answer();
    is_one_more(&daemon, "begun", sources, "the source");
    daemon.kill();
    fs::remove_file(daemon.path("hold-backup")).unwrap();
    daemon.run();
    expect(&gate, "/after").answer();
    let ended = wait_until(&daemon, &id, "succeeded");
    is_once(&ended, "backups.create");
    assert_eq!(verified(&daemon) - before, 1, "what was cut off is none");
}

/// What is written after a backup was put back would be lost if it were put back once more.
fn what_was_put_back_is_not_put_back_again_wherever_the_daemon_is_killed(guest: DurableGuest) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    let file = daemon.path("kept/it");
    for place in PLACES {
        fs::write(&file, "saved").unwrap();
        daemon.json(&["backup", "create", "kept"]);
        fs::write(&file, "lost").unwrap();
        let id = ask(&daemon, "job", "restore", false);
        let mut held = expect(&gate, "/before");
        if place == Place::Before {
            kill_in(&mut daemon, held);
            held = expect(&gate, "/before");
        }
        held.answer();
        let mut held = expect(&gate, "/after");
        on_record(&daemon, &id, "backups.restore", 1);
        assert_eq!(fs::read_to_string(&file).unwrap(), "saved", "{place:?}");
        fs::write(&file, "newer").unwrap();
        if place == Place::After {
            kill_in(&mut daemon, held);
            held = expect(&gate, "/after");
        }
        held.answer();
        let ended = wait_until(&daemon, &id, "succeeded");
        is_once(&ended, "backups.restore");
        assert_eq!(fs::read_to_string(&file).unwrap(), "newer", "{place:?}");
    }

    // It waits for its turn while another backup is taken.
    let before = lines(&daemon, "saving");
    fs::write(&file, "saved").unwrap();
    daemon.json(&["backup", "create", "kept"]);
    fs::write(&file, "lost").unwrap();
    is_one_more(&daemon, "saving", before, "the source");
    fs::write(daemon.path("hold-saving"), "").unwrap();
    let mut taking = Command::new(program())
        .args(["backup", "create", "kept", "--config"])
        .arg(daemon.path("mainstay.toml"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    is_one_more(&daemon, "saving", before + 1, "the source, again");
    let id = ask(&daemon, "job", "restore", false);
    expect(&gate, "/before").answer();
    begun(&daemon, &id, "backups.restore");
    daemon.kill();
    taking.wait().unwrap();
    fs::remove_file(daemon.path("hold-saving")).unwrap();
    daemon.run();
    let held = expect(&gate, "/after");
    assert_eq!(fs::read_to_string(&file).unwrap(), "saved");
    held.answer();
    let ended = wait_until(&daemon, &id, "succeeded");
    is_once(&ended, "backups.restore");
}

/// Its commands leave nothing by which the next daemon could see whether they came to their end.
fn what_is_done_with_a_foreign_service_is_done_once_or_left_to_a_person(guest: DurableGuest) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    for (word, effect, said, runs) in [
        ("restart", "targets.restart", "--happened", 1),
        ("stop", "targets.stop", "--happened", 1),
        ("start", "targets.start", "--did-not", 2),
    ] {
        let before = commands_of(&daemon, word).len();
        let id = ask(&daemon, "other", word, false);
        let held = expect(&gate, "/before");
        fs::write(daemon.path("hold-other"), "").unwrap();
        held.answer();
        let first = wait_for("the command", || {
            match &commands_of(&daemon, word)[before..] {
                [first] => Ok(*first),
                others => Err(format!("{others:?}")),
            }
        });
        let journal = shown(&daemon, &id)["journal"].clone();
        let mut journal = journal.as_array().unwrap().iter();
        let intent = journal.find(|entry| entry["effect"] == effect && entry["kind"] == "intent");
        let key = intent.unwrap()["key"].as_str().unwrap().to_lowercase();
        daemon.kill();
        fs::remove_file(daemon.path("hold-other")).unwrap();
        daemon.run();
        let number = doubted(&daemon, &id, &key);
        assert!(!lives(first), "{word}: what is left of it was ended");
        assert_eq!(commands_of(&daemon, word).len() - before, 1, "{word}");
        let text = id.as_str().unwrap();
        daemon.json(&["operation", "resolve", text, &number, said]);
        expect(&gate, "/after").answer();
        let ended = wait_until(&daemon, &id, "succeeded");
        assert_eq!(entries(&ended, effect, "result"), 1, "{ended}");
        assert_eq!(ended["attempts"], 1, "{ended}");
        let runs_now = commands_of(&daemon, word).len() - before;
        assert_eq!(runs_now, runs, "{word}, {said}");
    }
}

/// The process of each time that this command of the foreign service was run.
fn commands_of(daemon: &Daemon, word: &str) -> Vec<u32> {
    let text = fs::read_to_string(daemon.path("other")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let own = lines.filter(|(verb, _)| *verb == word);
    own.map(|(_, pid)| pid.parse().unwrap()).collect()
}

fn what_looks_looks_again_until_it_has_an_answer_and_from_then_on_no_more(guest: DurableGuest) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    let newest = daemon.json(&["backup", "list", "--job", "kept"])[0]["id"].clone();
    let id = ask(&daemon, "job", "look", false);
    expect(&gate, "/before").answer();
    let head = expect(&gate, "/it");
    assert!(head.line().starts_with("head "), "{}", head.line());
    on_record(&daemon, &id, "backups.newest", 1);
    // Who looks now sees another one.
    daemon.json(&["backup", "create", "kept"]);
    kill_in(&mut daemon, head);
    for method in ["head ", "options "] {
        let asked = expect(&gate, "/it");
        assert!(asked.line().starts_with(method), "{}", asked.line());
        asked.answer();
    }
    let held = expect(&gate, "/after");
    on_record(&daemon, &id, "http.send", 3);
    kill_in(&mut daemon, held);
    expect(&gate, "/after").answer();
    let ended = wait_until(&daemon, &id, "succeeded");
    for effect in [
        "clock.now",
        "targets.status",
        "targets.check",
        "kv.keys",
        "kv.get",
        "backups.newest",
    ] {
        assert_eq!(entries(&ended, effect, "intent"), 0, "{effect}: {ended}");
        assert_eq!(entries(&ended, effect, "result"), 1, "{effect}: {ended}");
    }
    assert_eq!(entries(&ended, "http.send", "result"), 4, "{ended}");
    let told = ended["actions"][1].as_str().unwrap();
    assert!(told.ends_with(newest.as_str().unwrap()), "{ended}");
}

/// The daemon stands still from the middle of the effect until it is killed: the effect comes to its end meanwhile.
fn what_came_to_its_end_without_a_result_is_done_again_with_its_key_or_left_to_a_person(
    guest: DurableGuest,
) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    for word in ["put", "post"] {
        let id = ask(&daemon, "job", word, false);
        expect(&gate, "/before").answer();
        let held = expect(&gate, "/it");
        let key = held.header("idempotency-key").unwrap().to_owned();
        daemon.stand_still();
        held.answer();
        daemon.kill();
        daemon.run();
        if word == "post" {
            let number = doubted(&daemon, &id, &key);
            let id = id.as_str().unwrap();
            daemon.json(&["operation", "resolve", id, &number, "--happened"]);
        } else {
            let again = expect(&gate, "/it");
            assert_eq!(again.header("idempotency-key"), Some(key.as_str()));
            again.answer();
        }
        expect(&gate, "/after").answer();
        let ended = wait_until(&daemon, &id, "succeeded");
        assert_eq!(entries(&ended, "http.send", "result"), 3, "{ended}");
        assert_eq!(ended["actions"][1], "200", "{ended}");
    }

    fs::write(daemon.path("hold-command"), "").unwrap();
    let id = ask(&daemon, "job", "command", false);
    expect(&gate, "/before").answer();
    is_one_more(&daemon, "marks", 0, "the command");
    let marks = fs::read_to_string(daemon.path("marks")).unwrap();
    let (key, _) = marks.split_once(' ').unwrap();
    daemon.stand_still();
    fs::remove_file(daemon.path("hold-command")).unwrap();
    is_one_more(&daemon, "ends", 0, "its end");
    daemon.kill();
    daemon.run();
    let number = doubted(&daemon, &id, &key.to_lowercase());
    let text = id.as_str().unwrap();
    daemon.json(&["operation", "resolve", text, &number, "--happened"]);
    expect(&gate, "/after").answer();
    let ended = wait_until(&daemon, &id, "succeeded");
    is_once(&ended, "commands.run");
    assert_eq!(lines(&daemon, "marks"), 1, "it was run again");
}

fn a_command_that_may_be_repeated_is_with_its_key_and_beside_no_first_copy(guest: DurableGuest) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    fs::write(daemon.path("hold-command"), "").unwrap();
    let id = ask(&daemon, "job", "again", false);
    expect(&gate, "/before").answer();
    is_one_more(&daemon, "repeats", 0, "the command");
    daemon.kill();
    fs::remove_file(daemon.path("hold-command")).unwrap();
    daemon.run();
    expect(&gate, "/after").answer();
    let ended = wait_until(&daemon, &id, "succeeded");
    is_once(&ended, "commands.run");
    let repeats = fs::read_to_string(daemon.path("repeats")).unwrap();
    let repeats: Vec<(&str, &str)> = repeats
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    let [(key, first), (again, _)] = repeats[..] else {
        panic!("{repeats:?}");
    };
    assert_eq!(key, again);
    assert!(!lives(first.parse().unwrap()), "its first copy was ended");
}

fn a_sleep_in_which_the_daemon_is_killed_lasts_as_long_as_it_was_to_last(guest: DurableGuest) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    let id = ask(&daemon, "job", "sleep", false);
    expect(&gate, "/before").answer();
    begun(&daemon, &id, "clock.sleep");
    daemon.kill();
    daemon.run();
    expect(&gate, "/after").answer();
    let ended = wait_until(&daemon, &id, "succeeded");
    is_once(&ended, "clock.sleep");
    let slept = ended["actions"][1].as_str().unwrap();
    assert!(slept.parse::<u64>().unwrap() >= 10_000, "{ended}");
}

fn a_wait_for_a_signal_in_which_the_daemon_is_killed_ends_with_the_signal(guest: DurableGuest) {
    let gate = Gate::start();
    let mut daemon = start_at(&gate, guest);
    let id = ask(&daemon, "job", "signal", false);
    expect(&gate, "/before").answer();
    begun(&daemon, &id, "durable.await-signal");
    daemon.kill();
    daemon.run();
    let text = id.as_str().unwrap();
    daemon.json(&["operation", "signal", text, "go", r#"{"left": 0}"#]);
    expect(&gate, "/after").answer();
    let ended = wait_until(&daemon, &id, "succeeded");
    is_once(&ended, "durable.await-signal");
    assert_eq!(ended["actions"][1], r#"{"left":0}"#, "{ended}");
}
