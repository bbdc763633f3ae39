//! Handles in and out.

use super::*;
use crate::{
    backup::{BackupType, Verdict},
    blob::Blob,
    call::{DeliveryFailure, Receipt, RecoveryFailure, Report},
    effect::{Effect, EffectError, HttpMethod, HttpRequest},
};
use proptest::prelude::*;
use serde_json::json;

impl SecretHandles {
    /// As [`Self::reveal`], of a text.
    fn reveal_text<E>(
        &self,
        text: &str,
        value: impl FnMut(&SecretName) -> Result<String, E>,
    ) -> Result<Option<String>, E> {
        let revealed = self.reveal(text.as_bytes(), value)?;
        // Texts were put between whole characters, so nothing is lost.
        Ok(revealed.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn names() -> BTreeSet<SecretName> {
    [name("hook"), name("token")].into()
}

fn handles() -> SecretHandles {
    SecretHandles::draw(&[7; 32], &names())
}

/// The handle of a secret, as a guest finds it in its settings.
fn handle(handles: &SecretHandles, name: &str) -> String {
    let written = json!(format!("${{secret:{name}}}"));
    handles.put_into(&written).as_str().unwrap().to_owned()
}

fn value(name: &SecretName) -> Result<String, String> {
    Ok(format!("<value of {name}>"))
}

#[test]
fn a_handle_is_of_its_seed_and_of_its_secret_alone() {
    let (one, again) = (handles(), handles());
    let other = SecretHandles::draw(&[8; 32], &names());
    assert_eq!(handle(&one, "hook"), handle(&again, "hook"));
    assert_ne!(handle(&one, "hook"), handle(&other, "hook"));
    assert_ne!(handle(&one, "hook"), handle(&one, "token"));
    // Whatever else the call may use.
    let alone = SecretHandles::draw(&[7; 32], &[name("hook")].into());
    assert_eq!(handle(&one, "hook"), handle(&alone, "hook"));
    assert!(one != other && !one.is_empty() && SecretHandles::default().is_empty());
}

#[test]
fn a_handle_is_written_alike_in_json_in_a_url_and_in_a_header() {
    let handle = handle(&handles(), "hook");
    assert_eq!(handle.len(), PREFIX.len() + DIGITS);
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    assert!(handle.bytes().all(is_plain), "{handle}");
    assert_eq!(handle.matches('m').count(), 1, "{handle}");
}

#[test]
fn settings_hold_a_handle_where_the_operator_wrote_a_secret() {
    let handles = handles();
    let (hook, token) = (handle(&handles, "hook"), handle(&handles, "token"));
    let written = json!({
        "url": "https://x.example/?t=${secret:hook}&u=${secret:token}",
        "list": [1, true, null, ["${secret:token}"]],
        "other": "${secret:of-nobody} ${secret:hook}",
        "broken": "${secret:hook",
        "${secret:hook}": "a key is no text",
    });
    let seen = json!({
        "url": format!("https://x.example/?t={hook}&u={token}"),
        "list": [1, true, null, [token]],
        "other": format!("${{secret:of-nobody}} {hook}"),
        "broken": "${secret:hook",
        "${secret:hook}": "a key is no text",
    });
    assert_eq!(handles.put_into(&written), seen);
    assert_eq!(SecretHandles::default().put_into(&written), written);
}

/// What a guest wrote, and what leaves the host; none where nothing is put in.
fn check(written: &str, leaves: Option<&str>) {
    let revealed = handles().reveal_text(written, value).unwrap();
    assert_eq!(revealed.as_deref(), leaves, "{written}");
}

#[test]
fn only_a_handle_is_replaced_and_a_name_is_text() {
    let (hook, token) = (handle(&handles(), "hook"), handle(&handles(), "token"));
    check("", None);
    check("plain", None);
    check("${secret:hook} ${secret:nosuch} ${secret:", None);
    check(&format!("Bearer {hook}"), Some("Bearer <value of hook>"));
    check(
        &format!("{hook}{token}ä{hook}0"),
        Some("<value of hook><value of token>ä<value of hook>0"),
    );
    check(
        &format!("${{secret:hook}}{hook}"),
        Some("${secret:hook}<value of hook>"),
    );
    // Half a handle, one in another spelling, and one that begins like one before.
    check(&hook[..hook.len() - 1], None);
    check(&hook.to_uppercase(), None);
    check(&format!("{PREFIX}{}", "0".repeat(DIGITS)), None);
    check(
        &format!("{PREFIX}{hook}"),
        Some(&format!("{PREFIX}<value of hook>")),
    );
    check(&format!("{PREFIX}{}ä", "0".repeat(DIGITS - 1)), None);
}

#[test]
fn a_handle_of_another_call_is_text() {
    let earlier = handle(&SecretHandles::draw(&[8; 32], &names()), "hook");
    check(&earlier, None);
    assert_eq!(earlier.clone().masked(&handles()), earlier);
}

#[test]
fn bytes_that_are_no_text_hold_handles_too() {
    let hook = handle(&handles(), "hook");
    let body = [b"\xff\xfe".as_slice(), hook.as_bytes(), b"\xff"].concat();
    let revealed = handles().reveal(&body, value).unwrap();
    assert_eq!(
        revealed.as_deref(),
        Some(b"\xff\xfe<value of hook>\xff".as_slice())
    );
    let cut = [PREFIX.as_bytes(), &[0xff; DIGITS]].concat();
    assert_eq!(handles().reveal(&cut, value), Ok(None));
}

#[test]
fn a_value_is_not_searched_itself() {
    let (hook, token) = (handle(&handles(), "hook"), handle(&handles(), "token"));
    let swapped = |_: &SecretName| Ok::<_, String>(token.clone());
    let revealed = handles().reveal_text(&hook, swapped).unwrap();
    assert_eq!(revealed, Some(token.clone()));
}

#[test]
fn a_secret_without_a_value_is_an_error() {
    let hook = handle(&handles(), "hook");
    let unknown = |name: &SecretName| Err::<String, _>(format!("{name} is not known"));
    let revealed = handles().reveal_text(&hook, unknown);
    assert_eq!(revealed, Err("hook is not known".to_owned()));
}

#[test]
fn a_log_of_the_handles_shows_their_names_only() {
    let masked = format!("{:?}", handles());
    assert!(
        masked.contains("hook") && !masked.contains(PREFIX),
        "{masked}"
    );
}

/// What a guest says is shown without any handle in it.
fn check_masked<T: Masked + std::fmt::Debug>(said: T) {
    let before = format!("{said:?}");
    assert!(before.contains(PREFIX), "this proves nothing: {before}");
    let masked = format!("{:?}", said.masked(&handles()));
    assert!(!masked.contains(PREFIX), "{masked}");
    assert!(masked.contains("${secret:hook}"), "{masked}");
}

#[test]
fn whatever_a_guest_answers_is_shown_with_names() {
    let said = handle(&handles(), "hook");
    check_masked(said.clone());
    check_masked(Report {
        actions: vec![said.clone()],
        data_loss: None,
    });
    check_masked(Report {
        actions: Vec::new(),
        data_loss: Some(said.clone()),
    });
    check_masked(RecoveryFailure::Retryable(said.clone()));
    check_masked(RecoveryFailure::Permanent(said.clone()));
    check_masked(RecoveryFailure::NeedsOperator(vec![said.clone()]));
    check_masked(Receipt {
        reference: Some(said.clone()),
    });
    check_masked(DeliveryFailure::RetryAfter {
        reason: said.clone(),
        after_ms: None,
    });
    check_masked(DeliveryFailure::Permanent(said.clone()));
    check_masked(Ok::<_, String>(vec![Verdict {
        id: "b-1".to_owned(),
        keep: true,
        reason: said.clone(),
        expires: None,
    }]));
    check_masked(Err::<Vec<Verdict>, _>(said.clone()));
    for error in [
        EffectError::Denied,
        EffectError::Limited,
        EffectError::TimedOut,
        EffectError::Unavailable,
        EffectError::Failed,
    ] {
        check_masked(error(said.clone()));
    }
}

fn request(url: &str, header: (&str, &str), body: &str) -> Effect {
    Effect::HttpSend(HttpRequest {
        method: HttpMethod::Post,
        url: url.to_owned(),
        headers: vec![(header.0.to_owned(), header.1.to_owned())],
        body: Blob(body.as_bytes().to_vec()),
        timeout_ms: None,
        signing: None,
    })
}

#[test]
fn whatever_a_guest_asks_for_is_shown_with_names() {
    let hook = handle(&handles(), "hook");
    let said = || hook.clone();
    check_masked(request(&hook, ("a", "b"), ""));
    check_masked(request("", (hook.as_str(), "b"), ""));
    check_masked(request("", ("a", hook.as_str()), ""));
    check_masked(Effect::AwaitSignal {
        name: said(),
        until: crate::time::Timestamp::from_millis(1),
    });
    check_masked(Effect::TargetStatus { target: said() });
    check_masked(Effect::TargetStart { target: said() });
    check_masked(Effect::TargetStop { target: said() });
    check_masked(Effect::TargetRestart { target: said() });
    check_masked(Effect::TargetCheck { target: said() });
    check_masked(Effect::TargetSend {
        target: said(),
        signal: crate::effect::Signal::Hup,
    });
    check_masked(Effect::CommandRun {
        name: said(),
        arguments: Vec::new(),
    });
    check_masked(Effect::CommandRun {
        name: String::new(),
        arguments: vec![("key".to_owned(), said())],
    });
    check_masked(Effect::KvGet { key: said() });
    check_masked(Effect::KvDelete { key: said() });
    check_masked(Effect::KvKeys { prefix: said() });
    check_masked(Effect::BackupNewest {
        job: said(),
        before: None,
    });
    check_masked(Effect::BackupCreate {
        job: said(),
        backup_type: BackupType::Full,
    });
    check_masked(Effect::BackupRestore {
        job: String::new(),
        id: said(),
    });
    let bytes = || Blob(hook.as_bytes().to_vec());
    let placeholder = || Blob(b"${secret:hook}".to_vec());
    let swap = |value: Blob, expected| Effect::KvCompareAndSet {
        key: "key".to_owned(),
        expected: Some(expected),
        value,
    };
    assert_eq!(
        swap(bytes(), bytes()).masked(&handles()),
        swap(placeholder(), placeholder())
    );
    let set = |value| Effect::KvSet {
        key: "key".to_owned(),
        value,
    };
    assert_eq!(set(bytes()).masked(&handles()), set(placeholder()));
    assert_eq!(
        request("", ("a", "b"), &hook).masked(&handles()),
        request("", ("a", "b"), "${secret:hook}")
    );
}

proptest! {
    #[test]
    fn what_no_operator_wrote_is_never_changed(text in "([a-z$\\{\\}: ]|\\$\\{secret:(hook|token|x)\\}|mainstay-secret-[0-9a-f]{0,40}){0,12}") {
        let handles = handles();
        prop_assert_eq!(handles.reveal_text(&text, value), Ok(None));
        prop_assert_eq!(text.clone().masked(&handles), text);
    }

    #[test]
    fn what_an_operator_wrote_comes_back_as_it_was_written(text in "([a-z$\\{\\}: ]|\\$\\{secret:(hook|token|x)\\}){0,12}") {
        let handles = handles();
        let seen = handles.put_into(&json!(text));
        prop_assert_eq!(seen.as_str().unwrap().to_owned().masked(&handles), text);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
        let _ = handles().reveal(&bytes, value);
    }
}
