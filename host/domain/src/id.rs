//! Identifiers: a short prefix for people, then a ULID, so that they sort by creation.
//!
//! Invariant: this module draws no randomness and reads no clock; [`IdSource`] is seeded by the caller, and is
//! strictly increasing within a process even when the wall clock stands still or goes back.

use crate::{backup_type::BackupType, text::excerpt, time::Timestamp};
use serde::{Deserialize, Serialize, Serializer};
use ulid::Ulid;

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not an identifier of {what}: it looks like `{example}`")]
pub struct InvalidId {
    /// What it should identify, for people.
    pub what: &'static str,
    /// What was given.
    pub found: String,
    /// The form that is allowed.
    pub example: &'static str,
}

/// Makes new identifiers: wall-clock milliseconds, then random bits, incremented within one millisecond.
#[derive(Debug)]
pub struct IdSource {
    last: Ulid,
    state: u64,
}

impl IdSource {
    /// A source whose random bits are drawn from `seed`, which must differ for each run of the program.
    pub fn new(seed: u64) -> Self {
        Self {
            last: Ulid::from_parts(0, 0),
            state: seed,
        }
    }

    /// The next identifier, greater than all that this source gave before.
    pub fn next(&mut self, now: Timestamp) -> Ulid {
        let millis = now.as_millis();
        self.last = if millis > self.last.timestamp_ms() {
            Ulid::from_parts(
                millis,
                (u128::from(self.random()) << 64) | u128::from(self.random()),
            )
        } else {
            Ulid(self.last.0.wrapping_add(1))
        };
        self.last
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): enough to keep two hosts' identifiers apart, and not a secret.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Ulid);

        impl $name {
            /// The identifier with this ULID.
            pub fn new(ulid: Ulid) -> Self {
                Self(ulid)
            }

            /// Checks a text: the prefix, a dash, and the 26 characters of a ULID.
            ///
            /// # Errors
            /// What was found, and an example of what is allowed.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                match text.strip_prefix(concat!($prefix, "-")).map(Ulid::from_string) {
                    Some(Ok(ulid)) => Ok(Self::new(ulid)),
                    _ => Err(InvalidId { what: $what, found: excerpt(text), example: $example }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "-{}"), self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

    };
}

prefixed_id!(
    /// One durable run of a recovery chain.
    OperationId, "op", "an operation", "op-01K0000000000000000000000A"
);
prefixed_id!(
    /// One open failure of one target.
    IncidentId, "inc", "an incident", "inc-01K0000000000000000000000A"
);
prefixed_id!(
    /// One silence.
    SilenceId, "sil", "a silence", "sil-01K0000000000000000000000A"
);
prefixed_id!(
    /// One message about one event.
    AlertId, "alr", "an alert", "alr-01K0000000000000000000000A"
);

/// One stored backup: three letters by its type, then a ULID, e.g. `ful-01K…`. One that was taken under a former prefix of
/// its type keeps that: its bytes lie under it, and its children name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct BackupId(String);

impl BackupId {
    /// The identifier of a backup of this type.
    pub fn new(backup_type: BackupType, ulid: Ulid) -> Self {
        Self(format!("{}-{ulid}", backup_type.prefix()))
    }

    /// Checks a text: the prefix of a type, or one that it had, a dash, and the 26 characters of a ULID.
    ///
    /// # Errors
    /// What was found, and an example of what is allowed.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let parsed = text.split_once('-').and_then(|(prefix, ulid)| {
            let is_of = |of_type: &BackupType| {
                of_type.prefix() == prefix || of_type.former_prefix() == Some(prefix)
            };
            BackupType::ALL.iter().find(|of_type| is_of(of_type))?;
            let ulid = Ulid::from_string(ulid).ok()?;
            Some(Self(format!("{prefix}-{ulid}")))
        });
        parsed.ok_or_else(|| InvalidId {
            what: "a backup",
            found: excerpt(text),
            example: "ful-01K0000000000000000000000A (or add-, dif-, sna-, eme-)",
        })
    }

    /// The identifier as it is printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is of, and when that was begun.
    ///
    /// ```
    /// use mainstay_domain::{backup::BackupType, id::BackupId, time::Timestamp};
    /// let id = BackupId::parse("dif-01K0000000000000000000000A").unwrap();
    /// let began = Timestamp::from_millis(1_752_346_656_768);
    /// assert_eq!(id.says(), Some((BackupType::Differential, began)));
    /// ```
    pub fn says(&self) -> Option<(BackupType, Timestamp)> {
        let (_, ulid) = self.0.split_once('-')?;
        let ulid = Ulid::from_string(ulid).ok()?;
        let mut types = BackupType::ALL.into_iter();
        let backup_type = types.find(|backup_type| self.is_of(*backup_type))?;
        Some((backup_type, Timestamp::from_millis(ulid.timestamp_ms())))
    }

    /// Whether it is of a backup of this type.
    pub fn is_of(&self, backup_type: BackupType) -> bool {
        let prefix = self.0.split_once('-').map(|(prefix, _)| prefix);
        prefix.is_some_and(|prefix| {
            backup_type.prefix() == prefix || backup_type.former_prefix() == Some(prefix)
        })
    }
}

impl std::fmt::Display for BackupId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BackupId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}

impl Serialize for BackupId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_increase_even_when_the_clock_goes_back() {
        let mut ids = IdSource::new(7);
        let mut last = ids.next(Timestamp::from_millis(1_000));
        for millis in [1_000, 1_000, 999, 1, 1_001, 1_000] {
            let next = ids.next(Timestamp::from_millis(millis));
            assert!(next > last, "{next} should be after {last}");
            last = next;
        }
    }

    #[test]
    fn what_is_printed_parses_and_nothing_else_does() {
        let ulid = IdSource::new(1).next(Timestamp::from_millis(1_700_000_000_000));
        let operation = OperationId::new(ulid);
        assert_eq!(
            OperationId::parse(&operation.to_string()),
            Ok(operation.clone())
        );
        assert!(IncidentId::parse(&operation.to_string()).is_err());
        let backup = BackupId::new(BackupType::Full, ulid);
        assert!(backup.as_str().starts_with("ful-"));
        assert_eq!(BackupId::parse(backup.as_str()), Ok(backup));
        let added = BackupId::new(BackupType::Incremental, ulid);
        assert_eq!(BackupId::parse(added.as_str()), Ok(added));
        for bad in [
            "",
            "ful",
            "ful-",
            "xyz-01K0000000000000000000000A",
            "../etc",
        ] {
            assert!(BackupId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_incident_and_a_backup_that_is_taken_now_never_look_alike() {
        let ulid = IdSource::new(1).next(Timestamp::from_millis(1_700_000_000_000));
        let others = [
            OperationId::new(ulid).to_string(),
            IncidentId::new(ulid).to_string(),
            SilenceId::new(ulid).to_string(),
            AlertId::new(ulid).to_string(),
        ];
        let backups = BackupType::ALL.map(|of_type| BackupId::new(of_type, ulid).to_string());
        let all: std::collections::BTreeSet<&String> = others.iter().chain(&backups).collect();
        assert_eq!(all.len(), others.len() + backups.len(), "{all:?}");
        for backup in &backups {
            assert!(IncidentId::parse(backup).is_err(), "{backup}");
        }
    }

    #[test]
    fn a_backup_is_of_the_type_that_its_identifier_begins_with() {
        for (text, expected) in [
            ("eme-01K0000000000000000000000A", BackupType::Emergency),
            ("add-01K0000000000000000000000A", BackupType::Incremental),
            ("inc-01K0000000000000000000000A", BackupType::Incremental),
        ] {
            let id = BackupId::parse(text).unwrap();
            let of: Vec<BackupType> = BackupType::ALL
                .into_iter()
                .filter(|backup_type| id.is_of(*backup_type))
                .collect();
            assert_eq!(of, [expected], "{text}");
        }
    }

    #[test]
    fn an_incremental_backup_of_before_keeps_the_name_that_it_is_stored_under() {
        let before = "inc-01K0000000000000000000000F";
        let read = BackupId::parse(before).unwrap();
        assert_eq!(read.as_str(), before);
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            format!("\"{before}\"")
        );
    }
}
