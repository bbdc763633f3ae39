//! A new key of backups: an identity, which opens them, and its recipient, which they are encrypted to. No daemon is asked.

use super::{done, failure::Ending, output::Output};
use anyhow::anyhow;
use mainstay_daemon::app::{new_identity, write_new_identity};
use serde::Serialize;
use std::path::Path;

/// What `--json` prints.
#[derive(Serialize)]
struct NewKey<'a> {
    recipient: &'a str,
    /// Where the identity is; or it is `identity` itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a str>,
}

/// Writes the identity to a file, never over another, and prints the recipient; without a file prints both.
pub(super) fn keygen(out: &Output, file: Option<&Path>) -> anyhow::Result<Ending> {
    let Some(file) = file else {
        let (text, recipient) = new_identity();
        let text = text.trim_end();
        let key = NewKey {
            recipient: &recipient,
            file: None,
            identity: text.lines().last(),
        };
        return done(match out.json {
            true => out.json_line(&key),
            false => out.verbatim(text),
        });
    };
    let recipient = write_new_identity(file).map_err(|why| anyhow!(why))?;
    let key = NewKey {
        recipient: &recipient,
        file: Some(file),
        identity: None,
    };
    done(match out.json {
        true => out.json_line(&key),
        false => out.verbatim(&recipient),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_printed_or_written_and_its_recipient_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key.txt");
        let out = Output::in_memory(false, false);
        keygen(&out, Some(&file)).unwrap();
        let written = std::fs::read_to_string(&file).unwrap();
        let recipient = out.written();
        assert!(recipient.starts_with("age1"), "{recipient}");
        assert!(written.contains(recipient.trim_end()), "{recipient}");
        let error = keygen(&out, Some(&file)).err().unwrap().to_string();
        assert!(error.contains("never written over"), "{error}");
        let out = Output::in_memory(true, false);
        keygen(&out, None).unwrap();
        let key: serde_json::Value = serde_json::from_str(&out.written()).unwrap();
        assert!(
            key["identity"]
                .as_str()
                .unwrap()
                .starts_with("AGE-SECRET-KEY-1")
        );
    }
}
