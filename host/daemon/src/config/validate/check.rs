//! `[[target.check]]`.

use super::super::{
    addresses::{host_and_port, url},
    context::Raised,
    document::Value,
    reader::{Fields, ValueAt},
    suggest::listed,
    values::{
        as_written, core_percent, count, duration, name, one_of, path, percent, positive_duration,
        run, severity, size, text, whole,
    },
};
use mainstay_domain::{
    failure,
    name::{CheckName, FailureType, TargetName},
    spec::{CheckKind, CheckSpec},
};
use std::{cell::RefCell, collections::BTreeMap, time::Duration};

/// How the key `kind` selects the other keys.
type ReadKind = fn(&mut Fields<'_>, is_child: bool) -> Option<CheckKind>;

const KINDS: [(&str, ReadKind); 9] = [
    ("http", http),
    ("tcp", tcp),
    ("process", process),
    ("exec", exec),
    ("file", file),
    ("disk", disk),
    ("memory", memory),
    ("cpu", cpu),
    ("heartbeat", |_, _| Some(CheckKind::Heartbeat)),
];

/// Kinds that the documentation names and this version does not have.
const LATER: [&str; 3] = ["redis", "postgres", "plugin"];

/// The checks of a target. `is_child`: the host runs it.
pub(super) fn checks(
    fields: &mut Fields<'_>,
    target: Option<&TargetName>,
    is_child: bool,
) -> Vec<CheckSpec> {
    let names = RefCell::new(BTreeMap::new());
    let of_kind = RefCell::new(BTreeMap::new());
    fields.list("check", "[[target.check]]", |at| {
        let check = check(at, is_child, &mut of_kind.borrow_mut())?;
        let place = at.node.place;
        if let Some(first) = names.borrow_mut().insert(check.name.clone(), place) {
            let first = at.context.locate(first).map(|first| first.to_string());
            at.refuse::<()>(
                format!(
                    "check `{}` of this target is already defined at {}",
                    check.name,
                    first.unwrap_or_default()
                ),
                "give one of the two another `name`",
            );
        }
        if let Some(target) = target {
            let raised = Raised {
                target: target.clone(),
                failure: check.failure.clone(),
                severity: check.severity,
                place,
            };
            at.context.facts.borrow_mut().raised.push(raised);
        }
        Some(check)
    })
}

fn check(
    at: ValueAt<'_>,
    is_child: bool,
    of_kind: &mut BTreeMap<&'static str, u32>,
) -> Option<CheckSpec> {
    at.fields("this check", |fields| {
        let kind = fields.required("kind", "kind = \"http\"", read_kind);
        let kind = match kind {
            Some(read) => read(fields, is_child),
            None => {
                // Which keys are allowed is unknown, so none of them is called unknown.
                fields.accept_all();
                None
            }
        };
        let given_name = fields.optional("name", name(CheckName::parse));
        let failure = fields.required(
            "failure",
            "failure = \"service-down\": what the failure is called, and what routes go by",
            name(FailureType::parse),
        );
        let every = fields.or("every", Duration::from_secs(10), positive_duration);
        let timeout = fields.optional("timeout", |at| at_most(every, positive_duration, at));
        let check_severity = fields.optional("severity", severity);
        let fail_after = fields.or("fail_after", 5, count);
        let recover_after = fields.or("recover_after", 2, count);
        let jitter = fields.or("jitter", Duration::ZERO, |at| at_most(every, duration, at));
        let (kind, failure) = (kind?, failure?);
        let number = of_kind.entry(kind.as_str()).or_insert(0);
        *number += 1;
        let default_name = match *number {
            1 => kind.as_str().to_owned(),
            number => format!("{}-{number}", kind.as_str()),
        };
        Some(CheckSpec {
            name: given_name.or_else(|| CheckName::parse(&default_name).ok())?,
            kind,
            every,
            timeout: timeout.unwrap_or_else(|| every.min(Duration::from_secs(1))),
            fail_after,
            recover_after,
            jitter,
            severity: check_severity.unwrap_or_else(|| failure::default_severity(&failure)),
            failure,
        })
    })
}

fn read_kind(at: ValueAt<'_>) -> Option<ReadKind> {
    if let Some(later) = at.as_text().filter(|kind| LATER.contains(kind)) {
        let supported = KINDS.map(|(kind, _)| kind);
        return at.refuse(
            format!("checks of kind \"{later}\" are not supported by this version"),
            format!("supported are {}", listed(supported, '"')),
        );
    }
    one_of("a kind of check", &KINDS, at)
}

/// A length of time that must fit between two runs.
fn at_most<'a>(
    every: Duration,
    read: fn(ValueAt<'a>) -> Option<Duration>,
    at: ValueAt<'a>,
) -> Option<Duration> {
    let length = read(at)?;
    if length <= every {
        return Some(length);
    }
    at.not(
        &format!("at most `every`, which is {}", as_written(every)),
        format!("shorten `{}`, or check less often", at.key),
    )
}

fn http(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let url = fields.required("url", "url = \"http://127.0.0.1:8080/health\"", url);
    let status = fields.or("status", (200, 399), statuses);
    let body_contains = fields.optional("body_contains", text);
    Some(CheckKind::Http {
        url: url?,
        status,
        body_contains,
    })
}

fn statuses(at: ValueAt<'_>) -> Option<(u16, u16)> {
    const HELP: &str =
        "write one status from 100 to 599, or the lowest and the highest: [200, 299]";
    let status = whole(100..=599);
    let range = match &at.node.value {
        Value::Array(items) if items.len() == 2 => at.each(HELP, status)?,
        Value::Array(_) => return at.not("one range of HTTP statuses", HELP),
        _ => vec![status(at)?],
    };
    match range.as_slice() {
        [low, high] if low > high => at.refuse(format!("no status is from {low} to {high}"), HELP),
        [low, high] => Some((*low, *high)),
        [one] => Some((*one, *one)),
        _ => None,
    }
}

fn tcp(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let address = fields.required("address", "address = \"127.0.0.1:6379\"", host_and_port);
    Some(CheckKind::Tcp { address: address? })
}

fn process(fields: &mut Fields<'_>, is_child: bool) -> Option<CheckKind> {
    let pid_file = fields.optional("pid_file", path);
    if pid_file.is_none() && !is_child {
        fields.needs(
            "a process check needs a target with `run`, or a `pid_file`",
            "add run = [\"program\"] to the target, or pid_file = \"/run/service.pid\" to the check",
        );
    }
    Some(CheckKind::Process { pid_file })
}

fn exec(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let arguments = fields.required("run", "run = [\"./check.sh\"]", run);
    let base = fields.context.base.to_owned();
    let cwd = fields.or("cwd", base, path);
    let degraded_exit = fields.optional("degraded_exit", whole(1..=255));
    Some(CheckKind::Exec {
        run: arguments?,
        cwd,
        degraded_exit,
    })
}

fn file(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let file = fields.required("path", "path = \"data/state.json\"", path);
    Some(CheckKind::File {
        max_age: fields.optional("max_age", positive_duration),
        min_bytes: fields.optional("min_bytes", size(0..=1 << 50)),
        contains: fields.optional("contains", text),
        path: file?,
    })
}

fn disk(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
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

fn memory(fields: &mut Fields<'_>, is_child: bool) -> Option<CheckKind> {
    let max_percent = fields.optional("max_percent", percent);
    let max_bytes = fields.optional("max_bytes", size(1..=1 << 50));
    if max_bytes.is_some() && !is_child {
        fields.needs(
            "a memory check with `max_bytes` needs a target with `run`",
            "add run = [\"program\"] to the target, or write `max_percent` for the whole host",
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
    })
}

fn cpu(fields: &mut Fields<'_>, is_child: bool) -> Option<CheckKind> {
    let max_percent = fields.or("max_percent", 90.0, core_percent);
    let degraded_percent = fields.optional("degraded_percent", |at| match core_percent(at)? {
        degraded if degraded < max_percent => Some(degraded),
        _ => at.not(
            &format!("below `max_percent`, which is {max_percent}"),
            "the check is degraded above `degraded_percent` and failed above `max_percent`",
        ),
    });
    if !is_child {
        fields.needs(
            "a cpu check needs a target with `run`",
            "add run = [\"program\"] to the target",
        );
    }
    Some(CheckKind::Cpu {
        max_percent,
        degraded_percent,
    })
}
