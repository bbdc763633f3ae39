//! Tiers of kind "s3".

use super::super::super::{
    addresses::url,
    context::Context,
    reader::{Fields, ValueAt},
    values::{any_text, path, secrets_in, word},
};
use mainstay_domain::spec::{S3TierSpec, TierPlaceSpec};

/// The longest begin of keys: what is stored below it needs room too, and a key has 1,024 bytes.
const LONGEST_PREFIX: usize = 512;

pub(super) fn bucket(fields: &mut Fields<'_>) -> Option<TierPlaceSpec> {
    let place = fields.required("url", "url = \"s3://backups/web-1\"", place);
    let endpoint = fields.optional("endpoint", endpoint);
    let region = fields.or("region", "us-east-1".to_owned(), word);
    let access_key = fields.required("access_key", "access_key = \"${secret:s3-id}\"", key);
    let secret_key = fields.required(
        "secret_key",
        "secret_key = \"${secret:s3-key}\"",
        secret_key,
    );
    let ca = fields.optional("ca", path);
    let is_plain = |endpoint: &String| endpoint.starts_with("http://");
    if ca.is_some() && endpoint.as_ref().is_some_and(is_plain) {
        fields.needs(
            "a tier with `ca` needs an https `endpoint`: nobody shows a certificate over http",
            "remove `ca`, or write https into `endpoint`",
        );
    }
    let (bucket, prefix) = place?;
    if let Some(at) = fields.get("url") {
        let server = endpoint.as_deref().unwrap_or(region.as_str());
        let begin = format!("{} {bucket}/{prefix}/", server.trim_end_matches('/'));
        let mut facts = at.context.facts.borrow_mut();
        // Without a prefix all keys of the bucket are the tier's.
        let begin = begin.replace("//", "/");
        facts.tier_buckets.push((begin, at.node.place));
    }
    Some(TierPlaceSpec::S3(S3TierSpec {
        bucket,
        prefix,
        endpoint,
        region,
        access_key: access_key?,
        secret_key: secret_key?,
        ca,
    }))
}

/// A bucket, and what its keys begin with.
fn place(at: ValueAt<'_>) -> Option<(String, String)> {
    const HELP: &str =
        "write e.g. \"s3://backups/web-1\": a bucket, and below it a place for this host alone";
    let found = word(at)?;
    let Some(behind) = found.strip_prefix("s3://") else {
        return at.not("the URL of a bucket", HELP);
    };
    let (bucket, prefix) = behind.split_once('/').unwrap_or((behind, ""));
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let is_bucket = (3..=63).contains(&bucket.len())
        && bucket.chars().all(is_allowed)
        && !bucket.starts_with(['-', '_', '.']);
    if !is_bucket {
        return at.not(
            "the URL of a bucket, whose name has 3 to 63 letters, digits, dashes and dots",
            HELP,
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
            HELP,
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
