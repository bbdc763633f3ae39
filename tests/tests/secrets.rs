//! A secret reaches the host that it is for, and nothing else; and no text from outside names one.

use mainstay_tests::{
    Daemon, HOST, Received, Receiver, free_port, guest, plugin, sleeper, wait_for,
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

const SECRET: &str = "s3cr3t-Zq7-value";

fn config(receiver: &str, url: &str) -> String {
    format!(
        r#"
[host]
state_dir = "state"
plugin_dir = "plugins"

[secrets]
hook-token = {{ file = "token" }}

[[target]]
name = "job"
run = ["/bin/sh", "-c", "exec sleep 1000"]

[[route]]
failure = "service-down"
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}

[[alert]]
min_severity = "low"
events = ["operation.succeeded"]
alerter = "webhook"

[plugin.webhook]
grants = {{ http = ["{receiver}"] }}
settings = {{ url = "{url}", headers = {{ authorization = "Bearer ${{secret:hook-token}}" }} }}
"#
    )
}

fn start(config: &str) -> Daemon {
    let mut daemon = Daemon::prepare(config);
    write_token(&daemon);
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.drop_plugin(&plugin("webhook"));
    daemon.run();
    daemon.wait_for_plugins(2);
    daemon
}

fn recover(daemon: &Daemon) {
    let output = daemon.cli(&["recover", "job", "--failure", "service-down", "--wait"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Neither its value nor a handle that stood for it in a call.
fn must_not_hold_the_secret(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            must_not_hold_the_secret(&path);
        } else if path.file_name().is_some_and(|name| name != "token") && path.is_file() {
            let bytes = fs::read(&path).unwrap();
            for kept_out in [SECRET, "mainstay-secret-"] {
                let mut windows = bytes.windows(kept_out.len());
                let found = windows.any(|window| window == kept_out.as_bytes());
                assert!(!found, "{} holds {kept_out}", path.display());
            }
        }
    }
}

fn write_token(daemon: &Daemon) {
    fs::write(daemon.path("token"), format!("{SECRET}\n")).unwrap();
    fs::set_permissions(daemon.path("token"), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_secret_reaches_the_granted_host_and_no_file_or_log() {
    let receiver = Receiver::start();
    // The receiver echoes what it was sent: neither the guest nor the journal may see it.
    receiver.answer_with("200 OK", &format!("x-request-id: {SECRET}\r\n"), SECRET);
    let daemon = start(&config(&receiver.url, &format!("{}/hook", receiver.url)));
    recover(&daemon);
    let request = receiver.wait_for("the alert", |request| request.line == "POST /hook");
    let authorization = request
        .headers
        .iter()
        .find(|(name, _)| name == "authorization")
        .unwrap();
    assert_eq!(authorization.1, format!("Bearer {SECRET}"));
    let delivered =
        daemon.wait_for_event("the delivery", |event| event["kind"] == "alert.delivered");
    assert!(
        delivered.to_string().contains("[secret:hook-token]"),
        "echoed secrets become their names: {delivered}"
    );
    must_not_hold_the_secret(daemon.directory.path());
}

#[test]
fn a_secret_follows_no_redirect_to_another_host() {
    let (granted, other) = (Receiver::start(), Receiver::start());
    granted.answer_with(
        "307 Temporary Redirect",
        &format!("location: {}/stolen\r\n", other.url),
        "",
    );
    let daemon = start(&config(&granted.url, &format!("{}/hook", granted.url)));
    recover(&daemon);
    granted.wait_for("the alert", |request| request.line == "POST /hook");
    let refused = daemon.wait_for_event("the refusal", |event| {
        matches!(
            event["kind"].as_str(),
            Some("alert.delayed" | "alert.abandoned")
        )
    });
    assert!(refused.to_string().contains("grant"), "{refused}");
    assert!(other.received().is_empty(), "the other host was reached");
    must_not_hold_the_secret(daemon.directory.path());
}

#[test]
fn a_host_without_a_grant_is_not_reached() {
    let (granted, other) = (Receiver::start(), Receiver::start());
    let daemon = start(&config(&granted.url, &format!("{}/hook", other.url)));
    recover(&daemon);
    daemon.wait_for_event("the refusal", |event| {
        matches!(
            event["kind"].as_str(),
            Some("alert.delayed" | "alert.abandoned")
        )
    });
    assert!(other.received().is_empty() && granted.received().is_empty());
}

/// What is granted is the secret that the operator wrote into the plugin's own settings. A name that a guest makes up
/// is text, that of this very secret too.
#[test]
fn a_secret_that_a_guest_only_names_is_sent_as_text() {
    let receiver = Receiver::start();
    let route = r#"
[secrets]
hook-token = { file = "token" }

[plugin.probe]
grants = { http = ["RECEIVER"] }
settings = { word = "${secret:hook-token}" }

[[route]]
failure = "written"
chain = [{ handler = "probe", params = { do = "http", name = "RECEIVER/?t=${secret:hook-token}" } }]

[[route]]
failure = "named"
chain = [{ handler = "probe", params = { do = "http", name = "RECEIVER/?t=$[secret:hook-token]$[secret:nosuch]" } }]
"#;
    let route = route.replace("RECEIVER", &receiver.url);
    let mut daemon = Daemon::prepare(&[HOST, &sleeper("job"), &route].concat());
    write_token(&daemon);
    daemon.drop_plugin(&guest("probe", &[]));
    daemon.run();
    daemon.wait_for_plugins(1);

    let named = daemon.recover("job", "named");
    assert_eq!(named["state"], "succeeded", "{named}");
    let lines = || -> Vec<String> {
        let received = receiver.received().into_iter();
        received.map(|request| request.line).collect()
    };
    let as_text = "GET /?t=${secret:hook-token}${secret:nosuch}".to_owned();
    assert_eq!(lines(), std::slice::from_ref(&as_text));
    let written = daemon.recover("job", "written");
    assert_eq!(written["state"], "succeeded", "{written}");
    assert_eq!(lines(), [as_text, format!("GET /?t={SECRET}")]);
    must_not_hold_the_secret(daemon.directory.path());
}

/// The alerts of the next test: what causes each is in its config or done by it. `said` is what a check prints.
const TAINTED: &str = r#"
[[target]]
name = "api"
[[target.check]]
kind = "exec"
run = ["sh", "-c", "cat said; exit 1"]
every = "1m"
timeout = "1m"
fail_after = 1
failure = "odd"

[secrets]
hook = { file = "token" }

[[route]]
failure = "odd"
strategy = { kind = "manual" }
chain = [{ handler = "probe" }]

[[route]]
failure = "reported"
chain = [{ handler = "probe", params = { do = "echo", word = "used ${secret:hook}" } }]

[[route]]
failure = "unreachable"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "probe", params = { do = "http", name = "CLOSED/?t=${secret:hook}&u=$[secret:nosuch]" } }]

[plugin.probe]
grants = { http = ["CLOSED"] }
settings = { word = "${secret:hook}" }

[[alert]]
min_severity = "low"
events = ["incident.opened", "operation.escalated", "operation.succeeded", "operation.failed",
    "plugin.rejected", "config.rejected"]
alerter = "webhook"

[plugin.webhook]
grants = { http = ["RECEIVER"] }
settings = { url = "RECEIVER/hook?t=${secret:hook}", headers = { authorization = "Bearer ${secret:hook}" } }
"#;

#[test]
fn a_text_that_names_secrets_reaches_the_receiver_as_text() {
    const SAID: &str = "${secret:hook} ${secret:nosuch} ${secret:";
    let receiver = Receiver::start();
    let config = TAINTED
        .replace("RECEIVER", &receiver.url)
        .replace("CLOSED", &format!("http://127.0.0.1:{}", free_port()));
    let config = [HOST, &sleeper("job"), &config].concat();
    let mut daemon = Daemon::prepare(&config);
    write_token(&daemon);
    fs::write(daemon.path("said"), SAID).unwrap();
    daemon.drop_plugin(&plugin("webhook"));
    daemon.drop_plugin(&guest("probe", &[]));
    daemon.run();
    daemon.wait_for_plugins(2);

    // The value is where the operator wrote the secret, and nowhere else.
    let alert = |kind: &str, text: &str| {
        let body = |request: &Received| String::from_utf8_lossy(&request.body).into_owned();
        let request = receiver.wait_for(&format!("{kind} with {text}"), |request| {
            request.json()["kind"] == kind && body(request).contains(text)
        });
        assert_eq!(request.line, format!("POST /hook?t={SECRET}"));
        let authorization = ("authorization".to_owned(), format!("Bearer {SECRET}"));
        assert!(request.headers.contains(&authorization), "{kind}");
        assert!(!body(&request).contains(SECRET), "{kind}");
    };
    alert("incident.opened", SAID);

    let held = daemon.wait_for_operation("api", "awaiting-manual");
    let id = held["id"].as_str().unwrap();
    let rejecting = ["reject", id, "--by", "${secret:hook}", "--reason"];
    let rejected = daemon.cli(&[rejecting.as_slice(), &["${secret:nosuch}"]].concat());
    assert!(rejected.status.success());
    alert("operation.escalated", "${secret:nosuch}");

    // What a handler passes on of its own handles is shown with their names.
    let reported = daemon.recover("job", "reported");
    assert_eq!(reported["actions"][1], "used ${secret:hook}", "{reported}");
    alert("operation.succeeded", "used ${secret:hook}");
    let failed = daemon.recover("job", "unreachable");
    let error = failed["error"].as_str().unwrap();
    let url = "/?t=${secret:hook}&u=${secret:nosuch}";
    assert!(error.contains(url), "{error}");
    alert("operation.failed", url);

    fs::write(daemon.path("plugins/${secret:hook}.wasm"), "no plugin").unwrap();
    alert("plugin.rejected", "${secret:hook}.wasm");
    let broken = config.replace("word = \"${secret:hook}\"", "word = \"${secret:nosuch}\"");
    fs::write(daemon.path("mainstay.toml"), broken).unwrap();
    alert("config.rejected", "${secret:nosuch}");
    must_not_hold_the_secret(daemon.directory.path());
}

/// The alerts of the next test: what people say, and what a program that is backed up says.
const SAID_BY_PEOPLE: &str = r#"
[secrets]
hook = { file = "token" }

[[route]]
failure = "deaf"
strategy = { kind = "manual" }
chain = [{ handler = "probe" }]

[[route]]
failure = "slow"
chain = [{ handler = "probe" }]

[[job]]
name = "dump"
encryption = "none"
source = [{ kind = "command", run = ["sh", "-c", "cat said >&2; exit 1"], key = "dump" }]

[[alert]]
min_severity = "low"
events = ["host.paused", "host.resumed", "operation.scheduled", "operation.approved", "operation.cancelled",
    "operation.escalated", "backup.failed"]
alerter = "webhook"

[plugin.webhook]
grants = { http = ["RECEIVER"] }
settings = { url = "RECEIVER/hook", headers = { authorization = "Bearer ${secret:hook}" } }
"#;

#[test]
fn what_people_and_programs_say_names_no_secret_in_an_alert() {
    const SAID: &str = "${secret:hook} ${secret:nosuch} ${secret:";
    let receiver = Receiver::start();
    let deaf = |name: &str| {
        format!(
            "\n[[target]]\nname = \"{name}\"\n[[target.check]]\nkind = \"tcp\"\naddress = \"127.0.0.1:1\"\n\
             every = \"1h\"\ntimeout = \"1s\"\nfail_after = 1\nfailure = \"deaf\"\n"
        )
    };
    let waiting = ["approved", "rejected", "cancelled"];
    let config = [
        HOST,
        &sleeper("job"),
        &waiting.map(deaf).concat(),
        &SAID_BY_PEOPLE.replace("RECEIVER", &receiver.url),
    ];
    let mut daemon = Daemon::prepare(&config.concat());
    write_token(&daemon);
    fs::write(daemon.path("said"), SAID).unwrap();
    daemon.drop_plugin(&plugin("webhook"));
    daemon.drop_plugin(&guest("probe", &[]));
    daemon.run();
    daemon.wait_for_plugins(2);
    let [approved, rejected, cancelled] = waiting.map(|target| {
        let operation = daemon.wait_for_operation(target, "awaiting-manual");
        operation["id"].as_str().unwrap().to_owned()
    });
    let said: [(&str, &[&str]); 7] = [
        ("host.paused", &["pause", "job", "--by", SAID]),
        ("host.resumed", &["resume", "job", "--by", SAID]),
        (
            "operation.scheduled",
            &["recover", "job", "--failure", "slow", "--by", SAID],
        ),
        (
            "operation.approved",
            &["approve", &approved, "--reason", SAID],
        ),
        (
            "operation.escalated",
            &["reject", &rejected, "--reason", SAID],
        ),
        (
            "operation.cancelled",
            &["cancel", &cancelled, "--reason", SAID],
        ),
        ("backup.failed", &["backup", "create", "dump"]),
    ];
    for (kind, command) in said {
        let output = daemon.cli(command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.success(),
            kind != "backup.failed",
            "{kind}: {stderr}"
        );
        let body = |request: &Received| String::from_utf8_lossy(&request.body).into_owned();
        let request = receiver.wait_for(kind, |request| {
            request.json()["kind"] == kind && body(request).contains(SAID)
        });
        let authorization = ("authorization".to_owned(), format!("Bearer {SECRET}"));
        assert!(request.headers.contains(&authorization), "{kind}");
        assert!(!body(&request).contains(SECRET), "{kind}");
    }
    must_not_hold_the_secret(daemon.directory.path());
}

/// A changed secret shows in no config file, so it is read when the daemon is told to.
#[test]
fn a_rotated_secret_is_read_at_sighup() {
    let receiver = Receiver::start();
    let daemon = start(&config(&receiver.url, &format!("{}/hook", receiver.url)));
    fs::write(daemon.path("token"), "rotated-Kx3-value\n").unwrap();
    daemon.hang_up();
    daemon.wait_for_event("the reload", |event| event["kind"] == "config.applied");
    recover(&daemon);
    receiver.wait_for("the alert with the new token", |request| {
        let expected = "Bearer rotated-Kx3-value";
        request.headers.iter().any(|(_, value)| value == expected)
    });
}

/// The campaign, with a small count; `examples/taint_campaign.rs` runs it with any.
#[test]
fn no_text_from_outside_brings_a_secret_out_or_keeps_an_alert_back() {
    let report = mainstay_tests::campaign::taint(24, mainstay_tests::campaign::fresh_seed());
    println!("{report:?}");
    assert!(report.alerts >= 24, "{report:?}");
}

/// A secret that only its encoding keeps in its place. The handler posts it as JSON, and asks with it in path and query.
const AWKWARD: &str = "a\"b\\c/d e&f=g?h#i%41+j";

const ASKING: &str = r#"
[secrets]
hook-token = { file = "token" }

[plugin.probe]
grants = { http = ["FIRST", "SECOND"] }
settings = { word = "${secret:hook-token}" }

[[route]]
failure = "asked"
relapse_window = "0s"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "probe", params = { do = "http", name = "FIRST/p/${secret:hook-token}/q?t=${secret:hook-token}&u=1" } }]

[[route]]
failure = "posted"
relapse_window = "0s"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "probe", params = { do = "post", name = "FIRST/post" } }]
"#;

fn start_asking(first: &Receiver, second: &Receiver, secret: &str) -> Daemon {
    let asking = ASKING
        .replace("FIRST", &first.url)
        .replace("SECOND", &second.url);
    let mut daemon = Daemon::prepare(&[HOST, &sleeper("job"), &asking].concat());
    write_token(&daemon);
    fs::write(daemon.path("token"), secret).unwrap();
    daemon.drop_plugin(&guest("probe", &[]));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon
}

#[test]
fn a_secret_is_written_as_the_url_and_the_body_that_it_is_put_into_have_it() {
    let (first, second) = (Receiver::start(), Receiver::start());
    let daemon = start_asking(&first, &second, AWKWARD);
    let asked = daemon.recover("job", "asked");
    assert_eq!(asked["state"], "succeeded", "{asked}");
    let posted = daemon.recover("job", "posted");
    assert_eq!(posted["state"], "succeeded", "{posted}");
    let received = first.received();
    let encoded = "a%22b%5Cc%2Fd%20e%26f%3Dg%3Fh%23i%2541%2Bj";
    let line = format!("GET /p/{encoded}/q?t={encoded}&u=1");
    assert_eq!(received[0].line, line);
    assert_eq!(received[1].json()["word"], AWKWARD);
}

/// A grant for both origins says nothing of the secret, which is for the one that the operator wrote.
#[test]
fn a_secret_in_a_body_follows_no_redirect_to_another_granted_origin() {
    let (first, second) = (Receiver::start(), Receiver::start());
    let daemon = start_asking(&first, &second, SECRET);
    let location = format!("location: {}/next\r\n", second.url);
    first.answer_with("307 Temporary Redirect", &location, "");
    let posted = daemon.recover("job", "posted");
    let error = posted["error"].as_str().unwrap();
    for word in [
        "no grant lets a secret follow a redirect",
        second.url.as_str(),
    ] {
        assert!(error.contains(word), "{error}");
    }
    assert!(second.received().is_empty(), "{:?}", second.received());
    must_not_hold_the_secret(daemon.directory.path());
}

/// What was echoed is in the report of the guest, in its alert and in the journal as the name of the secret.
#[test]
fn a_secret_that_is_echoed_in_another_dress_is_hidden_from_the_guest() {
    let (first, second) = (Receiver::start(), Receiver::start());
    let daemon = start_asking(&first, &second, SECRET);
    for dressed in [
        r"s3cr3t\u002dZq7\u002dvalue",
        r"\u0073\u0033cr3t-Zq7-valu\u0065",
        "s3cr3t%2DZq7%2dvalue",
        "%73%33cr3t-Zq7-value",
        "s3cr3t%252DZq7%252Dvalue",
        "s3cr3t&#45;Zq7&#x2d;value",
        "7333637233742d5a71372d76616c7565",
    ] {
        first.answer_with("200 OK", "", &format!("<{dressed}>"));
        let asked = daemon.recover("job", "asked");
        let expected = "status 200: <[secret:hook-token]>";
        assert_eq!(asked["actions"][1], expected, "{dressed}: {asked}");
    }
    must_not_hold_the_secret(daemon.directory.path());
}

/// A healthy service was restarted again and again over a check that was given the name for the secret.
#[test]
fn a_secret_where_none_is_put_in_is_refused_before_anything_runs() {
    let with = |check: &str| {
        format!(
            "{HOST}\n[secrets]\nhook-token = {{ file = \"token\" }}\n{}\n[[target.check]]\nkind = \"exec\"\n{check}\n\
             failure = \"odd\"\n[[route]]\nchain = [{{ handler = \"probe\" }}]\n",
            sleeper("job")
        )
    };
    let named = with(r#"run = ["redis-cli", "-a", "${secret:hook-token}", "ping"]"#);
    let daemon = Daemon::prepare(&named);
    write_token(&daemon);
    let output = daemon.cli(&["check"]);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(!output.status.success(), "{said}");
    for word in ["no secret is put in there", "${secret:hook-token}", "`env`"] {
        assert!(said.contains(word), "{said}");
    }
    drop(daemon);

    // And by a reload, which leaves what is applied.
    let mut daemon = Daemon::prepare(&with(r#"run = ["true"]"#));
    write_token(&daemon);
    daemon.run();
    fs::write(daemon.path("mainstay.toml"), named).unwrap();
    let refused = daemon.wait_for_event("the refusal", |event| event["kind"] == "config.rejected");
    assert!(
        refused.to_string().contains("no secret is put in there"),
        "{refused}"
    );
}

/// What a target prints until it dies is all that ever comes of the secret.
#[test]
fn a_secret_that_a_program_did_not_print_to_its_end_is_in_no_log() {
    let part = SECRET.get(..SECRET.len() - 1).unwrap();
    let mut daemon = Daemon::prepare(&format!(
        r#"
[host]
state_dir = "state"
plugin_dir = "plugins"

[secrets]
hook-token = {{ file = "token" }}

[[target]]
name = "leaky"
run = ["/bin/sh", "-c", "printf 'last {part}'; exec sleep 1000"]
"#
    ));
    write_token(&daemon);
    daemon.run();
    let shown = wait_for("the log", || {
        let output = daemon.cli(&["logs", "leaky", "-n", "1"]);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        match shown.contains("last ") {
            true => Ok(shown),
            false => Err(shown),
        }
    });
    assert_eq!(shown.trim_end(), "last [secret:hook-token]");
}
