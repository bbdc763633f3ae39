//! The alerter against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, alert};

const URL: &str = "http://127.0.0.1:9000/alerts";

fn host() -> ScriptedHost {
    let mut host = ScriptedHost::new();
    host.set_settings(format!(
        r#"{{"url": "{URL}", "headers": {{"authorization": "Bearer ${{secret:hook}}"}}}}"#
    ));
    host
}

#[test]
fn an_alert_is_posted_as_json_with_its_key_and_what_the_settings_have_for_a_secret() {
    let mut host = host();
    host.on_http(URL, Ok(Response::new(200, "")));
    assert_eq!(
        Webhook.deliver(&alert("operation.failed"), &mut host),
        Ok(Receipt::new())
    );
    let [
        Effect::Http {
            method: Method::Post,
            url,
            headers,
            body,
        },
    ] = host.effects()
    else {
        panic!("{:?}", host.effects())
    };
    assert_eq!(url, URL);
    let header = |name: &str| {
        headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("idempotency-key"), Some("al-1"));
    assert_eq!(header("authorization"), Some("Bearer ${secret:hook}"));
    for part in [
        r#""kind":"operation.failed""#,
        r#""severity":"high""#,
        r#""at":"2024-02-29T12:00:00.000Z""#,
    ] {
        assert!(body.contains(part), "{body}");
    }
}

#[test]
fn each_attempt_sends_the_same_body_under_the_same_key_and_says_in_a_header_which_it_is() {
    let sent = [1, 2].map(|attempt| {
        let mut host = host();
        host.on_http(URL, Ok(Response::new(200, "")));
        let mut alert = alert("operation.failed");
        alert.attempt = attempt;
        Webhook.deliver(&alert, &mut host).unwrap();
        let [Effect::Http { headers, body, .. }] = host.effects() else {
            panic!("{:?}", host.effects())
        };
        let value = |name: &str| {
            let mut of_name = headers.iter().filter(|(key, _)| key == name);
            of_name.next().map(|(_, value)| value.clone())
        };
        assert_eq!(value("alert-attempt"), Some(attempt.to_string()));
        (value("idempotency-key"), body.clone())
    });
    assert_eq!(sent[0], sent[1]);
}

#[test]
fn with_a_secret_for_it_each_request_is_signed_by_the_host() {
    let mut host = ScriptedHost::new();
    host.set_settings(format!(
        r#"{{"url": "{URL}", "hmac_secret": "mainstay-secret-0"}}"#
    ));
    host.on_http(URL, Ok(Response::new(200, "")));
    let receipt = Webhook.deliver(&alert("operation.failed"), &mut host);
    assert_eq!(receipt, Ok(Receipt::new()));
    let [
        Effect::SignedHttp {
            method: Method::Post,
            url,
            body,
            secret,
            header,
            ..
        },
    ] = host.effects()
    else {
        panic!("{:?}", host.effects())
    };
    assert_eq!(url, URL);
    assert_eq!(secret, "mainstay-secret-0");
    assert_eq!(header, "x-mainstay-signature");
    assert!(body.contains(r#""id":"al-1""#), "{body}");
}

#[test]
fn no_connection_is_tried_again_and_a_missing_grant_is_not() {
    fn check(error: EffectError, expected: DeliveryFailure) {
        let mut host = host();
        host.on_http(URL, Err(error));
        assert_eq!(Webhook.deliver(&alert("a.b"), &mut host), Err(expected));
    }
    check(
        EffectError::Unavailable("connection refused".into()),
        DeliveryFailure::RetryAfter(("connection refused".into(), None)),
    );
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
    fn check(settings: &str, expected: &str) {
        let message = Webhook::configure(settings).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
    check("{}", "missing field `url`");
    check(
        r#"{"url": "ftp://x"}"#,
        "settings.url: found \"ftp://x\", expected a URL",
    );
    check(
        r#"{"url": "http://x", "headers": {"a b": "c"}}"#,
        "settings.headers: found the header name \"a b\"",
    );
    check(
        r#"{"url": "http://x", "headers": {"a": "c\nd"}}"#,
        "control characters",
    );
    check(
        r#"{"url": "http://x", "timeout": "5"}"#,
        "settings.timeout: found \"5\"",
    );
    check(
        r#"{"url": "http://x", "uri": "y"}"#,
        "unknown field `uri`; allowed: `headers`, `hmac_secret`, `timeout`, `url`",
    );
    check(
        r#"{"url": "http://x", "hmac_secret": "a b"}"#,
        "settings.hmac_secret",
    );
    assert!(Webhook::configure(r#"{"url": "https://x/${secret:token}"}"#).is_ok());
    let signed = r#"{"url": "https://x/", "hmac_secret": "${secret:token}"}"#;
    assert!(Webhook::configure(signed).is_ok());
}
