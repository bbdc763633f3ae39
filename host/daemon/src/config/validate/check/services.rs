//! Checks that speak the protocol of a service.

use super::super::super::{
    addresses::{host_and_port, socket_path, url},
    context::EntityKind,
    reader::{Fields, ValueAt},
    values::{existing, one_of, path, positive_duration, size, text, word},
};
use mainstay_domain::{
    effect::HttpMethod,
    name::SecretName,
    spec::{CheckKind, PostgresCheck, RedisCheck, RedisRole, S3Check, ServiceAddress},
};
use std::path::PathBuf;

/// No service uses more memory.
const MOST_MEMORY: u64 = 1 << 50;

pub(super) fn redis(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let at = address(
        fields,
        "a redis check needs either `address` or `path`",
        "write address = \"127.0.0.1:6379\", or path = \"/run/redis/redis.sock\" for a socket in the file system",
    );
    let user = fields.optional("user", word);
    let password = fields.optional("password", secret);
    let ca = authorities(fields);
    if user.is_some() && fields.get("password").is_none() {
        fields.needs(
            "a redis check with `user` needs `password`",
            "add password = \"NAME\", a secret of [secrets], or remove `user`",
        );
    }
    let roles = RedisRole::ALL.map(|role| (role.as_str(), role));
    let role = fields.optional("role", |at| one_of("a role of a Redis", &roles, at));
    let check = RedisCheck {
        user,
        password,
        ca,
        role,
        warn_memory: fields.optional("warn_memory", size(1..=MOST_MEMORY)),
        warn_lag: fields.optional("warn_lag", positive_duration),
        read_key: fields.optional("read_key", word),
        write_key: fields.optional("write_key", word),
        warn_latency: fields.optional("warn_latency", positive_duration),
        at: at?,
    };
    if check.read_key.is_some() && check.read_key == check.write_key {
        fields.needs(
            "`read_key` and `write_key` are the same key, which the check itself writes",
            "write a key into `write_key` that nobody else uses: it is overwritten",
        );
    }
    Some(CheckKind::Redis(check))
}

pub(super) fn postgres(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let at = address(
        fields,
        "a postgres check needs either `address` or `path`",
        "write address = \"127.0.0.1:5432\", or path = \"/run/postgresql/.s.PGSQL.5432\" for a socket in the file system",
    );
    let user = fields.required("user", "user = \"health\"", word);
    let password = fields.optional("password", secret);
    let ca = authorities(fields);
    let database = fields.optional("database", word);
    let query = fields.or("query", "select 1".to_owned(), word);
    let expects = fields.optional("expects", text);
    let warn_latency = fields.optional("warn_latency", positive_duration);
    let user = user?;
    Some(CheckKind::Postgres(PostgresCheck {
        at: at?,
        password,
        ca,
        database: database.unwrap_or_else(|| user.clone()),
        user,
        query,
        expects,
        warn_latency,
    }))
}

pub(super) fn s3(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let address = fields.required("url", "url = \"http://127.0.0.1:9000/bucket\"", plain_url);
    let methods = [HttpMethod::Head, HttpMethod::Get].map(|method| (method.as_str(), method));
    let method = |at| one_of("HEAD or GET", &methods, at);
    let method = fields.or("method", HttpMethod::Head, method);
    let region = fields.or("region", "us-east-1".to_owned(), word);
    let access_key = fields.optional("access_key", secret);
    let secret_key = fields.optional("secret_key", secret);
    if fields.get("access_key").is_some() != fields.get("secret_key").is_some() {
        fields.needs(
            "an s3 check has both `access_key` and `secret_key`, or neither",
            "write the names of two secrets of [secrets], or none where anybody may ask",
        );
    }
    let warn_latency = fields.optional("warn_latency", positive_duration);
    Some(CheckKind::S3(S3Check {
        url: address?,
        method,
        region,
        keys: access_key.zip(secret_key),
        warn_latency,
    }))
}

/// A URL of which the path says everything.
fn plain_url(at: ValueAt<'_>) -> Option<String> {
    let found = url(at)?;
    match found.contains(['?', '#']) {
        true => at.not(
            "the URL of a bucket or an object",
            "leave out what begins with `?` or `#`",
        ),
        false => Some(found),
    }
}

/// `address` or `path`; `message` and `help` are for where there is neither, or both.
pub(in super::super) fn address(
    fields: &mut Fields<'_>,
    message: &str,
    help: &str,
) -> Option<ServiceAddress> {
    let address = fields.optional("address", host_and_port);
    let socket = fields.optional("path", socket_path);
    if fields.get("address").is_some() == fields.get("path").is_some() {
        fields.needs(message, help);
        return None;
    }
    let address = address.map(ServiceAddress::Tcp);
    address.or(socket.map(ServiceAddress::Unix))
}

/// `ca`, by which a service with an `address` is asked over TLS.
fn authorities(fields: &mut Fields<'_>) -> Option<PathBuf> {
    let found = fields.optional("ca", path);
    if found.is_some() && fields.get("path").is_some() {
        fields.needs(
            "a check with `ca` needs `address`: nobody speaks TLS through a socket in the file system",
            "remove `ca`, or write `address` in place of `path`",
        );
    }
    found
}

/// The name of a secret.
pub(in super::super) fn secret(at: ValueAt<'_>) -> Option<SecretName> {
    let found = at.as_text().unwrap_or_default();
    let named = found.strip_prefix("${secret:");
    match named.and_then(|rest| rest.strip_suffix('}')) {
        Some(named) => at.not(
            "the name of a secret",
            format!("write {} = \"{named}\"", at.key),
        ),
        None => existing(EntityKind::Secret, SecretName::parse)(at),
    }
}
