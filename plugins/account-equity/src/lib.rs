//! Sees what an account is worth, and that it is worth too little [seed 004].

mod decide;

use decide::Account;
use mainstay_plugin_sdk::detection::*;
use std::time::Duration;

/// What a check asks.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Where the account is, by GET, as `{"balances": [{"currency": "USD", "amount": "100.5"}], "positions": [{"symbol":
    /// "BTC-USD", "quantity": -0.1, "mark": 61000}]}`; numbers may be texts. The grant `http` has to allow it.
    pub url: String,
    /// Failed where it is worth less, in its cash.
    pub least: f64,
    /// Degraded where it is worth less; default: never.
    #[serde(default)]
    pub warn: Option<f64>,
    /// The currencies that are cash; default `["USD", "USDC"]`, which count as one.
    #[serde(default = "cash")]
    pub cash: Vec<String>,
}

fn cash() -> Vec<String> {
    vec!["USD".to_owned(), "USDC".to_owned()]
}

/// Adds up an account.
#[derive(Debug, Default)]
pub struct AccountEquity;

impl Detector for AccountEquity {
    fn probe(&self, request: &ProbeRequest, host: &mut impl Host) -> Result<Observation> {
        let asked: Asked = request.params_as()?;
        let timeout = Duration::from_millis(request.timeout - request.timeout / 4);
        // Without an answer nobody knows what it is worth, and that says nothing of it.
        let response = host.http(Request::get(asked.url.as_str()).timeout(timeout))?;
        if !response.success() {
            return Err(format!("the account answers {}", response.summary()));
        }
        let account: Account = serde_json::from_slice(&response.body)
            .map_err(|error| format!("the answer is no account: {error}"))?;
        let worth = account.worth(&asked.cash)?;
        let mut seen = format!("worth {:.2}", worth.equity);
        if !worth.unknown.is_empty() {
            let unknown = worth.unknown.join(", ");
            seen = format!("{seen}, without {unknown}, which nobody gives a price");
        }
        let is_low = asked.warn.is_some_and(|warn| worth.equity < warn);
        let observation = if worth.equity < asked.least {
            Observation::failed(format!("{seen}: less than {:.2}", asked.least))
        } else if is_low || !worth.unknown.is_empty() {
            Observation::degraded(seen)
        } else {
            Observation::healthy(seen)
        };
        Ok(observation.measuring(worth.equity))
    }
}

export_detector!(
    AccountEquity,
    capabilities = ["http" => "ask for the account of each check"],
);

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::testing::{ScriptedHost, probe};

    const URL: &str = "http://127.0.0.1:8080/account";

    fn look(answer: Result<Response, EffectError>) -> Result<Observation> {
        let mut request = probe("account", "equity");
        request.params = format!("{{\"url\": \"{URL}\", \"least\": 100, \"warn\": 150}}");
        let mut host = ScriptedHost::new();
        host.on_http(URL, answer);
        AccountEquity.probe(&request, &mut host)
    }

    fn of(amount: f64, positions: &str) -> Observation {
        let balances = format!("[{{\"currency\": \"USDC\", \"amount\": {amount}}}]");
        let body = format!("{{\"balances\": {balances}, \"positions\": [{positions}]}}");
        look(Ok(Response::new(200, body))).unwrap()
    }

    #[test]
    fn what_it_is_worth_is_measured_and_compared() {
        for (amount, condition, said) in [
            (150.0, Condition::Healthy, "worth 150.00"),
            (149.5, Condition::Degraded, "worth 149.50"),
            (99.5, Condition::Failed, "worth 99.50: less than 100.00"),
        ] {
            let seen = of(amount, "");
            assert_eq!((seen.condition, seen.value), (condition, Some(amount)));
            assert_eq!(seen.message, said);
        }
        let unpriced = of(500.0, "{\"symbol\": \"SOL-USD\", \"quantity\": 1}");
        assert_eq!(unpriced.condition, Condition::Degraded);
        let said = "worth 500.00, without SOL-USD, which nobody gives a price";
        assert_eq!(unpriced.message, said);
    }

    #[test]
    fn an_account_that_does_not_answer_or_is_none_is_not_seen() {
        for (answer, said) in [
            (
                Ok(Response::new(500, "busy")),
                "the account answers 500: busy",
            ),
            (Ok(Response::new(200, "{}")), "the answer is no account: "),
            (
                Ok(Response::new(
                    200,
                    r#"{"balances": [{"currency": "USD", "amount": "x"}]}"#,
                )),
                "the amount of USD is \"x\"",
            ),
            (Err(EffectError::Unavailable("refused".into())), "refused"),
            (Err(EffectError::Denied("no grant".into())), "no grant"),
        ] {
            let error = look(answer).unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
        let error = AccountEquity
            .probe(&probe("account", "equity"), &mut ScriptedHost::new())
            .unwrap_err();
        assert!(error.contains("url"), "{error}");
    }
}
