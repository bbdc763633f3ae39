//! How rules, lengths and files are read.

use super::super::*;
use std::time::Duration;

#[test]
fn a_rule_is_written_as_it_is_read() {
    for text in [
        "any succeeds",
        "restart-service succeeds after 2s",
        "restart-service of api from api-gateway-down at attempt 2 fails after 1m30s 3 times: the port is in use",
        "any from down does nothing 1 time",
        "fix fails for good: no",
        "fix needs a person: plug it in; press the button",
        "fix is missing",
    ] {
        assert_eq!(Rule::parse(text).unwrap().to_string(), text);
    }
    let rule = Rule::parse("any of api fails for good after 250ms").unwrap();
    assert_eq!(
        (rule.answer, rule.after),
        (Answer::FailsForGood, Duration::from_millis(250))
    );
}

#[test]
fn what_is_no_rule_is_refused_with_what_is_wrong() {
    for (text, why) in [
        ("", "it is empty"),
        ("fix", "it has no answer"),
        ("fix explodes", "`explodes` is no answer"),
        ("fix of", "`of` has no target behind it"),
        ("fix at attempt 0 fails", "`0` is no number from 1"),
        ("fix succeeds after soon", "`soon` is not a length"),
        ("fix succeeds twice", "`twice` is one word too many"),
        ("Fix succeeds", "`Fix` is not a plugin name"),
    ] {
        let error = Rule::parse(text).unwrap_err();
        assert!(error.why.starts_with(why), "{text}: {error}");
    }
}

#[test]
fn a_length_has_whole_numbers_with_units() {
    for (text, millis) in [
        ("0s", 0),
        ("500ms", 500),
        ("1h30m", 5_400_000),
        ("1d", 86_400_000),
    ] {
        let length = Length::parse(text).unwrap();
        assert_eq!(length.0, Duration::from_millis(millis), "{text}");
        assert_eq!(length.to_string(), text);
    }
    for bad in [
        "",
        "5",
        "s",
        "1.5s",
        "1w",
        "-1s",
        "1s ",
        "99999999999999999999d",
    ] {
        assert!(Length::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn lines_are_read_as_they_are_written_and_a_bad_one_is_named() {
    let text = r#"{"format":1,"begin":"2026-01-31T00:00:00.000Z","until":"1d"}
{"rule":"fix succeeds after 2s"}
{"at":"10s","target":"api","check":"http","outcome":"degraded","for":"1m","message":"slow"}
{"at":"2026-01-31T12:00:00.000Z","target":"api","command":"pause"}"#;
    let Lines::Written(draft) = read_lines(text).unwrap() else {
        panic!("it is written")
    };
    assert_eq!(write_lines(&draft).unwrap().join("\n"), text);
    let error = read_lines("{\"at\":\"10s\"}\n\n{\"at\":\"10s\",\"chek\":\"http\"}").unwrap_err();
    assert_eq!(error.line, 3);
    assert!(error.why.contains("chek"), "{error}");
}
