//! Which documents of a backup are meant: what lies under some keys, or what a pattern names.

use super::{DocumentKey, InvalidKey, State};
use crate::text::excerpt;
use std::{borrow::Borrow, collections::BTreeSet, convert::Infallible};

/// What lies at and under some keys, and at and under what some patterns name; everything where there are none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    keys: Vec<DocumentKey>,
    /// Each as it was written, too.
    patterns: Vec<(String, KeyPattern)>,
}

impl Selection {
    /// What lies at and under these keys.
    pub fn under(keys: Vec<DocumentKey>) -> Self {
        Self {
            keys,
            patterns: Vec::new(),
        }
    }

    /// What a person means by these: a text with `*` or `?` in it is a pattern, any other is a key.
    ///
    /// # Errors
    /// One is no key, as where it begins with a slash.
    pub fn of_person<T: AsRef<str>>(texts: &[T]) -> Result<Self, InvalidKey> {
        let mut selection = Self::default();
        for text in texts {
            let text = text.as_ref();
            match text.contains(['*', '?']) {
                true => {
                    let pattern = KeyPattern::new(text);
                    selection.patterns.push((text.to_owned(), pattern));
                }
                false => selection.keys.push(DocumentKey::of_person(text)?),
            }
        }
        Ok(selection)
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.names_nothing() || self.keys.iter().any(DocumentKey::is_root)
    }

    /// Whether a document is meant.
    pub fn holds(&self, key: &DocumentKey) -> bool {
        self.names_nothing() || self.keys.iter().any(|top| is_under(key, top)) || self.is_named(key)
    }

    /// Whether what is meant may lie under this key, as far as that is known by it alone: not of what patterns name.
    pub fn leads_through(&self, key: &DocumentKey) -> bool {
        self.keys.iter().any(|top| is_under(top, key))
    }

    /// Whether what is meant is known only by each key itself, for a pattern may name it.
    pub fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// The first of its keys and patterns, as it is written, of which a state holds nothing, and a key that it may be the end of.
    pub fn missing_in(&self, state: &State) -> Option<(&str, Option<DocumentKey>)> {
        let keys = state.iter().map(|(key, _)| Ok::<_, Infallible>(key));
        let Ok(missing) = self.missing_among(keys);
        missing
    }

    /// The first of its keys and patterns, as it is written, of which there is nothing among these, which are read one by one;
    /// and the first of these that ends with it, where it is a key.
    pub fn missing_among<K: Borrow<DocumentKey>, E>(
        &self,
        keys: impl Iterator<Item = Result<K, E>>,
    ) -> Result<Option<(&str, Option<DocumentKey>)>, E> {
        let tops = self.keys.iter().filter(|top| !top.is_root());
        let mut missing: Vec<(&DocumentKey, Option<DocumentKey>)> =
            tops.map(|top| (top, None)).collect();
        let mut unmet: Vec<&(String, KeyPattern)> = self.patterns.iter().collect();
        for key in keys {
            let key = key?;
            let key: &DocumentKey = key.borrow();
            missing.retain_mut(|(top, longer)| {
                if longer.is_none() && ends_with(key, top) {
                    *longer = Some(key.clone());
                }
                !is_under(key, top)
            });
            unmet.retain(|(_, pattern)| !pattern.names(key));
            if missing.is_empty() && unmet.is_empty() {
                break;
            }
        }
        let missing = missing.into_iter();
        let missing = missing.map(|(top, longer)| (top.as_str(), longer));
        let unmet = unmet.into_iter().map(|(text, _)| (text.as_str(), None));
        Ok(missing.chain(unmet).next())
    }

    fn names_nothing(&self) -> bool {
        self.keys.is_empty() && self.patterns.is_empty()
    }

    /// Whether a pattern names it, or a directory that it lies in.
    fn is_named(&self, key: &DocumentKey) -> bool {
        let names = |text: &str| self.patterns.iter().any(|(_, pattern)| pattern.fit(text));
        self.has_patterns() && (names(key.as_str()) || key.ancestors().any(names))
    }
}

fn is_under(key: &DocumentKey, top: &DocumentKey) -> bool {
    if top.is_root() {
        return true;
    }
    let rest = key.as_str().strip_prefix(top.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether these are the last names of a key, with others before them.
fn ends_with(key: &DocumentKey, names: &DocumentKey) -> bool {
    let before = key.as_str().strip_suffix(names.as_str());
    before.is_some_and(|before| before.ends_with('/'))
}

/// That a backup holds nothing of what is meant, with the key that was meant where one ends so; for people.
pub fn missing_words(id: &str, missing: &str, longer: Option<&DocumentKey>) -> String {
    let meant = longer.map(|key| format!("did you mean `{key}`? "));
    format!(
        "backup {id} holds nothing at or under `{missing}`; {}`mainstay backup ls {id}` lists what it holds",
        meant.unwrap_or_default()
    )
}

impl DocumentKey {
    /// The key that a person means: `./` before it and slashes after it do not count.
    ///
    /// # Errors
    /// It is none, as where it begins with a slash.
    pub fn of_person(text: &str) -> Result<Self, InvalidKey> {
        if text.starts_with('/') {
            return Err(InvalidKey {
                found: excerpt(text),
                why: "it is a path of the disk, and a key has what its source puts before it in place of the directory, as \
                      `mainstay backup ls` shows",
            });
        }
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
        self.fit(key.as_str())
    }

    fn fit(&self, key: &str) -> bool {
        let last = key.rsplit('/').next();
        match self.of_name {
            true => last.is_some_and(|name| self.fits(name)),
            false => self.fits(key),
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
    fn a_selection_holds_what_its_patterns_name_and_what_lies_in_that() {
        let selection = Selection::of_person(&["*.conf", "srv/a?", "./etc/web/"]).unwrap();
        for (text, holds) in [
            ("site.conf", true),
            ("deep/below/site.conf", true),
            ("deep/site.conf/in it", true),
            ("srv/ab", true),
            ("srv/ab/c", true),
            ("srv/abc", false),
            ("srv", false),
            ("etc/web/x", true),
            (".", false),
        ] {
            assert_eq!(selection.holds(&key(text)), holds, "{text}");
        }
        assert!(!selection.is_everything() && selection.has_patterns());
        assert!(selection.leads_through(&key("etc")) && !selection.leads_through(&key("srv")));
        let missing = |keys: &[&str]| {
            let missing = selection.missing_in(&state(keys));
            missing.map(|(name, _)| name.to_owned())
        };
        assert_eq!(missing(&["etc/web", "a.conf", "srv/ab"]), None);
        assert_eq!(missing(&["etc/web", "a.conf"]), Some("srv/a?".to_owned()));
        assert!(Selection::of_person(&["/etc"]).is_err());
        let all: [&str; 0] = [];
        assert!(Selection::of_person(&all).unwrap().is_everything());
    }

    #[test]
    fn a_selection_tells_which_of_its_keys_a_state_has_nothing_of() {
        let selection = Selection::under(vec![key("etc"), key("srv/a"), key(".")]);
        let missing = |keys: &[&str]| {
            let missing = selection.missing_in(&state(keys));
            missing.map(|(name, longer)| (name.to_owned(), longer.map(String::from)))
        };
        let told =
            |name: &str, longer: Option<&str>| Some((name.to_owned(), longer.map(str::to_owned)));
        assert_eq!(missing(&["etc/x", "srv/a"]), None);
        assert_eq!(missing(&["etc/x", "srv/ab"]), told("srv/a", None));
        assert_eq!(missing(&[]), told("etc", None));
        let longer = ["data/etc", "x/srv/a", "data/srv/a"];
        assert_eq!(missing(&longer), told("etc", Some("data/etc")));
        let longer = ["etc", "x/srv/a/b", "xsrv/a", "x/srv/a"];
        assert_eq!(missing(&longer), told("srv/a", Some("x/srv/a")));
    }

    #[test]
    fn a_key_that_a_backup_does_not_hold_is_told_with_the_one_that_was_meant() {
        let told = missing_words("ful-1", "note", Some(&key("data/note")));
        assert_eq!(
            told,
            "backup ful-1 holds nothing at or under `note`; did you mean `data/note`? `mainstay backup ls ful-1` lists what it \
             holds"
        );
        assert!(!missing_words("ful-1", "note", None).contains("mean"));
        let error = DocumentKey::of_person("/srv/note").unwrap_err();
        assert!(error.why.starts_with("it is a path of the disk"), "{error}");
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
