//! Grants, limits and settings of plugins: `[plugin.NAME]`.
//!
//! Most limits are seen to act where guests misbehave, in `hostile.rs`.

use mainstay_tests::{Daemon, HOST, Receiver, guest, millis_between, plugin, sleeper};
use serde_json::Value;
use std::fs;

/// What the probe is asked to do, what it then reports, and what the reason holds where it may not.
const DEEDS: [(&str, &str, &str); 13] = [
    (r#"do = "restart""#, "restarted", "targets.restart"),
    (
        r#"do = "restart", name = "other""#,
        "restarted",
        "targets.restart",
    ),
    (r#"do = "look""#, "0 checks fail", "targets.status"),
    (r#"do = "stop-start""#, "started", "targets.stop"),
    (r#"do = "signal""#, "signalled", "targets.send"),
    (
        r#"do = "command", name = "greet""#,
        "exit 0: hello",
        "commands.run",
    ),
    (
        r#"do = "http", name = "RECEIVER/path""#,
        "status 200: thanks",
        "http.send",
    ),
    (r#"do = "kv""#, r#"Some([49]) true ["probe/a"]"#, "kv."),
    (
        r#"do = "backup", name = "state""#,
        "restored 2 documents",
        "backups.create",
    ),
    (
        r#"do = "read", name = "readable/file""#,
        "from the file",
        "",
    ),
    (
        r#"do = "read", name = "changeable/file""#,
        "from another",
        "",
    ),
    (r#"do = "write", name = "changeable/file""#, "written", ""),
    (r#"do = "echo""#, "from the settings", "probe"),
];

/// Does all of it, each on behalf of a failure of its own.
fn do_all(receiver: &Receiver, plugin: &str) -> (Daemon, Vec<Value>) {
    let routes = DEEDS.iter().enumerate().map(|(number, (params, ..))| {
        format!(
            r#"
[[route]]
failure = "deed-{number}"
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [{{ handler = "probe", params = {{ {params} }} }}]
"#
        )
    });
    let rest = r#"
[command.greet]
run = ["/bin/echo", "hello", "{target}"]
placeholders = ["target"]

[[job]]
name = "state"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
"#;
    // One that outlives the signal.
    let job = sleeper("job").replace("exec", "trap '' HUP; exec");
    let config = [HOST, &job, &sleeper("other"), rest, plugin]
        .into_iter()
        .map(str::to_owned)
        .chain(routes)
        .collect::<String>();
    let mut daemon = Daemon::prepare(&config.replace("RECEIVER", &receiver.url));
    for (directory, text) in [
        ("data", "state"),
        ("readable", "from the file"),
        ("changeable", "from another"),
    ] {
        fs::create_dir(daemon.path(directory)).unwrap();
        fs::write(daemon.path(directory).join("file"), text).unwrap();
    }
    daemon.drop_plugin(&guest("probe", &[]));
    daemon.run();
    daemon.wait_for_plugins(1);
    let operations = (0..DEEDS.len())
        .map(|number| daemon.recover("job", &format!("deed-{number}")))
        .collect();
    (daemon, operations)
}

fn reported(operation: &Value) -> String {
    let actions = operation["actions"].as_array().unwrap();
    actions
        .last()
        .map_or("", |text| text.as_str().unwrap())
        .to_owned()
}

/// Acts: `plugin.*.grants.target`, `plugin.*.grants.command`, `plugin.*.grants.http`, `plugin.*.grants.kv`
/// Acts: `plugin.*.grants.backup`, `plugin.*.grants.dir`, `plugin.*.grants.dir.path`, `plugin.*.grants.dir.write`
/// Acts: `plugin.*.settings`
#[test]
fn what_is_granted_can_be_done_and_without_grants_nothing_can() {
    let receiver = Receiver::start();
    let plugin = r#"
[plugin.probe]
settings = { word = "from the settings" }

[plugin.probe.grants]
target = ["status", "check", "restart", "stop", "start", "signal", "restart:other"]
command = ["greet"]
http = ["RECEIVER"]
kv = "1KiB"
backup = ["state"]
dir = ["readable", { path = "changeable", write = true }]
"#;
    let (daemon, operations) = do_all(&receiver, plugin);
    for (operation, (params, report, _)) in operations.iter().zip(DEEDS) {
        assert_eq!(operation["state"], "succeeded", "{params}: {operation}");
        let found = reported(operation);
        assert!(found.starts_with(report), "{params}: {found}");
    }
    let written = fs::read_to_string(daemon.path("changeable/file")).unwrap();
    assert_eq!(written, "from the settings");
    fs::write(daemon.path("changeable/file"), "kept").unwrap();
    let writing = DEEDS.iter().position(|deed| deed.0.contains("write"));
    let failure = format!("deed-{}", writing.unwrap());
    daemon.cli(&["recover", "job", "--failure", &failure, "--dry-run"]);
    let kept = fs::read_to_string(daemon.path("changeable/file")).unwrap();
    assert_eq!(kept, "kept", "a dry run changes nothing");

    let received = receiver.received().len();
    let (daemon, operations) = do_all(&receiver, "");
    for (operation, (params, report, denied)) in operations.iter().zip(DEEDS) {
        if denied == "probe" {
            assert_ne!(reported(operation), report, "there are no settings");
            continue;
        }
        assert_eq!(operation["state"], "failed", "{params}: {operation}");
        let error = operation["error"].as_str().unwrap();
        assert!(error.contains(denied), "{params}: {error}");
        let named = denied.is_empty() || error.contains("has no grant");
        assert!(named, "{params}: {error}");
    }
    assert_eq!(receiver.received().len(), received);
    let kept = fs::read_to_string(daemon.path("changeable/file")).unwrap();
    assert_eq!(kept, "from another");
}

/// A grant for one thing is none for another.
#[test]
fn a_narrow_grant_gives_no_more_than_it_says() {
    let receiver = Receiver::start();
    let plugin = r#"
[plugin.probe.grants]
target = ["restart:other", "status"]
kv = "1B"
dir = ["readable", "changeable"]
"#;
    let (_daemon, operations) = do_all(&receiver, plugin);
    let succeeded = |operation: &Value| operation["state"] == "succeeded";
    let done: Vec<&str> = operations
        .iter()
        .zip(DEEDS)
        .filter(|(operation, _)| succeeded(operation))
        .map(|(_, (params, ..))| params)
        .collect();
    let expected = [1, 9, 10, 12].map(|number: usize| DEEDS[number].0);
    assert_eq!(done, expected);
    let error = operations[7]["error"].as_str().unwrap();
    assert!(error.contains("its grant is 1;"), "{error}");
}

/// Acts: `plugin.*.limits.concurrency`
#[test]
fn so_many_calls_run_at_one_time_as_the_limit_says() {
    let rest = r#"
[[route]]
failure = "turns"
chain = [{ handler = "hostile", params = { do = "sleep", amount = 300 } }]

[[route]]
failure = "long"
chain = [{ handler = "probe", params = { do = "steps", length = "10m" } }]

[[route]]
failure = "short"
chain = [{ handler = "probe", params = { do = "sleep", length = "1ms" } }]

[plugin.hostile]
limits = { concurrency = 1 }

[plugin.probe]
grants = { kv = "1KiB" }
limits = { concurrency = 2 }
"#;
    let config = [HOST, &sleeper("a"), &sleeper("b"), rest].concat();
    let plugins = [guest("hostile", &[]), guest("probe", &[])];
    let daemon = Daemon::start(&config, &plugins.each_ref().map(|path| path.as_path()));
    daemon.wait_for_plugins(2);

    daemon.json(&["recover", "a", "--failure", "turns"]);
    daemon.json(&["recover", "b", "--failure", "turns"]);
    let [a, b] = ["a", "b"].map(|target| {
        let operation = &daemon.wait_for_successes(target, 1)[0];
        daemon.journal(operation, "result")[0]["at"].clone()
    });
    let apart = millis_between(&a, &b).max(millis_between(&b, &a));
    assert!(apart >= 300, "the sleeps ended at {a} and {b}");

    daemon.json(&["recover", "a", "--failure", "long"]);
    let counted = daemon.wait_for_event("the count before the sleep", |event| {
        event["data"]["effect"] == "kv.compare-and-set"
    });
    assert_eq!(daemon.recover("b", "short")["state"], "succeeded");
    let long = &daemon.json(&["history", "--failure", "long"])[0];
    assert_eq!(long["id"], counted["operation"]);
    assert_eq!(long["state"], "in-progress");
}

/// Acts: `plugin.*.plugin`
#[test]
fn two_instances_of_one_plugin_have_settings_and_grants_of_their_own() {
    let (day, night) = (Receiver::start(), Receiver::start());
    let rest = format!(
        r#"
[[alert]]
alerter = "page-day"
events = ["operation.succeeded"]
target = "a"

[[alert]]
alerter = "page-night"
events = ["operation.succeeded"]

[[route]]
failure = "of-one"
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [{{ handler = "probe-one", params = {{ do = "kv" }} }}]

[[route]]
failure = "of-two"
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [{{ handler = "probe-two", params = {{ do = "kv" }} }}]

[plugin.page-day]
plugin = "webhook"
grants = {{ http = ["{day}"] }}
settings = {{ url = "{day}/day" }}

[plugin.page-night]
plugin = "webhook"
grants = {{ http = ["{night}"] }}
settings = {{ url = "{night}/night" }}

[plugin.probe-one]
plugin = "probe"
grants = {{ kv = "1KiB" }}

[plugin.probe-two]
plugin = "probe"
"#,
        day = day.url,
        night = night.url
    );
    let config = [HOST, &sleeper("a"), &sleeper("b"), &rest].concat();
    let plugins = [plugin("webhook"), guest("probe", &[])];
    let daemon = Daemon::start(&config, &plugins.each_ref().map(|path| path.as_path()));
    daemon.wait_for_plugins(2);
    let done = daemon.recover("a", "of-one");
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(done["handler"], "probe-one");
    assert_eq!(daemon.recover("b", "of-one")["state"], "succeeded");
    let refused = daemon.recover("b", "of-two");
    assert_ne!(
        refused["state"], "succeeded",
        "nothing is granted: {refused}"
    );
    // Who is told of routes without a handler is not told of these.
    let status = daemon.json(&["status"]);
    assert_eq!(status["unhandled_routes"], Value::from(Vec::<Value>::new()));
    let of = |target: &'static str| {
        move |request: &mainstay_tests::Received| request.json()["target"] == target
    };
    let sent = day.wait_for("the alert by day", of("a"));
    assert_eq!(sent.line, "POST /day");
    for target in ["a", "b"] {
        let sent = night.wait_for("the alert by night", of(target));
        assert_eq!(sent.line, "POST /night");
    }
    assert!(day.received().iter().all(|one| one.json()["target"] == "a"));
    // Each has its own calls, below the plugin that it is one of.
    let rows = daemon.json(&["plugin", "list"]);
    let calls_of = |plugin: &str, name: &str| {
        let mut rows = rows.as_array().unwrap().iter();
        let row = rows.find(|row| row["name"] == plugin).unwrap();
        let mut instances = row["instances"].as_array().unwrap().iter();
        let instance = instances.find(|instance| instance["name"] == name);
        instance.unwrap()["calls"].as_u64().unwrap()
    };
    assert_eq!(calls_of("probe", "probe-one"), 2, "{rows}");
    assert_eq!(calls_of("probe", "probe-two"), 1, "{rows}");
    assert!(calls_of("webhook", "page-day") >= 1, "{rows}");
    assert!(calls_of("webhook", "page-night") >= 2, "{rows}");
    let shown = daemon.cli(&["plugin", "list"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("└ probe-one"), "{shown}");
    // None of them is missed, and a bad setting is told by the name of the instance.
    let status = daemon.json(&["status"]);
    assert_eq!(status["unhandled_routes"], Value::Array(Vec::new()));
    let checked = daemon.cli(&["check"]);
    assert!(checked.status.success(), "{checked:?}");
    let text = String::from_utf8(checked.stdout).unwrap();
    assert!(!text.contains("names the"), "{text}");
    let broken = config.replace("/night\"", "/night\", nobody = 1");
    fs::write(daemon.path("mainstay.toml"), broken).unwrap();
    let refused = daemon.cli(&["check"]);
    let told = [refused.stdout, refused.stderr].concat();
    let told = String::from_utf8(told).unwrap();
    assert!(
        !refused.status.success() && told.contains("nobody"),
        "{told}"
    );
}
