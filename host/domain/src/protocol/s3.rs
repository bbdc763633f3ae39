//! S3: the signature of a request without a body (AWS Signature Version 4), and what the status of an answer means.

use super::{Verdict, hmac::Hmac};
use crate::{hex, policy::sha256_hex, time::Timestamp};
use std::fmt::Write;

/// The SHA-256 of nothing, which is what is sent.
pub const DIGEST_OF_NOTHING: &str =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// What is signed of the header, each in the order of the names.
const SIGNED: &str = "host;x-amz-content-sha256;x-amz-date";

/// A request that is to be signed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `HEAD` or `GET`.
    pub method: &'a str,
    /// As it is sent: with the port where that is not the usual one.
    pub host: &'a str,
    /// Of the URL, percent-encoded in whatever way.
    pub path: &'a str,
    /// Canonical: sorted, with a `=` behind each name; empty where there is none.
    pub query: &'a str,
}

/// Who signs it.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The id of the key, which is sent.
    pub access_key: &'a str,
    /// The key, which is not.
    pub secret_key: &'a str,
    /// Where the bucket is.
    pub region: &'a str,
}

/// The values of the headers that a signed request has beside `x-amz-content-sha256`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `x-amz-date`.
    pub date: String,
    /// `authorization`.
    pub authorization: String,
}

/// Signs a request as of now.
pub fn sign(request: Request<'_>, signer: Signer<'_>, now: Timestamp) -> Signature {
    // 2026-01-31T12:00:00.000Z
    let shown = now.to_string();
    let seconds = shown.split('.').next().unwrap_or_default();
    let date: String = seconds
        .chars()
        .filter(|letter| !"-:".contains(*letter))
        .collect();
    let date = format!("{date}Z");
    let day = date.split('T').next().unwrap_or_default();
    let canonical = format!(
        "{}\n{}\n{}\nhost:{}\nx-amz-content-sha256:{DIGEST_OF_NOTHING}\nx-amz-date:{date}\n\n{SIGNED}\n{DIGEST_OF_NOTHING}",
        request.method,
        canonical_path(request.path),
        request.query,
        request.host,
    );
    let scope = format!("{day}/{}/s3/aws4_request", signer.region);
    let digest = sha256_hex(canonical.as_bytes());
    let signed = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}");
    let key = format!("AWS4{}", signer.secret_key).into_bytes();
    let parts = [day, signer.region, "s3", "aws4_request"].into_iter();
    let key = parts.fold(key, |key, part| {
        Hmac::new(&key).of(part.as_bytes()).to_vec()
    });
    let code = Hmac::new(&key).of(signed.as_bytes());
    let code = hex::encode(code);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={SIGNED},Signature={code}",
        signer.access_key
    );
    Signature {
        date,
        authorization,
    }
}

/// A path with everything escaped but letters, digits, `-`, `.`, `_`, `~` and slashes.
fn canonical_path(path: &str) -> String {
    let mut canonical = String::with_capacity(path.len());
    for byte in decoded(path) {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                canonical.push(char::from(byte));
            }
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(canonical, "%{byte:02X}");
            }
        }
    }
    canonical
}

fn decoded(path: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *byte == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*byte));
        rest = match escaped {
            Some(_) => behind.get(2..).unwrap_or_default(),
            None => behind,
        };
    }
    bytes
}

/// What the status of an answer means: to HEAD there is nothing else.
pub fn judge(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Good,
        300..=399 => Verdict::Refuses(format!(
            "it answered {status}: the bucket is in another region, or at another address"
        )),
        400 => Verdict::Refuses(format!("it answered {status}: see `region` and the keys")),
        401 | 403 => Verdict::Refuses(format!(
            "it answered {status}: the keys are not the ones, may not do this, or the clock of this host is wrong"
        )),
        404 => Verdict::Fails(format!("it answered {status}: it is not there")),
        _ => Verdict::Fails(format!("it answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_369_353_600_000);

    fn signer(region: &str) -> Signer<'_> {
        Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region,
        }
    }

    #[test]
    fn the_signature_is_that_of_the_example_of_aws() {
        let request = Request {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/",
            query: "lifecycle=",
        };
        let signature = sign(request, signer("us-east-1"), NOW);
        assert_eq!(signature.date, "20130524T000000Z");
        assert_eq!(
            signature.authorization,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;x-amz-content-sha256;x-amz-date,\
             Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
    }

    #[test]
    fn a_path_is_signed_in_one_way_however_it_is_written() {
        for path in [
            "/shop/a%20b+ä~",
            "/shop/a b%2b%C3%a4%7E",
            "/sho%70/a%20b%2B%c3%A4~",
        ] {
            assert_eq!(canonical_path(path), "/shop/a%20b%2B%C3%A4~", "{path}");
            let request = Request {
                method: "HEAD",
                host: "127.0.0.1:9000",
                path,
                query: "",
            };
            let signature = sign(request, signer("eu-central-1"), NOW);
            let code = "312bce4d2afbe83df5376583f1f122b6a9b4d7e1425f71e60492a50e95863dc8";
            assert!(signature.authorization.ends_with(code), "{signature:?}");
        }
        assert_eq!(canonical_path("/100%/%zz/%"), "/100%25/%25zz/%25");
    }

    #[test]
    fn what_only_the_operator_can_put_right_is_no_failure() {
        for status in [301, 307, 400, 401, 403] {
            let verdict = judge(status);
            assert!(matches!(verdict, Verdict::Refuses(_)), "{verdict:?}");
        }
        for status in [404, 500, 503] {
            let verdict = judge(status);
            assert!(matches!(verdict, Verdict::Fails(_)), "{verdict:?}");
        }
        assert_eq!(judge(200), Verdict::Good);
    }
}
