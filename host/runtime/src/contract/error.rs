//! Why a component is not taken, in words that say what was found and what is allowed.

use mainstay_domain::{code::ErrorCode, plugin::PluginKind};

/// Why a file is no plugin that this host can load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// It has no bytes.
    #[error("the file is empty; a plugin is a WebAssembly component")]
    Empty,
    /// Its first bytes are those of something else.
    #[error("it is not WebAssembly: it begins with {found}, and a component begins with `\\0asm`")]
    NotWasm {
        /// The first bytes, printable.
        found: String,
    },
    /// It is a core module.
    #[error(
        "it is a core module and not a component; build it for wasm32-wasip2, or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// Only a WIT package is in it.
    #[error("it holds a WIT package and no component")]
    WitPackage,
    /// It ends early.
    #[error("it is truncated: {0}; copy the whole file and rename it into place")]
    Truncated(String),
    /// It is broken.
    #[error("it is no valid component: {0}")]
    Invalid(String),
    /// It exports none of the interfaces that identify a kind.
    #[error(
        "it is no plugin of this host: it exports {found}; a plugin exports `mainstay:plugin/plugin` and one of \
         `mainstay:plugin/recovery`, `mainstay:plugin/alerting`, `mainstay:plugin/retention`, \
         `mainstay:plugin/detection`, `mainstay:plugin/strategy`, `mainstay:plugin/collection`"
    )]
    WrongWorld {
        /// What it exports.
        found: String,
    },
    /// It exports the interface of its kind without `plugin`.
    #[error(
        "it exports `{exported}` but not `mainstay:plugin/plugin@{version}`, by which a plugin says its name"
    )]
    Nameless {
        /// The interface of its kind.
        exported: String,
        /// Its version.
        version: String,
    },
    /// It would be of two kinds.
    #[error("it exports both `{0}` and `{1}`; a plugin is of one kind")]
    TwoKinds(PluginKind, PluginKind),
    /// It was built against a version that this host does not speak.
    #[error(
        "it was built against mainstay:plugin {found}, and this host speaks {spoken}; build it against one of these \
         [{code}]",
        code = ErrorCode::ContractMismatch
    )]
    WrongVersion {
        /// Its version.
        found: String,
        /// The versions of this host.
        spoken: String,
    },
    /// Its world came later than the version that it was built against.
    #[error(
        "the world `{kind}` came with mainstay:plugin {since}, and it was built against {found}; build it against {since} \
         or a later one [{code}]",
        code = ErrorCode::ContractMismatch
    )]
    NotYet {
        /// Its kind.
        kind: PluginKind,
        /// The version that brought it.
        since: String,
        /// Its version.
        found: String,
    },
    /// Its interfaces are of two versions.
    #[error(
        "it mixes mainstay:plugin {one} and {other}; build it against one version [{code}]",
        code = ErrorCode::ContractMismatch
    )]
    MixedVersions {
        /// One version.
        one: String,
        /// Another.
        other: String,
    },
    /// It imports what its world does not have.
    #[error(
        "it imports `{import}`, which the world `{kind}` does not have; it may import {allowed} [{code}]",
        code = ErrorCode::ContractMismatch
    )]
    ForeignImport {
        /// The import.
        import: String,
        /// Its kind.
        kind: PluginKind,
        /// What it may import.
        allowed: String,
    },
}
