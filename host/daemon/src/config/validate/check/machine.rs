//! Checks that look at this machine: processes, files, file systems, memory, CPU use and logs.

use super::super::super::{
    document::Value,
    reader::{Fields, ValueAt},
    values::{boolean, core_percent, path, percent, positive_duration, size, text, word},
};
use mainstay_domain::spec::{CheckKind, LogPattern};

/// Whether one is written: what is wrong with it is told already.
fn has_pid_file(fields: &mut Fields<'_>) -> bool {
    fields.get("pid_file").is_some()
}

pub(super) fn process(fields: &mut Fields<'_>, is_child: bool) -> Option<CheckKind> {
    let pid_file = fields.optional("pid_file", path);
    if !has_pid_file(fields) && !is_child {
        fields.needs(
            "a process check needs a target with `run`, or a `pid_file`",
            "add run = [\"program\"] to the target, or pid_file = \"/run/service.pid\" to the check",
        );
    }
    Some(CheckKind::Process { pid_file })
}

pub(super) fn file(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let file = fields.required("path", "path = \"data/state.json\"", path);
    Some(CheckKind::File {
        max_age: fields.optional("max_age", positive_duration),
        min_bytes: fields.optional("min_bytes", size(0..=1 << 50)),
        contains: fields.optional("contains", text),
        path: file?,
    })
}

pub(super) fn checksum(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    const EXAMPLE: &str = "paths = [\"data/portfolio.json\"]";
    let help = format!("write {EXAMPLE}");
    let documents = |at: ValueAt<'_>| {
        let documents = at.each(&help, path)?;
        match &at.node.value {
            Value::Array(items) if items.is_empty() => {
                at.refuse("`paths` names no document", help.as_str())
            }
            _ => Some(documents),
        }
    };
    let paths = fields.required("paths", EXAMPLE, documents);
    let required = fields.or("required", false, boolean);
    let members = fields.optional("members", |at| at.each("write members = [\"total\"]", word));
    Some(CheckKind::Checksum {
        paths: paths?,
        required,
        members: members.unwrap_or_default(),
    })
}

pub(super) fn disk(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let filesystem = fields.required("path", "path = \"/var\"", path);
    let max_percent = fields.or("max_percent", 95.0, percent);
    let warn_percent = fields.optional("warn_percent", |at| match percent(at)? {
        warn if warn < max_percent => Some(warn),
        _ => at.not(
            &format!("below `max_percent`, which is {max_percent}"),
            "the check is degraded above `warn_percent` and failed above `max_percent`",
        ),
    });
    Some(CheckKind::Disk {
        path: filesystem?,
        max_percent,
        warn_percent,
    })
}

pub(super) fn memory(fields: &mut Fields<'_>, is_child: bool) -> Option<CheckKind> {
    let max_percent = fields.optional("max_percent", percent);
    let max_bytes = fields.optional("max_bytes", size(1..=1 << 50));
    let pid_file = fields.optional("pid_file", path);
    if max_bytes.is_some() && !is_child && !has_pid_file(fields) {
        fields.needs(
            "a memory check with `max_bytes` needs a target with `run`, or a `pid_file`",
            "add run = [\"program\"] to the target or pid_file = \"/run/service.pid\" to the check, or write `max_percent` \
             for the whole host",
        );
    }
    if pid_file.is_some() && fields.get("max_bytes").is_none() {
        fields.needs(
            "a memory check with `pid_file` needs `max_bytes`",
            "add e.g. max_bytes = \"1GiB\"; `max_percent` is of the whole host",
        );
    }
    if max_bytes.is_some() && max_percent.is_some() {
        fields.needs(
            "a memory check has either `max_percent` or `max_bytes`, not both",
            "keep `max_bytes` for the target's own processes, `max_percent` for the whole host",
        );
    }
    Some(CheckKind::Memory {
        max_percent: max_percent.unwrap_or(90.0),
        max_bytes,
        pid_file,
    })
}

pub(super) fn cpu(fields: &mut Fields<'_>, is_child: bool) -> Option<CheckKind> {
    let max_percent = fields.or("max_percent", 90.0, core_percent);
    let degraded_percent = fields.optional("degraded_percent", |at| match core_percent(at)? {
        degraded if degraded < max_percent => Some(degraded),
        _ => at.not(
            &format!("below `max_percent`, which is {max_percent}"),
            "the check is degraded above `degraded_percent` and failed above `max_percent`",
        ),
    });
    let pid_file = fields.optional("pid_file", path);
    if !is_child && !has_pid_file(fields) {
        fields.needs(
            "a cpu check needs a target with `run`, or a `pid_file`",
            "add run = [\"program\"] to the target, or pid_file = \"/run/service.pid\" to the check",
        );
    }
    Some(CheckKind::Cpu {
        max_percent,
        degraded_percent,
        pid_file,
    })
}

/// How large a regular expression may be once it is compiled; a wrong one must not take the daemon's memory.
const MAX_REGEX: usize = 1 << 20;

pub(super) fn log(fields: &mut Fields<'_>, is_child: bool) -> Option<CheckKind> {
    let file = fields.optional("path", path);
    let contains = fields.optional("contains", word);
    let matches = fields.optional("matches", regex);
    if fields.get("path").is_none() && !is_child {
        fields.needs(
            "a log check needs a target with `run`, or a `path`",
            "add run = [\"program\"] to the target, or path = \"/var/log/service.log\" to the check",
        );
    }
    let has_text = fields.get("contains").is_some();
    let has_regex = fields.get("matches").is_some();
    if has_text == has_regex {
        fields.needs(
            "a log check needs either `contains` or `matches`",
            "write contains = \"FATAL\" for a text, or matches = '^(FATAL|PANIC):' for a regular expression",
        );
    }
    Some(CheckKind::Log {
        path: file,
        pattern: contains.map(LogPattern::Text).or(matches)?,
    })
}

fn regex(at: ValueAt<'_>) -> Option<LogPattern> {
    let pattern = word(at)?;
    let mut builder = regex::bytes::RegexBuilder::new(&pattern);
    if let Err(error) = builder.size_limit(MAX_REGEX).build() {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default();
        let why = why.trim_start_matches("error: ").trim_end_matches('.');
        return at.refuse(
            format!("`matches` is no regular expression: {why}"),
            "write it as the crate regex documents, in single quotes so that no backslash is lost",
        );
    }
    Some(LogPattern::Regex(pattern))
}
