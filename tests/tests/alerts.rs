//! What people are told: delivered or not, once, and true.

use mainstay_tests::{Daemon, HOST, Receiver, guest, plugin, sleeper};
use serde_json::Value;

/// A target that a handler recovers when asked, and a webhook that is told of it.
fn start(url: &str, origins: &[&Receiver]) -> Daemon {
    let origins: Vec<String> = origins.iter().map(|one| format!("{:?}", one.url)).collect();
    let rest = format!(
        r#"
[[route]]
chain = [{{ handler = "probe" }}]

[[alert]]
alerter = "webhook"
events = ["operation.succeeded"]

[plugin.webhook]
grants = {{ http = [{}] }}
settings = {{ url = "{url}" }}
"#,
        origins.join(", ")
    );
    let daemon = Daemon::start(
        &[HOST, &sleeper("job"), &rest].concat(),
        &[&guest("probe", &[]), &plugin("webhook")],
    );
    daemon.wait_for_plugins(2);
    daemon
}

fn end_of_delivery(daemon: &Daemon) -> Value {
    daemon.wait_for_event("how the delivery ended", |event| {
        let kind = event["kind"].as_str();
        matches!(
            kind,
            Some("alert.delivered" | "alert.delayed" | "alert.abandoned")
        )
    })
}

#[test]
fn an_alert_that_is_redirected_arrives_as_it_was_posted_or_is_no_delivery() {
    for (status, is_followed) in [
        ("301 Moved Permanently", false),
        ("302 Found", false),
        ("303 See Other", false),
        ("307 Temporary Redirect", true),
        ("308 Permanent Redirect", true),
    ] {
        let (first, second) = (Receiver::start(), Receiver::start());
        let location = format!("location: {}/login\r\n", second.url);
        first.answer_with(status, &location, "");
        let daemon = start(&format!("{}/hook", first.url), &[&first, &second]);
        assert_eq!(daemon.recover("job", "service-down")["state"], "succeeded");
        let ended = end_of_delivery(&daemon);
        let posted = first.wait_for("the alert", |one| one.line == "POST /hook");
        if is_followed {
            assert_eq!(ended["kind"], "alert.delivered", "{status}: {ended}");
            let arrived = second.wait_for("the alert", |one| one.line == "POST /login");
            assert_eq!(arrived.body, posted.body, "{status}");
        } else {
            assert_eq!(ended["kind"], "alert.abandoned", "{status}: {ended}");
            let said = ended["message"].as_str().unwrap();
            assert!(said.contains(&format!("{}/login", second.url)), "{said}");
            assert!(second.received().is_empty(), "{:?}", second.received());
        }
    }
}

#[test]
fn the_status_of_a_receiver_decides_however_long_its_answer_is() {
    let receiver = Receiver::start();
    let long = "x".repeat(2 << 20);
    receiver.answer_with("503 Service Unavailable", "retry-after: 1\r\n", &long);
    let daemon = start(&format!("{}/hook", receiver.url), &[&receiver]);
    assert_eq!(daemon.recover("job", "service-down")["state"], "succeeded");
    let ended = end_of_delivery(&daemon);
    assert_eq!(ended["kind"], "alert.delayed", "{ended}");
    let said = ended["message"].as_str().unwrap();
    assert!(said.contains("answered 503"), "{said}");
    // It is well again, and as talkative.
    receiver.answer_with("200 OK", "", &long);
    daemon.wait_for_event("the delivery", |event| event["kind"] == "alert.delivered");
    let ids = receiver.received();
    let mut ids = ids.iter().map(|one| one.json()["id"].to_string());
    let first = ids.next().unwrap();
    assert!(ids.all(|id| id == first), "one alert under one id");
}

/// A foreign service that nobody answers for, with these lines, and a webhook that is told of it by itself.
fn deaf(receiver: &Receiver, lines: &str) -> Daemon {
    let url = &receiver.url;
    let config = format!(
        r#"
[[target]]
name = "deaf"
{lines}
[[target.check]]
kind = "tcp"
address = "127.0.0.1:1"
every = "100ms"
timeout = "100ms"
fail_after = 1
failure = "deaf"

[[alert]]
alerter = "webhook"

[plugin.webhook]
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/alerts" }}
"#
    );
    let config = [HOST, &sleeper("other"), &config].concat();
    let daemon = Daemon::start(&config, &[&plugin("webhook")]);
    daemon.wait_for_plugins(1);
    daemon
}

fn of_kind(receiver: &Receiver, kind: &str) -> usize {
    let received = receiver.received();
    received
        .iter()
        .filter(|one| one.json()["kind"] == kind)
        .count()
}

#[test]
fn an_objective_that_is_exceeded_is_an_alert_when_it_is_and_once_for_its_incident() {
    let receiver = Receiver::start();
    let daemon = deaf(&receiver, "rto = \"1s\"");
    let opened = receiver.wait_for("the page", |one| one.json()["kind"] == "incident.opened");
    let exceeded = receiver.wait_for("the objective", |one| one.json()["kind"] == "rto.exceeded");
    assert_eq!(exceeded.json()["dedup_key"], opened.json()["dedup_key"]);
    assert_eq!(exceeded.json()["labels"]["update"], "true");
    assert_eq!(opened.json()["labels"]["update"], Value::Null);
    let incident = daemon.json(&["incidents", "--open"])[0].clone();
    assert!(incident["rto_exceeded_at"].is_string(), "{incident}");
    assert_eq!(daemon.events_of("rto.exceeded").len(), 1);
    assert_eq!(of_kind(&receiver, "incident.opened"), 1);
}

#[test]
fn a_target_that_is_taken_out_of_the_config_is_not_said_to_be_healthy() {
    let receiver = Receiver::start();
    let daemon = deaf(&receiver, "");
    receiver.wait_for("the page", |one| one.json()["kind"] == "incident.opened");
    let url = &receiver.url;
    let without = format!(
        "\n[[alert]]\nalerter = \"webhook\"\n\n[plugin.webhook]\ngrants = {{ http = [\"{url}\"] }}\n\
         settings = {{ url = \"{url}/alerts\" }}\n"
    );
    let without = [HOST, &sleeper("other"), &without].concat();
    std::fs::write(daemon.path("mainstay.toml"), without).unwrap();
    daemon.hang_up();
    let resolved = receiver.wait_for("the end", |one| one.json()["status"] == "resolved");
    let said = resolved.json();
    for part in ["title", "body"] {
        let text = said[part].as_str().unwrap();
        assert!(text.contains("no longer in the config"), "{text}");
        assert!(!text.contains("healthy"), "{text}");
    }
    let incident = daemon.json(&["incidents"])[0].clone();
    assert_eq!(incident["state"], "removed", "{incident}");
}

#[test]
fn a_handler_that_acted_is_said_to_have_recovered_the_target() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let rest = format!(
        r#"
[[route]]
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}

[[alert]]
alerter = "webhook"

[plugin.webhook]
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/alerts" }}
"#
    );
    let config = [HOST, &sleeper("job"), &rest].concat();
    let daemon = Daemon::start(&config, &[&plugin("restart-service"), &plugin("webhook")]);
    daemon.wait_for_plugins(2);
    assert_eq!(daemon.recover("job", "service-down")["state"], "succeeded");
    let resolved = receiver.wait_for("the end", |one| one.json()["status"] == "resolved");
    let body = resolved.json()["body"].as_str().unwrap().to_owned();
    assert!(body.contains("restart-service recovered it"), "{body}");
}

/// All alerts by default, and these targets.
fn told_of(receiver: &Receiver, targets: &str) -> Daemon {
    let url = &receiver.url;
    let alerts = format!(
        "\n[[alert]]\nalerter = \"webhook\"\n\n[plugin.webhook]\ngrants = {{ http = [\"{url}\"] }}\n\
         settings = {{ url = \"{url}/alerts\" }}\n"
    );
    let config = [HOST, targets, &alerts].concat();
    let daemon = Daemon::start(&config, &[&plugin("webhook")]);
    daemon.wait_for_plugins(1);
    daemon
}

/// The first page, with the evidence of its incident.
fn page(daemon: &Daemon, receiver: &Receiver) -> (String, String) {
    let page = receiver.wait_for("the page", |one| one.json()["kind"] == "incident.opened");
    let body = page.json()["body"].as_str().unwrap().to_owned();
    let incident = daemon.json(&["incidents"])[0].clone();
    let evidence = incident["evidence"].as_array().unwrap();
    let output = evidence.iter().find_map(|one| one["output"].as_str());
    let output = output.unwrap_or_else(|| panic!("{incident}"));
    (body, output.to_owned())
}

#[test]
fn the_last_lines_of_a_process_that_ended_are_evidence_of_why() {
    let receiver = Receiver::start();
    let target = "\n[[target]]\nname = \"job\"\nrun = [\"/bin/sh\", \"-c\", \
                  \"echo starting; printf 'FATAL: \\\\033[1mno space\\\\n' >&2; sleep 3; exit 1\"]\n";
    let daemon = told_of(&receiver, target);
    let (body, output) = page(&daemon, &receiver);
    assert!(output.contains("starting\nFATAL: "), "{output}");
    assert!(output.contains("\\u{1b}[1mno space"), "{output}");
    assert!(
        body.contains("Its last lines:\n  starting\n  FATAL: "),
        "{body}"
    );
    assert!(!body.contains('\u{1b}'), "{body}");
}

#[test]
fn what_the_program_of_a_check_printed_is_evidence() {
    let receiver = Receiver::start();
    let target = "\n[[target]]\nname = \"job\"\n[[target.check]]\nname = \"look\"\nkind = \"exec\"\n\
                  run = [\"/bin/sh\", \"-c\", \"echo first; echo second; exit 1\"]\nevery = \"100ms\"\nfail_after = 1\n\
                  failure = \"odd\"\n";
    let daemon = told_of(&receiver, target);
    let (body, output) = page(&daemon, &receiver);
    assert_eq!(output, "first\nsecond");
    let incident = daemon.json(&["incidents"])[0].clone();
    let id = incident["id"].as_str().unwrap();
    assert_eq!(daemon.json(&["incident", "show", id])["id"], incident["id"]);
    let shown = daemon.cli(&["incident", "show", id]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for line in ["first", "second"] {
        assert!(shown.lines().any(|one| one.trim() == line), "{shown}");
    }
    assert!(body.contains("  first\n  second\n"), "{body}");
}

#[test]
fn a_foreign_service_has_the_lines_of_the_log_that_a_check_of_it_names() {
    let receiver = Receiver::start();
    let directory = tempfile::TempDir::new().unwrap();
    let log = directory.path().join("service.log");
    std::fs::write(&log, "up\nout of memory\n").unwrap();
    let target = format!(
        "\n[[target]]\nname = \"job\"\n[[target.check]]\nname = \"port\"\nkind = \"tcp\"\naddress = \"127.0.0.1:1\"\n\
         every = \"100ms\"\ntimeout = \"100ms\"\nfail_after = 1\nfailure = \"odd\"\n[[target.check]]\nname = \"log\"\n\
         kind = \"log\"\npath = \"{}\"\ncontains = \"no such line\"\nevery = \"1h\"\nfailure = \"odd\"\n",
        log.display()
    );
    let daemon = told_of(&receiver, &target);
    let (body, output) = page(&daemon, &receiver);
    assert_eq!(output, "up\nout of memory");
    assert!(body.contains("  out of memory\n"), "{body}");
}

#[test]
fn a_test_alert_goes_the_way_of_alerts_and_leaves_nothing_behind() {
    let receiver = Receiver::start();
    let daemon = start(&format!("{}/hook", receiver.url), &[&receiver]);
    let tested = daemon.json(&["alert", "test"]);
    assert_eq!(tested[0]["alerter"], "webhook", "{tested}");
    assert_eq!(tested[0]["delivered"], true, "{tested}");
    let arrived = receiver.wait_for("the test", |one| one.line == "POST /hook");
    assert_eq!(arrived.json()["kind"], "alert.test");
    let over = receiver.wait_for("its end", |one| one.json()["status"] == "resolved");
    assert_eq!(over.json()["dedup_key"], arrived.json()["dedup_key"]);
    assert_eq!(daemon.json(&["incidents"]), Value::Array(Vec::new()));
    let events = daemon.events();
    let is_of_alert = |event: &&Value| event["kind"].as_str().unwrap().starts_with("alert.");
    assert_eq!(events.iter().find(is_of_alert), None, "it is no event");
    receiver.answer_with("410 Gone", "", "moved away");
    let output = daemon.cli(&["alert", "test", "--alerter", "webhook"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        told.contains("webhook: not delivered: ") && told.contains("410"),
        "{told}"
    );
    let output = daemon.cli(&["alert", "test", "--alerter", "webhok"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("did you mean `webhook`?"), "{told}");
    assert_eq!(receiver.received().len(), 3, "once each, and one end");
}

#[test]
fn an_alerter_that_does_not_serve_needs_a_person_is_told_by_another_and_gets_what_waits_once_it_serves()
 {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let config = format!(
        r#"
[[alert]]
alerter = "log-file"

[plugin.log-file]
grants = {{ dir = [{{ path = "alerts", write = true }}] }}
settings = {{ path = "alerts/alerts.jsonl" }}

[[alert]]
alerter = "webhook"

[plugin.webhook]
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/alerts" }}
"#
    );
    let config = [HOST, &sleeper("job"), &config].concat();
    let mut daemon = Daemon::prepare(&config);
    std::fs::create_dir(daemon.path("alerts")).unwrap();
    daemon.drop_plugin(&plugin("webhook"));
    daemon.run();
    daemon.wait_for_plugins(1);
    let row = |status: &Value| status["alerters"][0].clone();
    let deaf = daemon.wait_for_status("that it does not serve", |status| {
        row(status)["serves"] == false
    });
    assert_eq!(row(&deaf)["name"], "log-file");
    assert!(row(&deaf)["since"].is_string(), "{deaf}");
    assert_eq!(deaf["alerters"][1]["serves"], true, "{deaf}");
    assert_eq!(deaf["alerters"][1]["since"], Value::Null, "{deaf}");
    let told = receiver.wait_for("the alert", |one| one.json()["kind"] == "alerter.failing");
    let title = told.json()["title"].to_string();
    assert!(title.contains("log-file"), "{title}");
    // Something is to be told: a file that is no plugin.
    std::fs::write(daemon.path("plugins/text.wasm"), "no component").unwrap();
    daemon.wait_for_status("what waits", |status| row(status)["undelivered"] == 1);
    let shown = daemon.cli(&["status", "--exit-code"]);
    let text = String::from_utf8(shown.stdout).unwrap();
    let first = text.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("needs a person: alerter log-file does not serve (1 alert undelivered)"),
        "{text}"
    );
    assert_eq!(shown.status.code(), Some(1), "{text}");

    std::fs::remove_file(daemon.path("plugins/text.wasm")).unwrap();
    daemon.drop_plugin(&plugin("log-file"));
    daemon.wait_for_event("its delivery", |event| {
        event["kind"] == "alert.delivered"
            && event["plugin"]
                .as_str()
                .is_some_and(|by| by.starts_with("log-file"))
    });
    let over = receiver.wait_for("its end", |one| one.json()["kind"] == "alerter.recovered");
    assert_eq!(over.json()["status"], "resolved");
    assert_eq!(over.json()["dedup_key"], told.json()["dedup_key"]);
    daemon.wait_for_status("that all is well", |status| {
        row(status)["since"] == Value::Null
    });
    assert_eq!(daemon.events_of("alerter.failing").len(), 1);
}

#[test]
fn the_page_of_a_target_whose_handler_is_missing_says_that_nothing_was_tried_and_why() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let config = format!(
        r#"
[[target]]
name = "dies"
run = ["/bin/sh", "-c", "echo 'cannot bind: address in use'; exit 1"]

[[route]]
chain = [{{ handler = "restart-service" }}]

[[alert]]
alerter = "webhook"

[plugin.webhook]
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/alerts" }}
"#
    );
    let daemon = Daemon::start(&[HOST, &config].concat(), &[&plugin("webhook")]);
    daemon.wait_for_plugins(1);
    let page = receiver.wait_for("the page", |one| {
        one.json()["kind"] == "operation.escalated"
    });
    let page = page.json();
    let body = page["body"].as_str().unwrap();
    for said in [
        "nothing was tried to recover dies from",
        "Why: no recovery-handler named `restart-service` is serving",
        "cannot bind: address in use",
        "nothing, for no handler of its route serves",
    ] {
        assert!(body.contains(said), "{said}: {body}");
    }
    // A person stops it: that ends it, and the page says who did.
    assert!(daemon.cli(&["stop", "dies"]).status.success());
    let over = receiver.wait_for("its end", |one| one.json()["status"] == "resolved");
    let over = over.json();
    assert_eq!(over["dedup_key"], page["dedup_key"]);
    let (title, body) = (over["title"].to_string(), over["body"].to_string());
    assert!(title.contains("it is over"), "{title}");
    assert!(body.contains("dies is stopped by "), "{body}");
    assert!(!body.contains("no check sees"), "{body}");
}

#[test]
fn a_failure_that_no_route_fits_pages_once_and_the_page_says_so() {
    let receiver = Receiver::start();
    let daemon = deaf(&receiver, "");
    let page = receiver.wait_for("the page", |one| one.json()["kind"] == "incident.opened");
    let page = page.json();
    let (title, body) = (page["title"].to_string(), page["body"].to_string());
    assert!(title.contains("it needs a person"), "{title}");
    assert!(body.contains("no route fits deaf of deaf"), "{body}");
    assert!(!body.contains("looks for a route"), "{body}");
    daemon.wait_for_event("the delivery", |event| event["kind"] == "alert.delivered");
    assert_eq!(daemon.events_of("operation.escalated").len(), 1);
    assert_eq!(daemon.events_of("alert.queued").len(), 1);
    assert_eq!(of_kind(&receiver, "operation.escalated"), 0);
}
