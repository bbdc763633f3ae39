//! What goes wrong with a bucket, in sentences for people.

use mainstay_domain::text::{causes, in_one_line};
use object_store::Error;
use std::io::{self, ErrorKind};

/// What goes wrong with a bucket and is no error of a file; inside an [`io::Error`].
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

/// How a server says that there is no bucket of this name.
const NO_BUCKET: &str = "NoSuchBucket";
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
    let is_of_bucket = in_one_line(causes(&error)).contains(NO_BUCKET);
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

/// An error of a client of objects, for people.
pub(super) fn explained(error: &Error, bucket: &str) -> io::Error {
    let all = in_one_line(causes(error));
    let status = status(error);
    let code = between(&all, "<Code>", "</Code>").filter(|code| code.len() <= LONGEST_CODE);
    let code = code.map(|code| format!(" ({code})"));
    let code = code.unwrap_or_default();
    match error {
        Error::NotFound { .. } if code.contains(NO_BUCKET) => said(format!(
            "the server has no bucket `{bucket}`; make it, or write the right one into `url` of the tier"
        )),
        Error::NotFound { .. } => {
            let what = "the bucket does not hold it".to_owned();
            io::Error::new(ErrorKind::NotFound, Trouble::Said(what))
        }
        // Some servers refuse what is over a quota with 403.
        _ if status.starts_with("507") || code.contains("Quota") => io::Error::other(
            Trouble::Full(format!("the server has no room: it answered {status}{code}")),
        ),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => said(format!(
            "the server refuses it with {status}{code}; look at `access_key`, `secret_key` and `region` of the tier, at what that \
             key may do in the bucket `{bucket}`, and at this machine's clock"
        )),
        Error::AlreadyExists { .. } | Error::Precondition { .. } => said(
            "something else lies there already; look at what writes into the bucket beside this host"
                .to_owned(),
        ),
        _ if status.is_empty() && !code.is_empty() => {
            said(format!("the server answered with an error{code}"))
        }
        _ if status.is_empty() => match causes(error).last() {
            Some(why) if why.is::<Trouble>() => said(why.to_string()),
            why => {
                let why = why.map(ToString::to_string).unwrap_or_default();
                // It may hold all that the server sent.
                let why: String = why.chars().take(LONGEST_REASON).collect();
                said(format!(
                    "no answer that is of use came from the server: {why}"
                ))
            }
        },
        _ if status.starts_with(['3', '4']) && !BUSY.iter().any(|it| status.starts_with(it)) => {
            said(format!(
                "the server answered {status}{code}; look at `url`, `endpoint` and `region` of the tier"
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
        let source = |text: &str| Box::new(Trouble::Said(text.to_owned()));
        let refused = Error::PermissionDenied {
            path: "x".to_owned(),
            source: source(
                "non-2xx status code: 403 Forbidden: <Error><Code>AccessDenied</Code></Error>",
            ),
        };
        let told = explained(&refused, "b").to_string();
        assert!(told.contains("403 Forbidden (AccessDenied)"), "{told}");
        let busy = Error::Generic {
            store: "S3",
            source: source("non-2xx status code: 503 Service Unavailable: "),
        };
        let told = explained(&busy, "b").to_string();
        assert_eq!(told, "the server answered 503 Service Unavailable");
        let no_bucket = Error::NotFound {
            path: "x".to_owned(),
            source: source("404 Not Found: <Code>NoSuchBucket</Code>"),
        };
        let told = explained(&no_bucket, "b");
        assert_ne!(told.kind(), ErrorKind::NotFound);
        assert!(told.to_string().contains("no bucket `b`"), "{told}");
        let no_place = Error::NotFound {
            path: "x".to_owned(),
            source: source("non-2xx status code: 404 Not Found: <html>"),
        };
        let told = explained(&of_put(no_place), "b");
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
            let told = explained(&generic(answer), "b").to_string();
            assert!(told.contains(says) && !told.contains("Key"), "{told}");
        }
        let endless = Error::Generic {
            store: "S3",
            source: Box::new(io::Error::other("x".repeat(10_000))),
        };
        let told = explained(&endless, "b").to_string();
        assert!(told.contains("xxx") && told.len() < 400, "{told}");
        let over_quota = Error::PermissionDenied {
            path: "x".to_owned(),
            source: source(
                "non-2xx status code: 403 Forbidden: <Error><Code>QuotaExceeded</Code></Error>",
            ),
        };
        let full = generic("non-2xx status code: 507 Insufficient Storage: ");
        for error in [over_quota, full] {
            let told = explained(&error, "b");
            assert!(matches!(Trouble::of(&told), Some(Trouble::Full(_))));
        }
    }
}
