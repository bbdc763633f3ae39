//! Looks whether a host keeps the sentences that contract 1.2.0 has of mail and of signed requests. The settings name a case,
//! which is named after its sentence: the alert is delivered where the sentence is kept, and given up with what was seen
//! where it is not.
//!
//! It needs of its host what `tests/tests/conformance.rs` configures, and nothing that another host could not have.

use mainstay_plugin_sdk::alerting::*;
use schemars::JsonSchema;
use serde::Deserialize;

/// Whom the account may write to.
const ALLOWED: &str = "oncall@example.com";

/// The settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Which sentence.
    case: Case,
}

/// The sentences.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Case {
    /// A mail is handed over to the account's server.
    MailIsHandedOver,
    /// Addresses are 1 to 50.
    RecipientsAreOneToFifty,
    /// Each is plain.
    RecipientsArePlain,
    /// One that the account may not write to is `denied`.
    RecipientOfNoGrantIsDenied,
    /// An account that is not granted is `denied`.
    AccountOfNoGrantIsDenied,
    /// A subject is one line, of at most 500 characters.
    SubjectIsOneLine,
    /// Of a text above 64 KiB the beginning is sent.
    LongTextIsCut,
    /// Mails with the same text here stand in one thread.
    ThreadIsOfItsText,
    /// What the mail is about has at most 1,024 bytes.
    ThreadIsBounded,
    /// `unavailable` where the server was not reached.
    NoServerIsUnavailable,
    /// `unavailable` where the server says that it may work later.
    LaterIsUnavailable,
    /// `failed` where the server refuses it.
    RefusedIsFailed,
    /// A text that is no handle of this call signs nothing.
    SigningWithoutHandleIsDenied,
}

/// Looks at one sentence in each call.
#[derive(Debug, Default)]
pub struct Conformance;

impl Alerter for Conformance {
    fn deliver(&self, _: &Alert, host: &mut impl Host) -> Result<Receipt> {
        let Asked { case } = host.settings()?;
        match look(case, host) {
            Ok(()) => Ok(Receipt::with_reference("kept")),
            Err(seen) => Err(DeliveryFailure::Permanent(format!(
                "{case:?} is not kept: {seen}"
            ))),
        }
    }
}

/// The error is what was seen in place of what the contract says.
fn look(case: Case, host: &mut impl Host) -> Result<(), String> {
    match case {
        Case::MailIsHandedOver => sent(host, mail("it is handed over")),
        Case::RecipientsAreOneToFifty => {
            for (count, is_taken) in [(0, false), (1, true), (50, true), (51, false)] {
                let to = vec![ALLOWED.to_owned(); count];
                let asked = MailMessage {
                    to,
                    ..mail("as many")
                };
                match is_taken {
                    true => sent(host, asked)?,
                    false => failed(host, asked)?,
                }
            }
            Ok(())
        }
        Case::RecipientsArePlain => {
            for address in [
                "On Call <oncall@example.com>",
                "oncall",
                "a@example.com,b@example.com",
            ] {
                let to = vec![address.to_owned()];
                failed(
                    host,
                    MailMessage {
                        to,
                        ..mail("plain")
                    },
                )?;
            }
            Ok(())
        }
        Case::RecipientOfNoGrantIsDenied => {
            let to = vec![ALLOWED.to_owned(), "stranger@example.org".to_owned()];
            denied(host.send_mail(MailMessage {
                to,
                ..mail("denied")
            }))
        }
        Case::AccountOfNoGrantIsDenied => {
            let account = "other".to_owned();
            denied(host.send_mail(MailMessage {
                account,
                ..mail("denied")
            }))
        }
        Case::SubjectIsOneLine => {
            let subject = format!("one\ntwo: {}", "word ".repeat(120));
            sent(
                host,
                MailMessage {
                    subject,
                    ..mail("cut")
                },
            )
        }
        Case::LongTextIsCut => {
            let text = "a line of sixteen\n".repeat(4_000);
            sent(
                host,
                MailMessage {
                    text,
                    ..mail("long text")
                },
            )
        }
        Case::ThreadIsOfItsText => {
            for (subject, thread) in [("first", "a"), ("second", "a"), ("other", "b")] {
                let thread = Some(thread.to_owned());
                sent(
                    host,
                    MailMessage {
                        thread,
                        ..mail(subject)
                    },
                )?;
            }
            sent(host, mail("alone"))
        }
        Case::ThreadIsBounded => {
            let of = |length| MailMessage {
                thread: Some("t".repeat(length)),
                ..mail("thread")
            };
            sent(host, of(1_024))?;
            failed(host, of(1_025))
        }
        Case::NoServerIsUnavailable => {
            let account = "nowhere".to_owned();
            unavailable(
                host,
                MailMessage {
                    account,
                    ..mail("nowhere")
                },
            )
        }
        Case::LaterIsUnavailable => unavailable(host, mail("later")),
        Case::RefusedIsFailed => failed(host, mail("refused")),
        Case::SigningWithoutHandleIsDenied => {
            let request = Request::post_json("http://127.0.0.1:1/", "{}");
            let signing = Signing {
                secret: "made up".to_owned(),
                header: "x-signature".to_owned(),
            };
            denied(host.http_signed(request, signing))
        }
    }
}

fn mail(subject: &str) -> MailMessage {
    MailMessage {
        account: "ops".to_owned(),
        to: vec![ALLOWED.to_owned()],
        subject: subject.to_owned(),
        text: "as it was asked".to_owned(),
        thread: None,
    }
}

fn sent(host: &mut impl Host, message: MailMessage) -> Result<(), String> {
    let sent = host.send_mail(message);
    sent.map_err(|error| format!("{error:?}"))
}

fn failed(host: &mut impl Host, message: MailMessage) -> Result<(), String> {
    match host.send_mail(message) {
        Err(EffectError::Failed(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn unavailable(host: &mut impl Host, message: MailMessage) -> Result<(), String> {
    match host.send_mail(message) {
        Err(EffectError::Unavailable(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn denied<T: core::fmt::Debug>(answer: Result<T, EffectError>) -> Result<(), String> {
    match answer {
        Err(EffectError::Denied(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

export_alerter!(
    Conformance,
    capabilities = [
        "mail" => "look at what the contract says of mail",
        "http" => "look at what the contract says of signed requests",
    ],
    settings = Asked,
);
