//! Who commands.
//!
//! Invariant: the name is what the host itself knows of who asks: the user at the other end of the socket, or the name
//! of the token. What somebody says about themselves is a note beside it, and never takes its place.

use std::fmt;

/// Who commands, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user of the socket's peer, or the name of the token's secret.
    pub name: String,
    /// What they say about themselves.
    pub note: Option<String>,
}

impl Actor {
    /// Somebody with this name who says this about themselves; a blank text and the name itself say nothing.
    pub fn new(name: impl Into<String>, says: &str) -> Self {
        let name = name.into();
        let says = says.trim();
        let note = (!says.is_empty() && says != name).then(|| says.to_owned());
        Self { name, note }
    }
}

impl From<&str> for Actor {
    fn from(name: &str) -> Self {
        Self::new(name, "")
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.note {
            Some(note) => write!(f, "{} (who says: {note})", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_says_about_themselves_is_a_note_beside_their_name() {
        for (says, shown) in [
            ("", "root"),
            ("  ", "root"),
            ("root", "root"),
            (" anna ", "root (who says: anna)"),
        ] {
            assert_eq!(Actor::new("root", says).to_string(), shown);
        }
    }
}
