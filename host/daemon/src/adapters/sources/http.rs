//! Gets what servers answer, as documents.
//!
//! Invariant: what the operator wrote into headers is sent to the origin of the source's URL and to no other: no redirect is
//! followed.
//! Invariant: no more than the source's bytes are written.

use crate::{adapters::http::builder, ports::Secrets};
use mainstay_domain::{
    spec::HttpSource,
    text::{causes, in_one_line},
};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::{fs::File, io::Write};

/// Asks once, and writes the answer into `output`. The error goes on from the name of the source.
pub(super) async fn get(
    source: &HttpSource,
    secrets: &dyn Secrets,
    output: &File,
) -> Result<(), String> {
    // An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let failed = |error: reqwest::Error| {
        let error = error.without_url();
        let why = secrets.conceal_text(&in_one_line(causes(&error)));
        format!("cannot be read: {why}")
    };
    // Without authorities of this system there is no https, and http all the same.
    let client = builder().build();
    let client = client.or_else(|_| builder().tls_certs_only([]).build());
    let request = client.map_err(failed)?.get(&source.url);
    let request = request.headers(headers(source, secrets)?);
    let mut answer = request.send().await.map_err(failed)?;
    let status = answer.status();
    if status.is_redirection() {
        return Err(format!(
            "answered {}, which leads elsewhere; write the URL that it leads to",
            status.as_u16()
        ));
    }
    if !status.is_success() {
        return Err(format!(
            "answered {}, and only 200 to 299 are a document",
            status.as_u16()
        ));
    }
    let (mut output, mut written) = (output, 0);
    while let Some(piece) = answer.chunk().await.map_err(failed)? {
        written += piece.len() as u64;
        if written > source.max_bytes {
            return Err(format!(
                "answered more than {} bytes; raise the source's max_bytes if it is meant",
                source.max_bytes
            ));
        }
        let stored = output.write_all(&piece);
        stored.map_err(|error| format!("cannot be stored: {error}"))?;
    }
    Ok(())
}

/// What the operator wrote, with secrets in their places.
fn headers(source: &HttpSource, secrets: &dyn Secrets) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, written) in &source.headers {
        let value = secrets.reveal(written);
        let value = value.map_err(|why| format!("does not get its header {name}: {why}"))?;
        let (Ok(name), Ok(mut value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) else {
            return Err(format!(
                "does not get its header {name}: its value has what no header can have"
            ));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}
