//! What is sent with an alert, and what a response means for it.

use mainstay_plugin_sdk::alerting::{DeliveryFailure, Receipt, Response};
use std::collections::BTreeMap;

/// How much of the address that a redirect names a failure quotes, in characters.
const QUOTED: usize = 200;

/// The headers of a request: the plugin's own, and the operator's in their place or after them.
pub(crate) fn idempotency_headers(
    alert_id: &str,
    attempt: u32,
    configured: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let attempt = attempt.to_string();
    let own = [
        ("content-type", "application/json"),
        ("idempotency-key", alert_id),
        ("alert-attempt", attempt.as_str()),
    ];
    let is_replaced = |name: &str| configured.keys().any(|key| key.eq_ignore_ascii_case(name));
    own.into_iter()
        .filter(|(name, _)| !is_replaced(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .chain(
            configured
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        )
        .collect()
}

/// 2xx is delivered; 408, 425, 429 and 5xx are tried again, after `Retry-After` seconds where it is given; all else
/// is permanent, a redirect that the host did not follow with method and body too. Who is refused is told what to look at.
pub(crate) fn outcome(response: &Response) -> Result<Receipt, DeliveryFailure> {
    let status = response.status;
    if response.success() {
        return Ok(Receipt {
            reference: response.header("x-request-id").map(str::to_owned),
        });
    }
    let what = match pointed_to(response) {
        Some(location) => format!(
            "the receiver answered {status} and points to {location}, which takes no alert that is posted; write its own \
             address as `url` in the settings"
        ),
        None if matches!(status, 401 | 403) => format!(
            "the receiver answered {}; look whether it knows who posts by what the settings have for it: the secret of \
             `hmac_secret`, or the one in `headers`",
            response.summary()
        ),
        None => format!("the receiver answered {}", response.summary()),
    };
    Err(DeliveryFailure::of_response(response, what))
}

/// Where a redirect leads to, as it says.
fn pointed_to(response: &Response) -> Option<String> {
    let location = response.header("location")?.trim();
    let leads_on = matches!(response.status, 301 | 302 | 303 | 307 | 308) && !location.is_empty();
    leads_on.then(|| location.chars().take(QUOTED).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_decides_whether_it_was_delivered() {
        fn check(response: Response, expected: Result<Option<&str>, DeliveryFailure>) {
            let expected = expected.map(|reference| Receipt {
                reference: reference.map(str::to_owned),
            });
            assert_eq!(outcome(&response), expected, "{response:?}");
        }
        let retry = |what: &str, wait| Err(DeliveryFailure::RetryAfter((what.into(), wait)));
        let permanent = |what: &str| Err(DeliveryFailure::Permanent(what.into()));
        check(Response::new(200, ""), Ok(None));
        check(
            Response::new(204, "").with_header("X-Request-Id", "r-1"),
            Ok(Some("r-1")),
        );
        check(
            Response::new(429, ""),
            retry("the receiver answered 429", None),
        );
        check(
            Response::new(503, "busy\n").with_header("retry-after", "30"),
            retry("the receiver answered 503: busy", Some(30_000)),
        );
        check(
            Response::new(503, "").with_header("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"),
            retry("the receiver answered 503", None),
        );
        check(
            Response::new(503, "").with_header("retry-after", "18446744073709551615"),
            retry("the receiver answered 503", None),
        );
        check(
            Response::new(404, "no hook"),
            permanent("the receiver answered 404: no hook"),
        );
        check(
            Response::new(401, "who are you?"),
            permanent(
                "the receiver answered 401: who are you?; look whether it knows who posts by what the settings have for it: \
                 the secret of `hmac_secret`, or the one in `headers`",
            ),
        );
        check(
            Response::new(302, ""),
            permanent("the receiver answered 302"),
        );
        check(
            Response::new(303, "see there").with_header("Location", "https://x.example/login"),
            permanent(
                "the receiver answered 303 and points to https://x.example/login, which takes no alert that is posted; \
                 write its own address as `url` in the settings",
            ),
        );
        check(
            Response::new(503, "busy").with_header("location", "/later"),
            retry("the receiver answered 503: busy", None),
        );
    }

    #[test]
    fn the_operator_can_replace_the_plugins_headers() {
        let configured = BTreeMap::from([("Idempotency-Key".to_owned(), "mine".to_owned())]);
        let headers = idempotency_headers("al-1", 3, &configured);
        let expected = [
            ("content-type", "application/json"),
            ("alert-attempt", "3"),
            ("Idempotency-Key", "mine"),
        ];
        assert_eq!(
            headers,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}
