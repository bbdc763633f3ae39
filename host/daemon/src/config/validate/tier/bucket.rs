//! Tiers that are buckets: those of kind "s3", "azure" and "gcs".

use super::super::super::{
    addresses::url,
    context::Context,
    reader::{Fields, ValueAt},
    values::{any_text, path, secrets_in, word},
};
use mainstay_domain::{
    grant,
    spec::{AzureTierSpec, BucketSpec, GcsTierSpec, S3TierSpec, TierPlaceSpec},
};
use std::path::PathBuf;

/// The longest begin of keys: what is stored below it needs room too, and a key has 1,024 bytes.
const LONGEST_PREFIX: usize = 512;

/// How the buckets of a kind are named.
struct Naming {
    /// What their URLs begin with.
    scheme: &'static str,
    /// Whether it is the name of one, of 3 to 63 letters.
    is_name: fn(&str) -> bool,
    /// What such a name is, in words.
    wanted: &'static str,
}

const OF_S3: Naming = Naming {
    scheme: "s3",
    is_name: |name| name.chars().all(is_allowed) && !name.starts_with(['-', '_', '.']),
    wanted: "letters, digits, dashes and dots",
};

/// See <https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata>.
const OF_AZURE: Naming = Naming {
    scheme: "az",
    is_name: |name| {
        let is_allowed = |letter: char| is_lower(letter) || letter == '-';
        name.chars().all(is_allowed)
            && !name.contains("--")
            && name.starts_with(is_lower)
            && name.ends_with(is_lower)
    },
    wanted: "small letters and digits, with single dashes between",
};

/// See <https://cloud.google.com/storage/docs/buckets#naming>.
const OF_GCS: Naming = Naming {
    scheme: "gs",
    is_name: |name| {
        let is_allowed = |letter: char| is_lower(letter) || "-_.".contains(letter);
        name.chars().all(is_allowed) && name.starts_with(is_lower) && name.ends_with(is_lower)
    },
    wanted: "small letters and digits, with dashes, underscores and dots between",
};

fn is_allowed(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.".contains(letter)
}

fn is_lower(letter: char) -> bool {
    letter.is_ascii_lowercase() || letter.is_ascii_digit()
}

pub(super) fn s3(fields: &mut Fields<'_>) -> Option<TierPlaceSpec> {
    let place = fields.required("url", "url = \"s3://backups/web-1\"", |at| {
        place(at, &OF_S3)
    });
    let endpoint = fields.optional("endpoint", endpoint);
    let region = fields.or("region", "us-east-1".to_owned(), word);
    let access_key = fields.required("access_key", "access_key = \"${secret:s3-id}\"", key);
    let secret_key = fields.required(
        "secret_key",
        "secret_key = \"${secret:s3-key}\"",
        secret_key,
    );
    let ca = ca(fields, endpoint.as_deref());
    let (bucket, prefix) = place?;
    let server = endpoint.as_deref().unwrap_or(region.as_str());
    note(fields, server, (&bucket, &prefix));
    Some(TierPlaceSpec::Bucket(BucketSpec::S3(S3TierSpec {
        bucket,
        prefix,
        endpoint,
        region,
        access_key: access_key?,
        secret_key: secret_key?,
        ca,
    })))
}

pub(super) fn azure(fields: &mut Fields<'_>) -> Option<TierPlaceSpec> {
    let place = fields.required("url", "url = \"az://backups/web-1\"", |at| {
        place(at, &OF_AZURE)
    });
    let account = fields.required("account", "account = \"shopbackups\"", account);
    let endpoint = fields.optional("endpoint", endpoint);
    let endpoint = endpoint.map(|it| it.trim_end_matches('/').to_owned());
    let secret_key = fields.required(
        "secret_key",
        "secret_key = \"${secret:azure-key}\"",
        secret_key,
    );
    let ca = ca(fields, endpoint.as_deref());
    let ((container, prefix), account) = (place?, account?);
    let server = endpoint.clone();
    let server = server.unwrap_or_else(|| AzureTierSpec::server_of(&account));
    note(fields, &server, (&container, &prefix));
    Some(TierPlaceSpec::Bucket(BucketSpec::Azure(AzureTierSpec {
        container,
        prefix,
        account,
        endpoint,
        secret_key: secret_key?,
        ca,
    })))
}

pub(super) fn gcs(fields: &mut Fields<'_>) -> Option<TierPlaceSpec> {
    let place = fields.required("url", "url = \"gs://backups/web-1\"", |at| {
        place(at, &OF_GCS)
    });
    let endpoint = fields.optional("endpoint", endpoint_for_tokens);
    let endpoint = endpoint.map(|it| it.trim_end_matches('/').to_owned());
    let secret_key = fields.required(
        "secret_key",
        "secret_key = \"${secret:gcs-key}\"",
        secret_key,
    );
    let ca = ca(fields, endpoint.as_deref());
    let (bucket, prefix) = place?;
    let server = endpoint.as_deref().unwrap_or(GcsTierSpec::SERVER);
    note(fields, server, (&bucket, &prefix));
    Some(TierPlaceSpec::Bucket(BucketSpec::Gcs(GcsTierSpec {
        bucket,
        prefix,
        endpoint,
        secret_key: secret_key?,
        ca,
    })))
}

/// The file of the authorities that count for the server's certificate.
fn ca(fields: &mut Fields<'_>, endpoint: Option<&str>) -> Option<PathBuf> {
    let ca = fields.optional("ca", path);
    if ca.is_some() && endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
        fields.needs(
            "a tier with `ca` needs an https `endpoint`: nobody shows a certificate over http",
            "remove `ca`, or write https into `endpoint`",
        );
    }
    ca
}

/// Notes that all keys of a bucket that begin so are this tier's; without a prefix all keys are.
fn note(fields: &mut Fields<'_>, server: &str, (bucket, prefix): (&str, &str)) {
    if let Some(at) = fields.get("url") {
        let begin = format!("{} {bucket}/{prefix}/", server.trim_end_matches('/'));
        let mut facts = at.context.facts.borrow_mut();
        let begin = begin.replace("//", "/");
        facts.tier_buckets.push((begin, at.node.place));
    }
}

/// A bucket, and what its keys begin with.
fn place(at: ValueAt<'_>, naming: &Naming) -> Option<(String, String)> {
    let Naming {
        scheme,
        is_name,
        wanted,
    } = naming;
    let help = format!(
        "write e.g. \"{scheme}://backups/web-1\": a bucket, and below it a place for this host alone"
    );
    let found = word(at)?;
    let behind = found.strip_prefix(*scheme);
    let Some(behind) = behind.and_then(|it| it.strip_prefix("://")) else {
        return at.not("the URL of a bucket", help);
    };
    let (bucket, prefix) = behind.split_once('/').unwrap_or((behind, ""));
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !(3..=63).contains(&bucket.len()) || !is_name(bucket) {
        return at.not(
            &format!("the URL of a bucket, whose name has 3 to 63 {wanted}"),
            help,
        );
    }
    let is_part = |part: &str| {
        !part.is_empty() && !matches!(part, "." | "..") && part.chars().all(is_allowed)
    };
    let is_prefix = prefix.is_empty() || prefix.split('/').all(is_part);
    match is_prefix && prefix.len() <= LONGEST_PREFIX {
        true => Some((bucket.to_owned(), prefix.to_owned())),
        false => at.not(
            "the URL of a bucket with names below it: letters, digits, dashes, underscores and dots, with single `/` between",
            help,
        ),
    }
}

/// A storage account of Azure.
fn account(at: ValueAt<'_>) -> Option<String> {
    let found = word(at)?;
    match (3..=24).contains(&found.len()) && found.chars().all(is_lower) {
        true => Some(found),
        false => at.not(
            "the name of a storage account",
            "write its 3 to 24 small letters and digits, e.g. \"shopbackups\"; where the server is says `endpoint`",
        ),
    }
}

/// Where the server is, and nothing more.
fn endpoint(at: ValueAt<'_>) -> Option<String> {
    let found = url(at)?;
    match found.contains(['?', '#', '@']) {
        true => at.not(
            "the URL of a server",
            "leave out who asks, and what begins with `?` or `#`",
        ),
        false => Some(found),
    }
}

/// The same, of a server that is sent tokens, which are good for whoever sees them.
fn endpoint_for_tokens(at: ValueAt<'_>) -> Option<String> {
    let found = endpoint(at)?;
    match grant::is_private(&found) {
        true => Some(found),
        false => at.refuse(
            "`endpoint` is of http, and whoever sees the token that goes there may use it for an hour",
            "write https, or an address of this machine, e.g. \"http://127.0.0.1:4443\"",
        ),
    }
}

fn key(at: ValueAt<'_>) -> Option<String> {
    let found = any_text(at)?;
    if found.is_empty() {
        return at.refuse(
            format!("`{}` is empty", at.key),
            "write ${secret:NAME}, with a name of [secrets]",
        );
    }
    secrets_in(&found, at);
    Some(found)
}

/// What is to stay secret stands in no config.
fn secret_key(at: ValueAt<'_>) -> Option<String> {
    let found = key(at)?;
    match found.contains("${secret") {
        true => Some(found),
        false => at.refuse(
            "`secret_key` holds no secret, and who reads the config would have the key",
            "write ${secret:NAME}, with a name of [secrets]",
        ),
    }
}

/// Buckets that are in each other.
pub(super) fn apart(context: &Context<'_>) {
    let facts = context.facts.borrow();
    for (number, (begin, place)) in facts.tier_buckets.iter().enumerate() {
        let mut before = facts.tier_buckets.iter().take(number);
        if before.any(|(other, _)| begin.starts_with(other) || other.starts_with(begin)) {
            context.error(
                *place,
                "the bucket of this tier and that of another tier lie in each other",
                "give each a begin of its own, e.g. s3://backups/web-1 and s3://backups/web-2",
            );
        }
    }
}
