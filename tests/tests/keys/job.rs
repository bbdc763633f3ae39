//! Backup jobs: `[[job]]`.
