//! What stands in the mail of an alert.

use mainstay_plugin_sdk::alerting::{Alert, AlertStatus, MailMessage, Severity};
use mainstay_plugin_sdk::calendar::rfc3339;

/// The longest text that a thread may be told by, in bytes.
const LONGEST_THREAD: usize = 1_024;

/// The mail. The same alert gives the same one in each attempt.
pub(crate) fn mail(alert: &Alert, account: String, to: Vec<String>) -> MailMessage {
    let mark = match alert.status {
        AlertStatus::Resolved => "OVER",
        AlertStatus::Firing => severity_word(alert.severity),
    };
    MailMessage {
        account,
        to,
        subject: format!("[{mark}] {}", alert.title),
        text: text(alert),
        thread: Some(beginning(&alert.dedup_key)),
    }
}

fn text(alert: &Alert) -> String {
    let mut text = format!("{}\n", alert.title);
    if !alert.body.is_empty() {
        text += &format!("\n{}\n", alert.body.trim_end());
    }
    let at = rfc3339(alert.at);
    let mut facts = vec![
        ("severity", severity_word(alert.severity).to_lowercase()),
        ("at", at),
        ("kind", alert.kind.clone()),
    ];
    facts.extend(alert.target.clone().map(|target| ("target", target)));
    facts.extend(alert.operation.clone().map(|id| ("operation", id)));
    let labels = alert.labels.iter();
    facts.extend(labels.map(|(name, value)| (name.as_str(), value.clone())));
    facts.push(("alert", alert.id.clone()));
    text.push('\n');
    for (name, value) in facts {
        text += &format!("{name}: {value}\n");
    }
    text
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

/// What a thread is told by: the beginning of a longer key.
fn beginning(key: &str) -> String {
    let end = (0..=key.len().min(LONGEST_THREAD))
        .rev()
        .find(|at| key.is_char_boundary(*at));
    key.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::testing::alert;

    #[test]
    fn a_mail_says_in_its_subject_how_bad_it_is_and_in_its_text_all_that_is_known() {
        let mail = mail(
            &alert("operation.failed"),
            "ops".into(),
            vec!["a@example.com".into()],
        );
        let expected = MailMessage {
            account: "ops".into(),
            to: vec!["a@example.com".into()],
            subject: "[HIGH] api: service-down".into(),
            text: "api: service-down\n\nconnection refused\n\nseverity: high\nat: 2024-02-29T12:00:00.000Z\n\
                   kind: operation.failed\ntarget: api\noperation: op-1\nphase: normal\nalert: al-1\n"
                .into(),
            thread: Some("api/service-down".into()),
        };
        assert_eq!(mail, expected);
    }

    #[test]
    fn its_end_is_in_the_same_thread_and_an_attempt_is_the_same_mail() {
        let sent = |alert: &Alert| mail(alert, "ops".into(), Vec::new());
        let mut over = alert("operation.succeeded");
        let fires = sent(&alert("operation.failed"));
        over.status = AlertStatus::Resolved;
        over.attempt = 3;
        let resolves = sent(&over);
        assert!(
            resolves.subject.starts_with("[OVER] "),
            "{}",
            resolves.subject
        );
        assert_eq!(resolves.thread, fires.thread);
        over.attempt = 4;
        assert_eq!(sent(&over), resolves);
    }

    #[test]
    fn a_thread_is_told_by_no_more_than_the_host_takes() {
        let mut long = alert("operation.failed");
        long.dedup_key = "ü".repeat(900);
        let thread = mail(&long, "ops".into(), Vec::new()).thread.unwrap();
        assert_eq!(thread, "ü".repeat(512));
    }
}
