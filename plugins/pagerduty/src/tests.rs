//! The alerter against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, alert};

const KEY: &str = "${secret:pagerduty}";

fn host(more: &str) -> ScriptedHost {
    let mut host = ScriptedHost::new();
    host.set_settings(format!(r#"{{"routing_key": "{KEY}"{more}}}"#));
    host
}

#[test]
fn an_event_is_sent_with_what_the_settings_have_for_the_key() {
    let europe = "https://events.eu.pagerduty.com/v2/enqueue";
    for (more, url) in [
        (String::new(), URL),
        (format!(r#", "url": "{europe}""#), europe),
    ] {
        let mut host = host(&more);
        host.on_http(url, Ok(Response::new(202, r#"{"dedup_key": "k"}"#)));
        let alert = alert("incident.opened");
        let receipt = PagerDuty.deliver(&alert, &mut host);
        assert_eq!(receipt, Ok(Receipt::with_reference("k")));
        let expected = Effect::Http {
            method: Method::Post,
            url: url.into(),
            headers: vec![("content-type".into(), "application/json".into())],
            body: event(&alert, KEY).to_string(),
        };
        assert_eq!(host.effects(), [expected]);
    }
}

#[test]
fn no_connection_is_tried_again_and_a_missing_grant_is_not() {
    fn check(error: EffectError, expected: DeliveryFailure) {
        let mut host = host("");
        host.on_http(URL, Err(error));
        assert_eq!(PagerDuty.deliver(&alert("a.b"), &mut host), Err(expected));
    }
    check(
        EffectError::TimedOut("no response".into()),
        DeliveryFailure::RetryAfter(("no response".into(), None)),
    );
    check(
        EffectError::Denied("http".into()),
        DeliveryFailure::Permanent("http".into()),
    );
}

#[test]
fn settings_are_checked_before_anything_is_sent() {
    for (settings, expected) in [
        ("{}", "missing field `routing_key`"),
        (
            r#"{"routing_key": " "}"#,
            "settings.routing_key: it is empty",
        ),
        (
            r#"{"routing_key": "k", "url": "events.pagerduty.com"}"#,
            "settings.url: found \"events.pagerduty.com\", expected a URL",
        ),
        (
            r#"{"routing_key": "k", "key": "k"}"#,
            "unknown field `key`; allowed: `routing_key`, `timeout`, `url`",
        ),
    ] {
        let message = PagerDuty::configure(settings).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
    let settings = format!(r#"{{"routing_key": "{KEY}", "timeout": "2s"}}"#);
    assert!(PagerDuty::configure(&settings).is_ok());
}
