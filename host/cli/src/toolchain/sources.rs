//! Which Debian mirror apt is set up with: reading `sources.list(5)`, in its one-line and its deb822 form.

/// A mirror and the key that signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mirror {
    /// As apt takes it.
    pub(super) uri: String,
    /// A path to a keyring, where the entry names one.
    pub(super) signed_by: Option<String>,
}

/// Suites of Debian's own archive; those of security updates are of another.
const SUITES: [&str; 12] = [
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "stable",
    "testing",
    "unstable",
    "oldstable",
    "oldoldstable",
];

fn is_debian_suite(suite: &str) -> bool {
    let suite = suite
        .strip_suffix("-updates")
        .or_else(|| suite.strip_suffix("-backports"))
        .unwrap_or(suite);
    SUITES.contains(&suite)
}

/// The first Debian entry of a file `*.list`.
pub(super) fn from_list(text: &str) -> Option<Mirror> {
    text.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let entry = line.strip_prefix("deb")?;
        let entry = entry.strip_prefix(char::is_whitespace)?.trim_start();
        let (options, entry) = match entry.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", entry),
        };
        let mut words = entry.split_whitespace();
        let (uri, suite) = (words.next()?, words.next()?);
        is_debian_suite(suite).then(|| Mirror {
            uri: uri.to_owned(),
            signed_by: options
                .split_whitespace()
                .find_map(|option| option.strip_prefix("signed-by="))
                .and_then(as_keyring),
        })
    })
}

/// The first Debian entry of a file `*.sources`.
pub(super) fn from_deb822(text: &str) -> Option<Mirror> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines
        .split(|line| line.trim().is_empty())
        .find_map(|stanza| {
            let field = |name: &str| {
                stanza.iter().find_map(|line| {
                    let (key, value) = line.split_once(':')?;
                    key.eq_ignore_ascii_case(name).then_some(value.trim())
                })
            };
            let has = |name: &str, wanted: fn(&str) -> bool| {
                field(name).is_some_and(|value| value.split_whitespace().any(wanted))
            };
            let is_debian = has("Types", |word| word == "deb")
                && has("Suites", is_debian_suite)
                && field("Enabled") != Some("no");
            is_debian.then_some(())?;
            Some(Mirror {
                uri: field("URIs")?.split_whitespace().next()?.to_owned(),
                signed_by: field("Signed-By").and_then(as_keyring),
            })
        })
}

/// A key may also be a fingerprint, or be written out; the default keyring holds it then.
fn as_keyring(value: &str) -> Option<String> {
    value.starts_with('/').then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(uri: &str, signed_by: Option<&str>) -> Option<Mirror> {
        Some(Mirror {
            uri: uri.to_owned(),
            signed_by: signed_by.map(str::to_owned),
        })
    }

    #[test]
    fn the_first_debian_line_of_a_list_counts() {
        for (text, expected) in [
            (
                "deb http://d.example/debian bookworm main",
                mirror("http://d.example/debian", None),
            ),
            (
                "# deb http://no/debian sid main\ndeb-src http://no/debian sid main\n\
                 deb\t[arch=amd64 signed-by=/k.gpg]  http://d.example/debian trixie-updates main # x",
                mirror("http://d.example/debian", Some("/k.gpg")),
            ),
            (
                "deb https://packages.cloud.example/apt cloud-sdk-bookworm main\n\
                 deb http://d.example/debian-security bookworm-security main\n\
                 deb http://u.example/ubuntu noble main",
                None,
            ),
            ("deb", None),
            ("deb [", None),
            ("", None),
        ] {
            assert_eq!(from_list(text), expected, "{text}");
        }
    }

    #[test]
    fn the_first_debian_stanza_of_a_sources_file_counts() {
        let security =
            "Types: deb\nURIs: http://d.example/debian-security\nSuites: bookworm-security\n";
        let disabled = "Types: deb\nURIs: http://no/debian\nSuites: sid\nEnabled: no\n";
        let debian = "types: deb deb-src\n# a comment: with a colon\nURIs: http://d.example/debian http://b\n\
                      Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n";
        let inline = "Types: deb\nURIs: http://d.example/debian\nSuites: sid\nSigned-By:\n -----BEGIN PGP\n .\n";
        let found = mirror("http://d.example/debian", Some("/k.gpg"));
        assert_eq!(from_deb822(debian), found);
        assert_eq!(
            from_deb822(&format!("{security}\n\n{disabled}\n{debian}")),
            found
        );
        assert_eq!(from_deb822(inline), mirror("http://d.example/debian", None));
        assert_eq!(from_deb822(&format!("{security}\n{disabled}")), None);
        assert_eq!(from_deb822(""), None);
    }
}
