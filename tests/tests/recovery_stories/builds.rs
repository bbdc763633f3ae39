//! What a call is gone on with by the next daemon: the very build and the settings that it began with, and the grants of today.
//! With a directory among these it is called anew.

use super::{ask, prepare, route_of, shown, wait_until};
use mainstay_tests::{Daemon, Gate, Held, guest, sleeper};
use serde_json::Value;
use std::{fs, path::Path};

/// A handler that counts between two requests to the gate, with more grants than it needs for that.
fn start_at(gate: &Gate, build: &Path, more: &str) -> Daemon {
    start_with(gate, build, "word = \"count\", ", more)
}

/// The same, of which the settings say what it does where its parameters do not.
fn start_with(gate: &Gate, build: &Path, word: &str, more: &str) -> Daemon {
    let url = &gate.url;
    let params = format!("do = \"between\", {word}name = \"{url}\"");
    let lines = format!(
        "relapse_window = \"0s\"\nstrategy = {{ kind = \"immediate\", max_attempts = 1 }}\n\
         chain = [{{ handler = \"probe\", timeout = \"50s\", params = {{ {params} }} }}]"
    );
    let grants = format!("\n[plugin.probe.grants]\nkv = \"1KiB\"\nhttp = [\"{url}\"]\n{more}");
    let config = [sleeper("job"), route_of("miscounted", &lines), grants];
    let config: Vec<&str> = config.iter().map(String::as_str).collect();
    let mut daemon = prepare(&config, &[build.to_owned()]);
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon
}

/// The next request, which is this one.
fn asked(gate: &Gate, path: &str) -> Held {
    let held = gate.next(path);
    assert!(held.line().contains(path), "{}", held.line());
    held
}

/// An operation in whose call the daemon is killed, while the call waits for the answer to this request.
fn killed_at(daemon: &mut Daemon, gate: &Gate, path: &str) -> Value {
    let id = ask(daemon, "job", "miscounted", false);
    let mut held = asked(gate, "/before");
    if path != "/before" {
        held.answer();
        held = asked(gate, path);
    }
    daemon.kill();
    drop(held);
    id
}

/// The build is replaced by another one in the directory of the plugins.
fn replace(daemon: &Daemon, build: &Path, other: &Path) {
    let file = daemon.path("plugins").join(build.file_name().unwrap());
    fs::remove_file(file).unwrap();
    daemon.drop_plugin(other);
}

#[test]
fn a_call_is_gone_on_with_by_its_own_build_whatever_took_its_place_meanwhile() {
    let gate = Gate::start();
    let (build, newer) = (guest("probe", &[]), guest("probe", &["v1_1_0"]));
    let mut daemon = start_at(&gate, &build, "");
    let id = killed_at(&mut daemon, &gate, "/before");
    replace(&daemon, &build, &newer);
    daemon.run();
    asked(&gate, "/before").answer();
    asked(&gate, "/after").answer();
    let ended = wait_until(&daemon, &id, "succeeded");
    assert_eq!(ended["handler_version"], "1.0.0", "{ended}");
    assert_eq!(ended["actions"][0], "probe 1.0.0", "{ended}");
    assert_eq!(ended["actions"][1], "run 1", "{ended}");

    daemon.wait_for_plugins(1);
    let next = ask(&daemon, "job", "miscounted", false);
    asked(&gate, "/before").answer();
    asked(&gate, "/after").answer();
    let ended = wait_until(&daemon, &next, "succeeded");
    assert_eq!(ended["handler_version"], "1.1.0", "{ended}");
    assert_eq!(ended["actions"][1], "run 2", "{ended}");
}

/// Whatever the config says by now: that is for the next call.
#[test]
fn a_call_is_gone_on_with_by_the_settings_that_it_began_with() {
    let gate = Gate::start();
    let build = guest("probe", &[]);
    let settings = "\n[plugin.probe.settings]\nword = \"count\"\n";
    let mut daemon = start_with(&gate, &build, "", settings);
    let id = killed_at(&mut daemon, &gate, "/after");
    let file = daemon.path("mainstay.toml");
    let config = fs::read_to_string(&file).unwrap();
    assert!(config.contains(settings), "{config}");
    let other = settings.replace("count", "set");
    fs::write(&file, config.replace(settings, &other)).unwrap();
    daemon.run();
    asked(&gate, "/after").answer();
    let ended = wait_until(&daemon, &id, "succeeded");
    assert_eq!(ended["attempts"], 1, "{ended}");
    assert_eq!(ended["actions"][1], "run 1", "{ended}");

    daemon.wait_for_plugins(1);
    let next = ask(&daemon, "job", "miscounted", false);
    asked(&gate, "/before").answer();
    asked(&gate, "/after").answer();
    let ended = wait_until(&daemon, &next, "succeeded");
    assert_eq!(ended["actions"][1], "there", "{ended}");
}

#[test]
fn a_call_whose_build_is_gone_is_gone_on_with_by_no_other_and_a_person_is_told_its_digest() {
    let gate = Gate::start();
    let (build, newer) = (guest("probe", &[]), guest("probe", &["v1_1_0"]));
    let mut daemon = start_at(&gate, &build, "");
    let id = killed_at(&mut daemon, &gate, "/before");
    replace(&daemon, &build, &newer);
    let digest = blake3::hash(&fs::read(&build).unwrap()).to_hex();
    fs::remove_file(daemon.path(&format!("state/plugins/{digest}.wasm"))).unwrap();
    daemon.run();
    let asking = wait_until(&daemon, &id, "awaiting-manual");
    let error = asking["error"].as_str().unwrap();
    let why = format!("the build of probe@1.0.0 with the digest {digest}");
    assert!(error.contains(&why), "{asking}");
    assert_eq!(asking["attempts"], 1, "{asking}");
    let journal = asking["journal"].as_array().unwrap();
    assert!(
        journal.iter().all(|entry| entry["effect"] == "kv.set"),
        "it asked for something: {asking}"
    );
}

#[test]
fn a_call_that_goes_another_way_without_a_grant_that_it_had_is_left_to_a_person() {
    let gate = Gate::start();
    let build = guest("probe", &[]);
    let mut daemon = start_at(&gate, &build, "");
    let id = killed_at(&mut daemon, &gate, "/after");
    let file = daemon.path("mainstay.toml");
    let config = fs::read_to_string(&file).unwrap();
    let granted = format!("http = [\"{}\"]\n", gate.url);
    assert!(config.contains(&granted), "{config}");
    fs::write(&file, config.replace(&granted, "")).unwrap();
    daemon.run();
    let asking = wait_until(&daemon, &id, "awaiting-manual");
    let error = asking["error"].as_str().unwrap();
    for words in [
        "its handler does something else than before the daemon ended",
        "at effect 2 the record has more, up to effect 4, kv.compare-and-set",
        "it asks for nothing more",
    ] {
        assert!(error.contains(words), "{words}: {asking}");
    }
    let told = daemon.wait_for_event("operation.diverged", |event| {
        event["kind"] == "operation.diverged" && event["operation"] == id
    });
    assert_eq!(told["data"]["number"], 2, "{told}");
    let swaps = |operation: &Value| {
        let journal = operation["journal"].as_array().unwrap().iter();
        let own = journal.filter(|entry| entry["effect"] == "kv.compare-and-set");
        own.count()
    };
    assert_eq!(swaps(&asking), 2, "an intent and its result, of then");
    assert_eq!(shown(&daemon, &id)["attempts"], 1);
}

/// What it sees of its directory is in no record.
#[test]
fn a_call_that_was_granted_a_directory_is_made_anew_in_the_same_attempt() {
    let gate = Gate::start();
    let build = guest("probe", &[]);
    let granted = "dir = [{ path = \"files\", write = true }]\n";
    let mut daemon = start_at(&gate, &build, granted);
    let id = killed_at(&mut daemon, &gate, "/after");
    daemon.run();
    asked(&gate, "/before").answer();
    asked(&gate, "/after").answer();
    let ended = wait_until(&daemon, &id, "succeeded");
    assert_eq!(ended["actions"][1], "run 2", "it counts once more: {ended}");
    assert_eq!(ended["attempts"], 1, "{ended}");
}
