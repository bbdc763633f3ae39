//! The published contract cannot be changed by accident: its bytes are pinned.

use mainstay_tests::repository;
use std::fs;

/// BLAKE3 over the names and texts of the files of `plugin-sdk/wit/1.0.0`, comments and blank lines left out, for docs
/// may get better. A published version is frozen: what is missing in it goes into the next minor version, in a
/// directory of its own.
const PINNED_1_0_0: &str = "0a59d61ba8fc8bd70c0d4e119fc92e9b35d217d4e2822e94d1149e5ad3005f29";

#[test]
fn the_published_contract_is_frozen() {
    let directory = repository().join("plugin-sdk/wit/1.0.0");
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.file_name().unwrap().as_encoded_bytes());
        for line in fs::read_to_string(&file).unwrap().lines() {
            let line = line.split("//").next().unwrap().trim();
            if !line.is_empty() {
                hasher.update(line.as_bytes());
                hasher.update(b"\n");
            }
        }
    }
    let found = hasher.finalize().to_hex().to_string();
    assert_eq!(
        found, PINNED_1_0_0,
        "plugin-sdk/wit/1.0.0 is frozen, and this is another contract: take the change back, and put it into a new minor \
         version, in a directory of its own beside it, with its own bindings in host/runtime; a new hash is never the way"
    );
}
