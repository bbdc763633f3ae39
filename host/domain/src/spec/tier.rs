//! Places where backups are stored, as configured.

use super::BandwidthSpec;
use std::path::{Path, PathBuf};

/// A place where backups are stored: beside the state directory, or, of the tier `local`, in place of what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierSpec {
    /// Where it is; of `local` a directory, which is made.
    pub place: TierPlaceSpec,
    /// What it is for where a job does not name it; default `network` of a directory, and `cloud` of a bucket; of `local` it says
    /// nothing.
    pub role: TierRole,
    /// How fast bytes may go there and come from there, of all jobs together; default as fast as they can, and of `local` always.
    pub bandwidth: Vec<BandwidthSpec>,
}

/// Where a tier is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TierPlaceSpec {
    /// A directory that is there, on another disk or mounted from another machine. Absolute.
    Directory(PathBuf),
    /// A bucket, or what is below a prefix in it.
    Bucket(BucketSpec),
}

/// A bucket, by whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BucketSpec {
    /// One of an S3, or of a server that speaks as one.
    S3(S3TierSpec),
    /// A container of Azure's Blob Storage, or of a server that speaks as one.
    Azure(AzureTierSpec),
    /// One of Google Cloud Storage, or of a server that speaks as one.
    Gcs(GcsTierSpec),
}

impl BucketSpec {
    /// The file of the authorities that count for its server's certificate, where one is named.
    pub fn ca(&self) -> Option<&Path> {
        let ca = match self {
            Self::S3(spec) => &spec.ca,
            Self::Azure(spec) => &spec.ca,
            Self::Gcs(spec) => &spec.ca,
        };
        ca.as_deref()
    }
}

/// A bucket of an S3, or of a server that speaks as one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct S3TierSpec {
    /// Its name.
    pub bucket: String,
    /// What the keys of all objects begin with; empty, or names with `/` between them.
    pub prefix: String,
    /// Where the server is, an `http` or `https` URL; none: Amazon's of the region.
    pub endpoint: Option<String>,
    /// What requests are signed for; default `us-east-1`.
    pub region: String,
    /// Who signs; may hold `${secret:NAME}`.
    pub access_key: String,
    /// What it is signed with; holds `${secret:NAME}`.
    pub secret_key: String,
    /// A file of the authorities that count for its certificate; default: those of the system.
    pub ca: Option<PathBuf>,
}

/// A container of Azure's Blob Storage, or of a server that speaks as one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AzureTierSpec {
    /// Its name.
    pub container: String,
    /// What the names of all blobs begin with; empty, or names with `/` between them.
    pub prefix: String,
    /// The storage account that it is of.
    pub account: String,
    /// Where the server is, an `http` or `https` URL without a `/` at its end, to which container and blob are added; none: that of
    /// the account in Azure's public cloud.
    pub endpoint: Option<String>,
    /// What requests are signed with: a key of the account, which is written in base64, or a shared access signature, which is put
    /// into their URLs; holds `${secret:NAME}`.
    pub secret_key: String,
    /// A file of the authorities that count for its certificate; default: those of the system.
    pub ca: Option<PathBuf>,
}

impl AzureTierSpec {
    /// Where the server of an account is in Azure's public cloud.
    pub fn server_of(account: &str) -> String {
        format!("https://{account}.blob.core.windows.net")
    }
}

/// A bucket of Google Cloud Storage, or of a server that speaks as one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GcsTierSpec {
    /// Its name.
    pub bucket: String,
    /// What the names of all objects begin with; empty, or names with `/` between them.
    pub prefix: String,
    /// Where the server is, a URL without a `/` at its end, to which bucket and object are added: of `https`, or of `http` to this
    /// machine alone, for whoever sees a token may use it. None: Google's.
    pub endpoint: Option<String>,
    /// What tokens are signed with: the key of a service account, as the JSON that Google gives for it; holds `${secret:NAME}`.
    pub secret_key: String,
    /// A file of the authorities that count for its certificate; default: those of the system.
    pub ca: Option<PathBuf>,
}

impl GcsTierSpec {
    /// Where Google's is.
    pub const SERVER: &'static str = "https://storage.googleapis.com";
}

/// What a tier is for [seed 003]; see [`crate::tier_order::tier_order`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TierRole {
    /// Differential backups.
    Network,
    /// Full backups.
    Cloud,
    /// No backup that is not told to.
    Archive,
}
