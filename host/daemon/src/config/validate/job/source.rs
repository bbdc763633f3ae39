//! `source` of a job: what is backed up.
//!
//! Invariant: what a backup of these sources stores can be put back as it was.

use super::super::{
    super::{
        addresses::url,
        document::Place,
        reader::{Fields, ValueAt},
        values::{
            document_key, environment, name, one_of, path, positive_duration, run, size, version,
            whole, word,
        },
    },
    check::{address, headers, secret},
};
use mainstay_domain::{
    archive::{DocumentKey, faulty_sources},
    name::PluginName,
    spec::{BackupSource, HttpSource, PluginSource, RedisSource, RunAs},
};
use semver::VersionReq;
use std::{collections::BTreeMap, time::Duration};

/// All of them. Those that cannot be in one backup are refused.
pub(super) fn sources(at: ValueAt<'_>, help: &str) -> Option<Vec<BackupSource>> {
    let read = at.each(help, |at| Some((source(at)?, at.node.place)))?;
    let (sources, places): (Vec<BackupSource>, Vec<Place>) = read.into_iter().unzip();
    let place_of = |number: usize| places.get(number).copied();
    for faulty in faulty_sources(&sources) {
        let first = faulty.other.and_then(place_of);
        let place = place_of(faulty.source).unwrap_or(at.node.place);
        match first.and_then(|first| at.context.locate(first)) {
            Some(first) => at.context.error(
                place,
                format!(
                    "this source cannot be in one backup with the one at {first}: {}",
                    faulty.fault
                ),
                "what is backed up must be restorable: change one of the two, or make another job for it",
            ),
            None => at.context.error(
                place,
                format!("this source cannot be restored: {}", faulty.fault),
                "what is backed up must be restorable: write another key",
            ),
        }
    }
    let directories = sources.iter().zip(&places);
    let directories = directories.filter_map(|(source, place)| match source {
        BackupSource::Directory { path, .. } => Some((path.clone(), *place)),
        BackupSource::Command { .. }
        | BackupSource::File { .. }
        | BackupSource::Http(_)
        | BackupSource::Plugin(_)
        | BackupSource::Redis(_)
        | BackupSource::Sqlite { .. } => None,
    });
    let mut facts = at.context.facts.borrow_mut();
    facts.backed_up.extend(directories);
    Some(sources)
}

/// How the key `kind` selects the other keys.
type ReadSource = fn(&mut Fields<'_>) -> Option<BackupSource>;

const SOURCES: [(&str, ReadSource); 7] = [
    ("directory", directory),
    ("file", file),
    ("command", command),
    ("http", http),
    ("sqlite", sqlite),
    ("plugin", plugin),
    ("redis", redis),
];

/// What there is in place of sources of kind "postgres".
const PG_DUMP: &str =
    "let pg_dump print it: { kind = \"command\", run = [\"pg_dump\", \"app\"], key = \"app.sql\" }";

fn source(at: ValueAt<'_>) -> Option<BackupSource> {
    at.fields("this source", |fields| {
        let kind = fields.required("kind", "kind = \"directory\"", |at| {
            if at.as_text() == Some("postgres") {
                return at.refuse(
                    "sources of kind \"postgres\" are not supported by this version",
                    PG_DUMP,
                );
            }
            one_of("a kind of source", &SOURCES, at)
        });
        match kind {
            Some(read) => read(fields),
            None => {
                fields.accept_all();
                None
            }
        }
    })
}

fn directory(fields: &mut Fields<'_>) -> Option<BackupSource> {
    let directory = fields.required("path", "path = \"data\"", path);
    let prefix = fields.or("prefix", String::new(), document_key);
    Some(BackupSource::Directory {
        path: directory?,
        prefix,
    })
}

fn command(fields: &mut Fields<'_>) -> Option<BackupSource> {
    let arguments = fields.required("run", "run = [\"pg_dump\", \"app\"]", run);
    let key = fields.required("key", "key = \"app.sql\"", key);
    let base = fields.context.base.to_owned();
    let cwd = fields.or("cwd", base, path);
    let run_as = RunAs {
        user: fields.optional("user", word),
        env: fields.or("env", BTreeMap::new(), environment),
    };
    let timeout = fields.or("timeout", Duration::from_secs(60), positive_duration);
    Some(BackupSource::Command {
        run: arguments?,
        cwd,
        run_as,
        key: key?,
        timeout,
    })
}

fn file(fields: &mut Fields<'_>) -> Option<BackupSource> {
    let file = fields.required("path", "path = \"app.conf\"", path);
    let written = fields.get("key");
    let key = match (written, &file) {
        (Some(at), _) => key(at),
        (None, None) => None,
        (None, Some(path)) => {
            let name = path.file_name().map(|name| name.as_encoded_bytes());
            let key = name.and_then(|name| DocumentKey::from_bytes(name).ok());
            if key.is_none() {
                fields.needs(
                    "this source has no `key`, and its `path` no name that could be one",
                    "name a file, or add key = \"app.conf\"",
                );
            }
            key.map(|key| key.to_string())
        }
    };
    Some(BackupSource::File {
        path: file?,
        key: key?,
    })
}

fn http(fields: &mut Fields<'_>) -> Option<BackupSource> {
    let url = fields.required("url", "url = \"http://127.0.0.1:8080/export\"", url);
    let key = fields.required("key", "key = \"export.json\"", key);
    let headers = fields.or("headers", BTreeMap::new(), headers);
    let timeout = fields.or("timeout", Duration::from_secs(60), positive_duration);
    let max_bytes = fields.or("max_bytes", 1 << 30, size(1..=1 << 50));
    Some(BackupSource::Http(HttpSource {
        url: url?,
        headers,
        key: key?,
        timeout,
        max_bytes,
    }))
}

fn sqlite(fields: &mut Fields<'_>) -> Option<BackupSource> {
    let database = fields.required("path", "path = \"app.db\"", path);
    let key = fields.required("key", "key = \"app.db\"", key);
    Some(BackupSource::Sqlite {
        path: database?,
        key: key?,
    })
}

fn plugin(fields: &mut Fields<'_>) -> Option<BackupSource> {
    let example = "plugin = \"http-export\": the name of a backup source";
    let plugin = fields.required("plugin", example, name(PluginName::parse));
    let version = fields.or("version", VersionReq::STAR, version);
    let prefix = fields.required("prefix", "prefix = \"export\"", prefix);
    let timeout = fields.or("timeout", Duration::from_secs(3600), positive_duration);
    Some(BackupSource::Plugin(PluginSource {
        plugin: plugin?,
        version,
        prefix: prefix?,
        timeout,
    }))
}

fn redis(fields: &mut Fields<'_>) -> Option<BackupSource> {
    let at = address(
        fields,
        "a redis source needs either `address` or `path`",
        "write address = \"127.0.0.1:6379\", or path = \"/run/redis/redis.sock\" for a socket in the file system",
    );
    let user = fields.optional("user", word);
    let password = fields.optional("password", secret);
    if user.is_some() && fields.get("password").is_none() {
        fields.needs(
            "a redis source with `user` needs `password`",
            "add password = \"NAME\", a secret of [secrets], or remove `user`",
        );
    }
    let database = fields.or("database", 0, whole(0..=u32::MAX));
    let keys = fields.or("keys", vec!["*".to_owned()], patterns);
    let key = fields.required("key", "key = \"redis.resp\"", key);
    let timeout = fields.or("timeout", Duration::from_secs(600), positive_duration);
    Some(BackupSource::Redis(RedisSource {
        at: at?,
        user,
        password,
        database,
        keys,
        key: key?,
        timeout,
    }))
}

/// Patterns of keys of a Redis, one at least.
fn patterns(at: ValueAt<'_>) -> Option<Vec<String>> {
    let help = "write keys = [\"session:*\"], or remove it: then all keys are meant";
    let patterns = at.each(help, word)?;
    match patterns.is_empty() {
        true => at.refuse("`keys` names none", help),
        false => Some(patterns),
    }
}

/// What lies below it is of its source alone, so it is no whole tree.
fn prefix(at: ValueAt<'_>) -> Option<String> {
    let written = document_key(at)?;
    match written.trim_end_matches('/') {
        "" | "." => at.not(
            "what stands before the keys of this source alone",
            "write e.g. prefix = \"export\"",
        ),
        prefix => Some(prefix.to_owned()),
    }
}

fn key(at: ValueAt<'_>) -> Option<String> {
    match document_key(at)? {
        key if key.is_empty() => at.not("a document's key", "write e.g. key = \"app.sql\""),
        key => Some(key),
    }
}
