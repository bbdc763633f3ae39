//! Addresses of mail, and patterns of them.
//!
//! Invariant: an address has no character that could end a line, or begin another address.

use std::fmt;

/// RFC 5321, 4.5.3.1, in bytes.
const LONGEST_LOCAL: usize = 64;
const LONGEST_DOMAIN: usize = 255;

/// A mail address of plain letters: `ops@example.com`.
///
/// ```
/// use mainstay_domain::mail_address::MailAddress;
/// assert!(MailAddress::parse("ops+db@mail.example.com").is_some());
/// assert!(MailAddress::parse("ops@example.com\r\nBcc: all@example.com").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAddress {
    local: String,
    /// In lower case.
    domain: String,
}

impl MailAddress {
    /// An address without a display name, quotes or comments, in ASCII; none where it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let is_atom =
            |letter: u8| letter.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&letter);
        let is_dotted = |part: &str| !part.is_empty() && part.bytes().all(is_atom);
        let is_good = local.len() <= LONGEST_LOCAL && local.split('.').all(is_dotted);
        (is_good && is_domain(domain)).then(|| Self {
            local: local.to_owned(),
            domain: domain.to_ascii_lowercase(),
        })
    }

    /// What stands behind the `@`, in lower case.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-';
        let ends = [label.bytes().next(), label.bytes().next_back()];
        label.len() < 64
            && label.bytes().all(is_inner)
            && ends.iter().all(|end| end.is_some_and(|end| end != b'-'))
    };
    text.len() <= LONGEST_DOMAIN && text.split('.').all(is_label)
}

/// Whom an account may write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// One address; what stands before its `@` is compared as it is written.
    One(MailAddress),
    /// Everybody at a domain, and at none below it.
    Domain(String),
}

impl Recipients {
    /// An address, or `*@example.com`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("*@") {
            Some(domain) => is_domain(domain).then(|| Self::Domain(domain.to_ascii_lowercase())),
            None => MailAddress::parse(text).map(Self::One),
        }
    }

    /// Whether this address is one of them.
    pub fn include(&self, address: &MailAddress) -> bool {
        match self {
            Self::One(one) => one == address,
            Self::Domain(domain) => *domain == address.domain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_and_ends_no_line() {
        for good in [
            "a@b",
            "ops@example.com",
            "first.last+tag@mail-1.example.com",
        ] {
            assert_eq!(MailAddress::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "@",
            "ops",
            "@example.com",
            "ops@",
            "a..b@example.com",
            ".a@example.com",
            "ops@example..com",
            "ops@-a.com",
            "ops@a-.com",
            "a b@example.com",
            "a@b@c",
            "<ops@example.com>",
            "ops@example.com\r\n",
            "ops\n@example.com",
            "\"ops\"@example.com",
            "ops@ex\u{e4}mple.com",
            "ops,other@example.com",
            "ops@[127.0.0.1]",
        ] {
            assert_eq!(MailAddress::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn everybody_of_a_domain_is_nobody_below_it() {
        let address = |text: &str| MailAddress::parse(text).unwrap();
        let domain = Recipients::parse("*@Example.com").unwrap();
        assert!(domain.include(&address("a@example.COM")));
        assert!(!domain.include(&address("a@sub.example.com")));
        let one = Recipients::parse("a@example.com").unwrap();
        assert!(one.include(&address("a@EXAMPLE.com")));
        assert!(!one.include(&address("A@example.com")));
        for bad in ["*", "*@", "*@*", "a*@example.com@", "*@-a"] {
            assert_eq!(Recipients::parse(bad), None, "{bad}");
        }
    }
}
