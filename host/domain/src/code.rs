//! The codes of the errors that need more than a line. Each has a page, `docs/errors/CODE.md`, which `mainstay explain
//! CODE` prints.
//!
//! Invariant: a code means one thing for ever; a new error takes a new number.
//! Invariant: a text carries its code at its end, as ` [MS-0101]`, and only one: that of its innermost cause.

use std::fmt;

/// An error with a page. The first two digits are its area: 01 the journal and its directory, 02 the config, 03 plugins,
/// 04 recovery and targets, 05 backups, 06 the toolchain of plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The journal's file is damaged.
    JournalDamaged,
    /// The journal was written by a newer version.
    JournalNewer,
    /// Everybody may write to the state directory.
    StateDirOpen,
    /// Another daemon uses the state directory.
    StateDirInUse,
    /// The disk of the journal is full or fails.
    DiskFull,
    /// A changed config was refused while the daemon runs.
    ConfigRefused,
    /// A secret cannot be used.
    SecretUnusable,
    /// A plugin does not fit the contract of this host.
    ContractMismatch,
    /// A plugin asked for something that it has no grant for.
    NotGranted,
    /// A plugin failed too often and rests.
    Quarantined,
    /// No plugin serves that has the name and version that is asked for.
    NotServing,
    /// An operation waits for a person's decision.
    AwaitsOperator,
    /// The process of a target cannot be started.
    NotStarted,
    /// The charter is not what the config is pinned to.
    CharterBroken,
    /// A restore in place was refused.
    RestoreRefused,
    /// A backup, or one that it needs, is damaged or missing.
    BackupUnusable,
    /// There is no compiler for plugins.
    NoToolchain,
}

/// Not a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no error code `{0}`; a code looks like MS-0101, and `mainstay explain` lists them"
)]
pub struct UnknownCode(String);

impl ErrorCode {
    /// Every code, in rising order.
    pub const ALL: [ErrorCode; 17] = [
        ErrorCode::JournalDamaged,
        ErrorCode::JournalNewer,
        ErrorCode::StateDirOpen,
        ErrorCode::StateDirInUse,
        ErrorCode::DiskFull,
        ErrorCode::ConfigRefused,
        ErrorCode::SecretUnusable,
        ErrorCode::ContractMismatch,
        ErrorCode::NotGranted,
        ErrorCode::Quarantined,
        ErrorCode::NotServing,
        ErrorCode::AwaitsOperator,
        ErrorCode::NotStarted,
        ErrorCode::CharterBroken,
        ErrorCode::RestoreRefused,
        ErrorCode::BackupUnusable,
        ErrorCode::NoToolchain,
    ];

    /// As it is printed, e.g. `MS-0101`.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::JournalDamaged => "MS-0101",
            ErrorCode::JournalNewer => "MS-0102",
            ErrorCode::StateDirOpen => "MS-0103",
            ErrorCode::StateDirInUse => "MS-0104",
            ErrorCode::DiskFull => "MS-0105",
            ErrorCode::ConfigRefused => "MS-0201",
            ErrorCode::SecretUnusable => "MS-0202",
            ErrorCode::ContractMismatch => "MS-0301",
            ErrorCode::NotGranted => "MS-0302",
            ErrorCode::Quarantined => "MS-0303",
            ErrorCode::NotServing => "MS-0304",
            ErrorCode::AwaitsOperator => "MS-0401",
            ErrorCode::NotStarted => "MS-0402",
            ErrorCode::CharterBroken => "MS-0405",
            ErrorCode::RestoreRefused => "MS-0501",
            ErrorCode::BackupUnusable => "MS-0502",
            ErrorCode::NoToolchain => "MS-0601",
        }
    }

    /// Reads a code, in letters of either case, or its number alone: `MS-0105`, `ms0105`, `105`.
    ///
    /// # Errors
    /// There is no such code.
    pub fn parse(text: &str) -> Result<Self, UnknownCode> {
        let upper = text.to_ascii_uppercase();
        let behind = upper.strip_prefix("MS").unwrap_or(&upper);
        let digits = behind.strip_prefix('-').unwrap_or(behind);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.trim_start_matches('0');
        let is_it = |code: &Self| {
            let digits = code.as_str().trim_start_matches("MS-");
            is_number && digits.trim_start_matches('0') == number
        };
        let found = Self::ALL.into_iter().find(is_it);
        found.ok_or_else(|| UnknownCode(text.to_owned()))
    }

    /// The text with this code at its end; one that ends with a code already stays as it is.
    ///
    /// ```
    /// use mainstay_domain::code::ErrorCode;
    /// let cause = ErrorCode::SecretUnusable.mark("secret `pager`: it is empty");
    /// assert_eq!(cause, "secret `pager`: it is empty [MS-0202]");
    /// assert_eq!(ErrorCode::ConfigRefused.mark(format!("refused: {cause}")), format!("refused: {cause}"));
    /// ```
    pub fn mark(self, text: impl Into<String>) -> String {
        let text = text.into();
        match Self::ALL.iter().any(|code| code.is_of(&text)) {
            true => text,
            false => format!("{text} [{self}]"),
        }
    }

    /// Whether a text was marked with this code, and with no other before.
    ///
    /// ```
    /// use mainstay_domain::code::ErrorCode;
    /// let why = ErrorCode::RestoreRefused.mark("/srv/data is immutable");
    /// assert!(ErrorCode::RestoreRefused.is_of(&why) && !ErrorCode::DiskFull.is_of(&why));
    /// ```
    pub fn is_of(self, text: &str) -> bool {
        text.ends_with(&format!("[{self}]"))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_and_are_read_as_they_are_printed() {
        assert!(ErrorCode::ALL.is_sorted_by(|one, next| one.as_str() < next.as_str()));
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::parse(code.as_str()), Ok(code));
            assert_eq!(ErrorCode::parse(&code.as_str().to_lowercase()), Ok(code));
        }
        for text in ["MS-0105", "MS-105", "ms0105", "0105", "105"] {
            assert_eq!(ErrorCode::parse(text), Ok(ErrorCode::DiskFull), "{text}");
        }
        for text in ["", "MS-", "0", "1050", "+105", "105x", "MS-MS-0105"] {
            assert!(ErrorCode::parse(text).is_err(), "{text}");
        }
        let error = ErrorCode::parse("MS-9999").unwrap_err().to_string();
        assert!(error.contains("`MS-9999`"), "{error}");
    }

    #[test]
    fn a_text_is_marked_once_with_the_code_of_its_innermost_cause() {
        let inner = ErrorCode::SecretUnusable.mark("no value");
        assert_eq!(inner, "no value [MS-0202]");
        let outer = ErrorCode::ConfigRefused.mark(format!("refused: {inner}"));
        assert_eq!(outer, "refused: no value [MS-0202]");
        let cut = ErrorCode::ConfigRefused.mark(format!("{inner}; and more"));
        assert_eq!(cut, "no value [MS-0202]; and more [MS-0201]");
    }
}
