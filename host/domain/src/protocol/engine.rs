//! A trading engine: what a check asks its API, and what the answers mean.
//!
//! ```text
//! GET status     {"status": "running", "updated_at": "2026-01-31T12:00:00Z"}     or milliseconds since 1970
//! GET orders     {"orders": [{"id": "o-1", "status": "pending"}]}
//! GET positions  {"positions": [{"id": "p-1", "symbol": "BTC-USD", "quantity": "0.5", "entry_price": 61000.1}]}
//! ```
//!
//! Members that are not named are for others. An engine without a status, or with `crashed` or `error`, has failed; and so it
//! has where it cannot be asked [seed 000].

use super::Verdict;
use crate::{measure::length, spec::EngineCheck, text::excerpt, time::Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// What makes a position.
const WANTED: [&str; 3] = ["symbol", "quantity", "entry_price"];
/// How much the clock of an engine may be ahead.
const AHEAD: Duration = Duration::from_secs(60);

/// One request of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// How it is.
    Status,
    /// Its orders.
    Orders,
    /// Its positions.
    Positions,
}

impl Question {
    /// Its path below that of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Question::Status => "status",
            Question::Orders => "orders",
            Question::Positions => "positions",
        }
    }
}

/// What a check asks, in this order: each where the answer before was good.
pub fn questions(check: &EngineCheck) -> Vec<Question> {
    let all = [
        (Question::Status, true),
        (Question::Orders, check.max_pending.is_some()),
        (Question::Positions, check.positions),
    ];
    let asked = all.into_iter().filter(|(_, is_asked)| *is_asked);
    asked.map(|(question, _)| question).collect()
}

/// What the HTTP status of an answer means.
pub fn judge_status(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Good,
        401 | 403 => Verdict::Refuses(format!("it answered {status}: see `headers` of the check")),
        _ => Verdict::Fails(format!("it answered {status}")),
    }
}

/// What an answer means.
pub fn judge(question: Question, check: &EngineCheck, body: &[u8], now: Timestamp) -> Verdict {
    let judged = match question {
        Question::Status => {
            serde_json::from_slice(body).map(|told: Told| judge_told(check, &told, now))
        }
        Question::Orders => {
            serde_json::from_slice(body).map(|told: Orders| judge_orders(check, &told))
        }
        Question::Positions => {
            serde_json::from_slice(body).map(|told: Positions| judge_positions(&told))
        }
    };
    judged.unwrap_or_else(|error| {
        Verdict::Fails(format!(
            "its answer is none that an engine gives: {}",
            excerpt(&error.to_string())
        ))
    })
}

#[derive(Deserialize)]
struct Told {
    status: Option<String>,
    updated_at: Option<Value>,
}

#[derive(Deserialize)]
struct Orders {
    orders: Vec<Order>,
}

#[derive(Deserialize)]
struct Order {
    status: String,
}

#[derive(Deserialize)]
struct Positions {
    positions: Vec<Map<String, Value>>,
}

fn judge_told(check: &EngineCheck, told: &Told, now: Timestamp) -> Verdict {
    let status = match told.status.as_deref() {
        None | Some("") => return Verdict::Fails("it has no status".to_owned()),
        Some(status) => status,
    };
    match status {
        "crashed" | "error" => return Verdict::Fails(format!("its status is `{status}`")),
        "starting" => return Verdict::NotReady(format!("its status is `{status}`")),
        _ => {}
    }
    let Some(most) = check.max_age else {
        return Verdict::Good;
    };
    let updated_at = match &told.updated_at {
        Some(Value::String(text)) => Timestamp::parse(text).ok(),
        Some(Value::Number(millis)) => millis.as_u64().map(Timestamp::from_millis),
        _ => None,
    };
    let Some(updated_at) = updated_at else {
        let why = "its status has no `updated_at` that is a time, and the check has a `max_age`";
        return Verdict::Fails(why.to_owned());
    };
    let age = now.since(updated_at);
    if age > most {
        let (age, most) = (length(age), length(most));
        return Verdict::Stale(format!("its data is {age} old, at most {most} is allowed"));
    }
    if updated_at.since(now) > AHEAD {
        return Verdict::Stale(format!("its data is of {updated_at}, which is to come"));
    }
    Verdict::Good
}

fn judge_orders(check: &EngineCheck, told: &Orders) -> Verdict {
    let orders = told.orders.iter();
    let pending = orders.filter(|order| order.status == "pending").count();
    let most = check
        .max_pending
        .and_then(|most| usize::try_from(most).ok());
    match most.filter(|most| pending > *most) {
        None => Verdict::Good,
        Some(most) => Verdict::Fails(format!(
            "{pending} of its orders are pending, at most {most} are allowed"
        )),
    }
}

fn judge_positions(told: &Positions) -> Verdict {
    let mut lacking = told.positions.iter().filter_map(|position| {
        let lacks = WANTED.into_iter();
        let lacks: Vec<&str> = lacks
            .filter(|name| !is_there(name, position.get(*name)))
            .collect();
        (!lacks.is_empty()).then_some((position, lacks))
    });
    let Some((first, lacks)) = lacking.next() else {
        return Verdict::Good;
    };
    let who = match first.get("id") {
        Some(Value::String(id)) => format!("its position `{}`", excerpt(id)),
        Some(Value::Number(id)) => format!("its position `{id}`"),
        _ => "a position without an id".to_owned(),
    };
    let others = match lacking.count() {
        0 => String::new(),
        others => format!("; {others} more lack something"),
    };
    Verdict::Fails(format!("{who} has no {}{others}", lacks.join(", no ")))
}

fn is_there(name: &str, value: Option<&Value>) -> bool {
    let is_number = name != "symbol";
    match value {
        Some(Value::Number(_)) => is_number,
        // Decimals are often written as text, so that none is rounded.
        Some(Value::String(text)) if is_number => {
            text.trim().parse::<f64>().is_ok_and(f64::is_finite)
        }
        Some(Value::String(text)) => !text.trim().is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn check() -> EngineCheck {
        EngineCheck {
            api: "http://engine/".to_owned(),
            headers: BTreeMap::new(),
            max_age: None,
            max_pending: None,
            positions: false,
            warn_latency: None,
        }
    }

    fn fails(verdict: &Verdict, words: &str) -> bool {
        matches!(verdict, Verdict::Fails(why) if why.contains(words))
    }

    #[test]
    fn only_what_the_check_names_is_asked() {
        assert_eq!(questions(&check()), [Question::Status]);
        let all = EngineCheck {
            max_pending: Some(0),
            positions: true,
            ..check()
        };
        let asked = questions(&all).into_iter().map(Question::as_str);
        assert!(asked.eq(["status", "orders", "positions"]));
    }

    #[test]
    fn an_engine_without_a_status_or_with_a_bad_one_has_failed() {
        let judged = |body: &str| judge(Question::Status, &check(), body.as_bytes(), NOW);
        assert_eq!(judged(r#"{"status": "running", "more": 1}"#), Verdict::Good);
        for (body, words) in [
            (r#"{"status": "crashed"}"#, "its status is `crashed`"),
            (r#"{"status": "error"}"#, "its status is `error`"),
            (r#"{"status": null}"#, "it has no status"),
            (r#"{"status": ""}"#, "it has no status"),
            ("{}", "it has no status"),
            (r#"{"status": 7}"#, "none that an engine gives"),
            ("<html>", "none that an engine gives"),
        ] {
            let verdict = judged(body);
            assert!(fails(&verdict, words), "{body}: {verdict:?}");
        }
        let starting = judged(r#"{"status": "starting"}"#);
        assert!(matches!(starting, Verdict::NotReady(_)), "{starting:?}");
        for (status, is_refused) in [(401, true), (403, true), (404, false), (503, false)] {
            let verdict = judge_status(status);
            assert_eq!(matches!(verdict, Verdict::Refuses(_)), is_refused);
            assert_eq!(fails(&verdict, "it answered"), !is_refused);
        }
        assert_eq!(judge_status(204), Verdict::Good);
    }

    #[test]
    fn data_may_be_as_old_as_the_check_says_and_is_not_of_the_future() {
        let check = EngineCheck {
            max_age: Some(Duration::from_secs(5)),
            ..check()
        };
        let judged = |updated_at: &str| {
            let body = format!(r#"{{"status": "running", "updated_at": {updated_at}}}"#);
            judge(Question::Status, &check, body.as_bytes(), NOW)
        };
        for good in ["995000", "1000000", "1060000", r#""1970-01-01T00:16:35Z""#] {
            assert_eq!(judged(good), Verdict::Good, "{good}");
        }
        for stale in ["994999", "1060001", r#""1970-01-01T00:16:34Z""#] {
            let verdict = judged(stale);
            assert!(matches!(verdict, Verdict::Stale(_)), "{stale}: {verdict:?}");
        }
        for none in ["null", "-1", "true", r#""yesterday""#] {
            let verdict = judged(none);
            assert!(fails(&verdict, "no `updated_at`"), "{none}: {verdict:?}");
        }
    }

    #[test]
    fn orders_that_are_pending_are_counted() {
        let body =
            br#"{"orders": [{"status": "pending"}, {"status": "filled"}, {"status": "pending"}]}"#;
        let judged = |most| {
            let check = EngineCheck {
                max_pending: Some(most),
                ..check()
            };
            judge(Question::Orders, &check, body, NOW)
        };
        assert_eq!(judged(2), Verdict::Good);
        let verdict = judged(1);
        assert!(
            fails(&verdict, "2 of its orders are pending"),
            "{verdict:?}"
        );
        let none = judge(Question::Orders, &check(), b"{}", NOW);
        assert!(fails(&none, "none that an engine gives"), "{none:?}");
    }

    #[test]
    fn a_position_has_symbol_quantity_and_entry_price() {
        let judged = |positions: &str| {
            let body = format!(r#"{{"positions": [{positions}]}}"#);
            judge(Question::Positions, &check(), body.as_bytes(), NOW)
        };
        let whole = r#"{"symbol": "BTC-USD", "quantity": -0.5, "entry_price": "61000.10"}"#;
        assert_eq!(judged(""), Verdict::Good);
        assert_eq!(judged(whole), Verdict::Good);
        let broken = r#"{"id": "p-1", "symbol": " ", "quantity": "NaN", "entry_price": 1}"#;
        for (positions, words) in [
            (
                broken.to_owned(),
                "its position `p-1` has no symbol, no quantity",
            ),
            (
                format!("{whole}, {{}}"),
                "a position without an id has no symbol, no quantity, no entry_price",
            ),
            (
                format!("{broken}, {whole}, {broken}"),
                "; 1 more lack something",
            ),
        ] {
            let verdict = judged(&positions);
            assert!(fails(&verdict, words), "{verdict:?}");
        }
    }
}
