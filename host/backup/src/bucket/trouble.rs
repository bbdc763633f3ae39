//! What goes wrong with a bucket, in sentences for people.

use mainstay_domain::text::{causes, in_one_line};
use object_store::Error;
use std::io::{self, ErrorKind};

/// What goes wrong with a bucket, or with a directory that does not answer, and is no error of a file; inside an [`io::Error`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// A sentence for people.
    #[error("{0}")]
    Said(String),
    /// There is no room; a sentence for people.
    #[error("{0}")]
    Full(String),
    /// The host stops.
    #[error("the host is stopping")]
    Interrupted,
}

impl Trouble {
    /// What an error is of a bucket.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

pub(super) fn said(what: String) -> io::Error {
    io::Error::other(Trouble::Said(what))
}

/// What people are told of a bucket.
#[derive(Debug)]
pub(super) struct Told {
    name: String,
    /// What its URL begins with.
    scheme: &'static str,
    /// The keys of its tier that say who asks.
    who: &'static str,
    /// The keys of its tier that say where it is.
    place: &'static str,
}

impl Told {
    /// One of an S3.
    pub(super) fn of_s3(bucket: &str) -> Self {
        Self {
            name: bucket.to_owned(),
            scheme: "s3",
            who: "`access_key`, `secret_key` and `region`",
            place: "`url`, `endpoint` and `region`",
        }
    }

    /// One of Azure's Blob Storage.
    pub(super) fn of_azure(container: &str) -> Self {
        Self {
            name: container.to_owned(),
            scheme: "az",
            who: "`account` and `secret_key`",
            place: "`url`, `account` and `endpoint`",
        }
    }

    /// One of Google Cloud Storage.
    pub(super) fn of_gcs(bucket: &str) -> Self {
        Self {
            name: bucket.to_owned(),
            scheme: "gs",
            who: "`secret_key`",
            place: "`url` and `endpoint`",
        }
    }

    /// Where it is, without what its keys begin with.
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.name)
    }
}

/// How servers say that there is no bucket of this name.
const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];
/// How the client says what of many the server did not delete.
const NOT_DELETED: &str = "Bulk delete request failed for key ";
/// The longest code of an error; what is longer is none.
const LONGEST_CODE: usize = 64;
/// So many letters are told of what is no answer.
const LONGEST_REASON: usize = 300;
/// What may pass by itself, and is no fault of the config.
const BUSY: [&str; 2] = ["408", "429"];

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, behind) = text.split_once(begin)?;
    behind.split_once(end).map(|(found, _)| found)
}

/// The status of an answer, as `503 Service Unavailable`; empty where there was no answer.
pub(super) fn status(error: &Error) -> String {
    let all = in_one_line(causes(error));
    between(&all, "status code: ", ":")
        .unwrap_or_default()
        .to_owned()
}

/// That of a put. What is not there is no object then: the server knows no such place.
pub(super) fn of_put(error: Error) -> Error {
    let is_of_bucket = is_of_no_bucket(&in_one_line(causes(&error)));
    match error {
        Error::NotFound { .. } if !is_of_bucket => Error::Generic {
            store: "put",
            source: Box::new(Trouble::Said(format!(
                "the server has no place for it, and answered {}; look at `url` and `endpoint` of the tier",
                status(&error)
            ))),
        },
        error => error,
    }
}

fn is_of_no_bucket(text: &str) -> bool {
    NO_BUCKET.iter().any(|code| text.contains(code))
}

/// The code of an answer, as ` (AccessDenied)`; empty where it has none.
fn code(error: &Error) -> String {
    let all = in_one_line(causes(error));
    let code = between(&all, "<Code>", "</Code>").filter(|code| code.len() <= LONGEST_CODE);
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}

/// An error that has no status, for people.
pub(super) fn no_answer(error: &Error) -> io::Error {
    let code = code(error);
    if !code.is_empty() {
        return said(format!("the server answered with an error{code}"));
    }
    match causes(error).last() {
        Some(why) if why.is::<Trouble>() => said(why.to_string()),
        why => {
            let why = why.map(ToString::to_string).unwrap_or_default();
            // It may hold all that the server sent.
            let why: String = why.chars().take(LONGEST_REASON).collect();
            match why.strip_prefix(NOT_DELETED) {
                Some(why) => said(format!("the server does not delete {why}")),
                None => said(format!(
                    "no answer that is of use came from the server: {why}"
                )),
            }
        }
    }
}

/// An error of a client of objects, for people.
pub(super) fn explained(error: &Error, told: &Told) -> io::Error {
    let Told {
        name, who, place, ..
    } = told;
    let status = status(error);
    let code = code(error);
    match error {
        Error::NotFound { .. } if is_of_no_bucket(&code) => said(format!(
            "the server has no bucket `{name}`; make it, or write the right one into `url` of the tier"
        )),
        Error::NotFound { .. } => {
            let what = "the bucket does not hold it".to_owned();
            io::Error::new(ErrorKind::NotFound, Trouble::Said(what))
        }
        // Some servers refuse what is over a quota with 403.
        _ if status.starts_with("507") || code.contains("Quota") => {
            io::Error::other(Trouble::Full(format!(
                "the server has no room: it answered {status}{code}"
            )))
        }
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => said(format!(
            "the server refuses it with {status}{code}; look at {who} of the tier, at what that \
             key may do in the bucket `{name}`, and at this machine's clock"
        )),
        Error::AlreadyExists { .. } | Error::Precondition { .. } => said(format!(
            "something else lies there already{code}; look at what writes into the bucket beside this host"
        )),
        _ if status.is_empty() => no_answer(error),
        _ if status.starts_with(['3', '4']) && !BUSY.iter().any(|it| status.starts_with(it)) => {
            said(format!(
                "the server answered {status}{code}; look at {place} of the tier"
            ))
        }
        _ => said(format!("the server answered {status}{code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_the_server_said_and_what_to_do() {
        let bucket = Told::of_s3("b");
        let source = |text: &str| Box::new(Trouble::Said(text.to_owned()));
        let refused = Error::PermissionDenied {
            path: "x".to_owned(),
            source: source(
                "non-2xx status code: 403 Forbidden: <Error><Code>AccessDenied</Code></Error>",
            ),
        };
        let told = explained(&refused, &bucket).to_string();
        assert!(told.contains("403 Forbidden (AccessDenied)"), "{told}");
        let busy = Error::Generic {
            store: "S3",
            source: source("non-2xx status code: 503 Service Unavailable: "),
        };
        let told = explained(&busy, &bucket).to_string();
        assert_eq!(told, "the server answered 503 Service Unavailable");
        let no_bucket = Error::NotFound {
            path: "x".to_owned(),
            source: source("404 Not Found: <Code>NoSuchBucket</Code>"),
        };
        let told = explained(&no_bucket, &bucket);
        assert_ne!(told.kind(), ErrorKind::NotFound);
        assert!(told.to_string().contains("no bucket `b`"), "{told}");
        let no_place = Error::NotFound {
            path: "x".to_owned(),
            source: source("non-2xx status code: 404 Not Found: <html>"),
        };
        let told = explained(&of_put(no_place), &bucket);
        assert_ne!(told.kind(), ErrorKind::NotFound);
        assert!(
            told.to_string().contains("answered 404 Not Found; look at"),
            "{told}"
        );
        let generic = |text: &str| Error::Generic {
            store: "S3",
            source: source(text),
        };
        for (answer, says) in [
            (
                "non-2xx status code: 301 Moved Permanently: ",
                "the server answered 301 Moved Permanently; look at",
            ),
            (
                "non-2xx status code: 400 Bad Request: <Code>AuthorizationHeaderMalformed</Code>",
                "(AuthorizationHeaderMalformed); look at",
            ),
            (
                "error response: <Error><Code>InternalError</Code><Key>x</Key></Error>",
                "the server answered with an error (InternalError)",
            ),
        ] {
            let told = explained(&generic(answer), &bucket).to_string();
            assert!(told.contains(says) && !told.contains("Key"), "{told}");
        }
        let endless = Error::Generic {
            store: "S3",
            source: Box::new(io::Error::other("x".repeat(10_000))),
        };
        let told = explained(&endless, &bucket).to_string();
        assert!(told.contains("xxx") && told.len() < 400, "{told}");
        let over_quota = Error::PermissionDenied {
            path: "x".to_owned(),
            source: source(
                "non-2xx status code: 403 Forbidden: <Error><Code>QuotaExceeded</Code></Error>",
            ),
        };
        let full = generic("non-2xx status code: 507 Insufficient Storage: ");
        for error in [over_quota, full] {
            let told = explained(&error, &bucket);
            assert!(matches!(Trouble::of(&told), Some(Trouble::Full(_))));
        }
    }

    #[test]
    fn errors_of_each_kind_of_bucket_name_the_keys_of_its_tier() {
        let source = |text: &str| Box::new(Trouble::Said(text.to_owned()));
        let refused = || Error::PermissionDenied {
            path: "x".to_owned(),
            source: source("non-2xx status code: 403 Forbidden: <Code>No</Code>"),
        };
        let moved = || Error::Generic {
            store: "of",
            source: source("non-2xx status code: 301 Moved Permanently: "),
        };
        for (bucket, url, who, place) in [
            (
                Told::of_s3("b"),
                "s3://b",
                "`access_key`, `secret_key` and `region`",
                "`url`, `endpoint` and `region`",
            ),
            (
                Told::of_azure("b"),
                "az://b",
                "`account` and `secret_key`",
                "`url`, `account` and `endpoint`",
            ),
            (
                Told::of_gcs("b"),
                "gs://b",
                "`secret_key`",
                "`url` and `endpoint`",
            ),
        ] {
            assert_eq!(bucket.url(), url);
            let told = explained(&refused(), &bucket).to_string();
            assert!(told.contains(&format!("look at {who} of")), "{told}");
            let told = explained(&moved(), &bucket).to_string();
            assert!(told.contains(&format!("look at {place} of")), "{told}");
        }
    }

    #[test]
    fn what_azure_says_of_a_container_and_of_what_it_keeps_is_told() {
        let bucket = Told::of_azure("b");
        let source = |text: &str| Box::new(Trouble::Said(text.to_owned()));
        let no_container = || Error::NotFound {
            path: "x".to_owned(),
            source: source(
                "non-2xx status code: 404 Not Found: <Error><Code>ContainerNotFound</Code></Error>",
            ),
        };
        for error in [no_container(), of_put(no_container())] {
            let told = explained(&error, &bucket);
            assert_ne!(told.kind(), ErrorKind::NotFound);
            assert!(told.to_string().contains("no bucket `b`"), "{told}");
        }
        let immutable = Error::AlreadyExists {
            path: "x".to_owned(),
            source: source(
                "non-2xx status code: 409 Conflict: <Code>BlobImmutableDueToPolicy</Code>",
            ),
        };
        let told = explained(&immutable, &bucket).to_string();
        assert!(told.contains("(BlobImmutableDueToPolicy); look"), "{told}");
        let kept = Error::Generic {
            store: "MicrosoftAzure",
            source: Box::new(io::Error::other(
                "Bulk delete request failed for key x: it is immutable (code: 409)",
            )),
        };
        let told = explained(&kept, &bucket).to_string();
        assert_eq!(
            told,
            "the server does not delete x: it is immutable (code: 409)"
        );
    }
}
