//! The versions of the contract, and which of them serves what was built against one.

use semver::Version;

/// The contract versions that this host speaks, oldest first. Each has a directory in `plugin-sdk/wit/` and a module
/// in `bindings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ContractVersion {
    /// The first one.
    V1_0_0,
    /// With detectors, recovery strategies, backup sources and durable recovery handlers.
    V1_1_0,
    /// With mail and signed requests.
    V1_2_0,
}

impl ContractVersion {
    /// Every one, oldest first.
    pub const ALL: [ContractVersion; 3] = [
        ContractVersion::V1_0_0,
        ContractVersion::V1_1_0,
        ContractVersion::V1_2_0,
    ];

    /// The version of the WIT package.
    pub fn version(self) -> Version {
        match self {
            ContractVersion::V1_0_0 => Version::new(1, 0, 0),
            ContractVersion::V1_1_0 => Version::new(1, 1, 0),
            ContractVersion::V1_2_0 => Version::new(1, 2, 0),
        }
    }

    /// The version that serves a component built against `found`: the oldest one of the same major version that is
    /// not older. Within a major version the contract only grows; a pre-release promises nothing and must be met
    /// exactly.
    pub fn negotiate(found: &Version) -> Option<ContractVersion> {
        serving(found, &Self::ALL.map(Self::version)).and_then(|at| Self::ALL.get(at).copied())
    }
}

/// Which of `supported`, in rising order, serves what was built against `found`.
pub(crate) fn serving(found: &Version, supported: &[Version]) -> Option<usize> {
    supported.iter().position(|ours| {
        let grown = ours.major == found.major && ours.minor >= found.minor;
        match found.pre.is_empty() && ours.pre.is_empty() {
            true => grown,
            false => ours == found,
        }
    })
}
