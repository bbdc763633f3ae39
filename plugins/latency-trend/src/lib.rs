//! Sees that a URL answers more slowly than it used to.

mod decide;

pub use decide::{Rule, Trend};
use mainstay_plugin_sdk::detection::*;

/// What a check asks.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// What is asked, by GET; the grant `http` has to allow it.
    pub url: String,
    /// Degraded where an answer takes so many times what is usual; default 3.
    #[serde(default = "slow_factor")]
    pub slow_factor: f64,
    /// An answer within so many milliseconds is never slow; default 50.
    #[serde(default = "least_ms")]
    pub least_ms: u32,
    /// Failed where it takes longer than so many milliseconds; default: never.
    #[serde(default)]
    pub failed_ms: Option<u32>,
}

fn slow_factor() -> f64 {
    3.0
}

fn least_ms() -> u32 {
    50
}

/// Compares each answer with what was usual before.
#[derive(Debug, Default)]
pub struct LatencyTrend;

impl Detector for LatencyTrend {
    fn probe(&self, request: &ProbeRequest, host: &mut impl Host) -> Result<Observation> {
        let asked: Asked = request.params_as()?;
        if asked.slow_factor.is_nan() || asked.slow_factor < 1.0 {
            let found = asked.slow_factor;
            return Err(format!("slow_factor is {found}: at least 1.0 is allowed"));
        }
        let began = host.now();
        // Without a connection the target does not answer; all else means that nothing was seen.
        let response = match host.http(Request::get(asked.url.as_str())) {
            Ok(response) => response,
            Err(EffectError::Unavailable(why)) => {
                return Ok(Observation::failed(why).remembering(request.memory.clone()));
            }
            Err(error) => return Err(error.into()),
        };
        let took_ms = milliseconds(host.now().saturating_sub(began));
        if response.status >= 500 {
            let seen = format!("status {} after {took_ms:.0} ms", response.status);
            return Ok(Observation::failed(seen).remembering(request.memory.clone()));
        }
        let rule = Rule {
            slow_factor: asked.slow_factor,
            least_ms: f64::from(asked.least_ms),
            failed_ms: asked.failed_ms.map(f64::from),
        };
        Ok(Trend::read(&request.memory).judge(took_ms, rule))
    }
}

/// Longer than 49 days is as good as 49 days.
fn milliseconds(length: DurationMs) -> f64 {
    f64::from(u32::try_from(length).unwrap_or(u32::MAX))
}

export_detector!(
    LatencyTrend,
    capabilities = ["http" => "ask the URL of each check"],
);

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::testing::{ScriptedHost, probe};

    const URL: &str = "http://127.0.0.1:8080/health";

    fn look(answer: Result<Response, EffectError>, memory: &str) -> Result<Observation> {
        let mut request = probe("api", "trend");
        request.params = format!("{{\"url\": \"{URL}\"}}");
        request.memory = memory.into();
        let mut host = ScriptedHost::new();
        host.on_http(URL, answer);
        LatencyTrend.probe(&request, &mut host)
    }

    #[test]
    fn an_answer_is_compared_with_what_was_usual_and_learnt_from() {
        let seen = look(Ok(Response::new(200, "")), "7 100").unwrap();
        assert_eq!(seen.condition, Condition::Healthy);
        assert_eq!(seen.value, Some(0.0));
        assert_eq!(seen.memory, b"8 87.5");
    }

    #[test]
    fn an_error_is_a_failure_and_what_was_learnt_stays() {
        let refused = EffectError::Unavailable("refused".into());
        for answer in [Ok(Response::new(503, "")), Err(refused)] {
            let seen = look(answer, "7 100").unwrap();
            assert_eq!(seen.condition, Condition::Failed);
            assert_eq!(seen.memory, b"7 100");
        }
    }

    #[test]
    fn what_it_may_not_ask_or_is_not_told_it_cannot_see() {
        assert!(look(Err(EffectError::Denied("no grant".into())), "").is_err());
        assert!(look(Err(EffectError::TimedOut("late".into())), "").is_err());
        let message = LatencyTrend
            .probe(&probe("api", "trend"), &mut ScriptedHost::new())
            .unwrap_err();
        assert!(message.contains("url"), "{message}");
    }
}
