//! `[smtp.NAME]`.

use super::{
    super::{
        context::EntityKind,
        document::Value,
        reader::{Fields, ValueAt},
        values::{existing, one_of, positive_duration, text, whole, word},
    },
    named,
};
use mainstay_domain::{
    mail_address::{MailAddress, Recipients},
    name::{MailAccountName, SecretName},
    spec::{MailAccount, MailTls},
};
use std::{collections::BTreeMap, time::Duration};

/// How long a mail may take by default.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take at most: an alert waits for it.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(300);

/// As the config calls them.
const TLS: [(&str, MailTls); 2] = [
    ("implicit", MailTls::Implicit),
    ("starttls", MailTls::Starttls),
];

pub(super) fn accounts(at: ValueAt<'_>) -> Option<BTreeMap<MailAccountName, MailAccount>> {
    named(
        at,
        EntityKind::MailAccount,
        MailAccountName::parse,
        |at, what| at.fields(what, |fields| account(at, fields)),
    )
}

fn account<'a>(at: ValueAt<'a>, fields: &mut Fields<'a>) -> Option<MailAccount> {
    let host = fields.required("host", "host = \"mail.example.com\"", host);
    let tls = fields.or("tls", MailTls::Implicit, tls);
    let port = match tls {
        MailTls::Implicit => 465,
        MailTls::Starttls => 587,
    };
    let port = fields.or("port", port, whole(1..=u16::MAX));
    let written = ["user", "password"].map(|key| fields.get(key).is_some());
    let user = fields.optional("user", word);
    let secret = existing(EntityKind::Secret, SecretName::parse);
    let password = fields.optional("password", secret);
    let from = fields.required("from", "from = \"mainstay@example.com\"", sender);
    let example = "to = [\"oncall@example.com\"] or to = [\"*@example.com\"]";
    let to = fields.list("to", example, recipients);
    let timeout = fields.or("timeout", TIMEOUT, timeout);
    let login = match written {
        [true, true] => user.zip(password).map(Some),
        [false, false] => Some(None),
        [true, false] => {
            let help = "add password = \"NAME\", a secret of [secrets], or remove `user`";
            at.refuse("the mail account has a `user` and no `password`", help)
        }
        [false, true] => {
            let help = "add the `user` that the password is of, or remove `password`";
            at.refuse("the mail account has a `password` and no `user`", help)
        }
    };
    // Where something of it is no address, that is told already.
    let says_nobody = match fields.get("to").map(|at| &at.node.value) {
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
        None => true,
    };
    if says_nobody {
        let help = format!("add {example}");
        return at.refuse(
            "the mail account says of nobody that it may write to them",
            help,
        );
    }
    Some(MailAccount {
        timeout,
        host: host?,
        port,
        tls,
        login: login?,
        from: from?,
        to,
    })
}

/// A name or an address of a machine, without a scheme and a port.
fn host(at: ValueAt<'_>) -> Option<String> {
    let found = word(at)?;
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || ".-:".contains(letter);
    match found.chars().all(is_allowed) {
        true => Some(found),
        false => at.not(
            "the name of a mail server",
            "write its name alone, e.g. \"mail.example.com\", and its port as `port`",
        ),
    }
}

fn tls(at: ValueAt<'_>) -> Option<MailTls> {
    one_of("a way to encrypt mail", &TLS, at)
}

fn sender(at: ValueAt<'_>) -> Option<MailAddress> {
    let found = text(at)?;
    MailAddress::parse(&found).or_else(|| {
        at.not(
            "a plain mail address",
            "write e.g. \"mainstay@example.com\"",
        )
    })
}

fn recipients(at: ValueAt<'_>) -> Option<Recipients> {
    let found = text(at)?;
    Recipients::parse(&found).or_else(|| {
        at.not(
            "a mail address, or everybody of a domain",
            "write e.g. \"oncall@example.com\" or \"*@example.com\"",
        )
    })
}

fn timeout(at: ValueAt<'_>) -> Option<Duration> {
    let found = positive_duration(at)?;
    match found <= LONGEST_TIMEOUT {
        true => Some(found),
        false => at.not("a time of at most 5m", "write e.g. timeout = \"30s\""),
    }
}
