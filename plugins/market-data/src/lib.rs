//! Sees that quotes are stale, or that nobody gives any [seed 004].

mod decide;

use decide::{Quotes, Rule, Seen};
use mainstay_plugin_sdk::detection::*;
use std::time::Duration;

/// What a check asks.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Where the quotes are, by GET, as `{"quotes": [{"symbol": "BTC-USD", "price": 61000.5, "at": 1767225600000}]}`, `at` in
    /// milliseconds since the Unix epoch; the grant `http` has to allow it.
    pub url: String,
    /// The symbols that are looked at, at least one; each has to have a quote.
    pub symbols: Vec<String>,
    /// Failed where a quote is older than so many milliseconds; default 5000.
    #[serde(default = "stale_ms")]
    pub stale_ms: u32,
    /// Failed where more looks in a row than so many gave no quotes; default 3.
    #[serde(default = "max_failures")]
    pub max_failures: u32,
}

fn stale_ms() -> u32 {
    5_000
}

fn max_failures() -> u32 {
    3
}

/// Looks at the quotes of a feed.
#[derive(Debug, Default)]
pub struct MarketData;

impl Detector for MarketData {
    fn probe(&self, request: &ProbeRequest, host: &mut impl Host) -> Result<Observation> {
        let asked: Asked = request.params_as()?;
        if asked.symbols.is_empty() {
            return Err("symbols is empty: name those that the feed has to have".to_owned());
        }
        let rule = Rule {
            symbols: asked.symbols,
            stale_ms: u64::from(asked.stale_ms),
            max_failures: asked.max_failures,
        };
        let last = Seen::read(&request.memory);
        // Before the look itself is cut off: a feed that hangs gives no quotes.
        let timeout = Duration::from_millis(request.timeout - request.timeout / 4);
        let answer = host.http(Request::get(asked.url.as_str()).timeout(timeout));
        let now = host.now();
        let response = match answer {
            Ok(response) => response,
            Err(error) if error.is_temporary() => {
                return Ok(last.without_quotes(error.text(), &rule, now));
            }
            Err(error) => return Err(error.into()),
        };
        if !response.success() {
            let why = format!("status {}", response.summary());
            return Ok(last.without_quotes(&why, &rule, now));
        }
        Ok(match serde_json::from_slice::<Quotes>(&response.body) {
            Ok(quotes) => Seen::judge(&quotes, &rule, now),
            Err(error) => last.without_quotes(&error.to_string(), &rule, now),
        })
    }
}

export_detector!(
    MarketData,
    capabilities = ["http" => "ask the feed of each check for its quotes"],
);

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::testing::{ScriptedHost, probe};

    const URL: &str = "http://127.0.0.1:8080/quotes";

    fn look(answer: Result<Response, EffectError>) -> Result<Observation> {
        let mut request = probe("feed", "quotes");
        request.params = format!("{{\"url\": \"{URL}\", \"symbols\": [\"BTC-USD\"]}}");
        request.memory = "3".into();
        let mut host = ScriptedHost::new();
        host.set_now(1_006_000).on_http(URL, answer);
        MarketData.probe(&request, &mut host)
    }

    fn quotes(at: Timestamp) -> Result<Response, EffectError> {
        let quote = format!("{{\"symbol\": \"BTC-USD\", \"price\": 61000.5, \"at\": {at}}}");
        Ok(Response::new(200, format!("{{\"quotes\": [{quote}]}}")))
    }

    #[test]
    fn quotes_are_fresh_for_five_seconds() {
        let fresh = look(quotes(1_001_000)).unwrap();
        assert_eq!(fresh.condition, Condition::Healthy);
        assert_eq!(fresh.value, Some(5_000.0));
        let stale = look(quotes(1_000_999)).unwrap();
        assert_eq!(stale.condition, Condition::Failed);
        assert_eq!(stale.message, "BTC-USD is 5001 ms old");
    }

    #[test]
    fn a_feed_that_gives_no_quotes_for_the_fourth_time_has_failed() {
        for (answer, why) in [
            (Ok(Response::new(503, "busy")), "status 503: busy"),
            (Err(EffectError::Unavailable("refused".into())), "refused"),
            (Err(EffectError::TimedOut("late".into())), "late"),
        ] {
            let seen = look(answer).unwrap();
            assert_eq!(seen.condition, Condition::Failed);
            assert_eq!(seen.message, format!("no quotes, 4 in a row: {why}"));
            assert_eq!(seen.memory, b"4");
        }
        let other = look(Ok(Response::new(200, "[]"))).unwrap();
        assert_eq!(other.condition, Condition::Failed);
    }

    #[test]
    fn what_it_may_not_ask_or_is_not_told_it_cannot_see() {
        assert!(look(Err(EffectError::Denied("no grant".into()))).is_err());
        let mut request = probe("feed", "quotes");
        request.params = format!("{{\"url\": \"{URL}\", \"symbols\": []}}");
        for request in [probe("feed", "quotes"), request] {
            let error = MarketData.probe(&request, &mut ScriptedHost::new());
            let message = error.unwrap_err();
            assert!(
                message.contains("url") || message.contains("symbols"),
                "{message}"
            );
        }
    }
}
