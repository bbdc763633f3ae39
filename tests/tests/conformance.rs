//! Every sentence of the contract is kept by the host: one case for each, named after it, looked at by a guest that any
//! host of the contract could run (`tests/guests/conformance`, and in Python `tests/python-guests/conformance-python`). Of
//! the sentences that no guest can look at, `host/runtime` has tests: what `configure` sees, what is refused before it
//! serves, and how calls end at their limits.

use mainstay_tests::{
    Daemon, HOST, MAIL_PASSWORD, MailServer, guest, python_guest, tls_file, wait_for,
};
use serde_json::Value;
use std::{fmt::Write, fs, os::unix::fs::PermissionsExt};

/// The sentences that the guest looks at by itself.
const KEPT: [&str; 23] = [
    "clock-now-never-goes-back",
    "clock-sleep-waits",
    "log-lines-above-the-limit-are-dropped",
    "settings-are-an-object",
    "kv-keys-are-bounded",
    "kv-above-the-grant-is-limited",
    "kv-get-of-no-key-is-absent",
    "kv-delete-of-no-key-does-nothing",
    "kv-compare-and-set-compares",
    "kv-keys-are-sorted",
    "undeclared-placeholder-is-failed",
    "exit-status-is-an-output",
    "end-by-signal-is-an-output",
    "killed-at-timeout-is-timed-out",
    "what-is-not-granted-is-denied",
    "start-of-what-runs-does-nothing",
    "restart-gives-a-new-process",
    "signal-without-process-is-failed",
    "check-of-healthy-is-empty",
    "newest-of-none-is-absent",
    "create-is-unavailable-while-one-runs",
    "no-connection-is-unavailable",
    "operation-is-whole",
];

/// What the guest needs, below the usual host; the one in Python the same, by its own name.
const CONFIG: &str = r#"
[[target]]
name = "well"
run = ["/bin/sh", "-c", "exec sleep 1000"]
[[target.check]]
kind = "exec"
run = ["true"]
every = "1s"
timeout = "1s"
recover_after = 1
failure = "ill"

[command.say]
run = ["echo", "{word}"]
placeholders = ["word"]

[command.exits]
run = ["/bin/sh", "-c", "exit 3"]

[command.is-killed]
run = ["/bin/sh", "-c", "kill -9 $$"]

[command.hangs]
run = ["sleep", "1000"]
timeout = "200ms"

[command.not-granted]
run = ["true"]

[[job]]
name = "state"
encryption = "none"
source = [{ kind = "directory", path = "data" }]

[[job]]
name = "slow"
encryption = "none"
source = [{ kind = "command", run = ["/bin/sh", "-c", "touch begun; until [ -e go-on ]; do sleep 0.02; done; echo done"], key = "slow" }]

[plugin.conformance.grants]
target = ["status", "start", "stop", "restart", "signal", "check"]
command = ["say", "exits", "is-killed", "hangs"]
http = ["http://127.0.0.1:1"]
kv = "16KiB"
backup = ["state", "slow"]
"#;

/// A route for a failure that is named after its case; its chain makes the cases one after the other.
fn route(handler: &str, failure: &str, cases: &[&str]) -> String {
    let mut route = format!(
        "\n[[route]]\nfailure = \"{failure}\"\nrelapse_window = \"0s\"\n\
         strategy = {{ kind = \"immediate\", max_attempts = 1 }}\n"
    );
    for case in cases {
        let _ = write!(
            route,
            "[[route.chain]]\nhandler = \"{handler}\"\nparams = {{ case = \"{case}\" }}\n"
        );
    }
    route
}

fn config(handler: &str) -> String {
    let grants = CONFIG.replace("[plugin.conformance.", &format!("[plugin.{handler}."));
    let mut config = [HOST, &grants].concat();
    for case in KEPT {
        config.push_str(&route(handler, case, &[case]));
    }
    config.push_str(&route(handler, "retryable", &["answer-retryable"]));
    let chain = ["answer-permanent", "does-nothing"];
    config.push_str(&route(handler, "permanent", &chain));
    config.push_str(&route(
        handler,
        "needs-operator",
        &["answer-needs-operator"],
    ));
    config
}

#[test]
fn the_host_keeps_every_sentence_of_the_contract() {
    every_sentence_is_kept("conformance", |daemon| {
        daemon.drop_plugin(&guest("conformance", &[]));
    });
}

/// What another toolchain makes of the contract calls the host in its own way: a snapshot of an interpreter, with texts and
/// lists that it lays out itself.
#[test]
fn the_host_keeps_every_sentence_of_the_contract_for_a_guest_in_python() {
    every_sentence_is_kept("conformance-python", |daemon| {
        daemon.drop_large_plugin(&python_guest("conformance-python"));
    });
}

fn every_sentence_is_kept(handler: &str, drop_it: impl Fn(&Daemon)) {
    let mut daemon = Daemon::prepare(&config(handler));
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "a").unwrap();
    drop_it(&daemon);
    daemon.run();
    daemon.wait_for_plugins(1);
    let mut broken = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| daemon.cli(&["backup", "create", "slow"]));
        wait_for("a backup that goes on and on", || {
            match daemon.path("begun").exists() {
                true => Ok(()),
                false => Err(daemon.log()),
            }
        });
        for case in KEPT {
            let operation = daemon.recover("well", case);
            if operation["state"] != "succeeded" || operation["actions"][0] != "kept" {
                broken.push(operation);
            }
        }
        fs::write(daemon.path("go-on"), "").unwrap();
    });
    assert!(broken.is_empty(), "these are not kept: {broken:#?}");

    // What an answer means.
    let retryable = daemon.recover("well", "retryable");
    assert_eq!(retryable["state"], "failed", "{retryable}");
    let permanent = daemon.recover("well", "permanent");
    assert_eq!(permanent["state"], "succeeded", "{permanent}");
    assert_eq!(permanent["actions"][0], "kept", "{permanent}");
    let asked = daemon.cli(&["recover", "well", "--failure", "needs-operator"]);
    assert!(asked.status.success(), "{asked:?}");
    daemon.wait_for_operation("well", "awaiting-manual");
    assert!(daemon.stop());
}

/// The sentences that contract 1.1.0 has of durable handlers.
const DURABLE: [&str; 9] = [
    "random-numbers-differ",
    "random-bytes-are-as-many",
    "sleep-until-waits",
    "sleep-until-the-past-is-no-wait",
    "key-is-of-its-name",
    "key-is-the-same-in-every-attempt",
    "nothing-is-replayed",
    "signal-has-a-name",
    "targets-are-there",
];

/// Beside one that was built against 1.0.0 and never heard of it.
#[test]
fn the_host_keeps_what_the_newer_contract_says_of_durable_handlers() {
    let mut config = [
        HOST,
        "[[target]]\nname = \"well\"\nrun = [\"sleep\", \"1000\"]\n\
         [plugin.conformance-durable.grants]\ntarget = [\"status\"]\nkv = \"1KiB\"\n",
    ]
    .concat();
    for case in DURABLE {
        let _ = write!(
            config,
            "\n[[route]]\nfailure = \"{case}\"\nrelapse_window = \"0s\"\n\
             strategy = {{ kind = \"immediate\", max_attempts = 2 }}\n\
             chain = [{{ handler = \"conformance-durable\", params = {{ case = \"{case}\" }} }}]\n"
        );
    }
    config.push_str(&route("conformance", "old", &["does-nothing"]));
    let plugins = [guest("conformance-durable", &[]), guest("conformance", &[])];
    let daemon = Daemon::start(&config, &[&plugins[0], &plugins[1]]);
    daemon.wait_for_plugins(2);
    let rows = daemon.json(&["plugin", "list"]);
    let contracts: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["kind"].as_str().unwrap(),
                row["contract"].as_str().unwrap(),
            )
        })
        .collect();
    assert!(
        contracts.contains(&("durable-recovery-handler", "1.1.0")),
        "{contracts:?}"
    );
    assert!(
        contracts.contains(&("recovery-handler", "1.0.0")),
        "{contracts:?}"
    );
    let mut broken = Vec::new();
    for case in DURABLE {
        let operation = daemon.recover("well", case);
        if operation["state"] != "succeeded" || operation["actions"][0] != "kept" {
            broken.push(operation);
        }
    }
    assert!(broken.is_empty(), "these are not kept: {broken:#?}");
    let old = daemon.recover("well", "old");
    assert_eq!(old["state"], "succeeded", "{old}");
}

/// What a detector gives, and the health that its target has by it.
const GIVEN: [(&str, &str); 13] = [
    ("healthy", "healthy"),
    ("degraded", "degraded"),
    ("failed", "failed"),
    ("unsure", "degraded"),
    ("own-failure", "failed"),
    ("foreign-failure", "unknown"),
    ("no-look", "unknown"),
    ("trap", "unknown"),
    ("hang", "unknown"),
    ("memory", "healthy"),
    ("much-memory", "unknown"),
    ("long-message", "failed"),
    ("request", "healthy"),
];

#[test]
fn the_host_makes_of_what_a_detector_gives_what_the_contract_says() {
    let mut config = [
        HOST,
        "[plugin.conformance-detector]\nsettings = { word = \"settings\" }\n\
         limits = { concurrency = 20 }\n",
    ]
    .concat();
    for (gives, _) in GIVEN {
        let _ = write!(
            config,
            "\n[[target]]\nname = \"{gives}\"\nrun = [\"sleep\", \"1000\"]\nstart_period = \"0s\"\n\
             [[target.check]]\nname = \"as-asked\"\nkind = \"plugin\"\nplugin = \"conformance-detector\"\n\
             every = \"500ms\"\ntimeout = \"500ms\"\nfail_after = 1\nrecover_after = 1\nfailure = \"{gives}-down\"\n\
             params = {{ gives = \"{gives}\" }}\n"
        );
    }
    let daemon = Daemon::start(&config, &[&guest("conformance-detector", &[])]);
    daemon.wait_for_plugins(1);
    for (gives, health) in GIVEN {
        // One that is quarantined for what another check has it do gives nothing, and is asked again.
        daemon.wait_for_status(&format!("{gives} to be {health}"), |status| {
            let mut rows = status["targets"].as_array().unwrap().iter();
            rows.any(|row| row["name"] == gives && row["health"] == health)
        });
    }
    let events = daemon.events();
    let failed = |gives: &str| {
        let mut of_it = events.iter().filter(|event| event["target"] == gives);
        of_it
            .find(|event| event["kind"] == "check.failed")
            .map(|event| event["message"].as_str().unwrap().to_owned())
    };
    for (gives, health) in GIVEN {
        assert_eq!(failed(gives).is_some(), health == "failed", "{gives}");
    }
    let own = failed("own-failure").unwrap();
    assert!(own.contains("queue-full: as it was asked"), "{own}");
    let long = failed("long-message").unwrap();
    assert!(long.contains('…') && long.len() < 3_000, "{long}");
}

/// The sentences that contract 1.2.0 has of mail and of signed requests, with what the server answers to mail meanwhile; empty:
/// it takes it.
const MAIL: [(&str, &str); 13] = [
    ("mail-is-handed-over", ""),
    ("recipients-are-one-to-fifty", ""),
    ("recipients-are-plain", ""),
    ("recipient-of-no-grant-is-denied", ""),
    ("account-of-no-grant-is-denied", ""),
    ("subject-is-one-line", ""),
    ("long-text-is-cut", ""),
    ("thread-is-of-its-text", ""),
    ("thread-is-bounded", ""),
    ("no-server-is-unavailable", ""),
    ("later-is-unavailable", "451 4.7.1 later"),
    ("refused-is-failed", "550 5.7.1 never"),
    ("signing-without-handle-is-denied", ""),
];

/// An account at this port, by which everybody may write to the one that is on call.
fn account(name: &str, port: u16) -> String {
    format!(
        "\n[smtp.{name}]\nhost = \"localhost\"\nport = {port}\nuser = \"mainstay\"\npassword = \"mail\"\n\
         from = \"mainstay@example.com\"\nto = [\"oncall@example.com\"]\ntimeout = \"20s\"\n"
    )
}

#[test]
fn the_host_keeps_what_the_newest_contract_says_of_mail() {
    let server = MailServer::start("implicit");
    let mut config = [HOST, "[secrets]\nmail = { file = \"mail-password\" }\n"].concat();
    for (name, port) in [
        ("ops", server.port()),
        ("other", server.port()),
        ("nowhere", 1),
    ] {
        config.push_str(&account(name, port));
    }
    for (case, _) in MAIL {
        let _ = write!(
            config,
            "\n[[alert]]\nalerter = \"{case}\"\n[plugin.{case}]\nplugin = \"conformance-alerter\"\n\
             settings = {{ case = \"{case}\" }}\n\
             grants = {{ mail = [\"ops\", \"nowhere\"], http = [\"http://127.0.0.1:1\"] }}\n"
        );
    }
    let mut daemon = Daemon::prepare(&config);
    let password = daemon.path("mail-password");
    fs::write(&password, format!("{MAIL_PASSWORD}\n")).unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let authority = tls_file("authority.pem");
    daemon.set_env("SSL_CERT_FILE", authority.to_str().unwrap());
    daemon.drop_plugin(&guest("conformance-alerter", &[]));
    daemon.run();
    daemon.wait_for_plugins(1);
    let rows = daemon.json(&["plugin", "list"]);
    assert_eq!(rows[0]["contract"], "1.2.0", "{rows}");
    let mut broken = Vec::new();
    for (case, answer) in MAIL {
        server.answer_with(answer);
        let output = daemon.cli(&["alert", "test", "--alerter", case, "--json"]);
        let tested: Value = serde_json::from_slice(&output.stdout).unwrap();
        if tested[0]["reference"] != "kept" {
            broken.push(tested);
        }
    }
    assert!(broken.is_empty(), "these are not kept: {broken:#?}");

    // What the server saw of those that no guest can look at.
    let seen = server.seen();
    let with = |begin: &str| {
        let begins = |mail: &&Value| mail["subject"].as_str().unwrap().starts_with(begin);
        seen.iter().find(begins).unwrap()
    };
    let subject = with("one two: word")["subject"].as_str().unwrap();
    assert!((490..=500).contains(&subject.len()), "{subject}");
    let text = with("long text")["text"].as_str().unwrap();
    let text = text.replace('\r', "");
    assert!((65_000..=65_600).contains(&text.len()), "{}", text.len());
    let thread = |subject: &str| with(subject)["references"].as_str().unwrap();
    assert_eq!(thread("first"), thread("second"));
    assert_ne!(thread("first"), thread("other"));
    assert_eq!(thread("alone"), "None");
    let strangers = |mail: &Value| mail["to"].to_string().contains("stranger");
    assert!(!seen.iter().any(strangers), "{seen:?}");
}
