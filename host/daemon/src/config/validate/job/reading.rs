//! What of directories a job reads: `exclude`, `exclude_caches`, `one_filesystem` and `on_unreadable`.

use super::super::super::{
    reader::{Fields, ValueAt},
    values::{boolean, one_of, text},
};
use mainstay_backup::check_pattern;
use mainstay_domain::spec::{OnUnreadable, ReadingSpec};

const ON_UNREADABLE: [(&str, OnUnreadable); 2] = [
    ("incomplete", OnUnreadable::Incomplete),
    ("fail", OnUnreadable::Fail),
];

pub(super) fn reading(fields: &mut Fields<'_>) -> ReadingSpec {
    let default = ReadingSpec::default();
    ReadingSpec {
        exclude: fields.list("exclude", "exclude = [\"*.tmp\", \"/cache/**\"]", pattern),
        exclude_caches: fields.or("exclude_caches", default.exclude_caches, boolean),
        one_filesystem: fields.or("one_filesystem", default.one_filesystem, boolean),
        on_unreadable: fields.or("on_unreadable", default.on_unreadable, on_unreadable),
    }
}

fn on_unreadable(at: ValueAt<'_>) -> Option<OnUnreadable> {
    let what = "what becomes of a backup where a file cannot be read";
    one_of(what, &ON_UNREADABLE, at)
}

fn pattern(at: ValueAt<'_>) -> Option<String> {
    let pattern = text(at)?;
    match check_pattern(&pattern) {
        Ok(()) => Some(pattern),
        Err(fault) => at.refuse(
            format!("the pattern {pattern:?} {fault}"),
            "write e.g. \"*.tmp\" for what has such a name wherever it is, \"/cache\" for what is at the top of a source, or \
             \"cache/**\" for all that is in it",
        ),
    }
}
