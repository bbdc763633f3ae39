//! Keys of age as people keep them: recipients that a backup is encrypted to, and identities in files that open it.
//!
//! A file of recipients or identities has one on each line; empty lines and those that begin with `#` say nothing, as in the
//! files that `age-keygen` writes. Recipients are public. An identity is read only from a file that its owner alone can read.
//!
//! Invariant: no text of an error holds anything of an identity.

use age::{secrecy::ExposeSecret, x25519};
use rustix::{
    fs::{Mode, OFlags},
    process::geteuid,
};
use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
};

/// The longest file of keys that is read.
const MAX_KEYS: u64 = 1 << 20;

/// So many identities can be given at once.
const MOST_GIVEN: usize = 64;

/// Identities that somebody gives for one piece of work. They are written nowhere, and shown by nothing.
#[derive(Clone)]
pub struct GivenIdentities(Arc<[x25519::Identity]>);

impl fmt::Debug for GivenIdentities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenIdentities")
    }
}

impl GivenIdentities {
    /// Reads what [`read_identity_file`] made of a file; the error is for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let texts: Vec<&str> = text.split(',').collect();
        if texts.len() > MOST_GIVEN {
            return Err(format!("at most {MOST_GIVEN} identities are taken"));
        }
        let identities: Result<Vec<x25519::Identity>, String> = texts
            .into_iter()
            .map(|text| {
                let parsed: Result<x25519::Identity, _> = text.trim().parse();
                // The error could show it.
                parsed.map_err(|_| {
                    "it is no X25519 identity of age, AGE-SECRET-KEY-1…, or several with commas between them".to_owned()
                })
            })
            .collect();
        Ok(Self(identities?.into()))
    }

    /// All of them, where one is that of one of these recipients.
    pub(crate) fn opening(&self, recipients: &[String]) -> Option<Vec<x25519::Identity>> {
        is_among(&self.0, recipients).then(|| self.0.to_vec())
    }
}

/// Whether an identity is that of one of these recipients.
pub(crate) fn is_among(identities: &[x25519::Identity], recipients: &[String]) -> bool {
    let opens =
        |identity: &x25519::Identity| recipients.contains(&identity.to_public().to_string());
    identities.iter().any(opens)
}

/// The identities of a file, as [`GivenIdentities::parse`] reads them, which is secret. The file has to belong to the user of
/// this process, and to be closed to everybody else; the error is for people.
pub fn read_identity_file(path: &Path) -> Result<String, String> {
    let identities = read_identities(path)?;
    if identities.len() > MOST_GIVEN {
        return Err(format!(
            "{} holds {} identities, and at most {MOST_GIVEN} are taken; name a file of those that are needed",
            path.display(),
            identities.len()
        ));
    }
    let texts = identities.iter().map(|identity| {
        let secret = identity.to_string();
        secret.expose_secret().to_owned()
    });
    Ok(texts.collect::<Vec<String>>().join(","))
}

/// Reads a recipient, as `age1…`; the error says what it is not, for people.
pub fn read_recipient(text: &str) -> Result<String, String> {
    let recipient: Result<x25519::Recipient, _> = text.parse();
    match recipient {
        Ok(recipient) => Ok(recipient.to_string()),
        Err(_) if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") => Err(
            "it is an identity, which is secret; its recipient is the line `# public key: age1…` of its file".to_owned(),
        ),
        Err(why) => Err(format!("it is no X25519 recipient of age: {why}")),
    }
}

/// Reads a file of recipients, in their order, each once. The error names the line, for people.
pub(crate) fn read_recipients(path: &Path) -> Result<Vec<String>, String> {
    let text = contents(open(path)?, path)?;
    let mut found = Vec::new();
    for (number, line) in lines(&text) {
        let recipient = read_recipient(line)
            .map_err(|why| format!("{}, line {number}: {why}", path.display()))?;
        if !found.contains(&recipient) {
            found.push(recipient);
        }
    }
    match found.is_empty() {
        true => Err(format!("{} names no recipient", path.display())),
        false => Ok(found),
    }
}

/// Reads a file of identities. It has to belong to the user of this process, and to be closed to everybody else.
pub(crate) fn read_identities(path: &Path) -> Result<Vec<x25519::Identity>, String> {
    let shown = path.display();
    let file = open(path)?;
    let metadata = file
        .metadata()
        .map_err(|error| format!("cannot read {shown}: {error}"))?;
    let user = geteuid().as_raw();
    if metadata.uid() != user {
        return Err(format!(
            "{shown} belongs to user {}, and an identity is read only from a file of the own user, {user}; chown it",
            metadata.uid()
        ));
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{shown} has mode {mode:04o}, and an identity is read only where others cannot; chmod 600 it"
        ));
    }
    let text = contents(file, path)?;
    if text.starts_with("age-encryption.org/") || text.starts_with("-----BEGIN AGE") {
        return Err(format!(
            "{shown} is encrypted with a passphrase, which a daemon cannot be asked for; write what `age -d` makes of it"
        ));
    }
    let mut found = Vec::new();
    for (number, line) in lines(&text) {
        let identity: x25519::Identity = line.parse().map_err(|_| {
            format!("{shown}, line {number}: it is no X25519 identity of age, AGE-SECRET-KEY-1…")
        })?;
        found.push(identity);
    }
    match found.is_empty() {
        true => Err(format!("{shown} holds no identity")),
        false => Ok(found),
    }
}

/// A new identity and its recipient: what its file holds, as `age-keygen` writes it, and the recipient alone.
pub fn generate() -> (String, String) {
    let identity = x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let secret = identity.to_string();
    let text = format!("# public key: {recipient}\n{}\n", secret.expose_secret());
    (text, recipient)
}

/// Writes a new identity to a file that must not exist, which its owner alone can read, and gives its recipient. The error
/// is for people.
pub fn write_new_identity(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => format!(
            "{shown} exists, and a key is never written over: what it alone opens would be lost; name another file"
        ),
        _ => format!("cannot make {shown}: {error}"),
    })?;
    let (text, recipient) = generate();
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(|error| format!("cannot write {shown}: {error}; remove it and try again"))?;
    Ok(recipient)
}

/// Opens a file of keys; what is no regular file is neither waited for nor read without end.
fn open(path: &Path) -> Result<File, String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty())
        .map(File::from)
        .map_err(io::Error::from);
    let regular = opened.and_then(|file| match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    });
    regular.map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn contents(file: File, path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = file.take(MAX_KEYS + 1).read_to_string(&mut text);
    read.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    match text.len() as u64 > MAX_KEYS {
        true => Err(format!("{} is too long for a file of keys", path.display())),
        false => Ok(text),
    }
}

/// The lines that say something, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines().map(str::trim));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_new_identity_is_its_owners_alone_and_never_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.txt");
        let recipient = write_new_identity(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let identities = read_identities(&path).unwrap();
        assert_eq!(identities[0].to_public().to_string(), recipient);
        let before = fs::read(&path).unwrap();
        let error = write_new_identity(&path).unwrap_err();
        assert!(error.contains("never written over"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn comments_say_nothing_and_every_other_line_is_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.txt");
        let ((first, one), (second, two)) = (generate(), generate());
        fs::write(&path, format!("# ours\n\n{first}\n  {second}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_identities(&path).unwrap().len(), 2);
        fs::write(&path, format!("# ours\n{one}\n{two}\n{one}\n")).unwrap();
        assert_eq!(read_recipients(&path).unwrap(), [one.clone(), two]);
        fs::write(&path, format!("{one}\nage1nonsense\n")).unwrap();
        let error = read_recipients(&path).unwrap_err();
        assert!(error.contains("line 2"), "{error}");
        fs::write(&path, "# none\n").unwrap();
        assert!(read_recipients(&path).unwrap_err().contains("no recipient"));
    }

    #[test]
    fn an_identity_that_others_could_read_or_that_needs_a_person_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.txt");
        write_new_identity(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read_identities(&path).err().unwrap();
        assert!(error.contains("mode 0640"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "age-encryption.org/v1\n-> scrypt a 18\n").unwrap();
        let error = read_identities(&path).err().unwrap();
        assert!(error.contains("passphrase"), "{error}");
        fs::write(&path, "AGE-SECRET-KEY-1SECRETS\n").unwrap();
        let error = read_identities(&path).err().unwrap();
        assert!(
            error.contains("line 1") && !error.contains("SECRETS"),
            "{error}"
        );
        let error = read_identities(Path::new("/dev/null")).err().unwrap();
        assert!(error.contains("no regular file"), "{error}");
    }

    #[test]
    fn what_is_given_is_read_from_what_a_file_holds_and_shown_by_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.txt");
        let ((first, one), (second, two)) = (generate(), generate());
        fs::write(&path, format!("{first}{second}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = read_identity_file(&path).unwrap_err();
        assert!(error.contains("mode 0644"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let text = read_identity_file(&path).unwrap();
        let given = GivenIdentities::parse(&text).unwrap();
        for recipient in [one, two] {
            assert_eq!(given.opening(&[recipient]).map(|all| all.len()), Some(2));
        }
        let (_, other) = generate();
        assert!(given.opening(&[other]).is_none());
        assert_eq!(format!("{given:?}"), "GivenIdentities");
        for wrong in ["", "AGE-SECRET-KEY-1SECRETS", &format!("{text},")] {
            let error = GivenIdentities::parse(wrong).unwrap_err();
            assert!(!error.contains("SECRETS"), "{error}");
        }
        let many = vec![text; MOST_GIVEN].join(",");
        assert!(GivenIdentities::parse(&many).is_err());
    }

    #[test]
    fn a_secret_in_place_of_a_recipient_is_named_as_one() {
        let (text, _) = generate();
        let secret = text.lines().last().unwrap();
        let error = read_recipient(secret).unwrap_err();
        assert!(
            error.contains("secret") && !error.contains(secret),
            "{error}"
        );
    }
}
