//! What the manual of every command ends with.

/// The end of a command's manual with its examples.
macro_rules! examples {
    ($text:literal) => {
        concat!(
            "Exit codes:\n  0  done\n  1  failed\n  2  bad usage or config\n\nExamples:",
            $text
        )
    };
}
pub(super) use examples;
