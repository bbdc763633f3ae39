//! The alerters that speak to a service of somebody else, against a receiver that answers as that service does.

use mainstay_tests::{
    Daemon, HOST, Received, Receiver, TlsServer, message_of, plugin, repository, response, sleeper,
    tls_file,
};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, process::Command};

const SECRET: &str = "s3cr3tZq7OfTheReceiver";

/// A supervised service that is restarted, and an alerter that has a secret; `more` is a part of the config. None of it runs.
fn prepare(alerter: &str, settings: &str, origin: &str, more: &str) -> Daemon {
    let rest = format!(
        r#"
[secrets]
token = {{ file = "token" }}

[[route]]
target = "job"
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}

[[alert]]
alerter = "{alerter}"
min_severity = "high"

[plugin.{alerter}]
grants = {{ http = ["{origin}"] }}
settings = {{ {settings} }}
{more}"#
    );
    let daemon = Daemon::prepare(&[HOST, &sleeper("job"), &rest].concat());
    let token = daemon.path("token");
    fs::write(&token, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.drop_plugin(&plugin(alerter));
    daemon
}

/// The same, when it serves.
fn start(alerter: &str, settings: &str, origin: &str, more: &str) -> Daemon {
    let mut daemon = prepare(alerter, settings, origin, more);
    daemon.run();
    daemon.wait_for_plugins(2);
    daemon
}

fn slack(receiver: &Receiver) -> Daemon {
    let url = &receiver.url;
    let settings = format!("url = \"{url}/services/T0/B0/${{secret:token}}\"");
    start("slack", &settings, url, "")
}

/// The attachment of a message to Slack, where it begins with this mark.
fn marked(one: &Received, mark: &str) -> Option<Value> {
    let attachment = one.json()["attachments"][0].clone();
    let is_it = attachment["title"].as_str()?.starts_with(mark);
    is_it.then_some(attachment)
}

/// The values of what has this mark, one for each request.
fn all_marked(receiver: &Receiver, mark: &str) -> Vec<Value> {
    let received = receiver.received();
    received
        .iter()
        .filter_map(|one| marked(one, mark))
        .collect()
}

fn must_not_tell_the_secret(daemon: &Daemon) {
    let told = format!("{:?}{}", daemon.events(), daemon.log());
    assert!(!told.contains(SECRET), "{told}");
}

#[test]
fn a_failure_and_its_end_are_a_message_each_in_slack_whose_address_is_a_secret() {
    let receiver = Receiver::start();
    receiver.answer_with("200 OK", "", "ok");
    let daemon = slack(&receiver);
    daemon.kill_child("job");
    let fired = receiver.wait_for("the page", |one| marked(one, "🚨").is_some());
    assert_eq!(fired.line, format!("POST /services/T0/B0/{SECRET}"));
    assert_eq!(fired.header("content-type"), "application/json");
    let page = marked(&fired, "🚨").unwrap();
    assert_eq!(page["color"], "#FF0000", "{page}");
    assert_eq!(page["footer"], "Mainstay");
    assert!(page["ts"].as_u64().unwrap() > 1_700_000_000, "{page}");
    let fields = page["fields"].as_array().unwrap();
    let value_of = |title: &str| {
        let mut fields = fields.iter();
        fields
            .find(|field| field["title"] == title)
            .map(|field| field["value"].clone())
    };
    assert_eq!(value_of("Severity"), Some("HIGH".into()));
    assert_eq!(value_of("Target"), Some("job".into()));
    assert_eq!(value_of("Failure"), Some("service-down".into()));
    let over = receiver.wait_for("its end", |one| marked(one, "✅").is_some());
    assert_eq!(marked(&over, "✅").unwrap()["color"], "#008000");
    assert_eq!(
        all_marked(&receiver, "🚨").len(),
        1,
        "one page of one incident"
    );
    must_not_tell_the_secret(&daemon);
}

#[test]
fn slack_that_is_asked_too_often_gets_the_same_message_again() {
    let receiver = Receiver::start();
    receiver.answer_with(
        "429 Too Many Requests",
        "retry-after: 1\r\n",
        "rate_limited",
    );
    let daemon = slack(&receiver);
    daemon.kill_child("job");
    let delayed = daemon.wait_for_event("the delay", |event| event["kind"] == "alert.delayed");
    assert!(
        message_of(&delayed).contains("Slack answered 429: rate_limited"),
        "{delayed}"
    );
    receiver.answer_with("200 OK", "", "ok");
    daemon.wait_for_event("the delivery", |event| event["kind"] == "alert.delivered");
    let pages = all_marked(&receiver, "🚨");
    assert!(pages.len() >= 2, "{pages:?}");
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
}

/// A job that fails and says what the file `said` says, where it is there.
const FAILING_JOB: &str = r#"
[[job]]
name = "dump"
full = { cron = "0 0 29 2 *" }
encryption = "none"
source = [{ kind = "command", run = ["sh", "-c", "[ ! -e said ] || { cat said >&2; exit 1; }"], key = "dump" }]
"#;

/// The job fails three times, the second time with the words of the first.
fn fail_thrice(daemon: &Daemon) {
    daemon.wait_for_first_backup();
    for why in ["the disk is full", "the disk is full", "the disk is gone"] {
        fs::write(daemon.path("said"), why).unwrap();
        let output = daemon.cli(&["backup", "create", "dump"]);
        assert!(!output.status.success(), "{why}");
    }
}

/// So does `tests/mail.rs` of mail, with the end of it.
#[test]
fn what_fails_again_is_one_message_in_slack_within_five_minutes_until_it_says_something_else() {
    let receiver = Receiver::start();
    receiver.answer_with("200 OK", "", "ok");
    let url = &receiver.url;
    let settings = format!("url = \"{url}/services/T0/B0/${{secret:token}}\"");
    let daemon = start("slack", &settings, url, FAILING_JOB);
    fail_thrice(&daemon);
    let says = |page: &Value, why: &str| page["text"].as_str().unwrap().contains(why);
    // What is said to one alerter about one thing arrives in its order.
    receiver.wait_for("the other words", |one| {
        marked(one, "🚨").is_some_and(|page| says(&page, "the disk is gone"))
    });
    let pages = all_marked(&receiver, "🚨");
    let of_first = pages.iter().filter(|page| says(page, "the disk is full"));
    assert_eq!(of_first.count(), 1, "{pages:?}");
    assert_eq!(pages.len(), 2, "{pages:?}");
}

#[test]
fn what_fails_again_is_one_request_and_one_event_of_pagerduty_within_five_minutes_until_it_says_something_else()
 {
    let is_page = |alerter: &str, sent: &Value| match alerter {
        "webhook" => sent["kind"] == "backup.failed",
        _ => sent["event_action"] == "trigger",
    };
    let says = |sent: &Value, why: &str| sent.to_string().contains(why);
    for (alerter, path, key) in [
        (
            "webhook",
            "hook",
            "headers = { authorization = \"Bearer ${secret:token}\" }",
        ),
        (
            "pagerduty",
            "v2/enqueue",
            "routing_key = \"${secret:token}\"",
        ),
    ] {
        let receiver = Receiver::start();
        receiver.answer_with("202 Accepted", "", SUCCESS);
        let url = &receiver.url;
        let settings = format!("url = \"{url}/{path}\", {key}");
        let daemon = start(alerter, &settings, url, FAILING_JOB);
        fail_thrice(&daemon);
        // What is said to one alerter about one thing arrives in its order.
        receiver.wait_for("the other words", |one| {
            let sent = one.json();
            is_page(alerter, &sent) && says(&sent, "the disk is gone")
        });
        let mut pages: Vec<Value> = receiver.received().iter().map(Received::json).collect();
        pages.retain(|sent| is_page(alerter, sent));
        let of_first = pages.iter().filter(|sent| says(sent, "the disk is full"));
        assert_eq!(of_first.count(), 1, "{alerter}: {pages:?}");
        assert_eq!(pages.len(), 2, "{alerter}: {pages:?}");
        assert_eq!(
            pages[0]["dedup_key"], pages[1]["dedup_key"],
            "{alerter}: one thing there"
        );
    }
}

#[test]
fn a_webhook_that_slack_does_not_know_is_told_with_what_to_do() {
    let receiver = Receiver::start();
    receiver.answer_with("404 Not Found", "", "no_service");
    let daemon = slack(&receiver);
    daemon.kill_child("job");
    let ended = daemon.wait_for_event("the refusal", |event| event["kind"] == "alert.abandoned");
    let told = message_of(&ended);
    assert!(
        told.contains("no_service") && told.contains("make a new one"),
        "{told}"
    );
    must_not_tell_the_secret(&daemon);
}

const SUCCESS: &str =
    r#"{"status": "success", "message": "Event processed", "dedup_key": "of PagerDuty"}"#;

fn pagerduty(receiver: &Receiver, more: &str) -> Daemon {
    let url = &receiver.url;
    let settings = format!("routing_key = \"${{secret:token}}\", url = \"{url}/v2/enqueue\"");
    start("pagerduty", &settings, url, more)
}

fn is_action(one: &Received, action: &str) -> bool {
    one.json()["event_action"] == action
}

/// The events of one action so far.
fn all_of(receiver: &Receiver, action: &str) -> Vec<Value> {
    let received = receiver.received();
    let of_action = received.iter().filter(|one| is_action(one, action));
    of_action.map(Received::json).collect()
}

#[test]
fn a_failure_triggers_and_its_end_resolves_the_same_incident_of_pagerduty() {
    let receiver = Receiver::start();
    receiver.answer_with("202 Accepted", "", SUCCESS);
    let daemon = pagerduty(&receiver, "");
    daemon.kill_child("job");
    let fired = receiver.wait_for("the page", |one| is_action(one, "trigger"));
    assert_eq!(fired.line, "POST /v2/enqueue");
    let fired = fired.json();
    assert_eq!(fired["routing_key"], SECRET);
    let payload = &fired["payload"];
    assert_eq!(payload["severity"], "error", "{fired}");
    assert_eq!(payload["component"], "job", "{fired}");
    assert_eq!(payload["class"], "service-down", "{fired}");
    let summary = payload["summary"].as_str().unwrap();
    assert!(summary.contains("job: service-down"), "{fired}");
    let over = receiver.wait_for("its end", |one| is_action(one, "resolve"));
    assert_eq!(over.json()["dedup_key"], fired["dedup_key"]);
    assert_eq!(over.json()["payload"], Value::Null);
    let delivered = daemon.wait_for_event("the delivery", |event| {
        event["kind"] == "alert.delivered" && message_of(event).contains("of PagerDuty")
    });
    assert_eq!(delivered["target"], "job", "{delivered}");
    must_not_tell_the_secret(&daemon);
}

#[test]
fn what_pagerduty_is_told_again_is_the_same_event_under_the_same_key() {
    let receiver = Receiver::start();
    receiver.answer_with("503 Service Unavailable", "", "maintenance");
    let daemon = pagerduty(&receiver, "");
    daemon.kill_child("job");
    let delayed = daemon.wait_for_event("the delay", |event| event["kind"] == "alert.delayed");
    assert!(
        message_of(&delayed).contains("PagerDuty answered 503: maintenance"),
        "{delayed}"
    );
    receiver.answer_with("202 Accepted", "", SUCCESS);
    let over = receiver.wait_for("its end", |one| is_action(one, "resolve"));
    let triggers = all_of(&receiver, "trigger");
    assert!(triggers.len() >= 2, "{triggers:?}");
    assert!(
        triggers.iter().all(|one| *one == triggers[0]),
        "{triggers:?}"
    );
    assert_eq!(over.json()["dedup_key"], triggers[0]["dedup_key"]);
}

#[test]
fn a_person_who_takes_an_incident_on_acknowledges_it_in_pagerduty_and_all_of_it_is_one_incident_there()
 {
    let receiver = Receiver::start();
    receiver.answer_with("202 Accepted", "", SUCCESS);
    let more = r#"
[[alert]]
alerter = "pagerduty"
events = ["incident.acknowledged"]

[[target]]
name = "deaf"

[[target.check]]
kind = "tcp"
address = "127.0.0.1:1"
every = "100ms"
timeout = "100ms"
fail_after = 1
failure = "service-down"
"#;
    let daemon = pagerduty(&receiver, more);
    let escalated = daemon.wait_for_event("the escalation", |event| {
        event["kind"] == "operation.escalated" && event["target"] == "deaf"
    });
    let fired = receiver.wait_for("the page", |one| is_action(one, "trigger"));
    let incident = escalated["data"]["incident"].as_str().unwrap();
    daemon.json(&["ack", incident, "--reason", "I look at it"]);
    let taken = receiver.wait_for("that it is taken on", |one| is_action(one, "acknowledge"));
    assert_eq!(taken.json()["dedup_key"], fired.json()["dedup_key"]);
    for trigger in all_of(&receiver, "trigger") {
        assert_eq!(trigger["dedup_key"], fired.json()["dedup_key"], "{trigger}");
    }
}

#[test]
fn a_key_that_pagerduty_does_not_know_is_told_with_where_to_look() {
    let receiver = Receiver::start();
    let refusal = r#"{"status": "invalid event", "errors": ["'routing_key' is not known"]}"#;
    receiver.answer_with("400 Bad Request", "", refusal);
    let daemon = pagerduty(&receiver, "");
    daemon.kill_child("job");
    let ended = daemon.wait_for_event("the refusal", |event| event["kind"] == "alert.abandoned");
    let told = message_of(&ended);
    for part in ["is not known", "the integration key of a service"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    must_not_tell_the_secret(&daemon);
}

/// Each alerter, with settings for this origin.
fn alerters(origin: &str) -> [(&'static str, String); 3] {
    [
        (
            "slack",
            format!("url = \"{origin}/services/${{secret:token}}\""),
        ),
        (
            "pagerduty",
            format!("routing_key = \"${{secret:token}}\", url = \"{origin}/v2/enqueue\""),
        ),
        (
            "webhook",
            format!("url = \"{origin}/hook\", hmac_secret = \"${{secret:token}}\""),
        ),
    ]
}

#[test]
fn a_receiver_whose_certificate_verifies_is_told_over_tls() {
    let server = TlsServer::start("server.pem");
    let origin = format!("https://localhost:{}", server.port());
    let authority = tls_file("authority.pem");
    for (alerter, settings) in alerters(&origin) {
        let mut daemon = prepare(alerter, &settings, &origin, "");
        daemon.set_env("SSL_CERT_FILE", authority.to_str().unwrap());
        daemon.run();
        daemon.wait_for_plugins(2);
        daemon.kill_child("job");
        let first = daemon.wait_for_event("how the first attempt went", |event| {
            let kind = event["kind"].as_str();
            matches!(
                kind,
                Some("alert.delivered" | "alert.delayed" | "alert.abandoned")
            )
        });
        assert_eq!(first["kind"], "alert.delivered", "{alerter}: {first}");
        assert_eq!(first["data"]["alerter"], alerter, "{first}");
        must_not_tell_the_secret(&daemon);
    }
}

#[test]
fn a_receiver_whose_certificate_does_not_verify_is_told_nothing_and_asked_again() {
    let server = TlsServer::start("server.pem");
    let origin = format!("https://localhost:{}", server.port());
    // The system knows nothing of who signed it.
    for (alerter, settings) in alerters(&origin) {
        let daemon = start(alerter, &settings, &origin, "");
        daemon.kill_child("job");
        let delayed = daemon.wait_for_event("the delay", |event| event["kind"] == "alert.delayed");
        assert!(message_of(&delayed).contains("certificate"), "{delayed}");
        assert!(daemon.events_of("alert.delivered").is_empty(), "{alerter}");
        must_not_tell_the_secret(&daemon);
    }
}

/// What `docs/alerts.md` tells receivers to verify with, asked of a request by one that has this secret; `now` is what its
/// clock shows.
fn verifies(secret: &str, one: &Received, body: &[u8], now: u64) -> bool {
    let text = fs::read_to_string(repository().join("docs/alerts.md")).unwrap();
    let (_, behind) = text.split_once("```python\n").unwrap();
    let (program, _) = behind.split_once("```").unwrap();
    let program = format!(
        "{program}\nimport sys\nsecret, header, body, now = sys.argv[1:]\n\
         print(is_from_mainstay(secret.encode(), header, body.encode(), int(now)))\n"
    );
    let output = Command::new("python3")
        .args(["-c", &program, secret, one.header("x-mainstay-signature")])
        .arg(std::str::from_utf8(body).unwrap())
        .arg(now.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    match said.trim() {
        "True" => true,
        "False" => false,
        _ => panic!("{said}{}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// When a request was signed, in seconds since 1970, as it says.
fn signed_at(one: &Received) -> u64 {
    let header = one.header("x-mainstay-signature");
    let seconds = header
        .strip_prefix("t=")
        .and_then(|rest| rest.split_once(','));
    seconds.unwrap().0.parse().unwrap()
}

#[test]
fn a_signed_request_is_verified_by_its_receiver_and_one_that_was_changed_or_kept_is_not() {
    let receiver = Receiver::start();
    receiver.answer_with("200 OK", "", "");
    let url = &receiver.url;
    let settings = format!("url = \"{url}/hook\", hmac_secret = \"${{secret:token}}\"");
    let daemon = start("webhook", &settings, url, "");
    daemon.kill_child("job");
    let signed = receiver.wait_for("an alert", |one| one.line == "POST /hook");
    let at = signed_at(&signed);
    let takes = |body: &[u8], now: u64| verifies(SECRET, &signed, body, now);
    assert!(takes(&signed.body, at), "{:?}", signed.headers);
    assert!(!takes(&signed.body, at + 301), "kept for too long");
    let changed = [&signed.body[..], b" "].concat();
    assert!(!takes(&changed, at), "changed on the way");
    let sent = String::from_utf8_lossy(&signed.body);
    let told = format!("{:?}{sent}", signed.headers);
    assert!(
        !told.contains(SECRET),
        "the secret itself is not sent: {told}"
    );
    must_not_tell_the_secret(&daemon);
}

#[test]
fn what_is_posted_again_is_the_same_alert_and_is_signed_anew() {
    let receiver = Receiver::start();
    receiver.answer_with("503 Service Unavailable", "retry-after: 1\r\n", "");
    let url = &receiver.url;
    let settings = format!("url = \"{url}/hook\", hmac_secret = \"${{secret:token}}\"");
    let daemon = start("webhook", &settings, url, "");
    daemon.kill_child("job");
    daemon.wait_for_event("the delay", |event| event["kind"] == "alert.delayed");
    receiver.answer_with("200 OK", "", "");
    daemon.wait_for_event("the delivery", |event| event["kind"] == "alert.delivered");
    let mut attempts = receiver.received();
    let id = attempts[0].json()["id"].clone();
    attempts.retain(|one| one.json()["id"] == id);
    assert!(attempts.len() >= 2, "{attempts:?}");
    for (before, again) in attempts.iter().zip(&attempts[1..]) {
        assert_eq!(again.body, before.body);
        assert_eq!(
            again.header("idempotency-key"),
            before.header("idempotency-key")
        );
        // There was at least a second in between, and an old signature would be refused one day.
        assert!(signed_at(again) > signed_at(before), "{attempts:?}");
        assert!(verifies(SECRET, again, &again.body, signed_at(again)));
    }
}

#[test]
fn a_receiver_that_does_not_take_the_signature_is_asked_once_and_takes_what_its_own_secret_signs() {
    const ITS_OWN: &str = "0therS3cretOfTheReceiver";
    let receiver = Receiver::start();
    receiver.answer_by(
        |one| match verifies(ITS_OWN, one, &one.body, signed_at(one)) {
            true => response("200 OK", "", ""),
            false => response("401 Unauthorized", "", "signed with another secret"),
        },
    );
    let url = &receiver.url;
    let settings = format!("url = \"{url}/hook\", hmac_secret = \"${{secret:token}}\"");
    let daemon = start("webhook", &settings, url, "");
    daemon.kill_child("job");
    let ended = daemon.wait_for_event("the refusal", |event| event["kind"] == "alert.abandoned");
    let told = message_of(&ended);
    assert!(
        told.contains("answered 401: signed with another secret") && told.contains("`hmac_secret`"),
        "{told}"
    );
    let ids = receiver.received();
    let mut ids: Vec<String> = ids.iter().map(|one| one.json()["id"].to_string()).collect();
    let sent = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), sent, "what was refused is not sent again");
    must_not_tell_the_secret(&daemon);

    fs::write(daemon.path("token"), format!("{ITS_OWN}\n")).unwrap();
    daemon.hang_up();
    daemon.wait_for_event("the reload", |event| event["kind"] == "config.applied");
    let tested = daemon.json(&["alert", "test"]);
    assert_eq!(tested[0]["delivered"], true, "{tested}");
}

#[test]
fn a_receiver_that_does_not_know_who_posts_is_asked_once_and_what_it_said_is_told() {
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let receiver = Receiver::start();
        receiver.answer_with(status, "", "who are you?");
        let url = &receiver.url;
        let settings = format!(
            "url = \"{url}/hook\", headers = {{ authorization = \"Bearer ${{secret:token}}\" }}"
        );
        let daemon = start("webhook", &settings, url, "");
        daemon.kill_child("job");
        let ended =
            daemon.wait_for_event("the refusal", |event| event["kind"] == "alert.abandoned");
        let told = message_of(&ended);
        let code = status.split(' ').next().unwrap();
        assert!(
            told.contains(&format!("answered {code}: who are you?")) && told.contains("`headers`"),
            "{told}"
        );
        let asked = receiver.wait_for("an alert", |one| one.line == "POST /hook");
        assert_eq!(asked.header("authorization"), format!("Bearer {SECRET}"));
        assert!(daemon.events_of("alert.delayed").is_empty(), "{status}");
        must_not_tell_the_secret(&daemon);
    }
}
