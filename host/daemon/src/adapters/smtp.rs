//! Mail, over SMTP (RFC 5321) and TLS.
//!
//! Invariant: neither a login nor a mail goes over a connection that is not encrypted, or to a server whose certificate is
//! not good for the host of the account.
//! Invariant: what was certainly not taken is `Unavailable` or `Failed`; where the server may have taken it, `TimedOut`.

use crate::ports::{Boxed, MailSender, Secrets};
use lettre::{
    Address, Message,
    message::{
        Mailbox, SinglePart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        extension::ClientId,
    },
};
use mainstay_domain::{
    effect::EffectError,
    mail::Letter,
    mail_address::MailAddress,
    name::SecretName,
    spec::{MailAccount, MailTls},
    text::visible,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How a server may ask for the password; each only within TLS.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
/// How much of what a server said is told, in characters.
const LONGEST_REPLY: usize = 500;
/// What a server may take to say good-bye. The mail is its own already.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends over the network.
pub struct SmtpSender {
    secrets: Arc<dyn Secrets>,
}

impl SmtpSender {
    /// Installs ring as the TLS provider of the process where none is installed.
    pub fn new(secrets: Arc<dyn Secrets>) -> Self {
        // An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { secrets }
    }

    async fn deliver(&self, letter: &Letter, account: &MailAccount) -> Result<(), EffectError> {
        let deadline = Instant::now() + account.timeout;
        let shown = format!("{}:{}", account.host, account.port);
        let message = message(letter, account)?;
        let credentials = match &account.login {
            Some((user, password)) => Some(self.credentials(user, password, &shown)?),
            None => None,
        };
        // Reads the certificate authorities of the system from its files.
        let host = account.host.clone();
        let tls = tokio::task::spawn_blocking(move || TlsParameters::new(host)).await;
        let tls = match tls {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => return Err(self.explain(&error, &shown, false)),
            Err(error) => return Err(EffectError::Unavailable(format!("{shown}: {error}"))),
        };
        let connecting = connect(account, tls, credentials.as_ref());
        let connected = timeout_at(deadline, connecting).await;
        let mut connection = match connected {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(self.explain(&error, &shown, false)),
            Err(_) => {
                return Err(EffectError::Unavailable(format!(
                    "{shown} did not take a connection within {:?}",
                    account.timeout
                )));
            }
        };
        let bytes = message.formatted();
        let sent = timeout_at(deadline, connection.send(message.envelope(), &bytes)).await;
        match sent {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(self.explain(&error, &shown, true)),
            Err(_) => {
                return Err(EffectError::TimedOut(format!(
                    "{shown} did not answer within {:?}; it may have taken the mail",
                    account.timeout
                )));
            }
        }
        // What it says to that changes nothing.
        let _ = tokio::time::timeout(QUIT_TIMEOUT, connection.quit()).await;
        Ok(())
    }

    fn credentials(
        &self,
        user: &str,
        password: &SecretName,
        shown: &str,
    ) -> Result<Credentials, EffectError> {
        let value = self.secrets.value(password);
        let value = value.map_err(|why| EffectError::Failed(format!("{shown}: {why}")))?;
        Ok(Credentials::new(user.to_owned(), value))
    }

    fn explain(&self, error: &Error, shown: &str, was_sent: bool) -> EffectError {
        let said = self.secrets.conceal_text(&error.to_string());
        let said: String = visible(&said).chars().take(LONGEST_REPLY).collect();
        let text = format!("{shown}: {said}");
        if error.is_permanent() {
            EffectError::Failed(
                match error.status().map(|code| code.to_string()).as_deref() {
                    Some("530" | "534" | "535" | "538") => {
                        format!("{text}; look at `user` and `password` of the account in [smtp]")
                    }
                    _ => text,
                },
            )
        } else if error.is_client() {
            EffectError::Failed(format!(
                "{text}; look at `port`, `tls` and `user` of the account in [smtp]"
            ))
        } else if error.is_transient() || !was_sent {
            EffectError::Unavailable(text)
        } else {
            EffectError::TimedOut(format!("{text}; the server may have taken the mail"))
        }
    }
}

impl MailSender for SmtpSender {
    fn send(&self, letter: Letter, account: MailAccount) -> Boxed<'_, Result<(), EffectError>> {
        Box::pin(async move { self.deliver(&letter, &account).await })
    }
}

/// A connection that is encrypted and logged in.
async fn connect(
    account: &MailAccount,
    tls: TlsParameters,
    credentials: Option<&Credentials>,
) -> Result<AsyncSmtpConnection, Error> {
    let hello = ClientId::default();
    let server = (account.host.as_str(), account.port);
    let timeout = Some(account.timeout);
    let mut connection = match account.tls {
        MailTls::Implicit => {
            AsyncSmtpConnection::connect_tokio1(server, timeout, &hello, Some(tls), None).await?
        }
        MailTls::Starttls => {
            let plain =
                AsyncSmtpConnection::connect_tokio1(server, timeout, &hello, None, None).await;
            let mut plain = plain?;
            plain.starttls(tls, &hello).await?;
            plain
        }
    };
    if let Some(credentials) = credentials {
        connection.auth(&MECHANISMS, credentials).await?;
    }
    Ok(connection)
}

/// What a line of a header should not exceed; RFC 5322, 2.1.1.
const LINE: usize = 78;

/// The letter as RFC 5322 has it.
fn message(letter: &Letter, account: &MailAccount) -> Result<Message, EffectError> {
    let mut builder = Message::builder()
        .from(mailbox(&account.from)?)
        .subject(letter.subject.as_str())
        .message_id(Some(letter.message_id.clone()))
        // RFC 3834: nothing answers it by itself.
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    if !letter.to.is_empty() {
        builder = builder.raw_header(to_header(&letter.to)?);
    }
    if let Some(thread) = &letter.thread {
        builder = builder
            .in_reply_to(thread.clone())
            .references(thread.clone());
    }
    let built = builder.singlepart(SinglePart::plain(letter.text.clone()));
    built.map_err(|error| EffectError::Failed(format!("mail: {error}")))
}

/// Whom it is to, with line breaks: lettre writes them in one line, and servers refuse one of more than 998 bytes.
fn to_header(to: &[MailAddress]) -> Result<HeaderValue, EffectError> {
    let name = HeaderName::new_from_ascii_str("To");
    let mut folded = String::new();
    let mut length = "To: ".len();
    let mut plain = Vec::new();
    for address in to {
        let address = mailbox(address)?.email.to_string();
        if !plain.is_empty() {
            let fits = length + ", ".len() + address.len() < LINE;
            folded.push_str(if fits { ", " } else { ",\r\n " });
            length = if fits { length + ", ".len() } else { " ".len() };
        }
        length += address.len();
        folded.push_str(&address);
        plain.push(address);
    }
    Ok(HeaderValue::dangerous_new_pre_encoded(
        name,
        plain.join(", "),
        folded,
    ))
}

fn mailbox(address: &MailAddress) -> Result<Mailbox, EffectError> {
    let parsed = address.to_string().parse::<Address>();
    let parsed =
        parsed.map_err(|error| EffectError::Failed(format!("mail: {address}: {error}")))?;
    Ok(Mailbox::from(parsed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::mail_address::Recipients;

    fn account() -> MailAccount {
        MailAccount {
            host: "mail.example.com".to_owned(),
            port: 465,
            tls: MailTls::Implicit,
            login: None,
            from: MailAddress::parse("mainstay@example.com").unwrap(),
            to: vec![Recipients::parse("*@example.com").unwrap()],
            timeout: Duration::from_secs(30),
        }
    }

    fn letter() -> Letter {
        Letter {
            to: ["a@example.com", "b@example.com"]
                .map(|to| MailAddress::parse(to).unwrap())
                .into(),
            subject: "Prüfung: größer als 5\u{a0}%".to_owned(),
            text: "Zeile eins\n.\nZeile drei: ü\n".to_owned(),
            message_id: "<mail.1@example.com>".to_owned(),
            thread: Some("<thread.1@example.com>".to_owned()),
        }
    }

    #[test]
    fn a_letter_is_ascii_with_its_headers_whatever_stands_in_it() {
        let message = message(&letter(), &account()).unwrap();
        let bytes = message.formatted();
        assert!(bytes.is_ascii());
        let text = String::from_utf8(bytes).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        for line in [
            "From: mainstay@example.com",
            "To: a@example.com, b@example.com",
            "Message-ID: <mail.1@example.com>",
            "In-Reply-To: <thread.1@example.com>",
            "References: <thread.1@example.com>",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
        ] {
            assert!(head.lines().any(|found| found == line), "{line}: {head}");
        }
        assert!(head.contains("Subject: =?utf-8?"), "{head}");
        assert_eq!(message.envelope().to().len(), 2);
    }

    #[test]
    fn no_line_of_a_letter_is_longer_than_a_server_takes_however_many_it_is_to() {
        let mut long = letter();
        long.to = (0..50)
            .map(|number| MailAddress::parse(&format!("on-call-{number}@example.com")).unwrap())
            .collect();
        long.subject = "word ".repeat(100);
        long.text = "x".repeat(5_000);
        let text = String::from_utf8(message(&long, &account()).unwrap().formatted()).unwrap();
        // RFC 5322, 2.1.1.
        assert!(text.split("\r\n").all(|line| line.len() <= 998), "{text}");
    }

    #[test]
    fn a_line_break_in_a_subject_ends_no_header() {
        let mut odd = letter();
        // What the domain would not let through.
        odd.subject = "one\r\nBcc: all@example.com".to_owned();
        let message = message(&odd, &account()).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
        assert_eq!(message.envelope().to().len(), 2);
    }
}
