//! What a check saw of a gateway, and what the answer to the clearing of rate limits means.

use mainstay_plugin_sdk::recovery::{RecoveryFailure, Response};

/// Whether what a check saw is a gateway that answers, and limits who asks.
pub(crate) fn is_limited(saw: &str) -> bool {
    saw.split(|letter: char| !letter.is_alphanumeric())
        .any(|word| word == "429")
}

/// 2xx is cleared, and 404 says that there were none; 408, 425, 429 and 5xx may work later, and all else never will.
pub(crate) fn cleared(response: &Response) -> Result<&'static str, RecoveryFailure> {
    if response.success() {
        return Ok("cleared its rate limits");
    }
    let what = format!("the rate limits: it answered {}", response.summary());
    match response.status {
        404 => Ok("found no rate limits"),
        _ if response.may_work_later() => Err(RecoveryFailure::Retryable(what)),
        _ => Err(RecoveryFailure::Permanent(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_that_limits_says_429() {
        for (saw, expected) in [
            ("http: GET http://127.0.0.1:8000/ answered 429", true),
            (
                "http: `probe` exited with code 1: 429 Too Many Requests",
                true,
            ),
            ("http: GET http://127.0.0.1:4290/ answered 503", false),
            ("http: connection refused", false),
        ] {
            assert_eq!(is_limited(saw), expected, "{saw}");
        }
    }

    #[test]
    fn a_status_says_whether_limits_are_cleared_and_whether_another_attempt_may_help() {
        for (status, expected) in [
            (200, Ok("cleared its rate limits")),
            (204, Ok("cleared its rate limits")),
            (404, Ok("found no rate limits")),
            (
                503,
                Err(RecoveryFailure::Retryable(
                    "the rate limits: it answered 503: busy".into(),
                )),
            ),
            (
                401,
                Err(RecoveryFailure::Permanent(
                    "the rate limits: it answered 401: busy".into(),
                )),
            ),
        ] {
            assert_eq!(cleared(&Response::new(status, "busy")), expected);
        }
    }
}
