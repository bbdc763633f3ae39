//! The names that operators and plugins give to things.
//!
//! Invariant: a name is kebab-case (`[a-z0-9]+(-[a-z0-9]+)*`) and at most 64 characters, so that it can stand in a
//! file name, a metric label, a URL and a command line without quoting.
//! Invariant: clones of a name share one text, so that a name costs the same wherever it is kept.

use crate::text::excerpt;
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;

/// The longest name, in characters.
pub const MAX_NAME: usize = 64;

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not a {what}: {why}; allowed are a-z, 0-9 and single dashes between them, at most {MAX_NAME} characters"
)]
pub struct InvalidName {
    /// What kind of name was wanted, for people.
    pub what: &'static str,
    /// What was given, cut to a printable length, with what would disguise it made visible.
    pub found: String,
    /// Which rule it breaks.
    pub why: &'static str,
}

fn kebab_case(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > MAX_NAME {
        return Err("it is too long");
    }
    if text.starts_with('-') || text.ends_with('-') || text.contains("--") {
        return Err("a dash must stand between two letters or digits");
    }
    if text
        .bytes()
        .any(|b| !matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    {
        return Err("it has a character that is not allowed");
    }
    Ok(())
}

macro_rules! kebab_name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a text; the error says which rule it breaks and what is allowed.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                match kebab_case(text) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(why) => Err(InvalidName { what: $what, found: excerpt(text), why }),
                }
            }

            /// The name as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.as_str().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

kebab_name!(
    /// The name of a managed target.
    TargetName, "target name"
);
kebab_name!(
    /// The name of a check, unique within its target.
    CheckName, "check name"
);
kebab_name!(
    /// What went wrong with a target, e.g. `redis-down`. The well-known ones are in [`crate::failure`].
    FailureType, "failure type"
);
kebab_name!(
    /// The name that a plugin gives itself, the same in every version.
    PluginName, "plugin name"
);
kebab_name!(
    /// The name of a backup job.
    JobName, "job name"
);
kebab_name!(
    /// What people call a checkpoint of a job.
    CheckpointName, "name of a checkpoint"
);
kebab_name!(
    /// The name of a group of targets that share a budget.
    GroupName, "group name"
);
kebab_name!(
    /// The name of a signal to the handler of an operation.
    SignalName, "name of a signal"
);
kebab_name!(
    /// The name of a command that the operator lets plugins run.
    CommandName, "command name"
);
kebab_name!(
    /// The name of an account of a mail server.
    MailAccountName, "name of a mail account"
);
kebab_name!(
    /// The name of a secret; `${secret:NAME}` stands for its value.
    SecretName, "secret name"
);

kebab_name!(
    /// The name of a preset of breakers.
    BreakerName, "breaker name"
);
kebab_name!(
    /// The name of a place where backups are stored.
    TierName, "name of a tier"
);

impl TierName {
    /// The tier in the state directory, which is always there.
    pub fn local() -> Self {
        Self("local".into())
    }

    /// Whether it is the one in the state directory.
    pub fn is_local(&self) -> bool {
        self.as_str() == "local"
    }
}

impl CheckName {
    /// The name under which a supervised child's exit is shown, which no operator has to configure.
    pub fn process() -> Self {
        Self("process".into())
    }
}

impl FailureType {
    /// One that the program itself names; a test holds each to the rules.
    pub(crate) fn known(name: &'static str) -> Self {
        Self(name.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kebab_case_is_a_name() {
        for good in ["a", "redis", "redis-down", "web-1", "1-2", &"x".repeat(64)] {
            assert!(TargetName::parse(good).is_ok(), "{good} should be a name");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "a--b",
            "A",
            "a_b",
            "a b",
            "ä",
            "a/b",
            &"x".repeat(65),
        ] {
            assert!(TargetName::parse(bad).is_err(), "{bad} should be refused");
        }
    }

    #[test]
    fn the_error_says_what_was_found_and_what_is_allowed() {
        let error = FailureType::parse("Redis Down").unwrap_err().to_string();
        assert!(
            error.contains("`Redis Down` is not a failure type"),
            "{error}"
        );
        assert!(error.contains("a-z, 0-9"), "{error}");
    }
}
