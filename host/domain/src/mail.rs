//! What becomes of a mail that a plugin asks for: whom it goes to, and what stands in its headers.
//!
//! Invariant: nothing that comes from a guest ends a header line: an address has no character that could, see
//! [`crate::mail_address`], and every control character of a subject is a space.

use crate::{
    effect::{EffectError, MailMessage},
    mail_address::MailAddress,
    spec::MailAccount,
    text::visible,
};

/// The most recipients of one mail.
const MOST_RECIPIENTS: usize = 50;
/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 500;
/// The longest text, in bytes.
const LONGEST_TEXT: usize = 64 << 10;
/// How much of an address is shown, in characters.
const LONGEST_SHOWN: usize = 320;
/// The longest text that says what a thread is about, in bytes.
const LONGEST_THREAD: usize = 1_024;

/// A mail as it is handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// At least one.
    pub to: Vec<MailAddress>,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// `<…@…>`, the same for the same key.
    pub message_id: String,
    /// `<…@…>`, the same for each mail of a thread.
    pub thread: Option<String>,
}

/// The letter that the account sends for a message. `key` is the effect's idempotency key.
///
/// # Errors
/// `Denied` where the account may not write to one of the recipients, `Failed` where the message is not as the contract has
/// it.
pub fn letter(
    message: MailMessage,
    account: &MailAccount,
    key: &str,
) -> Result<Letter, EffectError> {
    let count = message.to.len();
    if !(1..=MOST_RECIPIENTS).contains(&count) {
        return Err(EffectError::Failed(format!(
            "mail: {count} recipients; a mail has 1 to {MOST_RECIPIENTS}"
        )));
    }
    let to = message
        .to
        .iter()
        .map(|text| recipient(text, account, &message.account));
    let to = to.collect::<Result<Vec<_>, _>>()?;
    let thread = match message.thread {
        Some(thread) if thread.len() > LONGEST_THREAD => {
            return Err(EffectError::Failed(format!(
                "mail: what the thread is about has {} bytes; it may have {LONGEST_THREAD}",
                thread.len()
            )));
        }
        Some(thread) => Some(id("thread", &thread, account)),
        None => None,
    };
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    Ok(Letter {
        to,
        subject: message
            .subject
            .chars()
            .take(LONGEST_SUBJECT)
            .map(plain)
            .collect(),
        text: cut(message.text),
        message_id: id("mail", key, account),
        thread,
    })
}

fn recipient(text: &str, account: &MailAccount, name: &str) -> Result<MailAddress, EffectError> {
    let shown: String = visible(text).chars().take(LONGEST_SHOWN).collect();
    let Some(address) = MailAddress::parse(text) else {
        return Err(EffectError::Failed(format!(
            "mail: `{shown}` is no address; write it plainly, as ops@example.com"
        )));
    };
    match account.to.iter().any(|allowed| allowed.include(&address)) {
        true => Ok(address),
        false => Err(EffectError::Denied(format!(
            "the account `{name}` may not write to {shown}; the operator allows it with to = [\"{shown}\"] in \
             [smtp.{name}]"
        ))),
    }
}

/// An identifier (RFC 5322, 3.6.4) that says nothing of what it is made of.
fn id(what: &str, of: &str, account: &MailAccount) -> String {
    let hash = blake3::hash(format!("{what}\n{of}").as_bytes()).to_hex();
    let hash: String = hash.chars().take(32).collect();
    format!("<{what}.{hash}@{}>", account.from.domain())
}

/// The beginning, where it is longer than it may be.
fn cut(mut text: String) -> String {
    if text.len() > LONGEST_TEXT {
        let end = (0..=LONGEST_TEXT)
            .rev()
            .find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mail_address::Recipients, spec::MailTls};
    use std::time::Duration;

    fn account() -> MailAccount {
        let to = ["oncall@example.org", "*@Example.com"];
        MailAccount {
            host: "mail.example.com".to_owned(),
            port: 465,
            tls: MailTls::Implicit,
            login: None,
            from: MailAddress::parse("mainstay@example.com").unwrap(),
            to: to.map(|text| Recipients::parse(text).unwrap()).into(),
            timeout: Duration::from_secs(30),
        }
    }

    fn message(to: &[&str]) -> MailMessage {
        MailMessage {
            account: "ops".to_owned(),
            to: to.iter().map(|to| (*to).to_owned()).collect(),
            subject: "api: service-down".to_owned(),
            text: "connection refused".to_owned(),
            thread: None,
        }
    }

    #[test]
    fn only_whom_the_account_may_write_to_gets_a_mail() {
        for to in [
            "oncall@example.org",
            "anybody@example.com",
            "anybody@EXAMPLE.com",
        ] {
            letter(message(&[to]), &account(), "k").unwrap();
        }
        for to in ["other@example.org", "a@sub.example.com", "a@notexample.com"] {
            let denied = letter(message(&["a@example.com", to]), &account(), "k").unwrap_err();
            assert!(matches!(denied, EffectError::Denied(_)), "{denied}");
            assert!(denied.to_string().contains("[smtp.ops]"), "{denied}");
        }
        let many = vec!["a@example.com"; MOST_RECIPIENTS + 1];
        let refused: [&[&str]; 3] = [&[], &["nobody"], &many];
        for to in refused {
            let failed = letter(message(to), &account(), "k").unwrap_err();
            assert!(matches!(failed, EffectError::Failed(_)), "{failed}");
        }
    }

    #[test]
    fn no_header_can_be_put_into_a_subject_and_what_is_too_long_is_cut() {
        let mut long = message(&["a@example.com"]);
        long.subject = format!("a\r\nBcc: all@example.com\0{}", "ü".repeat(900));
        long.text = "ü".repeat(60_000);
        let sent = letter(long, &account(), "k").unwrap();
        assert!(
            sent.subject.starts_with("a  Bcc: all@example.com ü"),
            "{}",
            sent.subject
        );
        assert_eq!(sent.subject.chars().count(), LONGEST_SUBJECT);
        assert!(sent.text.len() <= LONGEST_TEXT && sent.text.ends_with('ü'));
    }

    #[test]
    fn an_attempt_has_the_same_id_and_what_is_about_one_thing_the_same_thread() {
        let about = |key: &str, thread: Option<&str>| {
            let mut message = message(&["a@example.com"]);
            message.thread = thread.map(str::to_owned);
            letter(message, &account(), key).unwrap()
        };
        let first = about("al-1", Some("web/down"));
        assert_eq!(about("al-1", Some("web/down")), first);
        let resolves = about("al-2", Some("web/down"));
        assert_ne!(resolves.message_id, first.message_id);
        assert_eq!(resolves.thread, first.thread);
        assert_ne!(about("al-1", Some("web/slow")).thread, first.thread);
        assert_eq!(about("al-1", None).thread, None);
        assert!(
            first.message_id.ends_with("@example.com>"),
            "{}",
            first.message_id
        );
        let mut long = message(&["a@example.com"]);
        long.thread = Some("k".repeat(LONGEST_THREAD + 1));
        letter(long, &account(), "k").unwrap_err();
    }
}
