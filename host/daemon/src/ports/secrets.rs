//! What services need of secrets: their values, and that they are in no text.

use mainstay_domain::{
    actor::Actor,
    code::ErrorCode,
    name::SecretName,
    template::{self, TemplateError},
};

/// Why a secret cannot be used. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The config has none with this name.
    #[error(
        "secret `{0}` is not known; add it to [secrets] in the config [{code}]",
        code = ErrorCode::SecretUnusable
    )]
    Unknown(SecretName),
    /// It cannot be read, or is none.
    #[error("secret `{name}`: {what} [{code}]", code = ErrorCode::SecretUnusable)]
    Unreadable {
        /// Which.
        name: SecretName,
        /// What was found, and what to do.
        what: String,
    },
    /// All of them together, so that they cannot be kept out of texts.
    #[error(
        "the secrets are too long to be looked for: {0}; give them shorter values [{code}]",
        code = ErrorCode::SecretUnusable
    )]
    TooLong(String),
    /// The text that asks for it is no template.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// Reads secrets and keeps them out of texts.
pub trait Secrets: Send + Sync {
    /// A value.
    fn value(&self, name: &SecretName) -> Result<String, SecretError>;
    /// What an operator wrote with every `${secret:NAME}` replaced. Only for that: in any other text it means nothing.
    fn reveal(&self, written: &str) -> Result<String, SecretError> {
        template::expand(written, |name| self.value(name))
    }
    /// The bytes with `[secret:NAME]` in place of every known value.
    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8>;
    /// The same, of a piece of something longer, as the end of a log: what is begun of a value at its end is taken out too,
    /// and what is left of one at its begin, and in it a line of a value, or nearly all of one that was never finished.
    fn conceal_piece(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.conceal(bytes)
    }
    /// As [`Self::conceal`], of a text.
    fn conceal_text(&self, text: &str) -> String {
        let concealed = self.conceal(text.as_bytes().to_vec());
        String::from_utf8_lossy(&concealed).into_owned()
    }
    /// Who asks, with what they say of themselves; the name is the host's own.
    fn conceal_note(&self, by: Actor) -> Actor {
        Actor {
            note: by.note.map(|note| self.conceal_text(&note)),
            ..by
        }
    }
    /// How long the longest known value is, in bytes; none where that cannot be told.
    fn longest(&self) -> Option<usize> {
        None
    }
}
