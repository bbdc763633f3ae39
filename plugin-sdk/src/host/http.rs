//! One HTTP request, one bounded response.

use super::{DurationMs, EffectError, Method, Request, Response, to_duration_ms};
use std::time::Duration;

/// How much of a body [`Response::summary`] quotes, in characters.
const QUOTED: usize = 200;

/// Requests to origins that the operator named: `http = ["https://hooks.example"]`.
pub trait Http {
    /// Sends a request. A status of 400 and above is a response, not an error.
    ///
    /// # Errors
    /// The origin is not granted, no connection was made (`Unavailable`), no full response came in time
    /// (`TimedOut`), or the response is above the limit (`Limited`).
    fn http(&mut self, request: Request) -> Result<Response, EffectError>;
}

impl Request {
    /// A request without headers, body and timeout.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: None,
        }
    }

    /// A GET request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// A POST request with a JSON body.
    pub fn post_json(url: impl Into<String>, json: impl Into<Vec<u8>>) -> Self {
        Self {
            body: json.into(),
            ..Self::new(Method::Post, url)
        }
        .header("content-type", "application/json")
    }

    /// Adds a header; the value may hold what the settings have for a secret, in whose place the host puts its value.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets how long to wait for the whole response.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(to_duration_ms(timeout));
        self
    }
}

impl Response {
    /// A response without headers, for tests.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// Adds a header, for tests.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Whether the status is 200 to 299.
    pub fn success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The status and the beginning of the body, for people: `503: busy`.
    pub fn summary(&self) -> String {
        let said: String = self.text().trim().chars().take(QUOTED).collect();
        match said.is_empty() {
            true => self.status.to_string(),
            false => format!("{}: {said}", self.status),
        }
    }

    /// Whether the status says that the same request may work later: 408, 425, 429 and 500 to 599.
    pub fn may_work_later(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500..=599)
    }

    /// `Retry-After` in its form of seconds (RFC 9110, 10.2.3). Its form of a date leaves the wait to the host's own
    /// back-off.
    pub fn retry_after(&self) -> Option<DurationMs> {
        let seconds = self.header("retry-after")?.trim().parse::<DurationMs>();
        seconds.ok()?.checked_mul(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whether_the_same_request_may_work_later() {
        for (status, later) in [
            (200, false),
            (302, false),
            (404, false),
            (408, true),
            (425, true),
            (429, true),
            (499, false),
            (500, true),
            (599, true),
        ] {
            assert_eq!(
                Response::new(status, "").may_work_later(),
                later,
                "{status}"
            );
        }
    }

    #[test]
    fn a_wait_is_one_of_whole_seconds() {
        for (value, milliseconds) in [
            ("30", Some(30_000)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
            ("18446744073709551615", None),
            ("-1", None),
        ] {
            let response = Response::new(503, "").with_header("Retry-After", value);
            assert_eq!(response.retry_after(), milliseconds, "{value}");
        }
        assert_eq!(Response::new(503, "").retry_after(), None);
    }

    #[test]
    fn a_summary_is_short() {
        assert_eq!(Response::new(503, " busy\n").summary(), "503: busy");
        assert_eq!(Response::new(404, "").summary(), "404");
        let long = Response::new(500, "x".repeat(5_000)).summary();
        assert_eq!(long.len(), "500: ".len() + QUOTED);
    }
}
