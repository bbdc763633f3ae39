//! Sends alerts as mail, through an account that the operator set up.
//!
//! Invariant: the same alert is the same mail in each attempt, with the same `Message-ID`; all that is about one thing is in
//! one thread.
//! Invariant: server, sender and password are not here; the host sends.

mod decide;

use decide::mail;
use mainstay_plugin_sdk::alerting::*;
use schemars::JsonSchema;
use serde::Deserialize;

/// Who gets mail, and through what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailSettings {
    /// The account, `NAME` of an `[smtp.NAME]` of the config. It needs the grant `mail`.
    account: Account,
    /// Who gets each mail: 1 to 50 addresses, such as the account may write to.
    to: To,
}

/// A name that is not empty.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Account(String);

impl TryFrom<String> for Account {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.trim().is_empty() {
            true => Err("it is empty; write the name of an [smtp.NAME] of the config"),
            false => Ok(Self(text)),
        }
    }
}

/// Addresses.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<String>")]
struct To(Vec<String>);

impl TryFrom<Vec<String>> for To {
    type Error = String;

    fn try_from(addresses: Vec<String>) -> Result<Self, String> {
        if !(1..=50).contains(&addresses.len()) {
            let count = addresses.len();
            return Err(format!("found {count} addresses, expected 1 to 50"));
        }
        let is_plain = |address: &&String| {
            let parts = address.split_once('@');
            let is_whole = parts.is_some_and(|(local, domain)| {
                !local.is_empty() && !domain.is_empty() && !domain.contains('@')
            });
            is_whole
                && !address
                    .contains(|letter: char| " <>\",".contains(letter) || letter.is_control())
        };
        match addresses.iter().find(|address| !is_plain(address)) {
            Some(address) => Err(format!(
                "found {address:?}, expected a plain address, e.g. \"oncall@example.com\""
            )),
            None => Ok(Self(addresses)),
        }
    }
}

/// Sends the mail.
#[derive(Debug, Default)]
pub struct Email;

impl Alerter for Email {
    fn deliver(&self, alert: &Alert, host: &mut impl Host) -> Result<Receipt> {
        let settings: EmailSettings = host.settings()?;
        host.send_mail(mail(alert, settings.account.0, settings.to.0))?;
        Ok(Receipt::new())
    }
}

export_alerter!(
    Email,
    capabilities = ["mail" => "send alerts through the configured account"],
    settings = EmailSettings,
);

#[cfg(test)]
mod tests;
