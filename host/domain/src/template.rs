//! `${secret:NAME}` placeholders in a text that an operator wrote. Nowhere else do they mean anything.
//!
//! Invariant: putting the parts together again gives the text.
//! Invariant: what begins like a placeholder and is none is an error, so that a misspelt one is never sent as it is.

use crate::{
    name::{InvalidName, SecretName},
    text::excerpt,
};

const OPENING: &str = "${secret";

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'a> {
    /// As it is.
    Text(&'a str),
    /// To be replaced by the value of this secret.
    Secret(SecretName),
}

/// A placeholder that is none. Offsets are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not end.
    #[error("the placeholder at offset {at} has no `}}`: write `${{secret:NAME}}`")]
    Unclosed {
        /// Where it begins, in bytes from the beginning of the text.
        at: usize,
    },
    /// It has another form.
    #[error("`{found}` at offset {at} is no placeholder: write `${{secret:NAME}}`")]
    Malformed {
        /// Where it begins, in bytes from the beginning of the text.
        at: usize,
        /// What is there, cut to a printable length.
        found: String,
    },
    /// Its name is none.
    #[error("the placeholder at offset {at}: {why}")]
    Name {
        /// Where it begins, in bytes from the beginning of the text.
        at: usize,
        /// Which rule it breaks.
        why: InvalidName,
    },
}

/// The parts of a text, in order; empty texts are left out.
///
/// # Errors
/// The first placeholder that is not closed, has no name, or one that breaks the rules of names, with its offset in bytes.
///
/// ```
/// use mainstay_domain::{name::SecretName, template::{Part, parts}};
/// let token = SecretName::parse("token").unwrap();
/// assert_eq!(parts("Bearer ${secret:token}"), Ok(vec![Part::Text("Bearer "), Part::Secret(token)]));
/// assert!(parts("Bearer ${secret:token").is_err());
/// ```
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPENING) {
        let at = text.len() - rest.len() + before.len();
        let Some((inside, behind)) = after.split_once('}') else {
            return Err(TemplateError::Unclosed { at });
        };
        let Some(name) = inside.strip_prefix(':') else {
            let found = excerpt(&format!("{OPENING}{inside}}}"));
            return Err(TemplateError::Malformed { at, found });
        };
        let name = SecretName::parse(name).map_err(|why| TemplateError::Name { at, why })?;
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        parts.push(Part::Secret(name));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

/// The text with `value` in place of each placeholder. One pass: what was put in is not searched itself.
///
/// # Errors
/// A placeholder that is none, or what `value` says of a secret.
///
/// ```
/// use mainstay_domain::template::{TemplateError, expand};
/// let expanded = expand("Bearer ${secret:token}", |name| Ok::<_, TemplateError>(format!("<{name}>")));
/// assert_eq!(expanded.as_deref(), Ok("Bearer <token>"));
/// ```
pub fn expand<E: From<TemplateError>>(
    text: &str,
    mut value: impl FnMut(&SecretName) -> Result<String, E>,
) -> Result<String, E> {
    let mut expanded = String::with_capacity(text.len());
    for part in parts(text)? {
        match part {
            Part::Text(text) => expanded.push_str(text),
            Part::Secret(name) => expanded.push_str(&value(&name)?),
        }
    }
    Ok(expanded)
}

/// The first thing in a text without placeholders that is one, or was meant to be one. `in_program`: the text is an
/// argument of a program, which may be a shell's and then may expand a variable of the name `secret`.
///
/// ```
/// use mainstay_domain::template::stray_placeholder;
/// assert_eq!(stray_placeholder("https://x.example/${secret:a}/b", false).as_deref(), Some("${secret:a}"));
/// assert_eq!(stray_placeholder("echo ${secret:-none} ${secret}", true), None);
/// ```
pub fn stray_placeholder(text: &str, in_program: bool) -> Option<String> {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once(OPENING) {
        let name = behind.strip_prefix(':');
        let is_of_a_shell =
            in_program && name.is_none_or(|name| name.starts_with(['-', '=', '+', '?']));
        if !is_of_a_shell {
            let inside = behind.split_inclusive('}').next().unwrap_or_default();
            return Some(format!("{OPENING}{inside}").chars().take(80).collect());
        }
        rest = behind;
    }
    None
}

/// How an operator writes a secret.
pub fn placeholder(name: &SecretName) -> String {
    format!("${{secret:{name}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(parts: &[Part<'_>]) -> Vec<String> {
        let show = |part: &Part<'_>| match part {
            Part::Text(text) => (*text).to_owned(),
            Part::Secret(name) => format!("<{name}>"),
        };
        parts.iter().map(show).collect()
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(shown(&parts(text).unwrap()), expected, "{text}");
    }

    fn check_error(text: &str, expected: &str) {
        let error = parts(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }

    #[test]
    fn texts_and_secrets_come_in_order() {
        check("", &[]);
        check("plain", &["plain"]);
        check("${secret:a}", &["<a>"]);
        check("x${secret:a}${secret:b-c}ÿ}", &["x", "<a>", "<b-c>", "ÿ}"]);
        check("$HOME ${HOME} $ { } ${", &["$HOME ${HOME} $ { } ${"]);
    }

    #[test]
    fn what_only_looks_like_a_placeholder_is_an_error_that_says_where() {
        check_error("ab${secret:x", "at offset 2 has no `}`");
        check_error("${secret}", "`${secret}` at offset 0");
        check_error("${secrets:x}", "write `${secret:NAME}`");
        check_error("${secret:Not A Name}", "is not a secret name");
        check_error("${secret:a}${secret:}", "at offset 11: `` is not a");
    }

    #[test]
    fn a_placeholder_where_none_belongs_is_found_and_a_shells_variable_is_none() {
        fn check(text: &str, anywhere: Option<&str>, in_a_program: Option<&str>) {
            assert_eq!(
                stray_placeholder(text, false).as_deref(),
                anywhere,
                "{text}"
            );
            assert_eq!(
                stray_placeholder(text, true).as_deref(),
                in_a_program,
                "{text}"
            );
        }
        let both = |text, found| check(text, Some(found), Some(found));
        both("a ${secret:b} ${secret:c}", "${secret:b}");
        both("${secret:Not A Name}", "${secret:Not A Name}");
        both("${secret:b", "${secret:b");
        both("x${secret:", "${secret:");
        both("${secret:}", "${secret:}");
        for text in [
            "${secret}",
            "${secrets:a}",
            "${secret:-b}",
            "${secret:=b}",
            "${secret",
        ] {
            check(text, Some(text), None);
        }
        check(
            "${secret:-b} ${secret:c}",
            Some("${secret:-b}"),
            Some("${secret:c}"),
        );
        for text in [
            "",
            "$secret",
            "{secret:a}",
            "${SECRET:a}",
            "[secret:a]",
            "$ {secret:a}",
        ] {
            check(text, None, None);
        }
    }

    #[test]
    fn a_template_is_expanded_once_and_says_what_it_cannot_have() {
        #[derive(Debug, PartialEq)]
        enum Failed {
            Unknown(SecretName),
            Template(TemplateError),
        }
        impl From<TemplateError> for Failed {
            fn from(error: TemplateError) -> Self {
                Self::Template(error)
            }
        }
        let value = |name: &SecretName| match name.as_str() {
            "a" => Ok("1${secret:b}".to_owned()),
            _ => Err(Failed::Unknown(name.clone())),
        };
        let expand = |text| expand(text, value);
        let unknown = SecretName::parse("b").unwrap();
        assert_eq!(expand("<${secret:a}>").as_deref(), Ok("<1${secret:b}>"));
        assert_eq!(expand("x${secret:b}"), Err(Failed::Unknown(unknown)));
        let unclosed = TemplateError::Unclosed { at: 0 };
        assert_eq!(expand("${secret:a"), Err(Failed::Template(unclosed)));
    }

    proptest! {
        #[test]
        fn the_parts_together_are_the_text(text in "([a-z$\\{\\}:]|\\$\\{secret:[a-z]{1,3}\\}){0,12}") {
            if let Ok(parts) = parts(&text) {
                let whole: String = parts.iter().map(|part| match part {
                    Part::Text(text) => (*text).to_owned(),
                    Part::Secret(name) => placeholder(name),
                }).collect();
                prop_assert_eq!(whole, text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = parts(&text);
        }
    }
}
