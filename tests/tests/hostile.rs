//! Hostile guests: each is refused or ended with a reason that names it, and its neighbour keeps serving.

use mainstay_tests::{Daemon, guest, make_fifo, plugin, wait_for};
use std::{fs, path::Path};

/// A route per misdeed, and a neighbour that does as it should.
fn config(params: &str, limits: &str) -> String {
    format!(
        r#"
[host]
state_dir = "state"
plugin_dir = "plugins"

[[target]]
name = "job"
run = ["/bin/sh", "-c", "exec sleep 1000"]

[[route]]
failure = "misdeed"
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [{{ handler = "hostile", params = {params} }}]

[[route]]
failure = "good-deed"
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [{{ handler = "probe" }}]

[plugin.hostile]
grants = {{ target = ["status"], http = ["http://127.0.0.1:1"], kv = "16KiB", dir = ["plugins"] }}
limits = {{ {limits} }}
"#
    )
}

const LIMITS: &str = r#"memory = "32MiB", deadline = "300ms", timeout = "2s", result = "64KiB", log_lines = 20, effects = 50"#;

fn neighbour_serves(daemon: &Daemon) {
    let operation = daemon.recover("job", "good-deed");
    assert_eq!(
        operation["state"], "succeeded",
        "the neighbour: {operation}"
    );
    assert_eq!(operation["actions"][0], "probe 1.0.0");
}

/// The misdeed ends its own call, with a reason that holds all of `words`.
fn ends(params: &str, words: &[&str]) {
    let daemon = Daemon::start(
        &config(params, LIMITS),
        &[&guest("hostile", &[]), &guest("probe", &[])],
    );
    daemon.wait_for_plugins(2);
    let operation = daemon.recover("job", "misdeed");
    assert_eq!(operation["state"], "failed", "{operation}");
    let error = operation["error"].as_str().unwrap();
    for word in words {
        assert!(
            error.contains(word),
            "the reason should hold `{word}`: {error}"
        );
    }
    assert!(
        error.contains("hostile"),
        "the reason names the plugin: {error}"
    );
    neighbour_serves(&daemon);
}

/// The file is refused, with a reason that holds all of `words`.
fn refused(write: impl FnOnce(&Path), words: &[&str]) {
    let daemon = Daemon::start(
        &config(r#"{ do = "nothing" }"#, LIMITS),
        &[&guest("probe", &[])],
    );
    daemon.wait_for_plugins(1);
    write(&daemon.path("plugins/bad.wasm"));
    let row = wait_for("the refusal", || {
        let rows = daemon.json(&["plugin", "list"]);
        let row = rows
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["state"] == "rejected")
            .cloned();
        row.ok_or_else(|| rows.to_string())
    });
    let reason = row["last_error"].as_str().unwrap().to_lowercase();
    for word in words {
        assert!(
            reason.contains(word),
            "the reason should hold `{word}`: {reason}"
        );
    }
    daemon.wait_for_event("the event", |event| event["kind"] == "plugin.rejected");
    neighbour_serves(&daemon);
}

fn copy_of(component: std::path::PathBuf) -> impl FnOnce(&Path) {
    move |to| {
        fs::copy(component, to).unwrap();
    }
}

/// Acts: `plugin.*.limits.deadline`
#[test]
fn a_loop_ends_at_its_deadline() {
    ends(r#"{ do = "loop" }"#, &["deadline", "300ms"]);
}

#[test]
fn a_loop_of_calls_ends_at_a_limit() {
    ends(r#"{ do = "loop-with-calls" }"#, &["effects"]);
}

#[test]
fn unbounded_recursion_ends_at_the_stack() {
    ends(r#"{ do = "recurse" }"#, &["stack"]);
}

/// Acts: `plugin.*.limits.memory`
#[test]
fn a_memory_bomb_ends_at_its_memory() {
    ends(r#"{ do = "memory" }"#, &["memory", "32 MiB"]);
}

#[test]
fn a_hoard_of_open_files_ends_at_its_limit() {
    ends(
        r#"{ do = "hold-files", name = "plugins" }"#,
        &["open files", "64 at one time"],
    );
}

#[test]
fn a_trap_ends_its_call() {
    ends(r#"{ do = "trap" }"#, &["trap"]);
}

#[test]
fn a_panic_says_what_it_panicked_with() {
    ends(r#"{ do = "panic" }"#, &["the hostile guest panics"]);
}

/// Acts: `plugin.*.limits.result`
#[test]
fn a_result_of_a_gibibyte_is_refused() {
    // It cannot even be built within the guest's memory; a smaller one is cut off by the result's own limit.
    ends(
        r#"{ do = "huge-result", amount = 1073741824 }"#,
        &["memory"],
    );
    ends(
        r#"{ do = "huge-result", amount = 100000 }"#,
        &["result", "64 KiB"],
    );
}

/// Acts: `plugin.*.limits.log_lines`
#[test]
fn log_lines_above_the_limit_are_dropped_and_counted() {
    let daemon = Daemon::start(
        &config(r#"{ do = "log-flood", amount = 1000 }"#, LIMITS),
        &[&guest("hostile", &[]), &guest("probe", &[])],
    );
    daemon.wait_for_plugins(2);
    let operation = daemon.recover("job", "misdeed");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    wait_for("what is said of the others", || {
        let log = daemon.log();
        match log.contains("980 log lines of this call were dropped") {
            true => Ok(()),
            false => Err(log),
        }
    });
    daemon.wait_for_event("what is said of the others, in the journal", |event| {
        let message = event["message"].as_str().unwrap_or_default();
        event["kind"] == "plugin.logged" && message.contains("980 log lines")
    });
    let told = daemon.events_of("plugin.logged");
    assert_eq!(told.len(), 21, "{told:?}");
    assert!(told.iter().all(|event| event["target"] == "job"));
    let log = daemon.log();
    let is_flood = |line: &&str| line.contains("flood") && line.contains("line=");
    assert_eq!(log.lines().filter(is_flood).count(), 20, "{log}");
    neighbour_serves(&daemon);
}

#[test]
fn an_endless_flood_of_log_lines_ends_at_the_deadline() {
    let endless = r#"{ do = "log-flood", amount = 2000000000 }"#;
    ends(endless, &["deadline", "300ms"]);
}

/// Acts: `plugin.*.limits.effects`
#[test]
fn a_flood_of_effects_ends_its_call() {
    ends(r#"{ do = "effect-flood" }"#, &["effects", "50 a call"]);
}

/// Acts: `plugin.*.limits.timeout`
#[test]
fn a_sleeper_ends_at_its_timeout() {
    ends(r#"{ do = "sleep" }"#, &["timeout", "2s"]);
}

#[test]
fn a_full_namespace_takes_no_more() {
    ends(r#"{ do = "kv-keys" }"#, &["kv"]);
}

#[test]
fn what_was_not_granted_is_denied_by_name() {
    ends(r#"{ do = "foreign-target", name = "job" }"#, &["restart"]);
    ends(r#"{ do = "foreign-command", name = "flush" }"#, &["flush"]);
    ends(
        r#"{ do = "foreign-url", name = "http://127.0.0.1:2/" }"#,
        &["127.0.0.1:2"],
    );
    ends(r#"{ do = "foreign-backup", name = "data" }"#, &["data"]);
    ends(
        r#"{ do = "read-file", name = "/etc/passwd" }"#,
        &["hostile"],
    );
}

#[test]
fn a_guest_sees_no_environment() {
    let mut daemon = Daemon::prepare(&config(r#"{ do = "environment" }"#, LIMITS));
    daemon.set_env("MAINSTAY_TEST_MARK", "visible");
    daemon.drop_plugin(&guest("hostile", &[]));
    daemon.run();
    daemon.wait_for_plugins(1);
    let operation = daemon.recover("job", "misdeed");
    assert_eq!(operation["actions"][0], "[]", "{operation}");
}

#[test]
fn a_trap_in_describe_is_refused() {
    refused(
        copy_of(guest("hostile", &["trap-in-describe"])),
        &["describe", "trap"],
    );
}

#[test]
fn a_loop_in_describe_is_refused() {
    refused(
        copy_of(guest("hostile", &["loop-in-describe"])),
        &["describe", "deadline"],
    );
}

/// What the daemon lists of its plugins.
fn rows(daemon: &Daemon) -> Vec<serde_json::Value> {
    let rows = daemon.json(&["plugin", "list"]);
    rows.as_array().unwrap().clone()
}

#[test]
fn a_name_that_is_drawn_at_random_is_one_name_to_whoever_asks_and_whenever() {
    let component = guest("hostile", &["random-describe"]);
    let mut daemon = Daemon::start(&config(r#"{ do = "nothing" }"#, LIMITS), &[&component]);
    daemon.wait_for_plugins(1);
    let name = rows(&daemon)[0]["name"].clone();
    assert!(name.as_str().unwrap().starts_with("hostile-"), "{name}");
    let inspect = || daemon.json(&["plugin", "inspect", component.to_str().unwrap()]);
    let inspected = inspect();
    assert_eq!(inspected["name"], name);
    assert_eq!(inspect(), inspected, "the summary tells the time");
    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(1);
    assert_eq!(rows(&daemon)[0]["name"], name);
}

#[test]
fn a_version_longer_than_any_that_people_read_is_refused() {
    refused(
        copy_of(guest("hostile", &["huge-version"])),
        &["version", "7006 bytes", "at most 64"],
    );
}

#[test]
fn a_name_that_would_clear_the_screen_is_refused_and_shown() {
    let component = guest("hostile", &["forged-name"]);
    refused(copy_of(component.clone()), &[r"\u{1b}[2jfine\u{202e}"]);
    let daemon = Daemon::prepare(&config(r#"{ do = "nothing" }"#, LIMITS));
    let output = daemon.cli(&["plugin", "inspect", component.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(r"`\u{1b}[2Jfine\u{202e}`"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
}

#[test]
fn what_is_no_file_is_refused_by_inspect_and_check_without_being_waited_for() {
    let daemon = Daemon::prepare(&config(r#"{ do = "nothing" }"#, LIMITS));
    let fifo = daemon.path("plugins/pipe.wasm");
    make_fifo(&fifo);
    for (file, found) in [
        (fifo.to_str().unwrap(), "a FIFO"),
        ("/dev/zero", "a device"),
    ] {
        let output = daemon.cli(&["plugin", "inspect", file]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(found), "{said}");
    }
    let huge = fs::File::create(daemon.path("plugins/huge.wasm")).unwrap();
    huge.set_len(1 << 40).unwrap();
    let output = daemon.cli(&["check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("a FIFO"), "{said}");
    assert!(said.contains("a plugin may have 134217728"), "{said}");
}

#[test]
fn check_warns_of_granted_directories_that_no_guest_should_see() {
    let text = config(r#"{ do = "nothing" }"#, LIMITS);
    let granted = r#"dir = ["plugins", "state", "/", "missing"]"#;
    let daemon = Daemon::prepare(&text.replace(r#"dir = ["plugins"]"#, granted));
    let output = daemon.cli(&["check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for doubt in [
        "is the plugin directory",
        "is the state directory",
        "is the whole file system",
        "is not there",
    ] {
        assert!(said.contains(doubt), "{doubt}: {said}");
    }
    assert!(output.status.success(), "they are warnings: {said}");
}

#[test]
fn what_would_hold_a_thread_in_a_granted_directory_is_not_opened() {
    for name in ["pipe", "link", "socket"] {
        let params = format!(r#"{{ do = "read-file", name = "plugins/{name}" }}"#);
        let mut daemon = Daemon::prepare(&config(&params, LIMITS));
        daemon.drop_plugin(&guest("hostile", &[]));
        daemon.drop_plugin(&guest("probe", &[]));
        make_fifo(&daemon.path("plugins/pipe"));
        std::os::unix::fs::symlink("pipe", daemon.path("plugins/link")).unwrap();
        let socket = daemon.path("plugins/socket");
        let _listening = std::os::unix::net::UnixListener::bind(socket).unwrap();
        daemon.run();
        daemon.wait_for_plugins(2);
        let operation = daemon.recover("job", "misdeed");
        let error = operation["error"].as_str().unwrap().to_lowercase();
        assert!(error.contains("not permitted"), "{name}: {operation}");
        neighbour_serves(&daemon);
    }
}

#[test]
fn a_huge_description_is_refused() {
    refused(copy_of(guest("hostile", &["huge-describe"])), &["describe"]);
}

#[test]
fn a_loop_in_configure_is_refused() {
    refused(
        copy_of(guest("hostile", &["loop-in-configure"])),
        &["configure", "deadline"],
    );
}

#[test]
fn a_memory_bomb_in_configure_is_refused() {
    refused(
        copy_of(guest("hostile", &["memory-in-configure"])),
        &["configure", "memory"],
    );
}

#[test]
fn a_component_of_another_world_is_refused() {
    let text = r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f"))) (export "greet" (func $f)))"#;
    refused(
        |to| fs::write(to, wat::parse_str(text).unwrap()).unwrap(),
        &["mainstay:plugin", "greet"],
    );
}

#[test]
fn a_core_module_is_refused() {
    refused(
        |to| fs::write(to, wat::parse_str("(module)").unwrap()).unwrap(),
        &["core module"],
    );
}

#[test]
fn a_truncated_component_is_refused() {
    let whole = fs::read(plugin("restart-service")).unwrap();
    refused(
        |to| fs::write(to, &whole[..whole.len() * 2 / 3]).unwrap(),
        &["truncated"],
    );
}

#[test]
fn random_bytes_are_refused() {
    let mut random = mainstay_tests::campaign::Random::new(7);
    let bytes: Vec<u8> = (0..10_000).map(|_| random.number() as u8).collect();
    refused(|to| fs::write(to, bytes).unwrap(), &["not webassembly"]);
}

#[test]
fn an_empty_file_is_refused() {
    refused(|to| fs::write(to, b"").unwrap(), &["empty"]);
}

#[test]
fn a_plugin_that_fails_again_and_again_is_quarantined() {
    let daemon = Daemon::start(
        &config(r#"{ do = "trap" }"#, LIMITS),
        &[&guest("hostile", &[]), &guest("probe", &[])],
    );
    daemon.wait_for_plugins(2);
    for _ in 0..5 {
        daemon.recover("job", "misdeed");
    }
    daemon.wait_for_event("the quarantine", |event| {
        event["kind"] == "plugin.quarantined"
    });
    let rows = daemon.json(&["plugin", "list"]);
    let row = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "hostile")
        .unwrap();
    assert_eq!(row["quarantined"], true, "{row}");
    let operation = daemon.recover("job", "misdeed");
    assert!(
        operation["error"].as_str().unwrap().contains("rest"),
        "{operation}"
    );
    neighbour_serves(&daemon);
}
