//! The manifest of a backup: what it is, what it depends on, and how its stored bytes are to be recognised.
//!
//! Invariant: a manifest exists only beside an archive that was read back and found right; it is the commit point.
//! Invariant: it is written once and never changed; whatever changes later is in the catalog.
//!
//! Its bytes are canonical: JSON with the members of every object sorted and no white space, as `jq -cS` prints it and
//! RFC 8785 defines it for integers and strings, then one line feed. One more member, `checksum`, is the BLAKE3 of that
//! JSON without it. `signature`, from format 2 on, is that of a host's key over the same JSON without both. A difference holds the
//! hash of its parent's manifest, so a chain cannot be mended with a link from elsewhere.

use super::{ContentHash, FORMAT};
use crate::{
    backup::{BackupRecord, BackupStatus, BackupType},
    backup_origin::BackupOrigin,
    encryption::Encryption,
    id::BackupId,
    name::JobName,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

const CHECKSUM: &str = "checksum";

/// What stands before the JSON where it is signed, so that the key signs nothing that means something elsewhere.
const SIGNED: &str = "mainstay backup manifest\n";

/// What is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is not one.
    #[error("the manifest is not readable: {0}")]
    Malformed(String),
    /// The format is newer than this host.
    #[error(
        "the manifest has format {0} and this mainstay reads up to {FORMAT}; read it with the version that wrote it or a newer one"
    )]
    Newer(u32),
    /// Its bytes were changed, be it only the white space.
    #[error("the manifest is not what its checksum says; it was changed after it was written")]
    Changed,
}

/// The parent of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentLink {
    /// The backup.
    pub id: BackupId,
    /// BLAKE3 of the bytes of its manifest.
    pub manifest_hash: ContentHash,
}

/// How the archive's lines are compressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Compression {
    /// RFC 8878.
    Zstd {
        /// 1 to 19.
        level: i32,
    },
}

/// Who stands for a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestSignature {
    /// The host's public key: Ed25519, 64 hexadecimal digits.
    pub key: String,
    /// Over [`Manifest::signed_bytes`]: 128 hexadecimal digits.
    pub value: String,
}

/// Where documents came from, for people and for a restore on another host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SourceNote {
    /// A directory.
    Directory {
        /// Its path.
        path: String,
        /// What stands before its keys.
        prefix: String,
    },
    /// One document: a program's output, a file, an SQLite database, what a server answered, or what a Redis holds; or those of a plugin. Arguments may hold secrets, so they are not here.
    Command {
        /// The program, the path of the file or the database, the URL, the address of the Redis, or the plugin.
        program: String,
        /// The document's key, or the plugin's prefix.
        key: String,
    },
}

impl fmt::Display for SourceNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { path, prefix } if prefix.is_empty() => f.write_str(path),
            Self::Directory { path, prefix } => write!(f, "{path} as {prefix}"),
            Self::Command { program, key } => write!(f, "{program} as {key}"),
        }
    }
}

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's version, from 1 to [`FORMAT`].
    pub format: u32,
    /// The backup.
    pub id: BackupId,
    /// Its job.
    pub job: JobName,
    /// What it is.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// The backup that it is the difference to.
    pub parent: Option<ParentLink>,
    /// The full backup that its chain starts from; itself where it stands alone.
    pub base: BackupId,
    /// When its sources were read.
    pub created_at: Timestamp,
    /// When its stored bytes were found right.
    pub verified_at: Timestamp,
    /// How long it took to read, store and verify it, in milliseconds.
    pub elapsed_ms: u64,
    /// Root hash of the whole state that restoring it gives.
    pub root_hash: ContentHash,
    /// Documents in this archive.
    pub documents: u64,
    /// How many documents it says are gone.
    pub tombstones: u64,
    /// Bytes of the content in this archive.
    pub size_bytes: u64,
    /// Bytes stored.
    pub stored_bytes: u64,
    /// BLAKE3 of the stored bytes.
    pub stored_hash: ContentHash,
    /// Where the archive really is.
    pub tier: String,
    /// How it is compressed.
    pub compression: Compression,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// Where its documents came from.
    pub sources: Vec<SourceNote>,
    /// Whether something that was there is not in it as it was; written only where it is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// Whether only its stored bytes were compared with what was written, for nothing there opened it; written only where it is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stored_only: bool,
    /// Whether it holds a selection alone of what its sources hold; written only where it is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub selection: bool,
    /// Who stands for it; absent in format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<ManifestSignature>,
}

impl Manifest {
    /// The bytes that are stored.
    ///
    /// # Errors
    /// [`ManifestError::Malformed`] where it cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        let mut value = serde_json::to_value(self)
            .map_err(|error| ManifestError::Malformed(error.to_string()))?;
        let checksum = ContentHash::of(canonical(&value).as_bytes());
        if let Value::Object(members) = &mut value {
            members.insert(CHECKSUM.to_owned(), Value::from(checksum.to_string()));
        }
        let mut bytes = canonical(&value).into_bytes();
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// What a host's key signs: all of it but the signature.
    ///
    /// # Errors
    /// As of [`Self::to_bytes`].
    pub fn signed_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        let unsigned = Self {
            signature: None,
            ..self.clone()
        };
        let value = serde_json::to_value(&unsigned)
            .map_err(|error| ManifestError::Malformed(error.to_string()))?;
        Ok(format!("{SIGNED}{}", canonical(&value)).into_bytes())
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`ManifestError::Malformed`] where it is no manifest, [`ManifestError::Newer`] of a later format,
    /// [`ManifestError::Changed`] where it is not, byte for byte, what [`Self::to_bytes`] gives.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let malformed = |error: serde_json::Error| ManifestError::Malformed(error.to_string());
        let versioned: Versioned = serde_json::from_slice(bytes).map_err(malformed)?;
        if versioned.format > FORMAT {
            return Err(ManifestError::Newer(versioned.format));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        if manifest.to_bytes()? != bytes {
            return Err(ManifestError::Changed);
        }
        Ok(manifest)
    }

    /// BLAKE3 of the bytes that are stored; what a child's [`ParentLink`] holds.
    ///
    /// # Errors
    /// As of [`Self::to_bytes`].
    pub fn hash(&self) -> Result<ContentHash, ManifestError> {
        Ok(ContentHash::of(&self.to_bytes()?))
    }

    /// How the backup was taken.
    pub fn origin(&self) -> BackupOrigin {
        BackupOrigin {
            elapsed_ms: self.elapsed_ms,
            sources: self.sources.iter().map(ToString::to_string).collect(),
            recipients: match &self.encryption {
                Encryption::None => Vec::new(),
                Encryption::Age { recipients } => recipients.clone(),
            },
            signed_by: self.signature.as_ref().map(|it| it.key.clone()),
        }
    }

    /// The catalog's record of it, verified.
    pub fn to_record(&self) -> BackupRecord {
        BackupRecord {
            status: BackupStatus::Verified,
            tier: self.tier.clone(),
            parent: self.parent.as_ref().map(|parent| parent.id.clone()),
            base: self.base.clone(),
            documents: self.documents,
            tombstones: self.tombstones,
            size_bytes: self.size_bytes,
            stored_bytes: self.stored_bytes,
            root_hash: self.root_hash.to_string(),
            verified_at: Some(self.verified_at),
            incomplete: self.incomplete,
            stored_only: self.stored_only,
            selection: self.selection,
            origin: Some(self.origin()),
            ..BackupRecord::begun(
                self.id.clone(),
                self.job.clone(),
                self.backup_type,
                self.created_at,
            )
        }
    }
}

/// JSON with sorted members and no white space.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            let members: Vec<String> = sorted
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(canonical).collect();
            format!("[{}]", elements.join(","))
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            id: BackupId::parse("add-01K0000000000000000000000B").unwrap(),
            job: JobName::parse("state").unwrap(),
            backup_type: BackupType::Incremental,
            parent: Some(ParentLink {
                id: BackupId::parse("ful-01K0000000000000000000000A").unwrap(),
                manifest_hash: ContentHash::of(b"parent"),
            }),
            base: BackupId::parse("ful-01K0000000000000000000000A").unwrap(),
            created_at: Timestamp::from_millis(1),
            verified_at: Timestamp::from_millis(2),
            elapsed_ms: 1,
            root_hash: ContentHash::of(b"root"),
            documents: 1,
            tombstones: 2,
            size_bytes: 3,
            stored_bytes: 4,
            stored_hash: ContentHash::of(b"stored"),
            tier: "local".to_owned(),
            compression: Compression::Zstd { level: 3 },
            encryption: Encryption::None,
            sources: vec![SourceNote::Directory {
                path: "/data ä\"".to_owned(),
                prefix: String::new(),
            }],
            incomplete: false,
            stored_only: false,
            selection: false,
            signature: None,
        }
    }

    #[test]
    fn a_manifest_is_canonical_and_reads_back() {
        let bytes = manifest().to_bytes().unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(
            text.starts_with(r#"{"base":"ful-01K0000000000000000000000A","checksum":"#),
            "{text}"
        );
        assert!(
            text.contains(r#""encryption":{"kind":"none"}"#) && text.ends_with("}\n"),
            "{text}"
        );
        assert_eq!(Manifest::from_bytes(&bytes), Ok(manifest()));
        assert!(!text.contains("incomplete"), "{text}");
        let incomplete = Manifest {
            incomplete: true,
            ..manifest()
        };
        let bytes = incomplete.to_bytes().unwrap();
        assert_eq!(Manifest::from_bytes(&bytes), Ok(incomplete.clone()));
        assert!(incomplete.to_record().incomplete && !manifest().to_record().incomplete);
        let selection = Manifest {
            selection: true,
            ..manifest()
        };
        assert!(!text.contains("selection"), "{text}");
        let bytes = selection.to_bytes().unwrap();
        assert_eq!(Manifest::from_bytes(&bytes), Ok(selection.clone()));
        assert!(selection.to_record().selection && manifest().to_record().is_whole());
    }

    #[test]
    fn a_signature_is_over_everything_but_itself() {
        let signed = Manifest {
            encryption: Encryption::Age {
                recipients: vec!["age1a".to_owned()],
            },
            signature: Some(ManifestSignature {
                key: "ab".to_owned(),
                value: "cd".to_owned(),
            }),
            ..manifest()
        };
        let bytes = signed.to_bytes().unwrap();
        assert_eq!(Manifest::from_bytes(&bytes), Ok(signed.clone()));
        let unsigned = Manifest {
            signature: None,
            ..signed.clone()
        };
        assert_eq!(signed.signed_bytes(), unsigned.signed_bytes());
        let text = String::from_utf8(signed.signed_bytes().unwrap()).unwrap();
        assert!(
            text.starts_with("mainstay backup manifest\n{\"base\":") && !text.contains("checksum"),
            "{text}"
        );
        let other = Manifest {
            stored_bytes: 5,
            ..signed.clone()
        };
        assert_ne!(signed.signed_bytes(), other.signed_bytes());
    }

    #[test]
    fn a_record_says_what_was_read_for_whom_and_who_stands_for_it() {
        let plain = manifest().origin();
        assert_eq!(plain.sources, ["/data ä\""]);
        assert_eq!((plain.elapsed_ms, plain.recipients.len()), (1, 0));
        let sealed = Manifest {
            encryption: Encryption::Age {
                recipients: vec!["age1a".to_owned()],
            },
            sources: vec![
                SourceNote::Directory {
                    path: "/data".to_owned(),
                    prefix: "conf".to_owned(),
                },
                SourceNote::Command {
                    program: "pg_dump".to_owned(),
                    key: "dump.sql".to_owned(),
                },
            ],
            signature: Some(ManifestSignature {
                key: "ab".to_owned(),
                value: "cd".to_owned(),
            }),
            ..manifest()
        };
        let origin = sealed.to_record().origin.unwrap();
        assert_eq!(origin.sources, ["/data as conf", "pg_dump as dump.sql"]);
        assert_eq!(origin.recipients, ["age1a"]);
        assert_eq!(origin.signed_by.as_deref(), Some("ab"));
    }

    #[test]
    fn a_changed_or_newer_manifest_is_refused() {
        let text = String::from_utf8(manifest().to_bytes().unwrap()).unwrap();
        assert_eq!(
            Manifest::from_bytes(text.replace(',', ", ").as_bytes()),
            Err(ManifestError::Changed)
        );
        assert_eq!(
            Manifest::from_bytes(text.replace("\"format\":2", "\"format\":3").as_bytes()),
            Err(ManifestError::Newer(3))
        );
        let extra = text.replace("\"tier\"", "\"held\":true,\"tier\"");
        assert_eq!(
            Manifest::from_bytes(extra.as_bytes()),
            Err(ManifestError::Changed)
        );
        assert!(matches!(
            Manifest::from_bytes(b"{}"),
            Err(ManifestError::Malformed(_))
        ));
    }
}
