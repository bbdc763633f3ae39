//! `encryption`, `identity` and `index` of a job: who can read what it stores.
//!
//! Invariant: nothing is stored in plain that nobody wrote to be.

use super::super::super::{
    document::Value,
    reader::{Fields, ValueAt},
    values::{boolean, path, text},
};
use mainstay_backup::age_keys::read_recipient;
use mainstay_domain::{archive::Encryption, spec::SealingSpec};
use std::path::PathBuf;

const HELP: &str = "write encryption = { recipients = [\"age1…\"] }, with what `mainstay backup keygen` or age-keygen gives, or \
                    encryption = \"none\" where backups are meant to be stored in plain";

/// None where the job does not say how its backups are encrypted.
pub(super) fn sealing(fields: &mut Fields<'_>) -> Option<SealingSpec> {
    let example = "encryption = { recipients = [\"age1…\"] }, or encryption = \"none\"";
    let encryption = fields.required("encryption", example, encryption);
    let identity = fields.optional("identity", |at| {
        at.fields("the identity", |fields| {
            fields.required("file", "file = \"keys/drill.txt\"", path)
        })
    });
    let index = fields.or("index", true, boolean);
    let (encryption, recipients_file) = encryption?;
    Some(SealingSpec {
        encryption,
        recipients_file,
        identity,
        index,
    })
}

fn encryption(at: ValueAt<'_>) -> Option<(Encryption, Option<PathBuf>)> {
    match &at.node.value {
        Value::Text(word) if word == "none" => Some((Encryption::None, None)),
        Value::Table(_) => at.fields("the encryption", recipients),
        _ => at.not("an encryption", HELP),
    }
}

/// Those that are written here, each once, and the file of others.
fn recipients(fields: &mut Fields<'_>) -> Option<(Encryption, Option<PathBuf>)> {
    let written = fields.get("recipients");
    let names_none =
        written.is_none_or(|at| matches!(&at.node.value, Value::Array(items) if items.is_empty()));
    let file = fields.get("recipients_file");
    if names_none && file.is_none() {
        fields.needs("the encryption names no recipient", HELP);
    }
    let found = fields.list("recipients", "recipients = [\"age1…\"]", |at| {
        read_recipient(&text(at)?).map_or_else(
            |why| at.refuse(format!("`recipients` holds what is none: {why}"), HELP),
            Some,
        )
    });
    let mut recipients: Vec<String> = Vec::new();
    for recipient in found {
        if !recipients.contains(&recipient) {
            recipients.push(recipient);
        }
    }
    Some((Encryption::Age { recipients }, file.and_then(path)))
}
