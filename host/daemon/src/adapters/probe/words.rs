//! What is seen, in words.

use super::Seen;
use mainstay_domain::{
    health::Outcome,
    spec::{CheckKind, CheckSpec, PostgresCheck, RedisCheck},
};
use std::time::Duration;

/// What is seen where the check timed out.
pub(super) fn no_answer(check: &CheckSpec) -> String {
    let within = length(check.timeout);
    match &check.kind {
        CheckKind::Http(http) => {
            let method = http.method.as_str();
            format!("{method} {}: no answer within {within}", http.url)
        }
        CheckKind::Tcp { address, .. } => format!("{address}: no connection within {within}"),
        CheckKind::Unix { path, .. } => {
            format!("{}: no connection within {within}", path.display())
        }
        CheckKind::Tls { address, .. } => format!("{address}: no certificate within {within}"),
        CheckKind::Redis(RedisCheck { at, .. }) | CheckKind::Postgres(PostgresCheck { at, .. }) => {
            format!("{at}: no answer within {within}")
        }
        CheckKind::S3(s3) => {
            let method = s3.method.as_str();
            format!("{method} {}: no answer within {within}", s3.url)
        }
        CheckKind::Engine(engine) => format!("{}: no answer within {within}", engine.api),
        CheckKind::Exec(exec) => {
            format!(
                "`{}` did not end within {within} and was killed",
                exec.run.join(" ")
            )
        }
        kind => format!("the {} check had no answer within {within}", kind.as_str()),
    }
}

/// A length of time for people.
pub(super) fn length(length: Duration) -> String {
    match length.as_millis() {
        millis if millis < 10_000 => format!("{millis} ms"),
        _ => format!("{} s", length.as_secs()),
    }
}

/// A connection opened after so long.
pub(super) fn connected(to: &str, after: Duration, warn: Option<Duration>) -> Seen {
    let (outcome, warning) = latency(after, warn);
    Seen::new(outcome, format!("{to} took the connection{warning}"))
        .with_value(after.as_secs_f64() * 1e3)
}

/// What it means that something good took so long, and what to say of it.
pub(super) fn latency(taken: Duration, warn: Option<Duration>) -> (Outcome, String) {
    match warn.filter(|&warn| taken > warn) {
        None => (Outcome::Healthy, String::new()),
        Some(warn) => {
            let (taken, warn) = (length(taken), length(warn));
            let warning = format!(" after {taken}, more than {warn} is worth a warning");
            (Outcome::Degraded, warning)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_longer_than_it_may_is_degraded_and_says_so() {
        let millis = Duration::from_millis;
        for (taken, warn, outcome, words) in [
            (500, None, Outcome::Healthy, "a took the connection"),
            (200, Some(200), Outcome::Healthy, "a took the connection"),
            (
                350,
                Some(200),
                Outcome::Degraded,
                "a took the connection after 350 ms, more than 200 ms is worth a warning",
            ),
        ] {
            let seen = connected("a", millis(taken), warn.map(millis));
            assert_eq!((seen.outcome, &*seen.message), (Some(outcome), words));
        }
    }
}
