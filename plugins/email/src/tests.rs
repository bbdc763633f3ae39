//! The alerter against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, alert};

fn host() -> ScriptedHost {
    let mut host = ScriptedHost::new();
    host.set_settings(r#"{"account": "ops", "to": ["oncall@example.com"]}"#);
    host
}

#[test]
fn an_alert_is_one_mail_through_the_configured_account() {
    let mut host = host();
    let receipt = Email.deliver(&alert("operation.failed"), &mut host);
    assert_eq!(receipt, Ok(Receipt::new()));
    let [
        Effect::Mail {
            account,
            to,
            subject,
            thread,
            ..
        },
    ] = host.effects()
    else {
        panic!("{:?}", host.effects())
    };
    assert_eq!(account, "ops");
    assert_eq!(to, &["oncall@example.com"]);
    assert_eq!(subject, "[HIGH] api: service-down");
    assert_eq!(thread.as_deref(), Some("api/service-down"));
}

#[test]
fn what_may_work_later_is_tried_again_and_what_will_not_is_told() {
    fn check(error: EffectError, expected: DeliveryFailure) {
        let mut host = host();
        host.on_mail("ops", Err(error));
        assert_eq!(Email.deliver(&alert("a.b"), &mut host), Err(expected));
    }
    check(
        EffectError::Unavailable("transient error (451)".into()),
        DeliveryFailure::RetryAfter(("transient error (451)".into(), None)),
    );
    check(
        EffectError::TimedOut("no answer".into()),
        DeliveryFailure::RetryAfter(("no answer".into(), None)),
    );
    check(
        EffectError::Failed("permanent error (550)".into()),
        DeliveryFailure::Permanent("permanent error (550)".into()),
    );
    check(
        EffectError::Denied("mail".into()),
        DeliveryFailure::Permanent("mail".into()),
    );
}

#[test]
fn settings_are_checked_before_anything_is_sent() {
    fn check(settings: &str, expected: &str) {
        let message = Email::configure(settings).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
    check("{}", "missing field `account`");
    check(r#"{"account": "ops"}"#, "missing field `to`");
    check(r#"{"account": " ", "to": ["a@b"]}"#, "[smtp.NAME]");
    check(r#"{"account": "ops", "to": []}"#, "expected 1 to 50");
    for bad in ["ops", "@b", "a@", "a@b@c", "A <a@b>", "a@b\\nBcc: c@d"] {
        let settings = format!(r#"{{"account": "ops", "to": ["{bad}"]}}"#);
        check(&settings, "expected a plain address");
    }
    check(
        r#"{"account": "ops", "to": ["a@b"], "from": "c@d"}"#,
        "unknown field `from`; allowed: `account`, `to`",
    );
    let good = r#"{"account": "ops", "to": ["oncall@example.com", "b@example.org"]}"#;
    assert!(Email::configure(good).is_ok());
}
