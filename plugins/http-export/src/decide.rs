//! What is asked of the API, and what its answers come to; plain Rust, without the host.

use mainstay_plugin_sdk::collection::{CollectFailure, CollectRequest, Page, Part};
use std::fmt::Write;

/// What the API answers.
#[derive(Debug, serde::Deserialize)]
pub struct Answer {
    /// The documents of this page.
    pub documents: Vec<Document>,
    /// Keys that were there at the last backup and are gone.
    #[serde(default)]
    pub removed: Vec<String>,
    /// What to ask with for the next page; absent in the last one.
    #[serde(default)]
    pub next: Option<String>,
    /// What to ask with at the next backup for what has changed since; in the last page.
    #[serde(default)]
    pub watermark: Option<String>,
}

/// One document.
#[derive(Debug, serde::Deserialize)]
pub struct Document {
    /// Its name.
    pub key: String,
    /// Any JSON.
    pub value: serde_json::Value,
}

/// The URL of a page: `cursor` from the page before, `since` from the backup before.
pub fn url_of(base: &str, request: &CollectRequest) -> String {
    let mut url = base.to_owned();
    let since = request.since.as_deref().unwrap_or_default();
    for (name, value) in [("cursor", request.at.position.as_slice()), ("since", since)] {
        if value.is_empty() {
            continue;
        }
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(name);
        url.push('=');
        for byte in value {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    url.push(char::from(*byte));
                }
                _ => {
                    let _ = write!(url, "%{byte:02X}");
                }
            }
        }
    }
    url
}

/// What a status means that is no success.
pub fn failure_of(status: u16) -> CollectFailure {
    let why = format!("the API answered {status}");
    match status {
        409 => CollectFailure::ChangedUnderneath(why),
        408 | 425 | 429 | 500..=599 => CollectFailure::Retryable(why),
        _ => CollectFailure::Permanent(why),
    }
}

/// The page that an answer holds.
///
/// # Errors
/// It is none, or holds more than a page may.
pub fn page_of(request: &CollectRequest, body: &[u8]) -> Result<Page, CollectFailure> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        CollectFailure::Permanent(format!("the API gave no page of documents: {error}"))
    })?;
    let documents = answer.documents.into_iter();
    let parts: Vec<Part> = documents
        .map(|document| Part::whole(document.key, document.value.to_string()))
        .collect();
    let bytes: usize = parts.iter().map(|part| part.bytes.len()).sum();
    let room = usize::try_from(request.page_bytes).unwrap_or(usize::MAX);
    if bytes > room {
        return Err(CollectFailure::Permanent(format!(
            "the API gave {bytes} bytes in one page, and {room} are allowed: have it give fewer documents"
        )));
    }
    let mut page = Page::of(parts);
    page.removed = answer.removed;
    page = match (answer.next, answer.watermark) {
        (Some(next), _) => page.followed_by(request, next),
        (None, Some(watermark)) => page.up_to(watermark),
        (None, None) => page,
    };
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::testing::collect;

    #[test]
    fn a_page_is_asked_for_by_what_the_one_before_said() {
        let mut request = collect("state");
        assert_eq!(url_of("http://a/x", &request), "http://a/x");
        request.at.position = b"n 2&".to_vec();
        assert_eq!(url_of("http://a/x", &request), "http://a/x?cursor=n%202%26");
        request.since = Some(b"2026".to_vec());
        assert_eq!(
            url_of("http://a/x?all=1", &request),
            "http://a/x?all=1&cursor=n%202%26&since=2026"
        );
    }

    #[test]
    fn an_answer_is_a_page_of_whole_documents() {
        let request = collect("state");
        let first = br#"{"documents": [{"key": "a.json", "value": {"b": 1}}], "next": "2"}"#;
        let first = page_of(&request, first).unwrap();
        assert_eq!(first.parts, [Part::whole("a.json", r#"{"b":1}"#)]);
        let next = first.next.unwrap();
        assert_eq!(
            (next.run, next.position),
            ("run-1".to_owned(), b"2".to_vec())
        );
        let last = br#"{"documents": [], "removed": ["c.json"], "watermark": "7"}"#;
        let last = page_of(&request, last).unwrap();
        assert!(last.next.is_none());
        assert_eq!(last.removed, ["c.json"]);
        assert_eq!(last.watermark, Some(b"7".to_vec()));
    }

    #[test]
    fn what_is_no_page_or_too_much_is_refused() {
        let mut request = collect("state");
        request.page_bytes = 4;
        let long = br#"{"documents": [{"key": "a", "value": "12345"}]}"#;
        for body in [&long[..], b"<html>", b"{}"] {
            let failure = page_of(&request, body).unwrap_err();
            assert!(matches!(failure, CollectFailure::Permanent(_)));
        }
    }

    #[test]
    fn a_status_says_whether_it_is_tried_again() {
        assert!(matches!(
            failure_of(409),
            CollectFailure::ChangedUnderneath(_)
        ));
        assert!(matches!(failure_of(503), CollectFailure::Retryable(_)));
        assert!(matches!(failure_of(429), CollectFailure::Retryable(_)));
        assert!(matches!(failure_of(404), CollectFailure::Permanent(_)));
    }
}
