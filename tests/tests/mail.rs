//! The alerter `email` against a real mail server: login, TLS, what it refuses, and what is sent again.

use mainstay_tests::{
    Daemon, HOST, MAIL_PASSWORD, MailServer, message_of, plugin, sleeper, tls_file,
};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// A supervised service that is restarted, and people who get mail of it.
struct Setting<'a> {
    server: &'a MailServer,
    tls: &'a str,
    password: &'a str,
    /// By what the server's certificate is judged.
    authority: Option<&'a Path>,
    /// Whom the alerter writes to.
    to: &'a str,
    /// Further parts of the config.
    more: &'a str,
}

fn start(setting: &Setting<'_>) -> Daemon {
    let Setting { tls, to, more, .. } = setting;
    let port = setting.server.port();
    let rest = format!(
        r#"
[secrets]
mail = {{ file = "mail-password" }}

[[route]]
target = "job"
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}

[smtp.ops]
host = "localhost"
port = {port}
tls = "{tls}"
user = "mainstay"
password = "mail"
from = "mainstay@example.com"
to = ["*@example.com"]
timeout = "20s"

[[alert]]
alerter = "email"
min_severity = "high"

[plugin.email]
grants = {{ mail = ["ops"] }}
settings = {{ account = "ops", to = ["{to}"] }}
{more}"#
    );
    let mut daemon = Daemon::prepare(&[HOST, &sleeper("job"), &rest].concat());
    let file = daemon.path("mail-password");
    fs::write(&file, format!("{}\n", setting.password)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    if let Some(authority) = setting.authority {
        daemon.set_env("SSL_CERT_FILE", authority.to_str().unwrap());
    }
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.drop_plugin(&plugin("email"));
    daemon.run();
    daemon.wait_for_plugins(2);
    daemon
}

fn started(server: &MailServer, tls: &str) -> Daemon {
    start(&Setting {
        server,
        tls,
        password: MAIL_PASSWORD,
        authority: Some(&tls_file("authority.pem")),
        to: "oncall@example.com",
        more: "",
    })
}

fn subject(mail: &Value) -> &str {
    mail["subject"].as_str().unwrap()
}

fn must_not_tell_the_password(daemon: &Daemon) {
    let told = format!("{:?}{}", daemon.events(), daemon.log());
    assert!(!told.contains(MAIL_PASSWORD), "{told}");
}

/// Acts: `smtp.*.host`, `smtp.*.port`, `smtp.*.tls`, `smtp.*.user`, `smtp.*.password`, `smtp.*.from`, `smtp.*.to`
/// Acts: `plugin.*.grants.mail`
#[test]
fn a_failure_and_its_end_are_a_mail_each_in_one_thread_over_either_way_of_tls() {
    for tls in ["implicit", "starttls"] {
        let server = MailServer::start(tls);
        let daemon = started(&server, tls);
        daemon.kill_child("job");
        let fired = server.wait_for("the page", |mail| subject(mail).starts_with("[HIGH]"));
        assert_eq!(fired["from"], "mainstay@example.com");
        assert_eq!(fired["to"], serde_json::json!(["oncall@example.com"]));
        let text = fired["text"].as_str().unwrap();
        for part in ["severity: high", "target: job", "failure: service-down"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let over = server.wait_for("its end", |mail| subject(mail).starts_with("[OVER]"));
        assert_eq!(over["references"], fired["references"]);
        assert_ne!(over["message_id"], fired["message_id"]);
        assert_ne!(fired["references"], "None");
        let all = server.seen();
        let pages = all
            .iter()
            .filter(|mail| subject(mail).starts_with("[HIGH]"));
        assert_eq!(pages.count(), 1, "one page of one incident: {all:?}");
        daemon.wait_for_event("that its end is sent", |event| {
            event["kind"] == "alert.delivered" && daemon.events_of("alert.delivered").len() >= 2
        });
        let listed = daemon.cli(&["alert", "history", "--limit", "1000", "--json"]);
        let listed = String::from_utf8(listed.stdout).unwrap();
        let listed: Vec<Value> = listed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(listed.len() >= 2, "{listed:?}");
        assert!(listed.iter().all(|one| one["kind"] == "alert.delivered"));
        assert_eq!(listed[0]["data"]["alerter"], "email", "{listed:?}");
        assert_eq!(listed[0]["data"]["attempt"], 1, "{listed:?}");
        let newest = daemon.cli(&["alert", "history", "--limit", "1", "--json"]);
        let newest = String::from_utf8(newest.stdout).unwrap();
        let newest: Value = serde_json::from_str(newest.trim()).unwrap();
        assert!(newest["seq"].as_u64() >= listed[1]["seq"].as_u64());
        must_not_tell_the_password(&daemon);
    }
}

/// A job that fails and says what the file `said` says, while there is something in it.
const FAILING_JOB: &str = r#"
[[job]]
name = "dump"
full = { cron = "0 0 29 2 *" }
encryption = "none"
source = [{ kind = "command", run = ["sh", "-c", "cat said >&2; test ! -s said && echo whole"], key = "dump" }]
"#;

#[test]
fn what_fails_again_is_mailed_once_within_five_minutes_until_it_says_something_else_or_was_over() {
    let server = MailServer::start("implicit");
    let daemon = start(&Setting {
        server: &server,
        tls: "implicit",
        password: MAIL_PASSWORD,
        authority: Some(&tls_file("authority.pem")),
        to: "oncall@example.com",
        more: FAILING_JOB,
    });
    let back_up = || daemon.cli(&["backup", "create", "dump"]).status.success();
    let fail = |why: &str| {
        fs::write(daemon.path("said"), why).unwrap();
        assert!(!back_up());
    };
    let tells = |mail: &Value, mark: &str, why: &str| {
        subject(mail).starts_with(mark) && mail["text"].as_str().unwrap().contains(why)
    };
    let pages = |why: &str| {
        let seen = server.seen();
        seen.iter()
            .filter(|mail| tells(mail, "[HIGH]", why))
            .count()
    };
    for _ in 0..3 {
        fail("the disk is full");
    }
    // What is said to one alerter about one thing arrives in its order: what was to come of the first three is there now.
    fail("the disk is gone");
    server.wait_for("the other words", |mail| {
        tells(mail, "[HIGH]", "the disk is gone")
    });
    assert_eq!(pages("the disk is full"), 1, "{:?}", server.seen());
    assert_eq!(daemon.events_of("backup.failed").len(), 4);
    fail("the disk is gone");
    fs::write(daemon.path("said"), "").unwrap();
    assert!(back_up());
    server.wait_for("its end", |mail| subject(mail).starts_with("[OVER]"));
    assert_eq!(pages("the disk is gone"), 1, "{:?}", server.seen());
    fail("the disk is gone");
    server.wait_for("what failed after its end", |_| {
        pages("the disk is gone") == 2
    });
}

#[test]
fn a_server_that_may_take_it_later_gets_the_same_mail_again() {
    for answer in ["451 4.7.1 greylisted", "421 4.3.2 closing"] {
        let server = MailServer::start("implicit");
        server.answer_with(answer);
        let daemon = started(&server, "implicit");
        daemon.kill_child("job");
        let delayed = daemon.wait_for_event("the delay", |event| event["kind"] == "alert.delayed");
        let code = answer.split(' ').next().unwrap();
        assert!(message_of(&delayed).contains(code), "{delayed}");
        server.answer_with("");
        let taken = server.wait_for("the page", |mail| subject(mail).starts_with("[HIGH]"));
        let all = server.seen();
        let attempts: Vec<_> = all
            .iter()
            .filter(|mail| mail["message_id"] == taken["message_id"])
            .collect();
        assert!(attempts.len() >= 2, "{all:?}");
        for attempt in &attempts {
            assert_eq!(attempt["text"], taken["text"]);
        }
        let taken_once = attempts.iter().filter(|mail| mail["answer"] == "250 OK");
        assert_eq!(taken_once.count(), 1, "{all:?}");
    }
}

#[test]
fn what_the_server_refuses_for_good_is_told_and_not_sent_again() {
    let server = MailServer::start("implicit");
    server.answer_with("550 5.7.1 no such mailbox");
    let daemon = started(&server, "implicit");
    daemon.kill_child("job");
    let ended = daemon.wait_for_event("the refusal", |event| event["kind"] == "alert.abandoned");
    assert!(message_of(&ended).contains("no such mailbox"), "{ended}");
    let seen = server.seen();
    let first = &seen[0]["message_id"];
    let times = seen.iter().filter(|mail| mail["message_id"] == *first);
    assert_eq!(times.count(), 1, "{seen:?}");
    let listed = daemon.cli(&[
        "alert",
        "history",
        "--abandoned",
        "--alerter",
        "email",
        "--json",
    ]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let oldest: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!(oldest["seq"], ended["seq"], "{listed}");
    assert_eq!(oldest["data"]["alerter"], "email", "{listed}");
}

#[test]
fn a_wrong_password_is_told_with_where_to_look_and_no_mail_is_sent() {
    let server = MailServer::start("implicit");
    let authority = tls_file("authority.pem");
    let daemon = start(&Setting {
        server: &server,
        tls: "implicit",
        password: "wr0ngZq7OfSomebodyElse",
        authority: Some(&authority),
        to: "oncall@example.com",
        more: "",
    });
    daemon.kill_child("job");
    let ended = daemon.wait_for_event("the refusal", |event| event["kind"] == "alert.abandoned");
    let told = message_of(&ended);
    for part in ["535", "look at `user` and `password`"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(server.seen(), Vec::<Value>::new());
    let told = format!("{:?}{}", daemon.events(), daemon.log());
    assert!(!told.contains("wr0ngZq7"), "{told}");
}

#[test]
fn a_server_whose_certificate_does_not_verify_gets_neither_login_nor_mail_and_is_asked_again() {
    for tls in ["implicit", "starttls"] {
        let server = MailServer::start(tls);
        // The system knows nothing of who signed it.
        let daemon = start(&Setting {
            server: &server,
            tls,
            password: MAIL_PASSWORD,
            authority: None,
            to: "oncall@example.com",
            more: "",
        });
        daemon.kill_child("job");
        let delayed = daemon.wait_for_event("the delay", |event| event["kind"] == "alert.delayed");
        assert!(message_of(&delayed).contains("certificate"), "{delayed}");
        assert_eq!(server.seen(), Vec::<Value>::new());
        must_not_tell_the_password(&daemon);
    }
}

#[test]
fn nobody_gets_mail_whom_the_account_may_not_write_to() {
    let server = MailServer::start("implicit");
    let authority = tls_file("authority.pem");
    let daemon = start(&Setting {
        server: &server,
        tls: "implicit",
        password: MAIL_PASSWORD,
        authority: Some(&authority),
        to: "stranger@example.org",
        more: "",
    });
    daemon.kill_child("job");
    let ended = daemon.wait_for_event("the refusal", |event| event["kind"] == "alert.abandoned");
    assert!(message_of(&ended).contains("[smtp.ops]"), "{ended}");
    assert_eq!(server.seen(), Vec::<Value>::new());
}

/// Acts: `smtp.*.timeout`
#[test]
fn a_server_that_says_nothing_is_given_up_on_in_its_time_and_asked_again() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let rest = format!(
        r#"
[smtp.ops]
host = "localhost"
port = {port}
tls = "starttls"
from = "mainstay@example.com"
to = ["*@example.com"]
timeout = "300ms"

[[route]]
target = "job"
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}

[[alert]]
alerter = "email"

[plugin.email]
grants = {{ mail = ["ops"] }}
settings = {{ account = "ops", to = ["oncall@example.com"] }}
"#
    );
    let mut daemon = Daemon::prepare(&[HOST, &sleeper("job"), &rest].concat());
    let authority = tls_file("authority.pem");
    daemon.set_env("SSL_CERT_FILE", authority.to_str().unwrap());
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.drop_plugin(&plugin("email"));
    daemon.run();
    daemon.wait_for_plugins(2);
    daemon.kill_child("job");
    let delayed = daemon.wait_for_event("the delay", |event| event["kind"] == "alert.delayed");
    assert!(message_of(&delayed).contains("300ms"), "{delayed}");
}
