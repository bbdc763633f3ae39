//! Readers of names, versions and words of a fixed set.

use super::{
    super::{
        context::EntityKind,
        reader::ValueAt,
        suggest::{allowed, nearest},
    },
    text,
};
use mainstay_domain::{name::InvalidName, severity::Severity};
use semver::VersionReq;
use std::borrow::Borrow;

/// One of some words.
#[track_caller]
pub(crate) fn one_of<'a, T: Copy>(
    what: &'static str,
    words: &[(&str, T)],
    at: ValueAt<'a>,
) -> Option<T> {
    let found = at.as_text().unwrap_or_default();
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == found) {
        return Some(*value);
    }
    let all = words.iter().map(|(word, _)| *word);
    let help = match nearest(found, all.clone()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => allowed(all, '"'),
    };
    at.not(what, help)
}

/// How bad something is.
pub(crate) fn severity(at: ValueAt<'_>) -> Option<Severity> {
    one_of(
        "a severity",
        &Severity::ALL.map(|severity| (severity.as_str(), severity)),
        at,
    )
}

/// A name.
pub(crate) fn name<'a, T>(
    parse: fn(&str) -> Result<T, InvalidName>,
) -> impl Fn(ValueAt<'a>) -> Option<T> {
    move |at| match parse(&text(at)?) {
        Ok(name) => Some(name),
        Err(error) => at.refuse(
            error.to_string(),
            name_help(at.as_text().unwrap_or_default()),
        ),
    }
}

/// A name that the text may have been meant to be.
pub fn name_help(found: &str) -> String {
    let lower = found.to_ascii_lowercase();
    let pieces = lower.split(|letter: char| !letter.is_ascii_alphanumeric());
    let pieces: Vec<&str> = pieces.filter(|piece| !piece.is_empty()).collect();
    let name: String = pieces.join("-").chars().take(64).collect();
    if name.is_empty() {
        "write a name such as \"redis\" or \"web-1\"".to_owned()
    } else {
        format!("write \"{}\"", name.trim_end_matches('-'))
    }
}

/// A name that defines a thing.
pub(crate) fn defined<'a, T: Borrow<str>>(
    thing: EntityKind,
    parse: fn(&str) -> Result<T, InvalidName>,
) -> impl Fn(ValueAt<'a>) -> Option<T> {
    move |at| {
        let name = name(parse)(at)?;
        at.context.define(thing, name.borrow(), at.node.place);
        Some(name)
    }
}

/// A name of a thing that must exist.
pub(crate) fn existing<'a, T: Borrow<str>>(
    thing: EntityKind,
    parse: fn(&str) -> Result<T, InvalidName>,
) -> impl Fn(ValueAt<'a>) -> Option<T> {
    move |at| {
        let name = name(parse)(at)?;
        at.context
            .require_reference(thing, name.borrow(), at.node.place);
        Some(name)
    }
}

/// A version requirement.
pub(crate) fn version(at: ValueAt<'_>) -> Option<VersionReq> {
    let found = text(at)?;
    // The crate `semver` reads it and forgets it, so that another build than the one that is named would serve.
    if found.contains('+') {
        return at.not(
            "a version requirement: it names build metadata, which a requirement cannot",
            "leave out what follows the `+`, and give each build that is to be told apart a version of its own",
        );
    }
    VersionReq::parse(&found).map_or_else(
        |error| {
            at.not(
                &format!("a version requirement: {error}"),
                "write e.g. \"^1\", \"1.2.3\", \">=1.2, <2\" or \"*\"",
            )
        },
        Some,
    )
}
