//! Trees that take each other's place.

use super::*;
use swap::Swap;

#[test]
fn a_directory_that_something_is_mounted_at_is_not_replaced() {
    // Mounted wherever the list of mounts can be read.
    let refused = Swap::begin(Path::new("/proc"), true).err().unwrap();
    let error = refused.to_string();
    assert!(error.contains("/proc is a mount point"), "{error}");
}
