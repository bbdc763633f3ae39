//! `kill -9` of the daemon inside a handler: the next one goes on with the same call, where it stood.

use super::{alerts, ask, decide, route_of, shown, start, wait_until};
use mainstay_tests::{Daemon, Gate, Receiver, guest, plugin, sleeper, wait_for};
use serde_json::Value;
use std::fs;

const GRANTS: &str = "\n[plugin.probe]\ngrants = { target = [\"restart\"], kv = \"1KiB\" }\n";

fn chain_of(params: &str) -> String {
    format!(
        "\n[[route]]\nstrategy = {{ kind = \"immediate\", max_attempts = 1 }}\n\
         chain = [{{ handler = \"probe\", timeout = \"50s\", params = {{ {params} }} }}]\n"
    )
}

/// The entries of this effect and kind in an operation's journal.
pub(super) fn entries(operation: &Value, effect: &str, kind: &str) -> usize {
    let journal = operation["journal"].as_array().unwrap().iter();
    journal
        .filter(|entry| entry["effect"] == effect && entry["kind"] == kind)
        .count()
}

/// The operation of a target, once its journal has the intent of this effect.
fn in_the_middle(daemon: &Daemon, effect: &str) -> Value {
    wait_for(&format!("the intent of {effect}"), || {
        let history = daemon.json(&["history"]);
        let id = history[0]["id"].as_str().ok_or("no operation")?.to_owned();
        let operation = shown(daemon, &id.into());
        match entries(&operation, effect, "intent") {
            0 => Err(operation.to_string()),
            _ => Ok(operation),
        }
    })
}

#[test]
fn a_handler_that_the_daemon_ended_in_goes_on_where_it_stood_and_does_nothing_twice() {
    let params = "do = \"steps\", length = \"4s\"";
    let config = format!("{}{}{GRANTS}", sleeper("job"), chain_of(params));
    let mut daemon = start(&[&config], &[guest("probe", &[])]);
    daemon.kill_child("job");
    let before = in_the_middle(&daemon, "clock.sleep");
    for _ in 0..2 {
        daemon.kill();
        daemon.run();
        daemon.wait_for_event("operation.resumed", |event| {
            event["operation"] == before["id"]
        });
    }
    let ended = wait_until(&daemon, &before["id"], "succeeded");
    assert_eq!(ended["attempts"], 1, "{ended}");
    assert_eq!(ended["actions"][1], "run 1", "{ended}");
    for (effect, times) in [
        ("kv.compare-and-set", 1),
        ("clock.sleep", 1),
        ("targets.restart", 1),
    ] {
        for kind in ["intent", "result"] {
            assert_eq!(entries(&ended, effect, kind), times, "{effect}: {ended}");
        }
    }
    assert_eq!(entries(&ended, "kv.get", "result"), 1, "{ended}");
}

#[test]
fn a_request_of_which_nobody_knows_whether_it_happened_waits_for_a_person() {
    let gate = Gate::start();
    let params = format!("do = \"post\", word = \"on\", name = \"{}/\"", gate.url);
    let grants = format!(
        "\n[plugin.probe]\ngrants = {{ http = [\"{}\"] }}\n",
        gate.url
    );
    let receiver = Receiver::start();
    let config = format!("{}{}{grants}", sleeper("job"), chain_of(&params));
    let plugins = [guest("probe", &[]), plugin("webhook")];
    let mut daemon = start(&[&config, &alerts(&receiver)], &plugins);
    daemon.kill_child("job");
    let cut_off = gate.next("the request");
    let key = cut_off.header("idempotency-key").unwrap().to_owned();
    daemon.kill();
    drop(cut_off);
    daemon.run();
    let asking = daemon.wait_for_operation("job", "awaiting-manual");
    let error = asking["error"].as_str().unwrap().to_lowercase();
    assert!(error.contains(&key), "{asking}");
    assert!(error.contains("http.send post"), "{asking}");
    let is_of =
        |event: &Value, kind: &str| event["kind"] == kind && event["operation"] == asking["id"];
    let told = daemon.wait_for_event("the doubt", |event| is_of(event, "effect.in-doubt"));
    assert_eq!(told["data"]["number"], 1, "{told}");
    let told_key = told["data"]["key"].as_str().unwrap();
    assert_eq!(told_key.to_lowercase(), key, "{told}");
    let page = receiver.wait_for("the page", |one| {
        one.json()["kind"] == "operation.awaiting-manual"
    });
    let page = page.json()["body"].to_string();
    for words in ["http.send POST", "was begun at ", told_key, "--happened"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let (status, answer) = decide(&daemon, "approve", &asking["id"], None);
    assert_eq!(
        status, 409,
        "it is said first whether it happened: {answer}"
    );

    // It did not: it is sent, with the key that it had.
    let id = asking["id"].as_str().unwrap();
    daemon.json(&["operation", "resolve", id, "1", "--did-not"]);
    let told = daemon.wait_for_event("what was said", |event| is_of(event, "effect.resolved"));
    assert_eq!(told["data"]["happened"], false, "{told}");
    let again = gate.next("the request again");
    assert_eq!(again.header("idempotency-key").unwrap(), key);
    again.answer();
    let handled = wait_for("the end of the handler", || {
        let operation = shown(&daemon, &asking["id"]);
        match entries(&operation, "http.send", "result") {
            1 => Ok(operation),
            _ => Err(operation.to_string()),
        }
    });
    assert_eq!(entries(&handled, "http.send", "did-not"), 1, "{handled}");
    assert_eq!(handled["attempts"], 1, "{handled}");
}

#[test]
fn a_request_of_which_a_person_says_that_it_happened_is_not_sent_again() {
    let gate = Gate::start();
    let params = format!("do = \"post\", word = \"on\", name = \"{}/\"", gate.url);
    let grants = format!(
        "\n[plugin.probe]\ngrants = {{ http = [\"{}\"] }}\n",
        gate.url
    );
    let config = format!("{}{}{grants}", sleeper("job"), chain_of(&params));
    let mut daemon = start(&[&config], &[guest("probe", &[])]);
    daemon.kill_child("job");
    let cut_off = gate.next("the request");
    daemon.kill();
    drop(cut_off);
    daemon.run();
    let asking = daemon.wait_for_operation("job", "awaiting-manual");
    let id = asking["id"].as_str().unwrap();
    daemon.json(&["operation", "resolve", id, "1", "--happened"]);
    let handled = wait_for("the report of the handler", || {
        let operation = shown(&daemon, &asking["id"]);
        match operation["actions"].as_array().unwrap().len() {
            0 => Err(operation.to_string()),
            _ => Ok(operation),
        }
    });
    assert!(
        handled["actions"][1]
            .as_str()
            .unwrap()
            .starts_with("status 200"),
        "{handled}"
    );
    assert_eq!(entries(&handled, "http.send", "intent"), 1, "{handled}");
    assert_eq!(entries(&handled, "http.send", "result"), 1, "{handled}");
}

#[test]
fn what_a_person_says_that_a_request_was_answered_is_what_its_handler_hears() {
    let gate = Gate::start();
    let granted = format!("\"{}\"", gate.url);
    let (daemon, _, operation) = killed_in_a_request(&gate, &granted, "");
    wait_until(&daemon, &operation, "awaiting-manual");
    let (id, file) = (operation.as_str().unwrap(), daemon.path("answer.json"));
    let resolve = |answer: &str| {
        fs::write(&file, answer).unwrap();
        let file = file.to_str().unwrap();
        let resolved = daemon.cli(&[
            "operation",
            "resolve",
            id,
            "1",
            "--happened",
            "--answer",
            file,
        ]);
        let stderr = String::from_utf8_lossy(&resolved.stderr).into_owned();
        (resolved.status.success(), stderr)
    };
    // What no request is answered is refused, and it is asked on.
    let (is_taken, error) = resolve("\"done\"");
    assert!(!is_taken && error.contains("this is no answer"), "{error}");
    assert_eq!(shown(&daemon, &operation)["state"], "awaiting-manual");
    let answer = r#"{"response":{"status":202,"headers":[],"body":"on its way"}}"#;
    let (is_taken, error) = resolve(answer);
    assert!(is_taken, "{error}");
    let handled = wait_for("the report of the handler", || {
        let operation = shown(&daemon, &operation);
        match operation["actions"].as_array().unwrap().len() {
            0 => Err(operation.to_string()),
            _ => Ok(operation),
        }
    });
    assert_eq!(handled["actions"][1], "status 202: on its way", "{handled}");
    assert_eq!(entries(&handled, "http.send", "intent"), 1, "{handled}");
}

/// A daemon that was killed while a request of its handler was not answered, and the next one; the key of the request, and
/// the operation. `granted` is the grant.
fn killed_in_a_request(gate: &Gate, granted: &str, more: &str) -> (Daemon, String, Value) {
    let params = format!("do = \"post\", word = \"on\", name = \"{}/\"", gate.url);
    let grants = format!("\n[plugin.probe]\n{more}\ngrants = {{ http = [{granted}] }}\n");
    let config = format!("{}{}{grants}", sleeper("job"), chain_of(&params));
    let mut daemon = start(&[&config], &[guest("probe", &[])]);
    daemon.kill_child("job");
    let cut_off = gate.next("the request");
    let key = cut_off.header("idempotency-key").unwrap().to_owned();
    let operation = daemon.json(&["history"])[0]["id"].clone();
    daemon.kill();
    drop(cut_off);
    daemon.run();
    (daemon, key, operation)
}

/// Acts: `plugin.*.grants.http.origin`, `plugin.*.grants.http.idempotent`
#[test]
fn a_request_to_an_origin_that_knows_keys_is_sent_again_with_its_own() {
    let gate = Gate::start();
    let granted = format!("{{ origin = \"{}\", idempotent = true }}", gate.url);
    let (daemon, key, operation) = killed_in_a_request(&gate, &granted, "");
    let again = gate.next("the request again");
    assert_eq!(again.header("idempotency-key").unwrap(), key);
    again.answer();
    let handled = wait_for("its answer", || {
        // Not the newest: what did not help is soon followed by the next.
        let operation = shown(&daemon, &operation);
        match entries(&operation, "http.send", "result") {
            1 => Ok(operation),
            _ => Err(operation.to_string()),
        }
    });
    assert_eq!(entries(&handled, "http.send", "intent"), 1, "{handled}");
}

#[test]
fn a_handler_that_gets_further_is_gone_on_with_however_often_the_daemon_ends() {
    let gate = Gate::start();
    let url = &gate.url;
    let params = format!("do = \"twelve\", length = \"10ms\", name = \"{url}\", word = \"{url}\"");
    let granted = format!(
        r#"
[command.mark]
run = ["/bin/sh", "-c", "echo >> marks", "{{target}}"]
placeholders = ["target"]

[plugin.probe.grants]
target = ["restart", "status"]
command = ["mark"]
kv = "1KiB"
http = [{{ origin = "{url}", idempotent = true }}]
"#
    );
    let config = format!("{}{}{granted}", sleeper("job"), chain_of(&params));
    let mut daemon = start(&[&config], &[guest("probe", &[])]);
    daemon.kill_child("job");
    let mut before: Option<String> = None;
    for place in ["/begin", "/once", "/end", "/look"] {
        let cut_off = gate.next(place);
        let key = cut_off.header("idempotency-key").map(str::to_owned);
        assert!(cut_off.line().contains(place), "{}", cut_off.line());
        daemon.kill();
        drop(cut_off);
        daemon.run();
        let again = gate.next_again(before.as_deref());
        assert!(again.line().contains(place), "{}", again.line());
        again.answer();
        before = key;
    }
    let ended = daemon.wait_for_operation("job", "succeeded");
    assert_eq!(ended["actions"][1], "run 1", "{ended}");
    let marks = fs::read_to_string(daemon.path("marks")).unwrap();
    assert_eq!(marks.lines().count(), 1, "what was done is fed");
    let operation = shown(&daemon, &ended["id"]);
    assert_eq!(operation["calls"][0]["replays"], 1, "{operation}");
}

#[test]
fn a_handler_that_gets_no_further_is_left_to_a_person_after_three_tries() {
    let gate = Gate::start();
    let granted = format!("{{ origin = \"{}\", idempotent = true }}", gate.url);
    let (mut daemon, _, operation) = killed_in_a_request(&gate, &granted, "");
    for attempt in 1..=3 {
        let cut_off = gate.next(&format!("the request of try {attempt}"));
        daemon.kill();
        drop(cut_off);
        daemon.run();
    }
    let asking = wait_until(&daemon, &operation, "awaiting-manual");
    let error = asking["error"].as_str().unwrap();
    assert!(
        error.contains("3 tries") && error.contains("none got further"),
        "{asking}"
    );
    assert_eq!(asking["calls"][0]["replays"], 3, "{asking}");
}

/// Acts: `plugin.*.on_doubt`
#[test]
fn a_plugin_that_wants_to_be_told_of_a_doubt_is_and_nobody_is_asked() {
    let gate = Gate::start();
    let granted = format!("\"{}\"", gate.url);
    let (daemon, _, operation) = killed_in_a_request(&gate, &granted, "on_doubt = \"tell\"");
    let failed = wait_until(&daemon, &operation, "failed");
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("in doubt after a crash"), "{failed}");
    assert!(daemon.events_of("operation.awaiting-manual").is_empty());
}

/// Acts: `command.*.idempotent`
#[test]
fn a_command_that_may_be_repeated_is_and_its_first_copy_is_ended_before() {
    let command = r#"
[command.once]
run = ["/bin/sh", "-c", "echo $MAINSTAY_IDEMPOTENCY_KEY $$ >> keys; test -e go || exec sleep 1000", "{target}"]
placeholders = ["target"]
idempotent = true

[plugin.probe]
grants = { command = ["once"] }
"#;
    let params = "do = \"command\", name = \"once\"";
    let config = format!("{}{}{command}", sleeper("job"), chain_of(params));
    let mut daemon = start(&[&config], &[guest("probe", &[])]);
    daemon.kill_child("job");
    let lines = |daemon: &Daemon, count: usize| {
        wait_for("the command", || {
            let text = fs::read_to_string(daemon.path("keys")).unwrap_or_default();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            match lines.len() == count {
                true => Ok(lines),
                false => Err(text),
            }
        })
    };
    let first = lines(&daemon, 1);
    daemon.kill();
    fs::write(daemon.path("go"), "").unwrap();
    daemon.run();
    let both = lines(&daemon, 2);
    let parts = |line: &str| {
        let (key, pid) = line.split_once(' ').unwrap();
        (key.to_owned(), pid.to_owned())
    };
    let ((key, pid), (again, _)) = (parts(&first[0]), parts(&both[1]));
    assert_eq!(key, again);
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}

#[test]
fn a_long_sleep_is_held_by_nobody_and_ends_on_time_whatever_is_killed_meanwhile() {
    let params = "do = \"sleep\", length = \"20s\"";
    let config = format!("{}{}{GRANTS}", sleeper("job"), chain_of(params));
    let mut daemon = start(&[&config], &[guest("probe", &[])]);
    daemon.kill_child("job");
    let before = in_the_middle(&daemon, "clock.sleep");
    // Its handler is not running, in whichever daemon; or, on a slow machine, the sleep is over by now.
    let is_held_by_nobody = |daemon: &Daemon| {
        daemon.wait_for_status("that it sleeps, or is done", |status| {
            let mut targets = status["targets"].as_array().unwrap().iter();
            let row = targets.find(|row| row["name"] == "job").unwrap();
            row["rests"]["why"] == "its handler sleeps"
                || entries(&shown(daemon, &before["id"]), "clock.sleep", "result") == 1
        });
    };
    daemon.wait_for_event("that it is suspended", |event| {
        event["kind"] == "operation.suspended" && event["operation"] == before["id"]
    });
    is_held_by_nobody(&daemon);
    for _ in 0..10 {
        daemon.kill();
        daemon.run();
        is_held_by_nobody(&daemon);
    }
    let handled = wait_for("the report", || {
        let operation = shown(&daemon, &before["id"]);
        match operation["actions"].as_array().unwrap().len() {
            0 => Err(operation.to_string()),
            _ => Ok(operation),
        }
    });
    let slept = handled["actions"][1].as_str().unwrap();
    let millis: u64 = slept.split(' ').nth(1).unwrap().parse().unwrap();
    assert!((20_000..35_000).contains(&millis), "{handled}");
    assert_eq!(entries(&handled, "clock.sleep", "intent"), 1, "{handled}");
    assert_eq!(entries(&handled, "clock.sleep", "result"), 1, "{handled}");
}

#[test]
fn a_sleep_that_nobody_holds_ends_at_once_where_its_operation_is_cancelled() {
    let params = "do = \"sleep\", length = \"30s\"";
    let config = format!("{}{}{GRANTS}", sleeper("job"), chain_of(params));
    let daemon = start(&[&config], &[guest("probe", &[])]);
    daemon.kill_child("job");
    let sleeps = in_the_middle(&daemon, "clock.sleep");
    daemon.wait_for_event("that it is suspended", |event| {
        event["kind"] == "operation.suspended" && event["operation"] == sleeps["id"]
    });
    let (status, answer) = decide(&daemon, "cancel", &sleeps["id"], None);
    assert!((200..300).contains(&status), "{status}: {answer}");
    let ended = wait_until(&daemon, &sleeps["id"], "cancelled");
    assert_eq!(entries(&ended, "clock.sleep", "result"), 0, "{ended}");
}

/// Acts: `plugin.*.limits.journal`
#[test]
fn what_the_journal_of_an_operation_has_no_room_for_does_not_act() {
    let receiver = Receiver::start();
    let word = "x".repeat(3_000);
    let params = format!(
        "do = \"post\", word = \"{word}\", name = \"{}/\"",
        receiver.url
    );
    let plugin = format!(
        "\n[plugin.probe]\ngrants = {{ http = [\"{}\"] }}\nlimits = {{ journal = \"2KiB\" }}\n",
        receiver.url
    );
    let config = format!("{}{}{plugin}", sleeper("job"), chain_of(&params));
    let daemon = start(&[&config], &[guest("probe", &[])]);
    daemon.kill_child("job");
    // Not the newest: what did not help is soon followed by the next.
    let failed = wait_for("an operation to fail", || {
        let failed = daemon.json(&["history", "--state", "failed"]);
        match failed[0].is_object() {
            true => Ok(failed[0].clone()),
            false => Err(failed.to_string()),
        }
    });
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("limits.journal"), "{failed}");
    assert!(receiver.received().is_empty(), "nothing was sent");
}

#[test]
fn a_build_is_rehearsed_on_what_was_recorded_and_its_first_difference_is_named() {
    let params = "do = \"steps\", length = \"10ms\"";
    let config = format!("{}{}{GRANTS}", sleeper("job"), chain_of(params));
    let probe = guest("probe", &[]);
    let daemon = start(&[&config], std::slice::from_ref(&probe));
    daemon.kill_child("job");
    let id = daemon.wait_for_operation("job", "succeeded")["id"].clone();
    let export = daemon.json(&["operation", "export", id.as_str().unwrap()]);
    assert_eq!(export["calls"].as_array().unwrap().len(), 1, "{export}");
    let rehearse = |operation: &str| {
        let probe = probe.to_str().unwrap();
        let rehearsed = daemon.cli(&[
            "operation",
            "replay",
            operation,
            "--plugin",
            probe,
            "--json",
        ]);
        let report: Value = serde_json::from_slice(&rehearsed.stdout).unwrap();
        (rehearsed.status.code(), report)
    };
    for _ in 0..3 {
        let (code, report) = rehearse(id.as_str().unwrap());
        assert_eq!(report["class"], "identical", "{report}");
        assert_eq!(code, Some(0), "{report}");
        assert!(report["first_difference"].is_null(), "{report}");
    }

    let redacted = daemon.json(&["operation", "export", id.as_str().unwrap(), "--redact"]);
    let count = |export: &Value| export["journal"].as_array().unwrap().len();
    assert_eq!(count(&redacted), count(&export), "what happened stays");
    assert!(export.to_string().contains("run 1"), "{export}");
    for (text, is_there) in [("run 1", false), ("\"value\":\"redacted\"", true)] {
        assert_eq!(redacted.to_string().contains(text), is_there, "{redacted}");
    }

    // The build that did it is kept by its name and version.
    let version = export["calls"][0]["record"]["version"].as_str().unwrap();
    let replay = |version: &str| {
        let kept = format!("probe@{version}");
        let id = id.as_str().unwrap();
        daemon.cli(&["operation", "replay", id, "--plugin", &kept, "--json"])
    };
    let kept = replay(version);
    let report: Value = serde_json::from_slice(&kept.stdout).unwrap();
    assert_eq!(report["class"], "identical", "{report}");
    let unknown = replay("999.0.0");
    let error = String::from_utf8_lossy(&unknown.stderr);
    assert!(!unknown.status.success(), "{error}");
    assert!(
        error.contains("no build probe@999.0.0 is kept in"),
        "{error}"
    );

    // Asked for something else, it does something else.
    let mut other = export.clone();
    other["calls"][0]["record"]["input"]["params"]["do"] = "restart".into();
    let file = daemon.path("other.json");
    fs::write(&file, other.to_string()).unwrap();
    let (code, report) = rehearse(file.to_str().unwrap());
    assert_eq!(report["class"], "effects-differ", "{report}");
    assert_eq!(code, Some(1), "{report}");
    let first = &report["first_difference"];
    assert_eq!(first["number"], 1, "{report}");
    assert_eq!(first["recorded"], "kv.get of `count`", "{report}");
    assert_eq!(first["asked"], "targets.restart of job", "{report}");
}

/// What is in them is in no record: it is read as it is now, and stays so.
#[test]
fn a_build_that_is_rehearsed_reads_the_directories_that_it_is_granted_and_changes_none() {
    let route = |failure: &str, more: &str| {
        let params = format!("do = \"copy\", name = \"files/it\"{more}");
        let lines = format!(
            "relapse_window = \"0s\"\nstrategy = {{ kind = \"immediate\", max_attempts = 1 }}\n\
             chain = [{{ handler = \"probe\", params = {{ {params} }} }}]"
        );
        route_of(failure, &lines)
    };
    let routes = [route("copied", ""), route("replaced", ", word = \"after\"")];
    let grants = "\n[plugin.probe]\n\
                  grants = { kv = \"1KiB\", dir = [{ path = \"files\", write = true }] }\n";
    let config = [sleeper("job"), routes.concat(), grants.to_owned()].concat();
    let probe = guest("probe", &[]);
    let daemon = start(&[&config], std::slice::from_ref(&probe));
    let file = daemon.path("files/it");
    let rehearsed = |id: &Value| {
        let (id, probe) = (id.as_str().unwrap(), probe.to_str().unwrap());
        let output = daemon.cli(&["operation", "replay", id, "--plugin", probe, "--json"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{stderr}"))
    };
    for (failure, class) in [("copied", "identical"), ("replaced", "outcome-differs")] {
        fs::write(&file, "before").unwrap();
        let id = ask(&daemon, "job", failure, false);
        let ended = wait_until(&daemon, &id, "succeeded");
        assert_eq!(ended["actions"][1], "before", "{ended}");
        fs::write(&file, "before").unwrap();
        let told = rehearsed(&id);
        assert_eq!(told["class"], class, "{told}");
        assert!(told["first_difference"].is_null(), "{told}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "before", "{failure}");
    }
    // It holds something else by now, and that is what is asked for.
    fs::write(&file, "other").unwrap();
    let history = daemon.json(&["history", "--limit", "1"]);
    let told = rehearsed(&history[0]["id"]);
    assert_eq!(told["first_difference"]["number"], 1, "{told}");
    assert_eq!(told["effects"][0]["request"]["value"], "other", "{told}");
}
