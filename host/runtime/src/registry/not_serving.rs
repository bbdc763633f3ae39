//! Why no plugin serves, in words that say which are there.

use mainstay_domain::{code::ErrorCode, name::PluginName, plugin::PluginKind, text::list};

/// Why no plugin serves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotServing {
    /// No plugin of this kind has the name.
    #[error(
        "no {kind} named `{name}` is serving; there {} [{code}]",
        listed(.there),
        code = ErrorCode::NotServing
    )]
    Unknown {
        /// What was asked for.
        kind: PluginKind,
        /// Its name.
        name: PluginName,
        /// The names of this kind that are there.
        there: Vec<String>,
    },
    /// None of its versions matches.
    #[error(
        "no version of `{name}` matches `{requirement}`; there {} [{code}]",
        listed(.there),
        code = ErrorCode::NotServing
    )]
    NoMatch {
        /// Its name.
        name: PluginName,
        /// What was asked for.
        requirement: String,
        /// The versions that are there.
        there: Vec<String>,
    },
    /// Every version that matches rests.
    #[error(
        "every version of `{name}` that matches `{requirement}` failed too often and rests: {} [{code}]",
        list(.resting, ""),
        code = ErrorCode::Quarantined
    )]
    Resting {
        /// Its name.
        name: PluginName,
        /// What was asked for.
        requirement: String,
        /// The versions that rest.
        resting: Vec<String>,
    },
}

fn listed(there: &[String]) -> String {
    match there {
        [] => "is none".to_owned(),
        [one] => format!("is {one}"),
        some => format!("are {}", list(some, "")),
    }
}
