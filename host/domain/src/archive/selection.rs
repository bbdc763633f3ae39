//! Which documents of a backup are meant: what lies under some keys, or what a pattern names.

use super::{DocumentKey, InvalidKey, State};
use std::{borrow::Borrow, collections::BTreeSet, convert::Infallible};

/// What lies at and under some keys; everything where there are none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    keys: Vec<DocumentKey>,
}

impl Selection {
    /// What lies at and under these keys.
    pub fn under(keys: Vec<DocumentKey>) -> Self {
        Self { keys }
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.keys.is_empty() || self.keys.iter().any(DocumentKey::is_root)
    }

    /// Whether a document is meant.
    pub fn holds(&self, key: &DocumentKey) -> bool {
        self.keys.is_empty() || self.keys.iter().any(|top| is_under(key, top))
    }

    /// Whether what is meant may lie under this key.
    pub fn leads_through(&self, key: &DocumentKey) -> bool {
        self.keys.iter().any(|top| is_under(top, key))
    }

    /// The first of its keys at and under which a state holds nothing.
    pub fn missing_in(&self, state: &State) -> Option<&DocumentKey> {
        let keys = state.iter().map(|(key, _)| Ok::<_, Infallible>(key));
        let Ok(missing) = self.missing_among(keys);
        missing
    }

    /// The first of its keys at and under which there is none of these, which are read one by one.
    pub fn missing_among<K: Borrow<DocumentKey>, E>(
        &self,
        keys: impl Iterator<Item = Result<K, E>>,
    ) -> Result<Option<&DocumentKey>, E> {
        let tops = self.keys.iter().filter(|top| !top.is_root());
        let mut missing: Vec<&DocumentKey> = tops.collect();
        for key in keys {
            let key = key?;
            missing.retain(|top| !is_under(key.borrow(), top));
            if missing.is_empty() {
                break;
            }
        }
        Ok(missing.into_iter().next())
    }
}

fn is_under(key: &DocumentKey, top: &DocumentKey) -> bool {
    if top.is_root() {
        return true;
    }
    let rest = key.as_str().strip_prefix(top.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl DocumentKey {
    /// The key that a person means: `./` before it and slashes after it do not count.
    ///
    /// # Errors
    /// It is none, as where it begins with a slash.
    pub fn of_person(text: &str) -> Result<Self, InvalidKey> {
        match text
            .strip_prefix("./")
            .unwrap_or(text)
            .trim_end_matches('/')
        {
            "" if text == "./" => Ok(Self::root()),
            "" => Self::parse(text),
            key => Self::parse(key),
        }
    }
}

/// Names documents: `*` stands for any part of one name, `**` for any part of a key, and `?` for one letter of a name. One
/// without a slash is held against the last name of a key, any other against the whole key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPattern {
    of_name: bool,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Letter(char),
    OneOfName,
    PartOfName,
    PartOfKey,
}

impl KeyPattern {
    /// Every text is a pattern; an empty one names nothing.
    pub fn new(text: &str) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for letter in text.chars() {
            match (letter, pieces.last()) {
                ('*', Some(Piece::PartOfName)) => {
                    pieces.pop();
                    pieces.push(Piece::PartOfKey);
                }
                ('*', Some(Piece::PartOfKey)) => {}
                ('*', _) => pieces.push(Piece::PartOfName),
                ('?', _) => pieces.push(Piece::OneOfName),
                (letter, _) => pieces.push(Piece::Letter(letter)),
            }
        }
        let of_name = !text.contains('/');
        Self { of_name, pieces }
    }

    /// Whether it names this document.
    pub fn names(&self, key: &DocumentKey) -> bool {
        let last = key.as_str().rsplit('/').next();
        match self.of_name {
            true => last.is_some_and(|name| self.fits(name)),
            false => self.fits(key.as_str()),
        }
    }

    /// Holds the pattern against a text from its first letter to its last. What is kept on the way are the places in the
    /// pattern up to which it fits, so that no pattern takes longer than its length times that of the text.
    fn fits(&self, text: &str) -> bool {
        let mut places = BTreeSet::new();
        self.reach(0, &mut places);
        for letter in text.chars() {
            let mut next = BTreeSet::new();
            for place in places {
                match self.pieces.get(place) {
                    Some(Piece::PartOfKey) => self.reach(place, &mut next),
                    Some(Piece::PartOfName) if letter != '/' => self.reach(place, &mut next),
                    Some(Piece::OneOfName) if letter != '/' => self.reach(place + 1, &mut next),
                    Some(Piece::Letter(wanted)) if *wanted == letter => {
                        self.reach(place + 1, &mut next);
                    }
                    _ => {}
                }
            }
            places = next;
        }
        places.contains(&self.pieces.len())
    }

    /// Adds a place, and those after it that are reached where a star stands for nothing.
    fn reach(&self, place: usize, places: &mut BTreeSet<usize>) {
        let stars = self.pieces.iter().skip(place);
        let is_star = |piece: &&Piece| matches!(piece, Piece::PartOfName | Piece::PartOfKey);
        let passed = stars.take_while(is_star).count();
        places.extend(place..=place + passed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{ContentHash, DocumentKind, Entry, Mode};

    fn key(text: &str) -> DocumentKey {
        DocumentKey::parse(text).unwrap()
    }

    fn state(keys: &[&str]) -> State {
        let entry = Entry {
            kind: DocumentKind::File,
            mode: Mode::from_bits(0o644),
            mtime: jiff::Timestamp::UNIX_EPOCH,
            uid: 0,
            gid: 0,
            size: 0,
            hash: ContentHash::of(b""),
            extras: None,
        };
        let entries = keys.iter().map(|text| (key(text), entry.clone()));
        entries.collect()
    }

    #[test]
    fn a_selection_holds_what_lies_at_and_under_its_keys() {
        let selection = Selection::under(vec![key("etc/web"), key("srv")]);
        for (text, holds, leads) in [
            ("etc/web", true, true),
            ("etc/web/a/b", true, false),
            ("etc/website", false, false),
            ("etc", false, true),
            (".", false, true),
            ("srv/x", true, false),
            ("var", false, false),
        ] {
            assert_eq!(selection.holds(&key(text)), holds, "{text}");
            assert_eq!(selection.leads_through(&key(text)), leads, "{text}");
        }
        assert!(!selection.is_everything());
        for all in [Selection::default(), Selection::under(vec![key(".")])] {
            assert!(all.is_everything() && all.holds(&key("a/b")) && all.holds(&key(".")));
        }
    }

    #[test]
    fn a_selection_tells_which_of_its_keys_a_state_has_nothing_of() {
        let selection = Selection::under(vec![key("etc"), key("srv/a"), key(".")]);
        let missing = |keys: &[&str]| selection.missing_in(&state(keys)).map(ToString::to_string);
        assert_eq!(missing(&["etc/x", "srv/a"]), None);
        assert_eq!(missing(&["etc/x", "srv/ab"]), Some("srv/a".to_owned()));
        assert_eq!(missing(&[]), Some("etc".to_owned()));
    }

    #[test]
    fn a_person_may_write_a_key_as_a_path() {
        for (text, expected) in [
            ("etc/web/", "etc/web"),
            ("./etc", "etc"),
            (".", "."),
            ("./", "."),
            ("caf%E9", "caf%E9"),
        ] {
            assert_eq!(DocumentKey::of_person(text), Ok(key(expected)));
        }
        for bad in ["", "/", "/etc", "../x", "a//b", "100%"] {
            assert!(DocumentKey::of_person(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_names_what_it_says() {
        for (pattern, text, names) in [
            ("*.conf", "etc/web/site.conf", true),
            ("*.conf", "etc/web/site.conf.old", false),
            ("site.conf", "etc/web/site.conf", true),
            ("etc/*.conf", "etc/site.conf", true),
            ("etc/*.conf", "etc/web/site.conf", false),
            ("etc/**.conf", "etc/web/site.conf", true),
            ("**/site.*", "etc/web/site.conf", true),
            ("s?te.conf", "etc/site.conf", true),
            ("s?te.conf", "etc/ste.conf", false),
            ("etc?site", "etc/site", false),
            ("etc/?ite", "etc/site", true),
            ("*", "etc", true),
            ("***", "etc", true),
            ("", "etc", false),
            ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("ö*", "etc/öl", true),
        ] {
            let found = KeyPattern::new(pattern).names(&key(text));
            assert_eq!(found, names, "{pattern} and {text}");
        }
    }
}
