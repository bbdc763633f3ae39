//! `[[target.check]]`.

mod exec;
mod machine;
mod network;
mod plugin;
mod services;

pub(super) use network::headers;
pub(super) use services::{address, secret};

use super::{
    super::{
        context::Raised,
        reader::{Fields, ValueAt},
        values::{
            as_written, count, duration, interval, name, one_of, positive_duration, severity, whole,
        },
    },
    breaker::BreakerPreset,
};
use mainstay_domain::{
    failure,
    name::{CheckName, FailureType, TargetName},
    spec::{CheckKind, CheckSpec, FailOf},
};
use std::{cell::RefCell, collections::BTreeMap, time::Duration};

/// What is looked at more often costs more than what it tells.
const LEAST_EVERY: Duration = Duration::from_millis(10);
/// What is looked at more often is hardly meant.
const FEW_EVERY: Duration = Duration::from_millis(100);

/// How often is looked where the config does not say.
const EVERY: Duration = Duration::from_secs(10);

/// How the key `kind` selects the other keys.
type ReadKind = fn(&mut Fields<'_>, is_child: bool) -> Option<CheckKind>;

const KINDS: [(&str, ReadKind); 18] = [
    ("http", network::http),
    ("tcp", network::tcp),
    ("unix", network::unix),
    ("tls", network::tls),
    ("process", machine::process),
    ("exec", exec::exec),
    ("file", machine::file),
    ("disk", machine::disk),
    ("memory", machine::memory),
    ("cpu", machine::cpu),
    ("log", machine::log),
    ("heartbeat", |_, _| Some(CheckKind::Heartbeat)),
    ("plugin", plugin::plugin),
    ("redis", services::redis),
    ("postgres", services::postgres),
    ("checksum", machine::checksum),
    ("engine", network::engine),
    ("s3", services::s3),
];

/// The checks of a target. `is_child`: the host runs it. `breaker`: what they do not say themselves.
pub(super) fn checks(
    fields: &mut Fields<'_>,
    target: Option<&TargetName>,
    is_child: bool,
    breaker: BreakerPreset,
) -> Vec<CheckSpec> {
    let names = RefCell::new(BTreeMap::new());
    let of_kind = RefCell::new(BTreeMap::new());
    fields.list("check", "[[target.check]]", |at| {
        let check = check(at, is_child, breaker, &mut of_kind.borrow_mut())?;
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
    breaker: BreakerPreset,
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
        let every = match kind {
            // Only who sends it knows how often it comes.
            Some(CheckKind::Heartbeat) => fields
                .required(
                    "every",
                    "every = \"25h\": how long a heartbeat may stay away, with some room above how often it comes",
                    |at| interval(LEAST_EVERY, FEW_EVERY, at),
                )
                .unwrap_or(EVERY),
            _ => fields.or("every", EVERY, |at| interval(LEAST_EVERY, FEW_EVERY, at)),
        };
        let timeout = fields.optional("timeout", |at| at_most(every, positive_duration, at));
        let timeout = timeout.unwrap_or_else(|| every.min(Duration::from_secs(1)));
        let warn_latency = kind.as_ref().and_then(CheckKind::warn_latency);
        if warn_latency.is_some_and(|warn| warn >= timeout)
            && let Some(at) = fields.get("warn_latency")
        {
            at.not::<()>(
                &format!("below `timeout`, which is {}", as_written(timeout)),
                "the check is degraded above `warn_latency` and failed after `timeout`",
            );
        }
        let check_severity = fields.optional("severity", severity);
        let written = fields.get("fail_after");
        // What is written once into a log is not written again; and a heartbeat that stayed away for its whole period
        // would be missed after five of them, which is a week of a nightly job.
        let default = match kind {
            Some(CheckKind::Log { .. } | CheckKind::Heartbeat) => 1,
            _ => breaker.fail_after.unwrap_or(5),
        };
        let fail_after = written.and_then(count).unwrap_or(default);
        let fail_of = fields.get("fail_of");
        if let (Some(_), Some(at)) = (written, fail_of) {
            at.refuse::<()>(
                "a check has either `fail_after` or `fail_of`, not both",
                "keep `fail_after` for failures in a row, `fail_of` for so many of the last so many",
            );
        }
        let fail_of = fail_of.and_then(read_fail_of);
        let recover_after = fields.or("recover_after", breaker.recover_after.unwrap_or(2), count);
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
            timeout,
            fail_after,
            fail_of,
            recover_after,
            jitter,
            severity: check_severity.unwrap_or_else(|| failure::default_severity(&failure)),
            failure,
        })
    })
}

fn read_kind(at: ValueAt<'_>) -> Option<ReadKind> {
    one_of("a kind of check", &KINDS, at)
}

/// So many failures of the last so many looks.
fn read_fail_of(at: ValueAt<'_>) -> Option<FailOf> {
    at.fields("`fail_of`", |fields| {
        let of = fields.required("of", "of = 5: so many looks count", whole(1..=FailOf::MOST));
        let most = of.unwrap_or(FailOf::MOST);
        let failures = fields.required("failures", "failures = 3", |at| match count(at)? {
            failures if failures <= most => Some(failures),
            _ => at.not(
                &format!("at most `of`, which is {most}"),
                "the check has failed where so many of the last so many looks have",
            ),
        });
        Some(FailOf {
            failures: failures?,
            of: of?,
        })
    })
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
