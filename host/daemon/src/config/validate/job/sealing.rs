//! `encryption`, `identity` and `index` of a job: who can read what it stores.
//!
//! Invariant: nothing is stored in plain that nobody wrote to be.
//! Invariant: no key to what is stored lies where that is stored.

use super::super::super::{
    context::Context,
    document::Value,
    reader::{Fields, ValueAt},
    values::{boolean, path, plain, text},
};
use mainstay_backup::age_keys::read_recipient;
use mainstay_domain::{
    archive::Encryption,
    spec::{SealingSpec, Spec},
};
use std::path::PathBuf;

const HELP: &str = "write encryption = { recipients = [\"age1…\"] }, with what `mainstay backup keygen` or age-keygen gives, or \
                    encryption = \"none\" where backups are meant to be stored in plain";

/// None where the job does not say how its backups are encrypted.
pub(super) fn sealing(fields: &mut Fields<'_>) -> Option<SealingSpec> {
    let example = "encryption = { recipients = [\"age1…\"] }, or encryption = \"none\"";
    let encryption = fields.required("encryption", example, encryption);
    let identity = fields.optional("identity", |at| {
        at.fields("the identity", |fields| {
            fields.required("file", "file = \"keys/drill.txt\"", |at| {
                let path = path(at)?;
                let mut facts = at.context.facts.borrow_mut();
                facts.identities.push((path.clone(), at.node.place));
                Some(path)
            })
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

/// Identities that lie where backups do: who gets at these could read them.
pub(in super::super) fn identities(context: &Context<'_>, spec: &Spec) {
    let facts = context.facts.borrow();
    let tiers = facts.tier_paths.iter().map(|(path, _)| plain(path));
    let own = [spec.host.state_dir.join("backups"), spec.backups()];
    let stores: Vec<PathBuf> = own.iter().map(|path| plain(path)).chain(tiers).collect();
    for (path, place) in &facts.identities {
        let path = plain(path);
        if let Some(store) = stores.iter().find(|store| path.starts_with(store)) {
            context.error(
                *place,
                format!(
                    "the identity {} lies in {}, where backups are stored: who gets at them could read them",
                    path.display(),
                    store.display()
                ),
                "move it to where no backups are, e.g. file = \"keys/drill.txt\" beside the config, and keep a copy elsewhere",
            );
        }
    }
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
