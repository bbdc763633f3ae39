//! What an account is worth; plain Rust, without the host.
//!
//! Invariant: all cash counts, and a short position counts against it.

use serde::Deserialize;
use serde_json::Value;

/// What the account answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Account {
    balances: Vec<Balance>,
    #[serde(default)]
    positions: Vec<Position>,
}

#[derive(Debug, Deserialize)]
struct Balance {
    currency: String,
    amount: Value,
}

#[derive(Debug, Deserialize)]
struct Position {
    symbol: String,
    /// Below 0 for a short one.
    quantity: Value,
    /// What one is worth now; absent where nobody knows.
    #[serde(default)]
    mark: Option<Value>,
}

/// What it is worth.
#[derive(Debug, PartialEq)]
pub(crate) struct Worth {
    /// Cash, and positions at their marks.
    pub(crate) equity: f64,
    /// The positions that have no mark, and are not in it.
    pub(crate) unknown: Vec<String>,
}

impl Account {
    /// What it is worth, with the balances of these currencies as cash; an error names what is no number.
    pub(crate) fn worth(&self, cash: &[String]) -> Result<Worth, String> {
        let mut worth = Worth {
            equity: 0.0,
            unknown: Vec::new(),
        };
        for balance in &self.balances {
            if cash.contains(&balance.currency) {
                worth.equity += number(&balance.amount, "amount", &balance.currency)?;
            }
        }
        for position in &self.positions {
            let quantity = number(&position.quantity, "quantity", &position.symbol)?;
            match &position.mark {
                Some(mark) => worth.equity += quantity * number(mark, "mark", &position.symbol)?,
                None if quantity == 0.0 => {}
                None => worth.unknown.push(position.symbol.clone()),
            }
        }
        match worth.equity.is_finite() {
            true => Ok(worth),
            false => Err("what it is worth is no number any more".to_owned()),
        }
    }
}

/// A number, or a text of one.
fn number(value: &Value, what: &str, of: &str) -> Result<f64, String> {
    let found = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let finite = found.filter(|number: &f64| number.is_finite());
    finite.ok_or_else(|| format!("the {what} of {of} is {value}: a number is wanted"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn worth(balances: Value, positions: Value) -> Result<Worth, String> {
        let account = json!({ "balances": balances, "positions": positions });
        let account: Account = serde_json::from_value(account).unwrap();
        account.worth(&["USD".to_owned(), "USDC".to_owned()])
    }

    fn equity(balances: Value, positions: Value) -> f64 {
        worth(balances, positions).unwrap().equity
    }

    #[test]
    fn all_cash_counts_and_a_short_position_counts_against_it() {
        let cash = json!([
            { "currency": "USD", "amount": "100.5" },
            { "currency": "USDC", "amount": 50 },
            { "currency": "EUR", "amount": 7 },
        ]);
        assert_eq!(equity(cash.clone(), json!([])), 150.5);
        let long = json!({ "symbol": "BTC-USD", "quantity": "0.5", "mark": 100 });
        let short = json!({ "symbol": "ETH-USD", "quantity": -2, "mark": "10.25" });
        assert_eq!(equity(cash.clone(), json!([long])), 200.5);
        assert_eq!(equity(cash, json!([long, short])), 180.0);
    }

    #[test]
    fn a_position_without_a_mark_is_named_and_not_counted() {
        let cash = json!([{ "currency": "USD", "amount": 1 }]);
        let positions = json!([
            { "symbol": "SOL-USD", "quantity": 3 },
            { "symbol": "LTC-USD", "quantity": 0 },
        ]);
        let found = worth(cash, positions).unwrap();
        assert_eq!(
            (found.equity, found.unknown),
            (1.0, vec!["SOL-USD".to_owned()])
        );
    }

    #[test]
    fn what_is_no_number_is_named() {
        for broken in [json!("many"), json!("NaN"), json!(null), json!([1])] {
            let cash = json!([{ "currency": "USD", "amount": broken }]);
            let error = worth(cash, json!([])).unwrap_err();
            assert!(error.starts_with("the amount of USD is "), "{error}");
        }
    }
}
