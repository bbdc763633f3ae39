//! The alerter against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, alert};

const URL: &str = "https://hooks.slack.com/services/T0/B0/${secret:slack}";

fn host() -> ScriptedHost {
    let mut host = ScriptedHost::new();
    host.set_settings(format!(r#"{{"url": "{URL}"}}"#));
    host
}

#[test]
fn an_alert_is_posted_to_what_the_settings_have_for_the_webhook() {
    let mut host = host();
    host.on_http(URL, Ok(Response::new(200, "ok")));
    let alert = alert("incident.opened");
    assert_eq!(Slack.deliver(&alert, &mut host), Ok(Receipt::new()));
    let expected = Effect::Http {
        method: Method::Post,
        url: URL.into(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: message(&alert).to_string(),
    };
    assert_eq!(host.effects(), [expected]);
}

#[test]
fn no_connection_is_tried_again_and_a_missing_grant_is_not() {
    fn check(error: EffectError, expected: DeliveryFailure) {
        let mut host = host();
        host.on_http(URL, Err(error));
        assert_eq!(Slack.deliver(&alert("a.b"), &mut host), Err(expected));
    }
    check(
        EffectError::Unavailable("connection refused".into()),
        DeliveryFailure::RetryAfter(("connection refused".into(), None)),
    );
    check(
        EffectError::Denied("http".into()),
        DeliveryFailure::Permanent("http".into()),
    );
}

#[test]
fn settings_are_checked_before_anything_is_sent() {
    for (settings, expected) in [
        ("{}", "missing field `url`"),
        (
            r#"{"url": "hooks.slack.com"}"#,
            "settings.url: found \"hooks.slack.com\", expected a URL",
        ),
        (
            r#"{"url": "https://x", "timeout": "5"}"#,
            "settings.timeout: found \"5\"",
        ),
        (
            r##"{"url": "https://x", "channel": "#ops"}"##,
            "unknown field `channel`; allowed: `timeout`, `url`",
        ),
    ] {
        let message = Slack::configure(settings).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
    assert!(Slack::configure(&format!(r#"{{"url": "{URL}", "timeout": "2s"}}"#)).is_ok());
}
