//! Failure types that are well known [seed 000]: how bad they are, and what suffers with them, by default.
//!
//! Any other kebab-case name is allowed too: it is medium, and nothing is known to suffer with it.
