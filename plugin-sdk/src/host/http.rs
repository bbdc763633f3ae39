//! One HTTP request, one bounded response.

use super::{EffectError, Method, Request, Response, to_duration_ms};
use std::time::Duration;

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
}
