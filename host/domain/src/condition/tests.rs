//! What conditions mean, what is said of what is none, and that no text makes them panic.

use super::*;
use proptest::prelude::*;

const FACTS: Facts = Facts {
    severity: Severity::High,
    score: 0.75,
    confidence: 0.9,
    recurrence_count: 2,
    step: 3,
    duration: Duration::from_secs(200),
    attempt: 1,
};

#[test]
fn a_condition_is_met_as_it_reads() {
    for (text, is_met) in [
        ("severity >= 0.75", true),
        ("severity > .75", false),
        ("severity >= high", true),
        ("severity == 'high'", true),
        ("severity != \"critical\"", true),
        ("severity < critical", true),
        ("low > severity", false),
        ("recurrence_count >= 2", true),
        ("3 <= recurrence_count", false),
        ("confidence < 1", true),
        ("step == 3", true),
        ("duration > 180", true),
        ("duration > 3m", true),
        ("duration >= 200001ms", false),
        ("duration < 1h", true),
        ("attempt == 1", true),
        ("attempt < recurrence_count", true),
        ("not attempt == 1", false),
        ("not not attempt == 1", true),
        // `and` binds more than `or`, `not` more than both.
        ("attempt == 1 or attempt == 2 and step == 1", true),
        ("(attempt == 1 or attempt == 2) and step == 1", false),
        ("not attempt == 2 and step == 3", true),
        ("not (attempt == 2 or step == 3)", false),
    ] {
        let condition = Condition::parse(text).unwrap();
        assert_eq!(condition.is_met(&FACTS), is_met, "{text}");
    }
}

#[test]
fn a_severity_is_a_word_beside_words_and_a_number_beside_numbers() {
    // What is worse than it was at first has its word from then, and its number from now.
    let facts = Facts {
        severity: Severity::Critical,
        score: 0.5,
        ..FACTS
    };
    let check = |text: &str| Condition::parse(text).unwrap().is_met(&facts);
    assert!(check("severity == critical and severity == 0.5"));
}

/// Every condition that the seed's policies are shipped with, but for the two that name what the seed itself refuses at
/// three in the morning.
#[test]
fn the_seeds_own_conditions_are_read_and_its_undefined_names_are_refused() {
    for text in [
        "severity >= 0.7",
        "severity >= 0.8 or recurrence_count >= 2",
        "severity >= 0.9 or recurrence_count >= 3",
        "severity >= 0.7 or duration > 180",
        "severity >= 0.85 or recurrence_count >= 2",
        "severity >= 0.8 and recurrence_count >= 2",
        "recurrence_count >= 3 or severity >= 0.9",
    ] {
        Condition::parse(text).unwrap();
    }
    for (text, name) in [
        (
            "severity >= 0.9 or stabilization_failed",
            "stabilization_failed",
        ),
        ("severity >= 0.85 or restart_failed", "restart_failed"),
    ] {
        let error = Condition::parse(text).unwrap_err();
        assert_eq!(error.unknown.as_deref(), Some(name));
        assert_eq!(&text[error.span], name);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, wrong, message) in [
        ("", "", "the condition is empty"),
        (" ", " ", "the condition is empty"),
        (
            "severty >= 0.8",
            "severty",
            "a condition knows no `severty`",
        ),
        ("severity >= heigh", "heigh", "a condition knows no `heigh`"),
        ("severity => 0.8", "=", "'=' has no meaning in a condition"),
        ("severity = 0.8", "=", "'=' has no meaning in a condition"),
        ("!severity", "!", "'!' has no meaning in a condition"),
        ("step > -1", "-", "'-' has no meaning in a condition"),
        (
            "severity",
            "severity",
            "`severity` is compared with nothing",
        ),
        (
            "severity and step > 1",
            "severity",
            "`severity` is compared with nothing",
        ),
        (
            "severity >=",
            "",
            "the condition ends where a value is wanted",
        ),
        (
            "step > 1 and",
            "",
            "the condition ends where a value is wanted",
        ),
        ("step > or", "or", "`or` stands where a value is wanted"),
        ("(step > 1", "(", "this `(` is not closed"),
        ("step > 1)", ")", "`)` follows a condition that is whole"),
        ("1 < step < 3", "<", "`<` follows a condition that is whole"),
        (
            "step > 1 step < 3",
            "step",
            "`step` follows a condition that is whole",
        ),
        (
            "severity >= 1.5",
            "1.5",
            "`severity` is a severity, and `1.5` is none",
        ),
        (
            "confidence >= high",
            "high",
            "`confidence` is a share, and `high` is none",
        ),
        (
            "attempt > 1.5",
            "1.5",
            "`attempt` is a count, and `1.5` is none",
        ),
        (
            "duration > low",
            "low",
            "`duration` is a length of time, and `low` is none",
        ),
        ("step > 3m", "3m", "`step` is a count, and `3m` is none"),
        (
            "step > duration",
            "step > duration",
            "`step` is a count and `duration` is a length of time: neither is more than the other",
        ),
        (
            "step > step",
            "step > step",
            "`step` is compared with itself",
        ),
        (
            "2 > 1",
            "2 > 1",
            "this compares nothing of the incident: it is always so, or never",
        ),
        (
            "duration > 5x",
            "5x",
            "`5x` is neither a number nor a length of time",
        ),
        (
            "duration > 1.5h",
            "1.5h",
            "`1.5h` is neither a number nor a length of time",
        ),
        (
            "duration > 99999d",
            "99999d",
            "`99999d` is more than ten years",
        ),
        (
            "severity == 'high",
            "'high",
            "what begins with ' does not end",
        ),
        (
            "always or step > 1",
            "always",
            "a condition knows no `always`",
        ),
    ] {
        let error = Condition::parse(text).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
        assert_eq!(&text[error.span.clone()], wrong, "{text}");
        assert!(!error.help.is_empty(), "{text}");
    }
}

#[test]
fn the_second_of_two_equal_signs_is_the_one_that_is_meant() {
    let error = Condition::parse("1 < step < 3").unwrap_err();
    assert_eq!(error.span, 9..10);
}

#[test]
fn length_words_and_depth_are_bounded() {
    let joined = |count: usize| vec!["step > 1"; count].join(" or ");
    // Four tokens each, but for the last `or`.
    Condition::parse(&joined(12)).unwrap();
    let error = Condition::parse(&joined(13)).unwrap_err();
    assert!(error.message.contains("at most 50"), "{error}");

    let nested = |depth: usize| format!("{}step > 1{}", "(".repeat(depth), ")".repeat(depth));
    Condition::parse(&nested(16)).unwrap();
    let error = Condition::parse(&nested(17)).unwrap_err();
    assert_eq!(error.span, 16..17);

    let long = " ".repeat(MOST_BYTES) + "step > 1";
    assert!(Condition::parse(&long).is_err());
}

/// Conditions as people may write them.
fn conditions() -> impl Strategy<Value = String> {
    let comparator = || prop::sample::select(vec![">=", "<=", ">", "<", "==", "!="]);
    let of_severity = (
        comparator(),
        prop_oneof![
            prop::sample::select(vec!["low", "medium", "high", "critical"]).prop_map(str::to_owned),
            (0.0..=1.0_f64).prop_map(|score| format!("{score:.4}")),
        ],
    )
        .prop_map(|(by, value)| format!("severity {by} {value}"));
    let of_counts = (
        prop::sample::select(vec!["attempt", "step", "recurrence_count"]),
        comparator(),
        any::<u32>(),
    )
        .prop_map(|(name, by, value)| format!("{value}{by}{name}"));
    let of_time = (comparator(), 0..100_000_u32, 0..6_usize).prop_map(|(by, number, unit)| {
        let unit = ["", "ms", "s", "m", "h", "d"][unit];
        format!("duration {by} {}{unit}", number % 3_000)
    });
    let one = prop_oneof![of_severity, of_counts, of_time];
    one.prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| format!("not ({inner})")),
            inner.clone().prop_map(|inner| format!("not {inner}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} or ({b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a} and {b} or {a}")),
        ]
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    (
        0..4_usize,
        any::<f64>(),
        any::<f64>(),
        any::<u32>(),
        any::<u64>(),
        any::<u32>(),
    )
        .prop_map(
            |(severity, score, confidence, count, seconds, attempt)| Facts {
                severity: Severity::ALL[severity],
                score,
                confidence,
                recurrence_count: count,
                step: count % 7,
                duration: Duration::from_secs(seconds),
                attempt,
            },
        )
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_every_error_has_a_place_in_it(text in "(?s).{0,300}") {
        if let Err(error) = Condition::parse(&text) {
            prop_assert!(text.get(error.span).is_some());
        }
    }

    #[test]
    fn no_words_in_any_order_make_it_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "severity", "step", "duration", "always", "and", "or", "not", "(", ")", ">=", "<", "==", "=", "!",
                "0.5", "3", "3m", "high", "'low'", "'", "ä", "99999999999999999999999", ".", "-",
            ]),
            0..70,
        ),
        facts in facts(),
    ) {
        let text = words.join(" ");
        match Condition::parse(&text) {
            Ok(condition) => {
                condition.is_met(&facts);
            }
            Err(error) => prop_assert!(text.get(error.span).is_some()),
        }
    }

    #[test]
    fn what_is_printed_reads_as_the_same_condition(text in conditions(), facts in facts()) {
        // What is too long for one is no condition.
        if let Ok(condition) = Condition::parse(&text) {
            let printed = condition.to_string();
            let again = Condition::parse(&printed);
            prop_assert_eq!(again.as_ref(), Ok(&condition), "{}", printed);
            prop_assert_eq!(again.unwrap().is_met(&facts), condition.is_met(&facts));
        }
    }
}
