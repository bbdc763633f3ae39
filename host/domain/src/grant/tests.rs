//! What is denied, and what the denial says.

use super::*;
use crate::{
    effect::{HttpMethod, HttpRequest, MailMessage},
    name::{CommandName, JobName, MailAccountName},
    spec::TargetGrant,
};

fn plugin() -> PluginName {
    PluginName::parse("fixer").unwrap()
}

fn get(url: &str) -> Effect {
    Effect::HttpSend(HttpRequest {
        method: HttpMethod::Get,
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new().into(),
        timeout_ms: None,
        signing: None,
    })
}

fn restart(target: &str) -> Effect {
    Effect::TargetRestart {
        target: target.to_owned(),
    }
}

fn check_denied(grants: &Grants, effect: &Effect, own: Option<&str>, line: &str) {
    let own = own.map(|name| TargetName::parse(name).unwrap());
    let error = check(&plugin(), grants, effect, own.as_ref()).unwrap_err();
    let EffectError::Denied(text) = error else {
        panic!("{error} should be a denial")
    };
    assert!(text.contains(line), "`{text}` should name `{line}`");
}

#[test]
fn nothing_but_the_clock_is_granted_by_default() {
    let none = Grants::default();
    assert_eq!(check(&plugin(), &none, &Effect::ClockNow, None), Ok(()));
    check_denied(
        &none,
        &restart("api"),
        Some("api"),
        r#"grants = { target = ["restart"] }"#,
    );
    check_denied(
        &none,
        &restart("api"),
        Some("web"),
        r#"target = ["restart:api"]"#,
    );
    check_denied(&none, &restart("api"), None, "[plugin.fixer]");
    check_denied(
        &none,
        &get("http://h:9000/x"),
        None,
        r#"http = ["http://h:9000"]"#,
    );
    check_denied(
        &none,
        &Effect::KvKeys {
            prefix: String::new(),
        },
        None,
        "kv = ",
    );
    let newest = Effect::BackupNewest {
        job: "state".to_owned(),
        before: None,
    };
    check_denied(&none, &newest, None, r#"backup = ["state"]"#);
    let run = Effect::CommandRun {
        name: "flush\"\n".to_owned(),
        arguments: Vec::new(),
    };
    check_denied(&none, &run, None, r#"command = ["flush??"]"#);
}

#[test]
fn a_verb_reaches_the_own_target_and_others_only_by_name() {
    let own = TargetName::parse("api").unwrap();
    let verb = |target: Option<&str>| Grants {
        target: [TargetGrant {
            verb: TargetVerb::Restart,
            target: target.map(|name| TargetName::parse(name).unwrap()),
        }]
        .into(),
        ..Grants::default()
    };
    let allowed = |grants: &Grants, target: &str, own: Option<&TargetName>| {
        check(&plugin(), grants, &restart(target), own).is_ok()
    };
    assert!(allowed(&verb(None), "api", Some(&own)));
    assert!(!allowed(&verb(None), "redis", Some(&own)));
    assert!(!allowed(&verb(None), "api", None));
    assert!(allowed(&verb(Some("redis")), "redis", Some(&own)));
    assert!(!allowed(&verb(Some("redis")), "api", Some(&own)));
    let stop = Effect::TargetStop {
        target: "api".to_owned(),
    };
    check_denied(&verb(None), &stop, Some("api"), r#"target = ["stop"]"#);
}

#[test]
fn commands_jobs_and_values_are_granted_by_name() {
    let grants = Grants {
        command: [CommandName::parse("flush").unwrap()].into(),
        backup: [JobName::parse("state").unwrap()].into(),
        mail: [MailAccountName::parse("ops").unwrap()].into(),
        kv_bytes: 1,
        ..Grants::default()
    };
    for effect in [
        Effect::CommandRun {
            name: "flush".to_owned(),
            arguments: Vec::new(),
        },
        Effect::BackupNewest {
            job: "state".to_owned(),
            before: None,
        },
        Effect::KvGet {
            key: "k".to_owned(),
        },
        mail("ops"),
    ] {
        assert_eq!(
            check(&plugin(), &grants, &effect, None),
            Ok(()),
            "{effect:?}"
        );
    }
}

#[test]
fn a_url_that_could_be_read_in_two_ways_is_denied() {
    let grants = Grants {
        http: vec![HttpOrigin {
            scheme: "https".into(),
            host: "good.example".into(),
            port: 443,
        }],
        ..Grants::default()
    };
    for good in [
        "https://good.example",
        "HTTPS://Good.Example:443/a?b#c",
        "https://good.example/${secret:token}",
    ] {
        assert_eq!(
            check(&plugin(), &grants, &get(good), None),
            Ok(()),
            "{good}"
        );
    }
    for bad in [
        "",
        "good.example",
        "http://good.example/",
        "https://good.example:444/",
        "https://good.example@evil.example/",
        "https://good.example\\@evil.example/",
        "https:\\\\good.example",
        "https://evil.example/https://good.example",
        "https://good.example.evil.example/",
        "https://good%2eexample/",
        "https://good.example:443:443/",
        "https://go\tod.example/",
        "https://good.exämple/",
        "https:///good.example",
        "https://good.example:+443/",
        "file:///etc/passwd",
    ] {
        assert!(check(&plugin(), &grants, &get(bad), None).is_err(), "{bad}");
    }
}

#[test]
fn an_address_of_version_six_has_one_spelling() {
    let short = origin_of("http://[::1]:9000/").unwrap();
    assert_eq!(
        Some(&short),
        origin_of("http://[0:0:0:0:0:0:0:1]:9000").as_ref()
    );
    assert_eq!(origin_text(&short), "http://[::1]:9000");
    assert_eq!(origin_of("http://[::1"), None);
    assert_eq!(origin_of("http://[::1]x:9000/"), None);
}

fn mail(account: &str) -> Effect {
    Effect::MailSend(MailMessage {
        account: account.to_owned(),
        to: vec!["oncall@example.com".to_owned()],
        subject: String::new(),
        text: String::new(),
        thread: None,
    })
}

#[test]
fn a_mail_account_is_granted_by_name_and_a_denial_says_how() {
    let grants = Grants {
        mail: [MailAccountName::parse("ops").unwrap()].into(),
        ..Grants::default()
    };
    for (grants, account) in [(&grants, "other"), (&Grants::default(), "ops")] {
        let denied = check(&plugin(), grants, &mail(account), None).unwrap_err();
        let line = format!("mail = [\"{account}\"]");
        assert!(denied.to_string().contains(&line), "{denied}");
    }
}

#[test]
fn only_https_and_this_machine_are_private() {
    for (url, expected) in [
        ("https://gcs.example/x", true),
        ("HTTPS://gcs.example", true),
        ("https://bücher.example", true),
        ("http://gcs.example", false),
        ("http://localhost:4443", true),
        ("http://localhost.example", false),
        ("http://127.0.0.1:10000/shop", true),
        ("http://127.1.2.3", true),
        ("http://[::1]:1", true),
        ("http://10.0.0.1", false),
        ("http://127.0.0.1@other.example", false),
        ("ftp://127.0.0.1", false),
        ("", false),
    ] {
        assert_eq!(is_private(url), expected, "{url}");
    }
}
