//! Files of environment variables, as a child is started with them.

use mainstay_domain::env_file::{MAX_BYTES, variables};
use mainstay_runtime::regular_file;
use std::{io, path::Path};

/// The variables of a file, in its order. The error names the file and the line.
pub(super) fn read(path: &Path) -> io::Result<Vec<(String, String)>> {
    let failed = |why: String| io::Error::other(format!("{}: {why}", path.display()));
    let content = regular_file::read_whole(path, MAX_BYTES);
    let content = content.map_err(|error| failed(error.to_string()))?;
    variables(content).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_is_not_too_long_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env");
        let error = |path: &Path| read(path).unwrap_err().to_string();
        assert!(error(&path).contains("env: "), "{}", error(&path));
        assert!(error(directory.path()).contains("no regular file"));
        std::fs::write(&path, format!("A={}", "x".repeat(256 << 10))).unwrap();
        assert!(error(&path).contains("longer than 256 KiB"));
        std::fs::write(&path, b"A=\xff").unwrap();
        assert!(read(&path).is_err());
        std::fs::write(&path, "A=1").unwrap();
        assert_eq!(read(&path).unwrap(), [("A".to_owned(), "1".to_owned())]);
    }
}
