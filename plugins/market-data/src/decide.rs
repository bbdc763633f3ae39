//! Whether quotes are fresh, and how many looks in a row gave none; plain Rust, without the host.
//!
//! Invariant: a symbol of which no quote ever came is stale: a feed that never starts is not fresh.
//! Invariant: while nobody answers, the last quotes that came grow older.

use mainstay_plugin_sdk::detection::{Observation, Timestamp};
use serde::Deserialize;
use serde_json::Value;

/// What the feed answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Quotes {
    quotes: Vec<Quote>,
}

#[derive(Debug, Deserialize)]
struct Quote {
    symbol: String,
    /// A number, or a text of one, so that none is rounded.
    price: Value,
    /// Milliseconds since the Unix epoch.
    at: Timestamp,
}

/// When quotes are not good enough.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// Each of these has to have a quote.
    pub(crate) symbols: Vec<String>,
    /// Older ones are stale, milliseconds.
    pub(crate) stale_ms: u64,
    /// More looks in a row that gave no quotes are a failure.
    pub(crate) max_failures: u32,
}

/// What is kept from look to look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Looks in a row that gave no quotes.
    failures: u32,
    /// Of the oldest of the quotes that came last.
    oldest: Option<Timestamp>,
}

impl Seen {
    /// What the last look left; the beginning where that cannot be read.
    pub(crate) fn read(memory: &[u8]) -> Self {
        let text = String::from_utf8_lossy(memory);
        let (failures, oldest) = text.split_once(' ').unwrap_or((&*text, ""));
        match failures.parse() {
            Ok(failures) => Self {
                failures,
                oldest: oldest.parse().ok(),
            },
            Err(_) => Self::default(),
        }
    }

    fn written(self) -> String {
        match self.oldest {
            Some(oldest) => format!("{} {oldest}", self.failures),
            None => self.failures.to_string(),
        }
    }

    /// A look that gave no quotes, and why.
    pub(crate) fn without_quotes(self, why: &str, rule: &Rule, now: Timestamp) -> Observation {
        let next = Self {
            failures: self.failures.saturating_add(1),
            oldest: self.oldest,
        };
        let age = self.oldest.map(|oldest| now.saturating_sub(oldest));
        let mut seen = format!("no quotes, {} in a row: {why}", next.failures);
        let is_stale = age.is_some_and(|age| age > rule.stale_ms);
        if let Some(age) = age.filter(|_| is_stale) {
            seen = format!("{seen}; the last ones are {age} ms old");
        }
        let observation = match is_stale || next.failures > rule.max_failures {
            true => Observation::failed(seen),
            false => Observation::degraded(seen),
        };
        observation.remembering(next.written())
    }

    /// A look that gave quotes.
    pub(crate) fn judge(quotes: &Quotes, rule: &Rule, now: Timestamp) -> Observation {
        let mut wrong = Vec::new();
        let mut oldest: Option<Timestamp> = None;
        for symbol in &rule.symbols {
            // Of several the newest counts.
            let of_it = quotes.quotes.iter().filter(|one| one.symbol == *symbol);
            let Some(quote) = of_it.max_by_key(|one| one.at) else {
                wrong.push(format!("no quote of {symbol}"));
                continue;
            };
            oldest = Some(oldest.map_or(quote.at, |oldest| oldest.min(quote.at)));
            let age = now.saturating_sub(quote.at);
            let ahead = quote.at.saturating_sub(now);
            if !is_price(&quote.price) {
                wrong.push(format!("{symbol} has the price {}", quote.price));
            } else if age > rule.stale_ms {
                wrong.push(format!("{symbol} is {age} ms old"));
            } else if ahead > rule.stale_ms {
                wrong.push(format!("{symbol} is of {ahead} ms from now"));
            }
        }
        let age = oldest.map(|oldest| now.saturating_sub(oldest));
        let next = Self {
            failures: 0,
            oldest,
        };
        let mut observation = match (wrong.is_empty(), age) {
            (true, Some(age)) => Observation::healthy(format!("the oldest quote is {age} ms old")),
            (true, None) => Observation::healthy("no symbol is looked at"),
            (false, _) => Observation::failed(wrong.join("; ")),
        };
        if let Some(age) = age {
            let age = u32::try_from(age).unwrap_or(u32::MAX);
            observation = observation.measuring(f64::from(age));
        }
        observation.remembering(next.written())
    }
}

/// A finite number above 0.
fn is_price(price: &Value) -> bool {
    let number = match price {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.is_some_and(|number: f64| number.is_finite() && number > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::detection::Condition;
    use serde_json::json;

    const NOW: Timestamp = 1_000_000;

    fn rule() -> Rule {
        Rule {
            symbols: vec!["BTC-USD".into(), "ETH-USD".into()],
            stale_ms: 5_000,
            max_failures: 3,
        }
    }

    /// The condition, and what is said, of a quote of each of the two symbols.
    fn judged(btc: Value, eth: Value) -> (Condition, String) {
        let quotes = serde_json::from_value(json!({ "quotes": [btc, eth] })).unwrap();
        let seen = Seen::judge(&quotes, &rule(), NOW);
        (seen.condition, seen.message)
    }

    fn quote(symbol: &str, price: Value, at: Timestamp) -> Value {
        json!({ "symbol": symbol, "price": price, "at": at })
    }

    #[test]
    fn each_symbol_has_a_price_that_is_young_enough() {
        let good = quote("ETH-USD", json!("3000.50"), NOW - 10);
        for (btc, condition, said) in [
            (
                quote("BTC-USD", json!(61_000), NOW - 5_000),
                Condition::Healthy,
                "the oldest quote is 5000 ms old",
            ),
            (
                quote("BTC-USD", json!(61_000), NOW - 5_001),
                Condition::Failed,
                "BTC-USD is 5001 ms old",
            ),
            (
                quote("BTC-USD", json!(61_000), NOW + 5_001),
                Condition::Failed,
                "BTC-USD is of 5001 ms from now",
            ),
            (
                quote("BTC-USD", json!(0), NOW),
                Condition::Failed,
                "BTC-USD has the price 0",
            ),
            (
                quote("BTC-USD", json!("NaN"), NOW),
                Condition::Failed,
                "BTC-USD has the price \"NaN\"",
            ),
            (
                quote("LTC-USD", json!(1), NOW),
                Condition::Failed,
                "no quote of BTC-USD",
            ),
        ] {
            let (found, text) = judged(btc, good.clone());
            assert_eq!((found, text.as_str()), (condition, said));
        }
    }

    #[test]
    fn more_than_three_looks_in_a_row_without_quotes_are_a_failure() {
        let mut memory = Vec::new();
        let mut conditions = Vec::new();
        for _ in 0..4 {
            let seen = Seen::read(&memory).without_quotes("refused", &rule(), NOW);
            conditions.push(seen.condition);
            memory = seen.memory;
        }
        let (degraded, failed) = (Condition::Degraded, Condition::Failed);
        assert_eq!(conditions, [degraded, degraded, degraded, failed]);
        let quotes = json!({ "quotes": [
            quote("BTC-USD", json!(1), NOW - 7),
            quote("ETH-USD", json!(1), NOW),
        ] });
        let quotes = serde_json::from_value(quotes).unwrap();
        let seen = Seen::judge(&quotes, &rule(), NOW);
        assert_eq!(
            (seen.condition, seen.value),
            (Condition::Healthy, Some(7.0))
        );
        assert_eq!(seen.memory, b"0 999993", "an answer begins the count anew");
    }

    #[test]
    fn what_came_last_grows_old_while_nobody_answers() {
        let last = Seen::read(b"0 995000");
        let at = |now| last.without_quotes("refused", &rule(), now);
        assert_eq!(at(1_000_000).condition, Condition::Degraded);
        let stale = at(1_000_001);
        assert_eq!(stale.condition, Condition::Failed);
        let said = "no quotes, 1 in a row: refused; the last ones are 5001 ms old";
        assert_eq!(stale.message, said);
        assert_eq!(stale.memory, b"1 995000");
    }

    #[test]
    fn what_cannot_be_read_is_a_beginning() {
        for broken in ["", "x 1", "-1 5", " 5"] {
            assert_eq!(Seen::read(broken.as_bytes()), Seen::default(), "{broken}");
        }
        let whole = Seen {
            failures: 2,
            oldest: Some(7),
        };
        assert_eq!(Seen::read(whole.written().as_bytes()), whole);
    }
}
