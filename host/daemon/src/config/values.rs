//! Readers of single values.
//!
//! Invariant: each either gives a value that the spec's docs allow, or reports one problem.
//! Invariant: `${secret:NAME}` is refused in every text but those that [`environment`], [`json_object`] and the headers of
//! checks are read from, which are put together with the values.

mod quantity;
mod word;

pub(crate) use quantity::{
    as_written, core_percent, count, duration, interval, number, percent, positive_duration, size,
    whole,
};
pub use word::name_help;
pub(crate) use word::{defined, existing, name, one_of, severity, version};

use super::{
    context::EntityKind,
    document::{Place, Value},
    reader::ValueAt,
};
use mainstay_domain::{
    template::{self, Part},
    text::visible,
};
use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

/// The longest path of the system, and the longest key of a document, in bytes.
const LONGEST_PATH: usize = 4096;

/// What the dynamic linker and the C library take from an environment: code from elsewhere, in whatever runs.
const OF_THE_LINKER: [&str; 6] = [
    "GCONV_PATH",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_ORIGIN_PATH",
    "LD_PRELOAD",
    "LD_PROFILE",
];

const RUN_HELP: &str = "write program and arguments apart: [\"./api\", \"--port\", \"8080\"]";

/// Any text that names no secret. It is used as it stands, so that one would reach programs, servers and people as a name
/// without a value.
pub(crate) fn text(at: ValueAt<'_>) -> Option<String> {
    let text = any_text(at)?;
    match template::stray_placeholder(&text, false) {
        None => Some(text),
        Some(found) => at.refuse(
            format!("`{}` holds {found:?}, and no secret is put in there", at.key),
            "secrets stand in the texts of `env`, `headers`, `settings` and `params` and in the keys of a tier alone; write here what is meant itself",
        ),
    }
}

/// Any text; who reads it does with its placeholders what [`secrets_in`] promises.
pub(crate) fn any_text(at: ValueAt<'_>) -> Option<String> {
    match at.as_text() {
        Some(text) => Some(text.to_owned()),
        None => at.not("a text", "write it in double quotes"),
    }
}

/// What a program is called with.
fn argument(at: ValueAt<'_>) -> Option<String> {
    let text = any_text(at)?;
    match template::stray_placeholder(&text, true) {
        None => Some(text),
        Some(found) => at.refuse(
            format!(
                "`{}` holds {found:?}, and no secret is put in there: every user of the machine can see what programs \
                 are called with",
                at.key
            ),
            "give the program the secret in its `env`, where it has one, or in a file that only it can read",
        ),
    }
}

/// A key of the operator's own, of which nothing but the value is put together with secrets.
fn plain_key(key: &str, place: Place, at: ValueAt<'_>) {
    if let Some(found) = template::stray_placeholder(key, false) {
        at.context.error(
            place,
            format!("the key {key:?} holds {found:?}, and no secret is put in there"),
            "write the secret into the value",
        );
    }
}

/// A text with something in it, and no NUL: what the system takes as an argument or a path.
pub(crate) fn word(at: ValueAt<'_>) -> Option<String> {
    let text = text(at)?;
    if text.is_empty() {
        return at.refuse(
            format!("`{}` is empty", at.key),
            "write something, or remove it",
        );
    }
    if text.contains('\0') {
        return at.not("a text without NUL", "remove the NUL from it");
    }
    Some(text)
}

/// The longest text that is shown as a name, in characters.
const MAX_NAME: usize = 253;

/// A text that is shown wherever what it names is told of: in titles, logs and tables.
pub(crate) fn display_name(at: ValueAt<'_>) -> Option<String> {
    const HELP: &str = "write letters, digits, `.` and `-`, e.g. \"web-1\"";
    let text = word(at)?;
    if visible(&text) != text {
        return at.not("a name that can be shown as it is", HELP);
    }
    if text.chars().count() > MAX_NAME {
        return at.not(&format!("a name of at most {MAX_NAME} characters"), HELP);
    }
    Some(text)
}

/// Yes or no.
pub(crate) fn boolean(at: ValueAt<'_>) -> Option<bool> {
    match at.node.value {
        Value::Boolean(boolean) => Some(boolean),
        _ => at.not("true or false", "write it without quotes"),
    }
}

/// A path, made absolute.
pub(crate) fn path(at: ValueAt<'_>) -> Option<PathBuf> {
    let written = word(at)?;
    let first = written.split('/').next().unwrap_or_default();
    if first == "~" || first.starts_with('$') {
        at.context.warn(
            at.node.place,
            format!(
                "`{}` begins with `{first}`, and nothing is put in place of that: it is a name beside the config",
                at.key
            ),
            "write the whole path, or one from the directory of the config",
        );
    }
    let joined = at.context.base.join(written);
    if joined.as_os_str().len() >= LONGEST_PATH {
        return at.refuse(
            format!("`{}` is longer than a path can be", at.key),
            format!("write less than {LONGEST_PATH} bytes"),
        );
    }
    Some(joined.components().collect())
}

/// The path without `.` and `..`, as if nothing in it were a link: for what compares paths and looks at no disk.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            // Above the root is the root.
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// A key of a document, or the beginning of one: relative, and never out of its place.
pub(crate) fn document_key(at: ValueAt<'_>) -> Option<String> {
    let key = text(at)?;
    let leaves = key.split('/').any(|part| part == "..");
    if leaves || key.starts_with('/') || key.contains('\0') || key.len() >= LONGEST_PATH {
        return at.not(
            "a relative key",
            "write it without a leading slash and without \"..\"",
        );
    }
    Some(key)
}

/// Program and arguments.
pub(crate) fn run(at: ValueAt<'_>) -> Option<Vec<String>> {
    let arguments = at.each(RUN_HELP, argument)?;
    let whole = matches!(&at.node.value, Value::Array(items) if items.len() == arguments.len());
    if arguments.first().is_none_or(String::is_empty) && whole {
        return at.refuse(format!("`{}` names no program", at.key), RUN_HELP);
    }
    if arguments.iter().any(|argument| argument.contains('\0')) {
        return at.refuse(
            format!("`{}` holds a NUL, which no argument can", at.key),
            RUN_HELP,
        );
    }
    Some(arguments)
}

/// Environment variables. Values may hold `${secret:NAME}`.
pub(crate) fn environment(at: ValueAt<'_>) -> Option<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    for (key, place, at) in at.entries() {
        if key.is_empty() || key.contains(['=', '\0']) {
            at.context.error(
                place,
                format!("{key:?} cannot be the name of an environment variable"),
                "write a name without `=`, e.g. LOG_LEVEL",
            );
        }
        plain_key(key, place, at);
        if OF_THE_LINKER.contains(&key) {
            at.context.warn(
                place,
                format!(
                    "`{key}` puts code from elsewhere into the program and all that it starts, whoever can write it"
                ),
                "let the program name its own libraries, or see that only root can write what this names",
            );
        }
        if let Some(value) = any_text(at) {
            if value.contains('\0') {
                at.not::<()>(
                    "a value for an environment variable",
                    "it must not hold NUL",
                );
            }
            secrets_in(&value, at);
            variables.insert(key.to_owned(), value);
        }
    }
    Some(variables)
}

/// Any table, as JSON. Texts in it may hold `${secret:NAME}`.
pub(crate) fn json_object(at: ValueAt<'_>) -> Option<serde_json::Value> {
    match at.node.value {
        Value::Table(_) => json(at),
        _ => at.not(
            "a table",
            format!("write {} = {{ key = \"value\" }}", at.key),
        ),
    }
}

fn json(at: ValueAt<'_>) -> Option<serde_json::Value> {
    Some(match &at.node.value {
        Value::Text(text) => {
            secrets_in(text, at);
            text.as_str().into()
        }
        Value::Datetime(time) => time.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) if number.is_finite() => (*number).into(),
        Value::Float(_) => return at.not("a number that JSON has", "write a finite number"),
        Value::Boolean(boolean) => (*boolean).into(),
        Value::Array(_) => at.each("", json)?.into(),
        Value::Table(_) => {
            let entries = at.entries().into_iter();
            entries
                .filter_map(|(key, place, at)| {
                    plain_key(key, place, at);
                    Some((key.to_owned(), json(at)?))
                })
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
    })
}

/// Every secret that a text asks for must exist.
pub(crate) fn secrets_in(text: &str, at: ValueAt<'_>) {
    let parts = template::parts(text).unwrap_or_else(|error| {
        let message = format!("`{}`: {error}", at.key);
        at.refuse::<()>(message, "write ${secret:NAME}, with a name of [secrets]");
        Vec::new()
    });
    for part in parts {
        if let Part::Secret(name) = part {
            at.context
                .require_reference(EntityKind::Secret, name.as_str(), at.node.place);
        }
    }
}
