//! Backs up what an HTTP API gives page by page.
//!
//! The API answers GET with `{"documents": [{"key", "value"}], "removed": [], "next", "watermark"}`: it is asked for the
//! next page with `?cursor=NEXT`, and at the next backup with `?since=WATERMARK`.

mod decide;

pub use decide::{Answer, Document, failure_of, page_of, url_of};
use mainstay_plugin_sdk::collection::*;
use std::collections::BTreeMap;

/// What is asked.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Where the API is; the grant `http` has to allow it.
    pub url: String,
    /// Sent with each request; values may hold `${secret:NAME}`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// Asks page by page.
#[derive(Debug, Default)]
pub struct HttpExport;

impl BackupSource for HttpExport {
    fn collect(&self, request: &CollectRequest, host: &mut impl Host) -> Result<Page> {
        let export: Export = host.settings()?;
        let mut asked = Request::get(url_of(&export.url, request));
        for (name, value) in export.headers {
            asked = asked.header(name, value);
        }
        let response = host.http(asked)?;
        if !response.success() {
            return Err(failure_of(response.status));
        }
        page_of(request, &response.body)
    }
}

export_backup_source!(
    HttpExport,
    capabilities = ["http" => "read the API"],
    settings = Export,
);

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, collect};

    const URL: &str = "http://127.0.0.1:9000/export";

    fn host() -> ScriptedHost {
        let mut host = ScriptedHost::new();
        host.set_settings(format!(
            "{{\"url\": \"{URL}\", \"headers\": {{\"token\": \"t\"}}}}"
        ));
        host
    }

    #[test]
    fn all_pages_are_had_one_after_the_other() {
        let mut host = host();
        let first = r#"{"documents": [{"key": "a", "value": 1}], "next": "2"}"#;
        let last = r#"{"documents": [{"key": "b", "value": 2}], "watermark": "w"}"#;
        host.on_http(URL, Ok(Response::new(200, first)))
            .on_http(&format!("{URL}?cursor=2"), Ok(Response::new(200, last)));
        let mut request = collect("state");
        let mut keys = Vec::new();
        let watermark = loop {
            let page = HttpExport.collect(&request, &mut host).unwrap();
            keys.extend(page.parts.into_iter().map(|part| part.key));
            match page.next {
                Some(next) => request.at = next,
                None => break page.watermark,
            }
        };
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(watermark, Some(b"w".to_vec()));
        let sent = host.effects().iter().all(
            |effect| matches!(effect, Effect::Http { headers, .. } if headers[0].0 == "token"),
        );
        assert!(sent, "{:?}", host.effects());
    }

    #[test]
    fn an_error_of_the_api_says_whether_it_is_tried_again() {
        let mut host = host();
        host.on_http(URL, Ok(Response::new(503, "")));
        let failure = HttpExport
            .collect(&collect("state"), &mut host)
            .unwrap_err();
        assert!(matches!(failure, CollectFailure::Retryable(_)));
    }
}
